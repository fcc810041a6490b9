"""A span for each SQL statement that belongs to a trace: its text, which holds no values, and how long it took."""

import time

from asyncpg.connection import LoggedQuery
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

# What the pool sends when a connection is given back.
_HOUSEKEEPING = "SELECT pg_advisory_unlock_all()"


class StatementSpans:
    """Called by the driver after each statement, in the context of whoever sent it.

    Parameters are left out (P6), and so is the text of an error, which may quote them. Statements outside of a trace,
    such as the look into the outbox every half minute, make none.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def __call__(self, statement: LoggedQuery) -> None:
        """Tell of one statement that has ended."""
        if not trace.get_current_span().is_recording() or statement.query.startswith(_HOUSEKEEPING):
            return
        ended = time.time_ns()
        text = " ".join(statement.query.split())
        attributes = {"db.system.name": "postgresql", "db.query.text": text}
        span = self._tracer.start_span(
            text.partition(" ")[0].rstrip(";").upper(),
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=ended - int(statement.elapsed * 1e9),
        )
        if statement.exception is not None:
            kind = type(statement.exception).__name__
            span.set_attribute("error.type", kind)
            span.set_status(Status(StatusCode.ERROR, kind))
        span.end(ended)

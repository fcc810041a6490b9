"""The interceptors by which a client and its workers take part in traces; none while traces are off."""

import sys
from collections.abc import Sequence

from temporalio.client import Interceptor

_of_this_process: list[Interceptor] = []


def set_tracing_interceptors(*interceptors: Interceptor) -> None:
    """Have every connection from now on take part in traces by these."""
    _of_this_process[:] = interceptors


def tracing_interceptors() -> Sequence[Interceptor]:
    """Those of this process.

    A service that has set OpenTelemetry up by itself has its traces go on into the cases, without being asked.
    """
    if not _of_this_process and "opentelemetry.sdk.trace" in sys.modules:
        from opentelemetry import trace  # noqa: PLC0415 -- loaded already
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        from starter.telemetry.temporal_traces import ClientTraces  # noqa: PLC0415

        if isinstance(trace.get_tracer_provider(), TracerProvider):
            return (ClientTraces(trace.get_tracer("aftersales")),)
    return tuple(_of_this_process)

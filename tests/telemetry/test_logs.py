"""Log lines as JSON: the trace and the case are in them, and what somebody typed is not."""

import json
import logging

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from temporalio.testing import ActivityEnvironment

from starter.json_log import JsonLines

TYPED = "13812345678 羴"


def line_of(record: logging.LogRecord) -> dict[str, object]:
    text = JsonLines().format(record)
    assert "\n" not in text
    return json.loads(text)


def record(message: str = "found %d", *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("activities.parcels", logging.WARNING, __file__, 1, message, args, info)


def test_a_line_says_when_where_and_what() -> None:
    told = line_of(record("found %d", 3))

    assert (told["level"], told["logger"], told["message"]) == ("warning", "activities.parcels", "found 3")
    assert str(told["time"]).endswith("+00:00")
    assert told.keys() == {"time", "level", "logger", "message"}


def test_a_line_names_its_trace() -> None:
    context = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(context)):
        told = line_of(record("found %d", 3))

    assert (told["trace_id"], told["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")


def test_a_line_names_its_case_and_activity() -> None:
    environment = ActivityEnvironment()
    told = environment.run(line_of, record("found %d", 3))

    assert told["workflow_id"] == environment.info.workflow_id
    assert told["run_id"] == environment.info.workflow_run_id
    assert told["activity"] == environment.info.activity_type


def test_an_error_is_told_without_its_text() -> None:
    try:
        try:
            raise ValueError(TYPED)
        except ValueError as error:
            raise RuntimeError(f"could not read {TYPED}") from error
    except RuntimeError as error:
        text = JsonLines().format(record("it failed", error=error))

    told = json.loads(text)["error"]
    assert TYPED not in text
    assert (told["type"], told["cause"]["type"]) == ("RuntimeError", "ValueError")
    assert "test_an_error_is_told_without_its_text" in told["at"][0]

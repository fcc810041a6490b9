"""Log lines as JSON: one object a line, with the trace, the workflow and the activity that it belongs to.

Of an error only its type and where it happened are told: its text may quote what somebody has typed (P6).
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from temporalio import activity, workflow


class JsonLines(logging.Formatter):
    """Makes one line of each record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, without line breaks."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_trace(),
            **_temporal(),
        }
        if record.exc_info and record.exc_info[1]:
            told["error"] = _error(record.exc_info[1])
        return json.dumps(told, ensure_ascii=False, default=str)


def _trace() -> dict[str, object]:
    """The span that is open, where OpenTelemetry is in use; it is not loaded for this."""
    trace = sys.modules.get("opentelemetry.trace")
    span = trace.get_current_span().get_span_context() if trace else None
    if span is None or not span.is_valid:
        return {}
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


def _temporal() -> dict[str, object]:
    if activity.in_activity():
        info = activity.info()
        return {
            "workflow_id": info.workflow_id,
            "run_id": info.workflow_run_id,
            "activity": info.activity_type,
            "attempt": info.attempt,
        }
    if workflow.in_workflow():
        info = workflow.info()
        return {"workflow_id": info.workflow_id, "run_id": info.run_id, "workflow_type": info.workflow_type}
    return {}


def _error(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)
    told: dict[str, object] = {
        "type": type(error).__qualname__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if error.__cause__ is not None:
        told["cause"] = _error(error.__cause__)
    return told

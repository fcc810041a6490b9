"""Where log lines go: to standard error, because standard output belongs to the answers."""

import logging
import sys
from typing import Final, Literal

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from starter.json_log import JsonLines

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_FILTER: Final = TelemetryFilter(core_level="WARN", other_level="ERROR")


def to_standard_error(
    level: Literal["debug", "info", "warning", "error"] = "warning", lines: Literal["text", "json"] = "text"
) -> None:
    """Send our log and that of the SDK's core, which would go to standard output, to standard error.

    To be called before the first connection; a second call sets the level and the kind of ``lines`` anew.
    """
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(stream=sys.stderr)
        Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=core_logging())))
        # On every look at the schema it tells at length that it has looked.
        logging.getLogger("alembic").setLevel(logging.WARNING)
    root.setLevel(level.upper())
    for handler in root.handlers:
        handler.setFormatter(JsonLines() if lines == "json" else logging.Formatter(_TEXT))


def core_logging() -> LoggingConfig:
    """The log of the SDK's core, as part of ours."""
    return LoggingConfig(filter=_FILTER, forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")))

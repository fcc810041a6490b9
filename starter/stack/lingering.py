"""Servers of a state folder that nobody keeps any more, because their keeper was killed."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import psutil

from starter.stack.state_folder import StateFolder

_GRACE_SECONDS: Final = 20
_POLL_SECONDS: Final = 0.02


def stop_lingering(folder: StateFolder) -> list[int]:
    """Stops the servers that run on this folder, and says which process ids they had.

    To be called by who holds the folder. A process is known by what it does now, not by a remembered id that
    may have gone to another: its command line or its working directory names this very folder.
    """
    return stop_lingering_temporal(folder) + stop_lingering_postgres(folder)


def stop_lingering_temporal(folder: StateFolder) -> list[int]:
    """The same for the Temporal server alone."""
    servers = temporal_servers(folder)
    return _end(servers, servers, signal.SIGTERM)


def stop_lingering_postgres(folder: StateFolder) -> list[int]:
    """The same for PostgreSQL alone, with the backends that a killed server leaves for a moment."""
    processes = postgres_processes(folder)
    # Only the server's own command line names its folder. It ends the others in the right order: the same signal
    # means other things to them.
    servers = [process for process in processes if _names(process, str(folder.postgres_data))]
    return _end(processes, servers, signal.SIGINT)


def temporal_servers(folder: StateFolder) -> list[psutil.Process]:
    """The Temporal servers that have this folder's database open."""
    database = str(folder.temporal_database)
    return list(_processes("temporal", lambda process: _names(process, database)))


def postgres_processes(folder: StateFolder) -> list[psutil.Process]:
    """The folder's PostgreSQL server and its backends, which outlive it for a moment when it is killed."""
    data = str(folder.postgres_data)
    return list(_processes("postgres", lambda process: process.cwd() == data))


def _processes(name: str, belongs: Callable[[psutil.Process], bool]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == name and belongs(process) and _sees_our_files(process):
                yield process


def _sees_our_files(process: psutil.Process) -> bool:
    # From outside a container its processes are visible, and a path that they name is one of theirs.
    root = Path(f"/proc/{process.pid}/root")
    try:
        return not root.exists() or root.samefile("/")
    except OSError:
        return False


def _names(process: psutil.Process, path: str) -> bool:
    try:
        return path in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _end(processes: Sequence[psutil.Process], asked: Sequence[psutil.Process], request: signal.Signals) -> list[int]:
    """Asks some of the processes to end, waits for all of them, and kills those that do not."""
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(request)
    for process in _still_there(processes):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _still_there(processes)
    return [process.pid for process in processes]


def _still_there(processes: Sequence[psutil.Process]) -> Sequence[psutil.Process]:
    """Waits for the processes to end, and returns those that have not."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while (left := [process for process in processes if lives(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return left


def lives(process: psutil.Process) -> bool:
    """Whether a process still does anything. One that has ended may stay listed until its parent asks."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

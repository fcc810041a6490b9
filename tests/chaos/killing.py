"""SIGKILL for the servers of a stack."""

import os
import signal
from contextlib import suppress

import psutil

from starter.stack import Stack


def kill_temporal(stack: Stack) -> None:
    """SIGKILL for the Temporal server."""
    assert stack.temporal_pid is not None
    os.kill(stack.temporal_pid, signal.SIGKILL)


def kill_postgres(stack: Stack) -> None:
    """SIGKILL for PostgreSQL: all of its processes at once, so that none can end what it was doing."""
    assert stack.postgres_pid is not None
    postmaster = psutil.Process(stack.postgres_pid)
    postmaster.suspend()
    for process in (*postmaster.children(), postmaster):
        with suppress(psutil.NoSuchProcess):
            process.kill()

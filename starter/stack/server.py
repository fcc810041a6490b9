"""One server process of a stack, as the keeper sees it."""

import asyncio
import contextlib
import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

_POLL_SECONDS: Final = 0.02
_LOG_LINES: Final = 15


class ServerFailedError(Exception):
    """A server did not come up; the text ends with the last lines of its log."""


class ServerProcess:
    """A server, its log, and when it counts as up."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        is_up: Callable[[int], bool],
        stop_signal: signal.Signals,
        start_seconds: float,
        stop_seconds: float,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        working_directory: Path,
    ) -> None:
        """`is_up` is asked with the process id until it says yes; `stop_signal` asks for a clean end."""
        self.name = name
        self._command = list(command)
        self._log = log
        self._is_up = is_up
        self._stop_signal = stop_signal
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._user = user
        self._environment = environment
        self._working_directory = working_directory
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id, while the process runs."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self) -> None:
        """Starts the server and returns when it is up.

        Raises:
            ServerFailedError: it ended, or was not up in time.
        """
        with self._log.open("ab") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._working_directory,
                **run_as(self._user),
                env=self._environment,
            )
        try:
            async with asyncio.timeout(self._start_seconds):
                while not self._is_up(process.pid):
                    if process.returncode is not None:
                        raise ServerFailedError(
                            f"{self.name} ended with code {process.returncode}. {last_lines(self._log)}"
                        )
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            await self.stop()
            raise ServerFailedError(
                f"{self.name} was not up after {self._start_seconds:.0f} seconds. {last_lines(self._log)}"
            ) from None

    async def stop(self) -> None:
        """Asks the server to end, ends it if it does not, and returns when it is gone."""
        process = self._process
        if process is None:
            return
        for request in (self._stop_signal, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(request)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._stop_seconds):
                    await process.wait()
                    return


class Identity(TypedDict, total=False):
    """Arguments of a new process that say whose it is."""

    user: str
    group: int
    extra_groups: Sequence[int]


def run_as(user: str | None) -> Identity:
    """A process of this user with none of our groups; of our own user without one."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": ()}


def last_lines(log: Path) -> str:
    """The end of a log, for an error message."""
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join([f"Last lines of {log}:", *(f"  {line}" for line in lines)])

"""The folder on which a stack runs: where its things lie, who holds it, and where its servers answer."""

import fcntl
import json
import shlex
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

import psutil

_RELEASE_SECONDS: Final = 60
_CLOCK_SECONDS: Final = 2


@dataclass(frozen=True)
class Addresses:
    """Where the servers answer. `ui` and `metrics` are known of an embedded Temporal server only."""

    temporal_address: str
    database_url: str = field(repr=False)
    ui_address: str | None = None
    metrics_address: str | None = None


@dataclass(frozen=True)
class Embedded:
    """Where those servers answer that a stack runs itself; nothing of real ones, whose URL may hold a password."""

    temporal_address: str | None = None
    ui_address: str | None = None
    metrics_address: str | None = None
    database_url: str | None = None
    codec_address: str | None = None
    """Where payloads are decoded: for the Web UI, and for whoever has a token."""


class FolderInUseError(Exception):
    """Another living process runs a stack on this folder."""


@dataclass(frozen=True)
class StateFolder:
    """Paths inside a state folder."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Self:
        """The folder at `path`; its path is absolute and free of symbolic links.

        One that is not there is made for nobody but us: histories, logs and keys lie in it. One that is there may be
        somebody's for other things too, and stays as it is.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(path.resolve())

    def close_to_others(self) -> None:
        """Take what holds histories from everybody else, also where an earlier release has made it."""
        self.logs.chmod(0o700)
        for file in (*self.path.glob(f"{self.temporal_database.name}*"), *self.logs.iterdir()):
            file.chmod(0o600)

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "postgres"

    @property
    def temporal_database(self) -> Path:
        """The SQLite file of the Temporal server."""
        return self.path / "temporal.db"

    @property
    def ports(self) -> Path:
        """The ports that were used last."""
        return self.path / "ports.json"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.path / "logs"

    @property
    def _lock(self) -> Path:
        return self.path / "lock"

    @property
    def _addresses(self) -> Path:
        return self.path / "stack.json"

    def publish(self, addresses: Embedded) -> None:
        """Lets other processes find the servers."""
        draft = self._addresses.with_suffix(".new")
        draft.write_text(json.dumps(asdict(addresses)))
        draft.replace(self._addresses)

    def withdraw(self) -> None:
        """Takes back what `publish` said."""
        self._addresses.unlink(missing_ok=True)

    def published(self) -> Embedded | None:
        """Where the servers answer, if a stack runs on this folder."""
        try:
            with self._lock.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # Held: somebody keeps this stack alive.
        except FileNotFoundError:
            return None
        else:
            return None
        try:
            return Embedded(**json.loads(self._addresses.read_text()))
        except FileNotFoundError:
            return None

    @contextmanager
    def held(self, owner: psutil.Process) -> Generator[None]:
        """Keeps every other process from running a stack on this folder on behalf of a living owner.

        A stack whose owner is dead is about to stop: this waits for that.

        Raises:
            FolderInUseError: another process runs a stack here.
        """
        # Not truncated on opening: until the lock is ours, the text is another's.
        with self._lock.open("a+") as lock:
            self._acquire(lock.fileno())
            lock.truncate(0)
            lock.write(f"{owner.pid} {owner.create_time()}")
            lock.flush()
            try:
                yield
            finally:
                lock.truncate(0)

    def _acquire(self, lock: int) -> None:
        deadline = time.monotonic() + _RELEASE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = self._holder()
                if holder is not None:
                    raise FolderInUseError(
                        f"the state folder {self.path} is in use by process {holder.pid} ({_command(holder)})"
                    ) from None
                if time.monotonic() > deadline:
                    raise FolderInUseError(
                        f"the state folder {self.path} is still held by a stack that is stopping"
                    ) from None
                time.sleep(0.05)
            else:
                return

    def _holder(self) -> psutil.Process | None:
        try:
            pid, created = self._lock.read_text().split()
            process = psutil.Process(int(pid))
            # A pid comes around again; a pid with its start time does not.
            same = abs(process.create_time() - float(created)) < _CLOCK_SECONDS
        except (ValueError, psutil.Error):
            return None
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None


def _command(process: psutil.Process) -> str:
    try:
        return shlex.join(process.cmdline())
    except psutil.Error:
        return "command unknown"

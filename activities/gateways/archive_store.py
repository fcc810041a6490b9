"""The port to where old months of closed cases are kept, and its adapter for a folder (X1).

What is kept there has ids, amounts and references, and nothing of a person in clear: see docs/capacity.md.
"""

import asyncio
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

from activities.gateways.whole_files import whole_file

Done = TypeVar("Done")

_NAME: Final = re.compile(r"[0-9]{4}-[0-9]{2}/[0-9]+/[a-z]+(-[0-9]+)?\.[a-z]+")


class ArchiveUnreachable(Exception):  # noqa: N818 -- named after what happened
    """The archive's store does not answer, or refuses."""


class NotInArchive(LookupError):  # noqa: N818 -- it is a finding, not a fault
    """The archive has no such month or case, or the database has the month itself."""


class ArchiveDamaged(Exception):  # noqa: N818 -- named after what happened
    """What the archive holds is not what was put there, or not what the database has."""


class ArchiveStore(Protocol):
    """Keeps whole files under names such as ``2026-11/1/cases-00001.parquet``."""

    async def put(self, name: str, file: Path) -> None:
        """Keep a copy of ``file`` under ``name``, in place of what was there: all of it or nothing.

        Raises:
            ArchiveUnreachable: it is not known to be kept.
        """
        ...

    async def get(self, name: str, file: Path) -> bool:
        """Write what is kept under ``name`` into ``file``; whether there is anything.

        Raises:
            ArchiveUnreachable: that is not known.
        """
        ...

    async def ping(self) -> str:
        """Where it is, once it has answered.

        Raises:
            ArchiveUnreachable: it does not.
        """
        ...


def checked(name: str) -> str:
    """The name, if it is one of ours.

    Raises:
        ValueError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("an archive's file is called YYYY-MM/PART/NAME.TYPE")
    return name


class ArchiveFolder:
    """Files in a folder, which must outlive this machine: a mounted share, say."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, name: str, file: Path) -> None:
        """See ``ArchiveStore``."""
        await _in_thread(_copy, file, self._folder / checked(name))

    async def get(self, name: str, file: Path) -> bool:
        """See ``ArchiveStore``."""
        kept = self._folder / checked(name)
        if not await _in_thread(kept.is_file):
            return False
        await _in_thread(shutil.copyfile, kept, file)
        return True

    async def ping(self) -> str:
        """See ``ArchiveStore``."""
        await _in_thread(_writable, self._folder)
        return f"folder {self._folder}"


async def _in_thread(do: Callable[..., Done], *given: object) -> Done:
    try:
        return await asyncio.to_thread(do, *given)
    except OSError as error:
        raise ArchiveUnreachable(f"the folder of the archive: {error.strerror}") from error


def _copy(file: Path, to: Path) -> None:
    with file.open("rb") as source, whole_file(to) as copy:
        shutil.copyfileobj(source, copy, 1 << 20)


def _writable(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    probe = folder / f".ping.{secrets.token_hex(4)}"
    probe.write_bytes(b"")
    probe.unlink()

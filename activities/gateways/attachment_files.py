"""Attachments in a folder, which all processes that read or keep them must share."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.gateways.attachments import StoreUnreachable
from activities.gateways.whole_files import whole_file

Done = TypeVar("Done")

_NAME: Final = re.compile(r"[0-9a-f]{32}")


class FilesSettings(BaseSettings):
    """Where the folder is."""

    model_config = SettingsConfigDict(env_prefix="AFTERSALES_FILES_")
    folder: Path = Field(description="The folder, which all processes that keep or read attachments share.")


class AttachmentFiles:
    """A file for each attachment, readable by its owner only; in folders by the first two letters of its name."""

    settings = FilesSettings

    def __init__(self, folder: Path | None = None) -> None:
        """Without ``folder``, the one that the environment names."""
        self._folder = folder or FilesSettings().folder  # pyright: ignore[reportCallIssue] -- from the environment

    async def put(self, name: str, sealed: bytes) -> None:
        """See ``AttachmentStore``."""
        await _in_thread(_write, self._path(name), sealed)

    async def get(self, name: str) -> bytes | None:
        """See ``AttachmentStore``."""
        return await _in_thread(_read, self._path(name))

    async def delete(self, name: str) -> None:
        """See ``AttachmentStore``."""
        await _in_thread(_delete, self._path(name))

    async def ping(self) -> str:
        """Which folder it is, once it has been written to."""
        await _in_thread(_write, self._folder / "ping", b"")
        return f"folder {self._folder}"

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):  # whatever a database says: never a path out of the folder
            raise ValueError("an attachment's name is 32 hex digits")
        return self._folder / name[:2] / name


async def _in_thread(do: Callable[..., Done], *given: Any) -> Done:
    try:
        return await asyncio.to_thread(do, *given)
    except OSError as error:
        raise StoreUnreachable(f"the folder of attachments: {error.strerror}") from error


def _write(path: Path, sealed: bytes) -> None:
    with whole_file(path) as file:
        file.write(sealed)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)

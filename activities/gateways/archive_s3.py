"""The archive in a bucket of any store that speaks S3; large files go in parts."""

import asyncio
from pathlib import Path
from typing import Any, Final

from boto3.exceptions import Boto3Error  # pyright: ignore[reportMissingTypeStubs]
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

from activities.gateways.archive_store import ArchiveUnreachable, checked
from activities.gateways.attachments_s3 import S3Settings, client_of, code_of

_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})


class ArchiveBucket:
    """An object for each file."""

    def __init__(self, told: S3Settings, folder: str) -> None:
        """Of ``told`` the bucket, the place and the key; the names of objects begin with ``folder``."""
        self._bucket, self._folder = told.bucket, folder.strip("/")
        self._where = f"{told.endpoint or 'AWS'}, bucket {told.bucket}"
        self._client: Any = client_of(told)

    async def put(self, name: str, file: Path) -> None:
        """See ``ArchiveStore``."""
        await self._call("upload_file", str(file), self._bucket, self._key(name))

    async def get(self, name: str, file: Path) -> bool:
        """See ``ArchiveStore``."""
        return await self._call("download_file", self._bucket, self._key(name), str(file))

    async def ping(self) -> str:
        """See ``ArchiveStore``."""
        await self._call("head_bucket", Bucket=self._bucket)
        return self._where

    def _key(self, name: str) -> str:
        return f"{self._folder}/{checked(name)}" if self._folder else checked(name)

    async def _call(self, operation: str, *given: str, **named: str) -> bool:
        try:
            await asyncio.to_thread(getattr(self._client, operation), *given, **named)
        except ClientError as error:
            if operation == "download_file" and code_of(error) in _MISSING:
                return False
            raise ArchiveUnreachable(f"the store of the archive refuses {operation}: {code_of(error)}") from error
        except (BotoCoreError, Boto3Error) as error:
            raise ArchiveUnreachable(f"the store of the archive does not answer: {type(error).__name__}") from error
        return True

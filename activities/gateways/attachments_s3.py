"""Attachments in a bucket of any store that speaks S3: AWS, MinIO, Ceph, the object stores of other clouds.

The SDK blocks, and so runs in threads. It is told to send and demand checksums only where the protocol requires them:
others' stores refuse the newer ones, and what is sealed shows by itself whether it is whole.
"""

import asyncio
from typing import Any, Final

import boto3  # pyright: ignore[reportMissingTypeStubs]
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.gateways.attachments import StoreUnreachable

_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})


class S3Settings(BaseSettings):
    """Which bucket, where, and by which key; without a key, as the SDK finds one (role, profile, variables)."""

    model_config = SettingsConfigDict(env_prefix="AFTERSALES_S3_", hide_input_in_errors=True)
    bucket: str = Field(description="The bucket's name.")
    endpoint: str | None = Field(default=None, description="The store's address where it is not AWS.")
    region: str | None = Field(default=None, description="The store's region. Without it, as the SDK finds one.")
    access_key: SecretStr | None = Field(
        default=None, description="The key's id. Without it, as the SDK finds a key: a role, a profile, its variables."
    )
    secret_key: SecretStr | None = Field(default=None, description="The key's secret; goes with the id.")
    folder: str = Field(default="attachments", description="What the names of objects begin with.")


def client_of(told: S3Settings) -> Any:
    """The SDK's client of this store."""
    sdk: Any = boto3  # which has no types
    return sdk.session.Session().client(
        "s3",
        endpoint_url=told.endpoint,
        region_name=told.region,
        aws_access_key_id=told.access_key and told.access_key.get_secret_value(),
        aws_secret_access_key=told.secret_key and told.secret_key.get_secret_value(),
        config=Config(
            connect_timeout=3,
            read_timeout=20,
            retries={"total_max_attempts": 3, "mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if told.endpoint else "auto"},
        ),
    )


class S3Attachments:
    """An object for each attachment."""

    settings = S3Settings

    def __init__(self, told: S3Settings | None = None) -> None:
        """Without ``told``, as the environment says."""
        told = told or S3Settings()  # pyright: ignore[reportCallIssue] -- read from the environment
        self._bucket, self._folder = told.bucket, told.folder.strip("/")
        self._where = f"{told.endpoint or 'AWS'}, bucket {told.bucket}"
        self._client: Any = client_of(told)

    async def put(self, name: str, sealed: bytes) -> None:
        """See ``AttachmentStore``."""
        await self._call("put_object", Key=self._key(name), Body=sealed, ContentType="application/octet-stream")

    async def get(self, name: str) -> bytes | None:
        """See ``AttachmentStore``."""
        return await self._call("get_object", Key=self._key(name))

    async def delete(self, name: str) -> None:
        """See ``AttachmentStore``."""
        await self._call("delete_object", Key=self._key(name))

    async def ping(self) -> str:
        """Which bucket it is, once it has answered."""
        await self._call("head_bucket")
        return self._where

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    async def _call(self, operation: str, **given: Any) -> bytes | None:
        def answer() -> bytes | None:
            said = getattr(self._client, operation)(Bucket=self._bucket, **given)
            body = said.get("Body")
            return None if body is None else body.read()

        try:
            return await asyncio.to_thread(answer)
        except ClientError as error:
            code = code_of(error)
            if operation == "get_object" and code in _MISSING:
                return None
            raise StoreUnreachable(f"the store of attachments refuses {operation}: {code}") from error
        except BotoCoreError as error:
            raise StoreUnreachable(f"the store of attachments does not answer: {type(error).__name__}") from error


def code_of(error: Any) -> str:
    """The store's own word for what is wrong."""
    return str(error.response.get("Error", {}).get("Code"))

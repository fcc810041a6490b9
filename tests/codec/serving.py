"""A codec server as its callers meet it."""

import base64
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import aiohttp
from temporalio.api.common.v1 import Payload

from starter.codec_server import CodecServerSettings, Role, minted

ORIGIN = "http://127.0.0.1:8233"
SECRET = "a secret of these tests, long enough"


def serving(**changes: Any) -> CodecServerSettings:
    """Settings of a server in these tests."""
    usual: dict[str, Any] = {
        "port": 0,
        "ui_origins": (ORIGIN,),
        "namespaces": ("default",),
        "token_secret": SECRET,
    }
    return CodecServerSettings.model_validate(usual | changes)


def token(role: str = "operator", subject: str = "o-1", *, life: int = 60, **claims: Any) -> str:
    return minted(
        SECRET,
        "aftersales",
        "aftersales-codec",
        role=Role(role),
        subject=subject,
        lifetime=timedelta(minutes=life),
        **claims,
    )


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: dict[str, str]
    document: Any

    @property
    def payloads(self) -> list[Payload]:
        assert self.status == 200, self.document
        return [
            Payload(
                metadata={name: base64.b64decode(value) for name, value in each["metadata"].items()},
                data=base64.b64decode(each["data"]),
            )
            for each in self.document["payloads"]
        ]

    @property
    def texts(self) -> list[str]:
        return [each.data.decode() for each in self.payloads]


def body_of(*payloads: Payload) -> dict[str, Any]:
    return {
        "payloads": [
            {
                "metadata": {name: base64.b64encode(value).decode() for name, value in each.metadata.items()},
                "data": base64.b64encode(each.data).decode(),
            }
            for each in payloads
        ]
    }


def json_payload(text: str) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())


@dataclass(frozen=True)
class Caller:
    """Somebody who asks a server."""

    session: aiohttp.ClientSession
    address: str
    headers: dict[str, str] = field(default_factory=lambda: {"X-Namespace": "default"})

    def having(self, **headers: str) -> "Caller":
        return replace(self, headers=self.headers | {name.replace("_", "-"): text for name, text in headers.items()})

    def lacking(self, name: str) -> "Caller":
        return replace(self, headers={each: text for each, text in self.headers.items() if each != name})

    def as_(self, role: str, subject: str = "o-1", **claims: Any) -> "Caller":
        return self.having(Authorization=f"Bearer {token(role, subject, **claims)}")

    async def ask(self, path: str, *payloads: Payload, body: bytes | None = None, method: str = "POST") -> Answer:
        content: dict[str, Any] = {"json": body_of(*payloads)} if body is None else {"data": body}
        async with self.session.request(method, self.address + path, headers=self.headers, **content) as response:
            assert response.headers["Cache-Control"] == "no-store"
            text = await response.text()
            return Answer(
                response.status,
                response.reason or "",
                {name.lower(): value for name, value in response.headers.items()},
                await response.json() if text else None,
            )

    async def decode(self, *payloads: Payload) -> Answer:
        return await self.ask("/decode", *payloads)

    async def encode(self, *payloads: Payload) -> Answer:
        return await self.ask("/encode", *payloads)

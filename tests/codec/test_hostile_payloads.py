"""P6: whatever the codec server is sent, it answers within bounds and repeats nothing; without its database as well.

What was encrypted is changed, cut, put together from others and named after other keys; bodies, paths and headers are
whatever comes to somebody's mind.
"""

import asyncio
import base64
import io
import json
import logging
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NoReturn, cast

import aiohttp
import asyncpg
import pytest
from temporalio.api.common.v1 import Payload

from activities.postgres.vault import Vault
from activities.privacy.codec import EncryptionCodec
from activities.privacy.keys import FixedKeys, new_key, read_keys
from starter.codec_server import running
from tests.codec.serving import ORIGIN, body_of, json_payload, serving, token
from tests.proofs.hostile_values import MARK, TEXTS, Document, Sender

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "300"))
KEYS: Final = FixedKeys(read_keys(f"{new_key('new')},{new_key('old')}"))
REFERENCES: Final = (
    *(f"vault:{kind}/{'0a' * 16}" for kind in ("account", "address", "evidence", "other")),
    f"statement:{'f' * 32}",
    *(f"{word}refund/O-1/k-1" for word in ("remarks:", "dossier:")),
)
PLAIN: Final = (
    json_payload(json.dumps({"name": MARK, "account": REFERENCES[0], "other": list(REFERENCES)})),
    json_payload(f'"{REFERENCES[1]} \\u3014{MARK}\\u3015"'),
    json_payload("[" * 5_000),
    json_payload("〔" * 20_000),
    Payload(metadata={"encoding": b"binary/null"}),
    Payload(metadata={"encoding": b"binary/plain", "\x00": b"\xff"}, data=b"\x00" * 100_000),
)
FINE: Final = frozenset({200, 204, 400, 401, 403, 404, 405, 413, 422, 503})


class Nowhere:
    """A database that does not answer."""

    def acquire(self) -> NoReturn:
        raise ConnectionRefusedError


def changed(dice: random.Random, payload: Payload, other: Payload) -> Payload:
    """An encrypted payload that somebody has laid hands on."""
    made = Payload(metadata=dict(payload.metadata), data=payload.data)
    at = dice.randrange(len(made.data)) if made.data else 0
    match dice.randrange(9):
        case 0:
            made.data = made.data[:at]
        case 1:
            made.data = made.data[:at] + bytes([dice.randrange(256)]) + made.data[at + 1 :]
        case 2:
            made.data = other.data
        case 3:
            made.metadata["encryption-key-id"] = dice.choice(
                (b"", b"old", b"gone", b"\xff\xfe", b"k" * 50_000, MARK.encode())
            )
        case 4:
            made.metadata["encryption-case"] = dice.choice(
                (b"", b"refund/O-9/k-9", b"\xff", b"c" * 50_000, MARK.encode())
            )
        case 5:
            del made.metadata[dice.choice(sorted(made.metadata))]
        case 6:
            made.metadata["encoding"] = dice.choice((b"binary/aes-256-gcm", b"json/plain", b"\xff", b""))
        case 7:
            made.data = made.data * 40
        case _:
            pass
    return made


def body(dice: random.Random, sender: Sender, sealed: list[Payload]) -> bytes:
    """A request's body."""
    some = [changed(dice, dice.choice(sealed), dice.choice(sealed)) for _ in range(dice.choice((0, 1, 1, 2, 5)))]
    document: Document = body_of(*some, *dice.sample(PLAIN, dice.choice((0, 0, 1))))
    match dice.randrange(12):
        case 0:
            return sender.text(document)
        case 1:
            return json.dumps({"payloads": [{}] * dice.choice((1_000, 1_001, 20_000))}).encode()
        case 2:
            return b"x" * (70 << 10)
        case 3:
            told: Any = dice.choice((None, 1, "a", "====", base64.b64encode(b"\x00").decode() + "\n", [], {"a": 1}))
            return json.dumps({"payloads": [{"metadata": {"encoding": told}, "data": told}]}).encode()
        case 4:
            return dice.randbytes(200)
        case _:
            return json.dumps(document).encode()


async def test_whatever_the_codec_server_is_sent(
    caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    caplog.set_level(logging.INFO)
    dice, told, wrong = random.Random(os.environ.get("PROOFS_SEED", "codec")), Counter[int](), list[str]()
    sender = Sender(dice)
    sealed = await EncryptionCodec(KEYS).encode(PLAIN)
    settings = serving(requests_per_minute=10**6, max_body_bytes=1 << 20)
    odd = [each for each in TEXTS if type(each) is str and each.isprintable() and 0 < len(each) < 2_000]

    async def ask(session: aiohttp.ClientSession, address: str) -> None:
        role = dice.choice(("operator", "operator", "service", "auditor"))
        reason: dict[str, Any] = {"reason": "ticket:1"} if role == "auditor" else {}
        headers = {"X-Namespace": "default", "Authorization": f"Bearer {token(role, **reason)}"}
        if dice.random() < 0.2:
            name = dice.choice(("X-Namespace", "Authorization", "Origin", "Content-Encoding", "Content-Type", "X-Odd"))
            headers[name] = (
                dice.choice((*odd, ORIGIN, "gzip", "Bearer ", "Basic x", "Bearer a.b.c")).encode().decode("latin-1")
            )
        path = dice.choice(
            ("/decode", "/decode", "/decode", "/encode", "/encode", "//encode", "/as/x/decode", "/nowhere", "/")
        )
        method = dice.choice(("POST", "POST", "POST", "POST", "POST", "POST", "OPTIONS", "GET", "PUT"))
        sent = body(dice, sender, sealed)
        async with session.request(method, address + path, data=io.BytesIO(sent), headers=headers) as answer:
            said = await answer.read()
        told[answer.status] += 1
        if answer.status not in FINE:
            wrong.append(f"{answer.status} {method} {path}: {said[:200]!r}: {sent[:200]!r}")
        elif answer.status != 200 and MARK in f"{answer.reason} {said.decode()}":
            wrong.append(f"it repeats what was sent: {said[:200]!r}")

    pool, vault = cast("asyncpg.Pool", Nowhere()), cast("Vault", None)
    async with running(settings, KEYS, pool, vault) as address, aiohttp.ClientSession() as session:
        for _ in range(0, INPUTS, 6):
            await asyncio.gather(*(ask(session, address) for _ in range(6)))
        headers = {"X-Namespace": "default", "Authorization": f"Bearer {token('service')}"}
        async with session.post(f"{address}/decode", json=body_of(sealed[0]), headers=headers) as answer:
            shown = (await answer.json())["payloads"][0]["data"]

    record_property("inputs", sum(told.values()))
    assert wrong == [], "\n".join(wrong[:20])
    assert {200, 400, 413, 422} <= set(told), told
    assert base64.b64decode(shown) == PLAIN[0].data
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR or MARK in each.getMessage()]

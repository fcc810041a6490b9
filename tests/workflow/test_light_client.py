"""The light client as a service has it: its wheel, in an environment of its own, beside that service's packages."""

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from activities.postgres.vault import Vault
from starter.codec_server import running
from starter.settings import Settings
from starter.stack import Stack
from starter.vault import key_provider
from tests.codec.serving import serving, token
from tests.workflow.light_site import site_of, their_service, virtual_environment
from tests.workflow.world import World
from workflows.messages.sealed import require_sealed

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


@pytest.fixture
def strict() -> Iterator[None]:
    """As in production: no command moves anything that is sealed for no case."""
    require_sealed(True)
    yield
    require_sealed(False)


@pytest.mark.usefixtures("strict")
async def test_the_wheel_serves_a_service_that_has_temporal_only_with_a_key_and_without(
    world: World, stack: Stack, settings: Settings, pool: asyncpg.Pool, vault: Vault, tmp_path: Path
) -> None:
    interpreter = await asyncio.to_thread(virtual_environment, tmp_path)
    program = their_service(tmp_path / "service")
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    places = {"DY-1001": await world.order(lines={"1": 5900}), "m-laurel": world.merchant, "b-1001": world.buyer}
    for example, ours in places.items():
        assert example in lines
        lines = lines.replace(example, ours)
    temporal = {"TEMPORAL_ADDRESS": stack.temporal_address, "AFTERSALES_TASK_QUEUE": settings.task_queue}
    (tmp_path / "token").write_text(token("service", "orders-team"))
    async with running(serving(), key_provider(settings), pool, vault) as codec:
        words = {
            "lines": lines,
            "with a key": temporal | {"AFTERSALES_KEY_FILE": str(settings.state_dir / "keys")},
            "with a codec server": temporal
            | {"AFTERSALES_CODEC_ENDPOINT": codec, "AFTERSALES_CODEC_TOKEN_FILE": str(tmp_path / "token")},
            "case": {"order": await world.order(), "merchant": world.merchant, "buyer": world.buyer},
        }
        process = await asyncio.create_subprocess_exec(
            interpreter,
            program,
            cwd=tmp_path / "service",
            env=site_of(interpreter),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate(json.dumps(words).encode())

    assert process.returncode == 0, err.decode()
    assert json.loads(out) == {
        "in sight": [],
        "ten lines": {"decided": True, "outcome": "refunded", "refunded": "59.00 CNY"},
        "without a key": {
            "asked": "40.00 CNY",
            "again": True,
            "another body": ["request_key_reused", "request_key"],
            "another's order": ["not_yours", "buyer_id"],
            "a wrong field": ["unknown_reason", "reason"],
            "stranger": ["not_yours", False],
            "withdrawn": "withdrawn",
            "the same again": "withdrawn",
            "too late": ["not_open", True],
            "a stranger too late": ["not_yours", False],
            "outcome": "withdrawn",
            "unknown": "there is no case refund/o-nobody/k-1",
        },
        "theirs": ["theirs"] * 4,
    }

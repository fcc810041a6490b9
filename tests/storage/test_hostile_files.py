"""X2, section 11: whatever stands in a file of orders, allowances or campaigns is loaded, or its line is told of."""

import json
import os
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres.loading import load_allowances, load_campaigns, load_orders
from activities.postgres.pool import open_pool
from tests.proofs.hostile_values import MARK, Document, Sender
from tests.storage.money import some_id
from tests.storage.own_keys import vault
from tests.storage.test_order_changes import RECIPIENT
from tests.storage.test_orders import order

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "150"))


def allowance() -> Document:
    valid_until = (datetime.now(UTC) + timedelta(days=90)).isoformat()
    whose = {"marketplace": "douyin", "merchant_id": "m-1", "buyer_id": "b-1", "currency": "CNY"}
    amounts = {"principal": 8_000, "bonus": 2_000, "spent": 0, "tender_kind": "wallet"}
    return {"allowance_id": some_id("a"), **whose, **amounts, "account_name": "欧阳", "valid_until": valid_until}


def campaign() -> Document:
    whose = {"marketplace": "douyin", "merchant_id": "m-1", "currency": "CNY", "principal": 8_000, "bonus": 2_000}
    span = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z"}
    return {"campaign_id": some_id("c"), **whose, **span}


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database) as opened:
        yield opened


@pytest.mark.parametrize(
    ("load", "made"),
    [
        (load_orders, lambda: order(recipient=RECIPIENT)),
        (load_allowances, allowance),
        (load_campaigns, campaign),
    ],
    ids=["orders", "allowances", "campaigns"],
)
async def test_each_line_is_loaded_or_told_of(
    pool: asyncpg.Pool,
    load: Callable[..., Any],
    made: Callable[[], Document],
    record_property: Callable[[str, object], None],
) -> None:
    dice = random.Random(load.__name__)
    sender, lines = Sender(dice), list[str]()
    for _ in range(INPUTS):
        text = sender.text(made(), (made(),)).decode("utf-8", "replace").replace("\n", " ")
        lines.append(text if dice.random() < 0.9 else (lines or [text])[-1])

    async with pool.acquire() as connection:
        report = await load(connection, lines, vault())
        clean = await load(connection, [json.dumps(made())], vault())

    record_property("inputs", INPUTS)
    told = {each.line for each in report.problems}
    blank = sum(not line.strip() for line in lines)
    assert report.loaded + report.unchanged + len(told) + blank == INPUTS
    assert len(told) > INPUTS / 3
    assert not [each for each in report.problems if MARK in f"{each.field} {each.reason}" or not each.reason]
    assert (clean.loaded, clean.problems) == (1, ())

"""``aftersales list``: filters, and pages that follow each other."""

import shlex
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest_asyncio

from activities.postgres.lookup import phone_lookup
from activities.postgres.pool import open_pool
from starter.settings import Settings
from starter.vault import lookup_key
from tests.cli.shell import Shell
from tests.storage.money import some_id
from tests.storage.shop import case_of

MORNING = datetime.fromisoformat("2026-11-20T09:00+08:00")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=1) as pool:
        yield pool


async def listed(pool: asyncpg.Pool, merchant: str, opened_at: datetime, due_at: datetime, kind: str) -> str:
    case = await case_of(pool, merchant, some_id("o"), opened_at=opened_at)
    await pool.execute(
        "UPDATE casebook.cases SET due_at = $2, kind = $3, attention = $4 WHERE case_id = $1",
        case,
        due_at,
        kind,
        "return_overdue" if kind == "return" else None,
    )
    return case


async def test_the_next_page_is_the_command_that_a_page_ends_with(shell: Shell, pool: asyncpg.Pool) -> None:
    merchant = some_id("m")
    cases = [await listed(pool, merchant, MORNING, MORNING + timedelta(hours=hour), "exchange") for hour in range(3)]
    await listed(pool, merchant, MORNING, MORNING, "return")
    words = ("list", "--merchant", merchant, "--kind", "exchange", "--opened-from", "2026-11-20", "--limit", "2")

    first = (await shell.run(*words)).out
    document = await shell.json(*words)
    *_, command = first.splitlines()
    second = await shell.json(*shlex.split(command.removeprefix("next page: aftersales ")))

    assert [each["case_id"] for each in document["cases"]] == cases[:2]
    assert document["next"] in command
    assert [each["case_id"] for each in second["cases"]] == cases[2:]
    assert second["next"] is None
    assert document["counts"] == second["counts"] == {"unshipped_refunds": 3}


async def test_the_command_for_the_next_page_tells_nothing_of_the_customer(shell: Shell, pool: asyncpg.Pool) -> None:
    merchant, phone = some_id("m"), "13900000001"
    cases = [await listed(pool, merchant, MORNING, MORNING, "return") for _ in range(2)]
    customer = phone_lookup(lookup_key(Settings()), phone)
    await pool.execute(
        """
        INSERT INTO vault.lookups (merchant_id, hash, subject, field, person)
        SELECT merchant_id, $2, order_no, 'phone', 'buyer/b-1' FROM casebook.cases WHERE merchant_id = $1
        """,
        merchant,
        customer,
    )

    page = (await shell.run("list", "--merchant", merchant, "--phone", phone, "--limit", "1")).out
    *_, command = page.splitlines()
    rest = await shell.json(*shlex.split(command.removeprefix("next page: aftersales ")))

    assert phone not in page
    assert {each["case_id"] for each in rest["cases"]} < set(cases)
    assert len(rest["cases"]) == 1


async def test_a_phone_without_a_code_is_looked_for_in_the_country_that_is_named(
    shell: Shell, pool: asyncpg.Pool
) -> None:  # P7, G6
    merchant = some_id("m")
    case = await listed(pool, merchant, MORNING, MORNING, "return")
    await pool.execute(
        """
        INSERT INTO vault.lookups (merchant_id, hash, subject, field, person)
        SELECT merchant_id, $2, order_no, 'phone', 'buyer/b-1' FROM casebook.cases WHERE merchant_id = $1
        """,
        merchant,
        phone_lookup(lookup_key(Settings()), "+49 170 1234567"),
    )

    async def found(*words: str) -> list[str]:
        document = await shell.json("list", "--merchant", merchant, *words)
        return [each["case_id"] for each in document["cases"]]

    assert await found("--phone", "0170 1234567", "--phone-region", "DE") == [case]
    assert await found("--phone", "+49 (0)170 1234567") == [case], "with its code in any case"
    assert await found("--phone", "0170 1234567") == []
    refused = await shell.run("list", "--phone", "0170 1234567", "--phone-region", "XX")
    assert "--phone-region" in refused.err


async def test_cases_are_found_by_when_they_were_opened_are_due_and_need_attention(
    shell: Shell, pool: asyncpg.Pool
) -> None:
    merchant, now = some_id("m"), datetime.now().astimezone()
    early = await listed(pool, merchant, MORNING - timedelta(hours=9, seconds=1), now + timedelta(hours=11), "return")
    late = await listed(pool, merchant, MORNING, now + timedelta(hours=30), "exchange")

    async def found(*words: str) -> list[str]:
        return [each["case_id"] for each in (await shell.json("list", "--merchant", merchant, *words))["cases"]]

    assert await found("--opened-from", "2026-11-20") == [late]  # midnight in Shanghai
    assert await found("--opened-until", "2026-11-20T00:00") == [early]
    assert await found("--opened-from", "2026-11-19T15:59:58Z", "--opened-until", "2026-11-20T00:00Z") == [early]
    assert await found("--due-within", "12h") == [early]
    assert await found("--needs-attention") == await found("--attention", "return_overdue") == [early]
    assert await found("--attention", "refund_declined") == []

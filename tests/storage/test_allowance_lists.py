"""Allowance campaigns, and a buyer's own allowances, as their readers are given them (A1, A5, A6, section 12)."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres.loading import LoadReport, load_allowances, load_campaigns
from activities.postgres.pool import open_pool
from starter.allowance_lists import MOST, AllowanceLists
from tests.storage import test_allowances
from tests.storage.money import some_id
from tests.storage.own_keys import vault
from workflows.messages.actors import Actor, Role, buyer, carrier, merchant, officer

NOW = datetime.now(UTC)
STAFF = officer("o-1")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database)
    yield pool
    await pool.close()


def campaign(merchant_id: str, *, begins: int = -1, ends: int = 1, **changes: object) -> dict[str, Any]:
    """Pay 80, get 100: from so many days from now on, to so many."""
    return {
        "campaign_id": some_id("c"),
        "marketplace": "douyin",
        "merchant_id": merchant_id,
        "currency": "CNY",
        "principal": 8_000,
        "bonus": 2_000,
        "starts_at": (NOW + timedelta(days=begins)).isoformat(),
        "ends_at": (NOW + timedelta(days=ends)).isoformat(),
        **changes,
    }


async def told(pool: asyncpg.Pool, *records: dict[str, Any]) -> LoadReport:
    async with pool.acquire() as connection:
        return await load_campaigns(connection, map(json.dumps, records), vault())


async def granted(pool: asyncpg.Pool, **changes: object) -> str:
    line = test_allowances.record(valid_until=(NOW + timedelta(days=30)).isoformat(), **changes)
    async with pool.acquire() as connection:
        report = await load_allowances(connection, [json.dumps(line)], vault())
    assert report.problems == ()
    return line["allowance_id"]


async def test_campaigns_that_run_and_that_are_over(pool: asyncpg.Pool) -> None:
    shop, lists = some_id("m"), AllowanceLists(pool)
    coming, running, over = (campaign(shop, begins=begins, ends=ends) for begins, ends in ((2, 3), (-1, 1), (-3, -2)))
    await told(pool, over, coming, running, campaign(some_id("m")))

    async def ids(reader: Actor | None = None, **asked: Any) -> list[str]:
        return [each.campaign_id for each in await lists.campaigns(reader or merchant(shop), shop, **asked)]

    names = [each["campaign_id"] for each in (coming, running, over)]
    assert await ids() == names
    assert await ids(running=True) == names[1:2]
    assert await ids(running=False) == names[2:]
    assert await ids(STAFF, limit=1) == names[:1]
    assert await ids(STAFF, limit=2, after=names[0]) == names[1:]
    (one,) = await lists.campaigns(STAFF, shop, running=True)
    assert (one.principal, one.bonus, one.currency) == (8_000, 2_000, "CNY")


async def test_a_campaign_stays_but_for_its_end(pool: asyncpg.Pool) -> None:
    shop = some_id("m")
    first = campaign(shop)
    longer = {**first, "ends_at": (NOW + timedelta(days=9)).isoformat()}

    reports = [await told(pool, each) for each in (first, first, longer, {**first, "bonus": 2_001})]
    backwards = await told(pool, campaign(shop, begins=1, ends=1))
    (kept,) = await AllowanceLists(pool).campaigns(STAFF, shop)

    assert [(each.loaded, each.unchanged, len(each.problems)) for each in reports] == [
        (1, 0, 0),
        (0, 1, 0),
        (1, 0, 0),
        (0, 0, 1),
    ]
    assert reports[-1].problems[0].field == "bonus"
    assert [each.field for each in backwards.problems] == ["ends_at"]
    assert kept.ends_at == NOW + timedelta(days=9)


async def test_a_buyers_allowances_say_how_they_stand(pool: asyncpg.Pool) -> None:
    shop, who, lists = some_id("m"), some_id("b"), AllowanceLists(pool)
    await told(pool, of := campaign(shop))
    whose = {"buyer_id": who, "merchant_id": shop}
    valid = await granted(pool, spent=1_000, campaign_id=of["campaign_id"], **whose)
    frozen, empty = await granted(pool, **whose), await granted(pool, spent=10_000, **whose)
    elsewhere = await granted(pool, buyer_id=who, merchant_id=some_id("m"))
    await test_allowances.freeze(pool, frozen, "withdrawal/1")
    over = await granted(pool, **whose)
    await pool.execute("UPDATE shop.allowances SET valid_until = now() WHERE allowance_id = $1", over)
    gone = await granted(pool, **whose)
    await test_allowances.freeze(pool, gone, "withdrawal/2")
    await test_allowances.void(pool, gone, "withdrawal/2")

    found = {each.allowance_id: each for each in await lists.of_buyer(buyer(who), who)}

    assert {each: found[each].standing for each in found} == {
        valid: "valid",
        frozen: "frozen",
        empty: "empty",
        elsewhere: "valid",
        over: "expired",
        gone: "paid_out",
    }
    one = found[valid]
    assert (one.spent, one.balance, one.withdrawable, one.held_by) == (1_000, 9_000, 7_200, None)
    assert one.campaign is not None
    assert (one.campaign.campaign_id, one.campaign.principal, one.campaign.bonus) == (of["campaign_id"], 8_000, 2_000)
    assert (found[frozen].held_by, found[gone].held_by, found[gone].balance) == ("withdrawal/1", None, 0)


async def test_who_reads_is_given_nothing_of_others(pool: asyncpg.Pool) -> None:  # section 12
    shop, other, who, lists = some_id("m"), some_id("m"), some_id("b"), AllowanceLists(pool)
    await told(pool, campaign(shop))
    own, others = [await granted(pool, buyer_id=who, merchant_id=each) for each in (shop, other)]
    first, second = sorted([own, others])

    async def ids(reader: Actor, **asked: Any) -> list[str]:
        return [each.allowance_id for each in await lists.of_buyer(reader, who, **asked)]

    assert await ids(buyer(who)) == await ids(STAFF) == [first, second]
    assert await ids(buyer(who), limit=1) == [first]
    assert await ids(buyer(who), limit=1, after=first) == [second]
    assert await ids(merchant(shop)) == await ids(STAFF, merchant_id=shop) == [own]
    strangers = [buyer(some_id("b")), buyer(shop), merchant(who), carrier(who), Actor(role=Role.CLOCK, id=who)]
    assert [await ids(each) for each in strangers] == [[]] * 5
    assert await ids(merchant(shop), merchant_id=other) == []
    for each in (*strangers, merchant(other), buyer(who)):
        assert await lists.campaigns(each, shop) == ()


@pytest.mark.parametrize("changes", [{"campaign_id": "c-none"}, {"merchant_id": "m-other"}, {"currency": "USD"}])
async def test_an_allowance_names_a_campaign_of_its_own_shop(pool: asyncpg.Pool, changes: dict[str, str]) -> None:
    shop = some_id("m")
    await told(pool, of := campaign(shop))
    line = test_allowances.record(**{"campaign_id": of["campaign_id"], "merchant_id": shop, **changes})

    async with pool.acquire() as connection:
        report = await load_allowances(connection, [json.dumps(line)], vault())

    assert [(each.field, each.reason.endswith("(A1)")) for each in report.problems] == [("campaign_id", True)]


async def test_an_allowance_stays_of_the_campaign_that_it_came_of(pool: asyncpg.Pool) -> None:
    shop = some_id("m")
    await told(pool, first := campaign(shop), second := campaign(shop))
    line = test_allowances.record(campaign_id=first["campaign_id"], merchant_id=shop)
    bare = {name: value for name, value in line.items() if name != "campaign_id"}
    lines = [line, bare, {**line, "campaign_id": second["campaign_id"]}]

    async with pool.acquire() as connection:
        report = await load_allowances(connection, map(json.dumps, lines), vault())

    assert (report.loaded, report.unchanged) == (1, 1)
    assert [(each.line, each.field) for each in report.problems] == [(3, "campaign_id")]


async def test_a_page_begins_behind_none_of_another_shop(pool: asyncpg.Pool) -> None:  # section 12
    shop, other = some_id("m"), some_id("m")
    await told(pool, campaign(shop, begins=-2), theirs := campaign(other, begins=-1))

    assert await AllowanceLists(pool).campaigns(merchant(shop), shop, after=theirs["campaign_id"]) == ()


@pytest.mark.parametrize("limit", [0, MOST + 1])
async def test_a_page_has_its_bounds(pool: asyncpg.Pool, limit: int) -> None:
    lists = AllowanceLists(pool)
    with pytest.raises(ValueError, match="limit"):
        await lists.of_buyer(STAFF, "b-1", limit=limit)
    with pytest.raises(ValueError, match="limit"):
        await lists.campaigns(STAFF, "m-1", limit=limit)

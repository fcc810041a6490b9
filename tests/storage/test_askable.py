"""Lists of what can be asked for and disputed, from our own books: whose, page by page, at a fixed number of reads."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import ValidationError

from activities.askable import AskableQuery, DisputableQuery, askable, disputable_cases
from activities.gateways.limits import NO_LIMITS, Limits
from activities.postgres.loading import load_orders
from activities.postgres.orders import find_orders
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from activities.quoting import Asking, quotes_of
from tests import profiles
from tests.storage.money import NOON, minutes, some_id
from workflows.messages.actors import Actor, Role, buyer, merchant, officer
from workflows.messages.askable import AskablePage, DisputablePage
from workflows.messages.quotes import Asking as Asked
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

AT = NOON + timedelta(hours=1)
NEEDS_CHARGE = Limits(needs_charge=True, longest=timedelta(days=90))


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=4) as opened:
        yield opened


async def bought(
    pool: asyncpg.Pool, vault: Vault, merchant_id: str, buyer_id: str, *, minute: int = 0, profile: str = "douyin"
) -> str:
    """An order of one line of two pieces for 59.00, paid so many minutes after noon; its number."""
    order_no = some_id("o")
    record = {
        "order_no": order_no,
        "marketplace": profile,
        "merchant_id": merchant_id,
        "buyer_id": buyer_id,
        "currency": "CNY",
        "lines": [{"line": "1", "sku": "s-1", "quantity": 2, "paid": 5900}],
        "tenders": [{"tender": "w", "kind": "wallet", "paid": 5900}],
        "paid_at": minutes(minute).isoformat(),
    }
    async with pool.acquire() as connection:
        report = await load_orders(connection, [json.dumps(record)], vault)
    assert report.loaded == 1
    return order_no


async def case_of(pool: asyncpg.Pool, order_no: str, *, minute: int = 0, **row: Any) -> str:
    """An unshipped refund of one piece of the order; its id."""
    case_id = f"refund/{order_no}/{some_id('k')}"
    application = {
        "version": 1,
        "lines": [{"line": "1", "quantity": 1, "amount": 2950}],
        "freight": 0,
        "reason": "other",
        "route": "original",
        "at": minutes(minute).isoformat(),
    }
    fields: dict[str, Any] = {
        "case_id": case_id,
        "run_id": "r-1",
        "kind": CaseKind.UNSHIPPED_REFUND,
        "currency": "CNY",
        "asked": 2950,
        "policy": "douyin/1",
        "stage": StageName.MERCHANT_REVIEW,
        "opened_at": minutes(minute),
        "step": 0,
        "log_length": 0,
        "opened": {},
        "order_no": order_no,
        "application": application,
        **row,
    }
    whose = await pool.fetchrow("SELECT merchant_id, buyer_id FROM shop.orders WHERE order_no = $1", order_no)
    assert whose
    fields |= dict(whose)
    places = ", ".join(f"${number}" for number in range(1, len(fields) + 1))
    await pool.execute(
        f"INSERT INTO casebook.cases ({', '.join(fields)}) VALUES ({places})",
        *fields.values(),
    )
    return case_id


async def asked(pool: asyncpg.Pool, whose: Actor, limits: Limits = NO_LIMITS, **more: Any) -> AskablePage:
    query = AskableQuery.model_validate({"whose": whose, **more})
    async with pool.acquire() as connection:
        return await askable(connection, query, profiles.ALL.get, limits, AT)


async def disputed(pool: asyncpg.Pool, whose: Actor, **more: Any) -> DisputablePage:
    query = DisputableQuery.model_validate({"whose": whose, **more})
    async with pool.acquire() as connection:
        return await disputable_cases(connection, query, profiles.ALL.get, NO_LIMITS, AT)


async def test_a_buyers_orders_are_its_own_wherever_it_bought(pool: asyncpg.Pool, vault: Vault) -> None:  # section 12
    mine, shop, other = some_id("b"), some_id("m"), some_id("m")
    first = await bought(pool, vault, shop, mine)
    last = await bought(pool, vault, other, mine, minute=5)
    await bought(pool, vault, shop, some_id("b"))

    page = await asked(pool, buyer(mine))
    at_one = await asked(pool, buyer(mine), merchant_id=shop)

    assert [each.order_no for each in page.orders] == [last, first]
    assert [each.order_no for each in at_one.orders] == [first]
    assert page.next is None
    refund = next(way for way in page.orders[0].ways if way.asked == "refund" and not way.refusal)
    assert (refund.amount, [line.pieces for line in refund.lines]) == (5900, [2])
    assert {way.refusal.code for way in page.orders[0].ways if way.refusal} == {"not_shipped"}
    assert {each.code for each in page.reasons[page.orders[0].policy]} >= set(refund.reasons)


async def test_a_merchant_has_what_it_may_pay_back(pool: asyncpg.Pool, vault: Vault) -> None:  # R9
    shop, one = some_id("m"), some_id("b")
    first, second = await bought(pool, vault, shop, one), await bought(pool, vault, shop, some_id("b"), minute=1)

    page = await asked(pool, merchant(shop))
    of_one = await asked(pool, merchant(shop), buyer_id=one)

    assert [each.order_no for each in page.orders] == [second, first]
    assert [each.order_no for each in of_one.orders] == [first]
    assert {way.asked for each in page.orders for way in each.ways} == {"merchant_refund"}
    assert {way.amount for each in page.orders for way in each.ways} == {5900}


async def test_pages_follow_each_other_also_where_all_was_paid_at_once(pool: asyncpg.Pool, vault: Vault) -> None:
    mine, shop = some_id("b"), some_id("m")
    orders = sorted([await bought(pool, vault, shop, mine) for _ in range(5)], reverse=True)

    found: list[str] = []
    after = None
    while True:
        page = await asked(pool, buyer(mine), limit=2, after=after)
        found += [each.order_no for each in page.orders]
        if (after := page.next) is None:
            break

    assert found == orders


async def test_it_is_the_quote_of_each_order(pool: asyncpg.Pool, vault: Vault) -> None:  # G5, X6
    """With what cases hold, and with what the payment provider does not take."""
    mine, shop = some_id("b"), some_id("m")
    order_no = await bought(pool, vault, shop, mine)
    other = await bought(pool, vault, shop, mine, minute=1)
    await case_of(pool, other)
    await pool.execute("UPDATE shop.order_tenders SET transaction = 't-1' WHERE order_no = $1", other)

    for limits in (NO_LIMITS, NEEDS_CHARGE):
        page = await asked(pool, buyer(mine), limits)
        async with pool.acquire() as connection:
            facts = await find_orders(connection, [order_no, other])
            pairs = [(facts[each.order_no], profiles.ALL["douyin"]) for each in page.orders]
            quotes = [(await quotes_of(connection, [pair], Asking(at=AT, limits=limits)))[0] for pair in pairs]
        for listed, quote in zip(page.orders, quotes, strict=True):
            told = {(way.asked, code): way for way in listed.ways for code in way.reasons}
            for option in quote.options:
                way = told[option.asked, option.reason.code]
                assert all(getattr(way, name) == getattr(option, name) for name in Asked.model_fields)

    by_number = {each.order_no: each.ways for each in page.orders}
    assert {way.refusal.code for way in by_number[order_no] if way.refusal} == {"not_payable", "not_shipped"}
    assert next(way for way in by_number[other] if not way.refusal).until == minutes(1) + timedelta(days=90)


async def test_a_page_reads_as_often_for_many_orders_as_for_one(
    pool: asyncpg.Pool, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, shop = some_id("b"), some_id("m")
    for number in range(6):
        await case_of(pool, await bought(pool, vault, shop, mine, minute=number))
    counted: list[str] = []
    fetch = asyncpg.Connection.fetch

    async def counting(self: Any, query: str, *args: Any, **more: Any) -> Any:
        if re.search(r"\b(shop|casebook|ledger)\.", query):  # what the driver asks of types is not ours
            counted.append(query)
        return await fetch(self, query, *args, **more)

    monkeypatch.setattr(asyncpg.Connection, "fetch", counting)
    reads: list[int] = []
    for limit in (1, 6):
        page = await asked(pool, buyer(mine), NEEDS_CHARGE, limit=limit)
        cases = await disputed(pool, buyer(mine), limit=limit)
        assert (len(page.orders), len(cases.cases)) == (limit, limit)
        reads.append(len(counted))
        counted.clear()

    assert reads[0] == reads[1] <= 10


async def test_an_order_without_a_profile_is_named(pool: asyncpg.Pool, vault: Vault) -> None:
    mine = some_id("b")
    order_no = await bought(pool, vault, some_id("m"), mine, profile="nowhere")

    page = await asked(pool, buyer(mine))

    assert (page.orders, page.unknown) == ((), (order_no,))


async def test_cases_say_whether_and_until_when_they_can_be_disputed(pool: asyncpg.Pool, vault: Vault) -> None:  # D1
    mine, shop = some_id("b"), some_id("m")
    order_no = await bought(pool, vault, shop, mine)
    window = timedelta(days=profiles.ALL["douyin"].dispute.window_days)
    ended: dict[str, Any] = {"stage": StageName.CLOSED, "outcome": OutcomeKind.REJECTED}
    open_case = await case_of(pool, order_no, minute=3, due_at=minutes(100))
    late = await case_of(pool, order_no, minute=2, **ended, closed_at=AT - window - timedelta(seconds=1))
    fresh = await case_of(pool, await bought(pool, vault, shop, mine), minute=1, **ended, closed_at=minutes(30))
    disputed_case = await case_of(pool, await bought(pool, vault, shop, mine), **ended, closed_at=minutes(30))
    about = await pool.fetchval("SELECT order_no FROM casebook.cases WHERE case_id = $1", disputed_case)
    await case_of(pool, about, minute=9, kind=CaseKind.DISPUTE, about=disputed_case, stage=StageName.NEGOTIATION)

    page = await disputed(pool, buyer(mine))
    of_merchant = await disputed(pool, merchant(shop))
    of_order = await disputed(pool, merchant(shop), order_no=order_no)

    told = {each.case_id: each for each in page.cases}
    assert list(told) == [open_case, late, fresh, disputed_case], "the latest first, and no dispute among them"
    assert of_merchant.cases == page.cases
    assert [each.case_id for each in of_order.cases] == [open_case, late]
    why = {case_id: each.refusal and each.refusal.code for case_id, each in told.items()}
    assert why == {open_case: "not_open", late: "window_over", fresh: None, disputed_case: "dispute_open"}
    assert (told[fresh].how, told[fresh].until) == ("dispute_request", minutes(30) + window)
    assert {each.by for each in page.cases} == {Role.BUYER}


async def test_an_order_without_a_case_can_be_disputed_too(pool: asyncpg.Pool, vault: Vault) -> None:  # D1, D10
    mine, shop = some_id("b"), some_id("m")
    bare = await bought(pool, vault, shop, mine, minute=1)
    asked_for = await bought(pool, vault, shop, mine, minute=2)
    case = await case_of(pool, asked_for, minute=5)
    given = await bought(pool, vault, shop, mine, minute=3)
    paid_back = {"kind": CaseKind.MERCHANT_REFUND, "stage": StageName.CLOSED, "outcome": OutcomeKind.REFUNDED}
    await case_of(pool, given, closed_at=minutes(30), minute=4, **paid_back)
    in_dispute = await bought(pool, vault, shop, mine, minute=0)
    dispute = await case_of(pool, in_dispute, kind=CaseKind.DISPUTE, stage=StageName.NEGOTIATION)
    await bought(pool, vault, shop, some_id("b"))

    page = await disputed(pool, buyer(mine))
    pages = [await disputed(pool, buyer(mine), limit=1)]
    while pages[-1].next:
        pages.append(await disputed(pool, buyer(mine), limit=1, after=pages[-1].next))
    only = [await disputed(pool, merchant(shop), buyer_id=mine, only=each) for each in ("cases", "orders")]

    assert ([each.case_id for each in page.cases], [each.order_no for each in page.orders]) == (
        [case],
        [given, bare, in_dispute],
    )
    assert [[*(c.case_id for c in each.cases), *(o.order_no for o in each.orders)] for each in pages] == [
        [case],
        [given],
        [bare],
        [in_dispute],
    ]
    assert (only[0].cases, only[0].orders, only[1].cases, only[1].orders) == (page.cases, (), (), page.orders)
    told = {each.order_no: each for each in page.orders}
    assert [(each.line, each.quantity, each.amount) for each in told[bare].lines] == [("1", 2, 5900)]
    assert told[bare].until == minutes(1) + timedelta(days=profiles.ALL["douyin"].dispute.order_window_days)
    refusal = told[in_dispute].refusal
    assert refusal
    assert (refusal.code, refusal.explanation) == ("dispute_open", f"{dispute} is open about the same")


@pytest.mark.parametrize(
    "wrong",
    [
        {"whose": officer("f-1")},
        {"whose": buyer("b-1"), "buyer_id": "b-2"},
        {"whose": merchant("m-1"), "merchant_id": "m-2"},
        {"whose": buyer("b-1"), "limit": 51},
        {"whose": buyer("b-1"), "after": "nonsense"},
    ],
)
def test_what_is_no_question(wrong: dict[str, Any]) -> None:  # section 12
    with pytest.raises(ValidationError):
        AskableQuery.model_validate(wrong)

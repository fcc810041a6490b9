"""Orders as their system pushes them: by number and version, late, twice and out of order (X2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import ValidationError

from activities.gateways.limits import NO_LIMITS
from activities.gateways.order_records import OrderChange
from activities.opening import Opening
from activities.policies import Policies
from activities.postgres import bindings, disclosures, ledger, parcels, past_funds
from activities.postgres.loading import load_orders
from activities.postgres.lookup import phone_lookup
from activities.postgres.order_changes import Outcome, RefusedChange, Taken, take
from activities.postgres.orders import PostgresOrders
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from activities.quoting import Asking, quotes_of
from tests.storage import test_orders
from tests.storage.money import some_id
from tests.storage.own_keys import vault
from workflows.messages.actors import Role
from workflows.messages.cases import CaseKey
from workflows.messages.openings import OpenCase
from workflows.messages.orders import OrderFacts
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent
from workflows.messages.policy import Window, WindowsPolicy
from workflows.messages.requests import RefundRequest
from workflows.messages.surfaces import Surface
from workflows.messages.virtual_numbers import NumberFacts, NumberSubject, Scope
from workflows.rules.allocation import order_parts
from workflows.rules.identity import case_id, order_fund

NOW = datetime(2026, 3, 5, tzinfo=UTC)
RECIPIENT = {
    "name": "欧阳小明",
    "phone": "13912345678",
    "region": {"province": "广东省", "city": "广州市", "district": "天河区"},
    "street": "体育东路1号",
}


def order(**changes: object) -> dict[str, Any]:
    """Of a buyer of its own: one whom another test forgets may not be written down again (P6)."""
    return test_orders.order(buyer_id=some_id("b"), **changes)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database)
    yield pool
    await pool.close()


async def push(pool: asyncpg.Pool, record: dict[str, Any], into: Vault | None = None, **changes: object) -> Taken:
    change = OrderChange.model_validate_json(json.dumps({"version": 1, **record, **changes}))
    async with pool.acquire() as connection, connection.transaction():
        return await take(connection, into or vault(), change, NOW)


async def found(pool: asyncpg.Pool, record: dict[str, Any]) -> OrderFacts:
    facts = await PostgresOrders(pool).find(record["order_no"])
    assert facts
    return facts


async def open_fund_of(pool: asyncpg.Pool, facts: OrderFacts) -> bool:
    """As the first case about the order does."""
    async with pool.acquire() as connection:
        return await ledger.open_fund(connection, order_fund(facts.order_no), facts.currency, order_parts(facts))


def with_line(record: dict[str, Any], **line: object) -> dict[str, Any]:
    """The order with a line more, paid by a tender of its own."""
    paid = line["paid"]
    return {
        **record,
        "lines": [*record["lines"], line],
        "tenders": [*record["tenders"], {"tender": "t-more", "kind": "wallet", "paid": paid}],
    }


async def test_versions_come_in_any_order_and_the_last_one_stands(pool: asyncpg.Pool) -> None:
    first = order()
    second = with_line(first, line="3", sku="sku-c", quantity=1, paid=700)

    assert (await push(pool, second, version=7)).outcome is Outcome.NEW
    assert (await push(pool, first, version=3)).outcome is Outcome.OUTDATED
    assert (await push(pool, second, version=7)).outcome is Outcome.UNCHANGED
    assert [each.line for each in (await found(pool, first)).lines] == ["2", "1", "3"]

    assert (await push(pool, first, version=8, freight=500)).outcome is Outcome.CHANGED
    assert [each.line for each in (await found(pool, first)).lines] == ["2", "1"]


async def test_all_orders_of_arrival_end_alike(pool: asyncpg.Pool) -> None:
    """X2: also when they arrive at the same moment."""
    record = order()
    turned = {**record, "lines": record["lines"][::-1], "tenders": record["tenders"][::-1]}
    versions = [record, with_line(record, line="3", sku="c", quantity=1, paid=1), turned]
    pushes = [push(pool, each, version=number) for number, each in enumerate(versions, start=1) for _ in range(2)]

    outcomes = [each.outcome for each in await asyncio.gather(*reversed(pushes))]

    assert outcomes.count(Outcome.NEW) == 1
    facts = await found(pool, record)
    assert [each.line for each in facts.lines] == ["1", "2"]
    assert [each.tender for each in facts.tenders] == ["t-1", "t-2"]


async def test_one_version_is_one_content(pool: asyncpg.Pool) -> None:
    record = order(recipient=RECIPIENT)
    await push(pool, record)

    with pytest.raises(RefusedChange, match=r"version: .* \(X2\)"):
        await push(pool, {**record, "freight_insured": 1200})
    with pytest.raises(RefusedChange, match=r"recipient: .* \(X2\)"):
        await push(pool, {**record, "recipient": {**RECIPIENT, "street": "别处"}})
    assert (await push(pool, record)).outcome is Outcome.UNCHANGED


@pytest.mark.parametrize(
    ("name", "value"),
    [("merchant_id", "m-9"), ("buyer_id", "b-9"), ("marketplace", "jd-pop"), ("paid_at", "2026-03-01T17:30:01+08:00")],
)
async def test_what_makes_an_order_this_order_stays(pool: asyncpg.Pool, name: str, value: str) -> None:
    record = order()
    await push(pool, record)

    with pytest.raises(RefusedChange, match=rf"{name}: .* \(X2\)"):
        await push(pool, {**record, name: value}, version=2)


async def test_an_order_that_was_loaded_takes_changes(pool: asyncpg.Pool) -> None:
    record = order()
    async with pool.acquire() as connection:
        assert (await load_orders(connection, [json.dumps(record)], vault())).loaded == 1

    assert (await push(pool, record, shipped_at="2026-03-02T00:00:00Z")).outcome is Outcome.CHANGED
    assert (await found(pool, record)).shipped_at == datetime(2026, 3, 2, tzinfo=UTC)


async def test_what_has_happened_is_not_taken_back(pool: asyncpg.Pool) -> None:
    """R18: a moment that was told first stands, and one that a later version leaves out stays."""
    record = order()
    await push(pool, record, version=1, shipped_at="2026-03-02T00:00:00Z")
    await push(pool, record, version=2)
    await push(pool, record, version=3, shipped_at="2026-03-03T00:00:00Z")

    assert (await found(pool, record)).shipped_at == datetime(2026, 3, 2, tzinfo=UTC)


async def test_what_was_paid_changes_until_money_is_asked_for(pool: asyncpg.Pool) -> None:  # R8
    record = order()
    await push(pool, record)
    dearer = {
        **record,
        "lines": [record["lines"][0], {**record["lines"][1], "paid": 9500}],
        "tenders": [record["tenders"][0], {**record["tenders"][1], "paid": 10500}],
    }
    await push(pool, dearer, version=2)
    facts = await found(pool, record)
    assert facts.paid == 13000
    assert await open_fund_of(pool, facts)

    with pytest.raises(RefusedChange, match=r"lines\.1: .* \(R8\)"):
        await push(pool, record, version=3)
    with pytest.raises(RefusedChange, match=r"lines: .* \(R8\)"):
        await push(pool, {**dearer, "lines": dearer["lines"][1:], "freight": 3500}, version=3)
    assert await found(pool, record) == facts


async def test_what_is_paid_later_is_added_to_what_can_be_refunded(pool: asyncpg.Pool) -> None:  # R8
    record = order()
    await push(pool, record)
    await open_fund_of(pool, await found(pool, record))

    await push(pool, with_line(record, line="3", sku="sku-c", quantity=1, paid=700), version=2)
    assert not await open_fund_of(pool, await found(pool, record))

    async with pool.acquire() as connection:
        parts = {each.name: each.paid for each in await ledger.parts_of(connection, order_fund(record["order_no"]))}
    assert (parts["line:3"], parts["tender:t-more"], parts["line:1"]) == (700, 700, 9000)


async def test_a_case_that_opens_while_its_order_is_changed_waits_for_the_change(pool: asyncpg.Pool) -> None:  # R8
    record = order()
    await push(pool, record)
    line = record["lines"][0]
    asked = [{"line": line["line"], "quantity": line["quantity"], "amount": line["paid"]}]
    request = RefundRequest.model_validate(
        {"request_key": "k-1", "lines": asked, "reason": "no_longer_wanted", "method": {"route": "original"}}
        | {name: record[name] for name in ("order_no", "merchant_id", "buyer_id")}
    )
    opening = OpenCase(case=CaseKey(case_id=case_id(request), run_id=some_id("run")), at=NOW, request=request)
    dearer = with_line(record, line="3", sku="sku-c", quantity=1, paid=700)
    change = OrderChange.model_validate_json(json.dumps({**dearer, "version": 2}))

    async with pool.acquire() as connection, connection.transaction():
        await take(connection, vault(), change, NOW)
        opened = asyncio.create_task(Opening(pool, Policies(), lambda: None).open_case(opening))
        holder = await connection.fetchval("SELECT pg_backend_pid()")
        while not await _waits_for(pool, holder) and not opened.done():
            await asyncio.sleep(0.01)
        assert not opened.done()
    facts = (await opened).order

    assert facts == await found(pool, record)
    assert facts
    assert sum(each.paid for each in facts.lines) == sum(each["paid"] for each in record["lines"]) + 700
    async with pool.acquire() as connection:
        parts = {each.name for each in await ledger.parts_of(connection, order_fund(record["order_no"]))}
    assert "line:3" in parts


async def _waits_for(pool: asyncpg.Pool, holder: int) -> bool:
    """Whether somebody waits for a lock of this backend: asked from another, since a transaction sees one moment."""
    return await pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))", holder
    )


async def test_the_payment_behind_a_tender_stays(pool: asyncpg.Pool) -> None:  # X6
    record = order()
    paid = {**record["tenders"][1], "transaction": "ch_1"}
    await push(pool, record)
    await push(pool, {**record, "tenders": [record["tenders"][0], paid]}, version=2)

    with pytest.raises(RefusedChange, match=r"tenders\.1\.transaction: .* \(X6\)"):
        await push(pool, {**record, "tenders": [record["tenders"][0], {**paid, "transaction": "ch_2"}]}, version=3)


async def test_the_recipient_goes_into_the_vault_and_an_old_one_does_not_come_back(pool: asyncpg.Pool) -> None:  # P6
    record = order()
    await push(pool, record, version=2, recipient={**RECIPIENT, "street": "新街2号"})
    await push(pool, record, version=1, recipient=RECIPIENT)

    async with pool.acquire() as connection:
        kept = await vault().recipient(connection, record["order_no"])
    assert kept
    assert kept.street.get_secret_value() == "新街2号"


@pytest.mark.parametrize(
    ("profile", "phone", "region", "number"),
    [
        ("eu", "0170 / 1234567", None, "+49 170 1234567"),
        ("eu", "+43 664 1234567", None, "0043 664 1234567"),
        ("eu", "0664 1234567", "AT", "+43 664 1234567"),  # the order system knows better
        ("douyin", "13912345678", None, "+86 139 1234 5678"),
        ("no-such-profile", "13912345678", None, "+86 139 1234 5678"),
    ],
)
async def test_a_phone_without_a_country_code_is_one_of_the_profiles_region(
    pool: asyncpg.Pool, profile: str, phone: str, region: str | None, number: str
) -> None:  # P7, G6
    keeps = Vault(vault().keys, vault().lookup_key, phone_region=Policies().phone_region)
    record = order(marketplace=profile, recipient={**RECIPIENT, "phone": phone, "country": region})

    assert (await push(pool, record, into=keeps)).outcome is Outcome.NEW
    assert (await push(pool, record, into=keeps)).outcome is Outcome.UNCHANGED

    hashed = phone_lookup(keeps.lookup_key, number)
    found = await pool.fetchval(
        "SELECT subject FROM vault.lookups WHERE hash = $1 AND subject = $2", hashed, record["order_no"]
    )
    assert found == record["order_no"]
    async with pool.acquire() as connection:
        kept = await keeps.recipient(connection, record["order_no"])
    assert kept
    shown = disclosures.as_shown(kept, Surface.DEFAULT, Role.MERCHANT)["phone"].get_secret_value()
    assert shown == f"{phone.lstrip('+')[0]}******{phone[-4:]}"
    assert kept.phone.get_secret_value() == phone, "kept as it was typed"


async def test_what_the_buyer_reads_is_kept_and_changed_with_the_order(pool: asyncpg.Pool) -> None:  # G6
    record = order(language="de")
    await push(pool, record)
    assert (await found(pool, record)).language == "de"

    await push(pool, record, version=2, language="en")
    assert (await found(pool, record)).language == "en"
    with pytest.raises(ValueError, match="language"):
        await push(pool, record, version=3, language="fr")


def test_a_country_that_there_is_not_is_refused_by_name() -> None:  # P7
    with pytest.raises(ValueError, match="country must be one of ISO 3166"):
        OrderChange.model_validate(order(version=1, recipient={**RECIPIENT, "country": "XX"}))


# Parcels -------------------------------------------------------------------------------------------------


def parcel_of(*lines: tuple[str, int], **more: object) -> dict[str, Any]:
    named = [{"line": line, "quantity": quantity} for line, quantity in lines]
    return {"carrier": "SF", "tracking_no": some_id("sf").replace("-", ""), "lines": named, **more}


async def test_parcels_are_known_with_their_lines_and_told_of_once(pool: asyncpg.Pool) -> None:  # R15, R7
    record = order()
    first = parcel_of(("1", 2), shipped_at="2026-03-02T00:00:00Z")
    rest = parcel_of(("1", 1), ("2", 1), shipped_at="2026-03-03T00:00:00Z")

    taken = await push(pool, record, version=1, parcels=[first])
    assert [(each.event, each.parcel.carrier) for each in taken.events] == [(ParcelEvent.SHIPPED, "sf")]
    assert (await found(pool, record)).shipped_at is None
    again = await push(pool, record, version=1, parcels=[first])
    assert again.events == taken.events

    async with pool.acquire() as connection:
        await parcels.record_event(connection, taken.events[0], NOW)
    later = await push(pool, record, version=2, parcels=[{**first, "shipped_at": "2026-03-02T09:00:00Z"}, rest])
    assert [each.parcel.tracking_no for each in later.events] == [rest["tracking_no"].upper()]
    facts = await found(pool, record)
    assert facts.shipped_at == datetime(2026, 3, 3, tzinfo=UTC)
    assert {each.line: each.pieces_sent for each in facts.lines} == {"1": 3, "2": 1}


async def test_what_an_order_says_of_itself_is_told_as_of_a_parcel_of_all_of_it(pool: asyncpg.Pool) -> None:  # R7, R3
    record = order()
    outbound, shipped = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    new = await push(pool, record, outbound_at=outbound.isoformat())
    second: dict[str, Any] = {"version": 2, "outbound_at": outbound.isoformat(), "shipped_at": shipped.isoformat()}
    changed = await push(pool, record, **second)
    again = await push(pool, record, **second)
    corrected = await push(pool, record, version=3, shipped_at=(shipped + timedelta(hours=1)).isoformat())

    assert (new.events, corrected.events) == ((), ()), "nobody can have asked about a new one; the first word stands"
    (told,) = changed.events
    assert (told.event, told.happened_at) == (ParcelEvent.SHIPPED, shipped)
    assert [(each.event, each.happened_at) for each in again.events] == [
        (ParcelEvent.OUTBOUND, outbound),
        (ParcelEvent.SHIPPED, shipped),
    ]
    assert again.events[1] == told, "whoever calls again tells the same"
    async with pool.acquire() as connection:
        assert [each.order_no for each in await parcels.watchers(connection, told.parcel)] == [record["order_no"]]


async def test_what_a_carrier_told_before_is_told_with_the_parcel(pool: asyncpg.Pool) -> None:
    record, packed = order(), parcel_of()
    parcel = Parcel(carrier=packed["carrier"], tracking_no=packed["tracking_no"])
    signed = CarrierEvent(key=some_id("e"), parcel=parcel, event=ParcelEvent.SIGNED, happened_at=NOW)
    async with pool.acquire() as connection:
        await parcels.record_event(connection, signed, NOW)

    assert (await push(pool, record, parcels=[packed])).events == (signed,)
    assert (await push(pool, record, version=2, parcels=[packed])).events == ()


async def test_an_outdated_version_brings_no_parcels(pool: asyncpg.Pool) -> None:
    record, mistyped = order(), parcel_of()
    await push(pool, record, version=2)
    await push(pool, record, version=1, parcels=[mistyped])

    async with pool.acquire() as connection:
        parcel = Parcel(carrier=mistyped["carrier"], tracking_no=mistyped["tracking_no"])
        assert await parcels.watchers(connection, parcel) == ()


async def test_what_is_in_a_parcel_stays_in_the_order(pool: asyncpg.Pool) -> None:  # R15
    record = order()
    await push(pool, record, parcels=[parcel_of(("1", 3))])

    with pytest.raises(RefusedChange, match=r"lines\.1\.quantity: .* \(R15\)"):
        await push(pool, {**record, "lines": [record["lines"][0], {**record["lines"][1], "quantity": 2}]}, version=2)


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"version": 0}, "version", "greater than"),
        ({"parcels": [parcel_of(("9", 1))]}, "parcels", "R15"),
        ({"parcels": [parcel_of(("1", 0))]}, "parcels.0.lines", "R15"),
        ({"parcels": [parcel_of(shipped_at="2026-02-01T00:00:00Z")]}, "parcels", "R18"),
        (
            {"parcels": [{"carrier": "sf", "tracking_no": "SF1"}, {"carrier": "SF", "tracking_no": "s-f1"}]},
            "parcels",
            "more than once",
        ),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_field(changes: dict[str, Any], field: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        OrderChange.model_validate_json(json.dumps({"version": 1, **order(), **changes}))
    assert field in str(refused.value)


async def test_the_first_word_on_when_an_order_was_completed_stands(pool: asyncpg.Pool) -> None:  # R18, G2
    record = order()
    at, later = "2026-03-03T00:00:00+00:00", "2026-03-04T00:00:00+00:00"

    await push(pool, record)
    assert (await found(pool, record)).completed_at is None
    await push(pool, record, version=2, completed_at=at)
    await push(pool, record, version=3)
    await push(pool, record, version=4, completed_at=later)

    assert (await found(pool, record)).completed_at == datetime.fromisoformat(at)
    with pytest.raises(ValidationError, match="completed_at"):
        await push(pool, record, version=5, completed_at="2001-01-01T00:00:00+00:00")
    with pytest.raises(ValidationError, match="completed_at"):
        await push(pool, record, version=5, completed_at="2099-01-01T00:00:00+00:00")


async def test_nothing_is_asked_for_once_the_order_system_says_so(pool: asyncpg.Pool) -> None:  # G2, G5
    record = order()
    policy = Policies().get("douyin")
    assert policy

    async def options(at: datetime) -> set[tuple[datetime | None, str | None]]:
        async with pool.acquire() as connection:
            asking = Asking(at=at, limits=NO_LIMITS)
            (quoted,) = await quotes_of(connection, [(await found(pool, record), policy)], asking)
        return {(each.until, each.refusal and each.refusal.code) for each in quoted.options if each.asked == "refund"}

    ends, later = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 4, 10, tzinfo=UTC)
    await push(pool, record, refundable_until=ends.isoformat())
    facts = await found(pool, record)
    await open_fund_of(pool, facts)
    moment = timedelta(microseconds=1)
    assert await options(ends - moment) == {(ends, None)}
    assert await options(ends) == {(None, "refunds_over")}

    async with pool.acquire() as connection:
        moved = await past_funds.move(connection, later, later, 100_000)
        assert (moved.funds, await ledger.parts_of(connection, order_fund(facts.order_no))) == (1, ())
    await push(pool, record, version=2, refundable_until=later.isoformat())
    await push(pool, record, version=3)
    assert await options(later - moment) == {(later, None)}
    async with pool.acquire() as connection:
        assert await ledger.parts_of(connection, order_fund(facts.order_no)), "what was paid of it counts again"


async def test_what_can_be_asked_for_ends_so_long_after_the_completion(pool: asyncpg.Pool) -> None:  # G2, G5
    record = order()
    window = Window(since="completion", days=7)
    douyin = Policies().get("douyin")
    assert douyin
    policy = douyin.model_copy(update={"windows": WindowsPolicy(unshipped_refund=window, refund_only=window)})
    asking = Asking(at=NOW, limits=NO_LIMITS)

    async def ends() -> set[datetime | None]:
        async with pool.acquire() as connection:
            (quoted,) = await quotes_of(connection, [(await found(pool, record), policy)], asking)
        return {each.until for each in quoted.options if each.asked == "refund" and not each.refusal}

    await push(pool, record)
    assert await ends() == {None}, "what the order system does not tell ends no window"
    await push(pool, record, version=2, completed_at="2026-03-03T00:00:00+00:00")
    assert await ends() == {datetime(2026, 3, 10, tzinfo=UTC)}


async def test_an_order_that_is_completed_tells_its_number_until_that_knows(pool: asyncpg.Pool) -> None:  # P3
    record, without = order(), order()
    subject = NumberSubject(scope=Scope.ORDER, id=record["order_no"])
    at = "2026-03-03T00:00:00+00:00"
    for each in (record, without):
        await push(pool, each)
    async with pool.acquire() as connection:
        await bindings.begin_subject(connection, subject, record["order_no"], record["merchant_id"], NOW)

    told = await push(pool, record, version=2, completed_at=at)
    again = await push(pool, record, version=2, completed_at=at)
    nobody = await push(pool, without, version=2, completed_at=at)
    assert told.completed
    async with pool.acquire() as connection:
        facts = NumberFacts(completed_at=told.completed.completed_at)
        await bindings.keep_facts(connection, subject, facts, NOW)
    known = await push(pool, record, version=3)

    assert (told.completed.subject, told.completed.completed_at) == (subject, datetime.fromisoformat(at))
    assert (again.outcome, again.completed) == (Outcome.UNCHANGED, told.completed)
    assert (nobody.completed, known.completed) == (None, None)

"""The ledger: the cap under concurrency (R8, R14, D8), what is kept, and what nobody can change (section 10)."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import ledger, reservations, whole_ledger
from activities.postgres.alerts import open_alerts, resolve_alert
from activities.postgres.ledger import LedgerContradiction
from activities.postgres.loading import load_orders
from activities.postgres.orders import find_order
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, minutes, open_compensation, open_order, payout, reserve, some_id
from tests.storage.own_keys import vault
from workflows.messages.payouts import LegState, LegStatus, PaidBy, Payer, Payout, Remainder, Reservation, TenderKind
from workflows.messages.requests import BankTransfer
from workflows.rules.allocation import Again, FundPart, compensation_parts, order_parts
from workflows.rules.compensation import freight_insurance_fund, late_shipment_fund, return_freight_fund
from workflows.rules.identity import order_fund
from workflows.rules.legs import GATEWAY, US, AlertKind, Change, LegEvent, callback_source, fold

TWO_TENDERS = (("w", TenderKind.WALLET, 4_000), ("c", TenderKind.CREDIT_CARD, 6_000))


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=40)
    yield pool
    await pool.close()


def event(says: LegState, at: int = 1, *, source: str | None = None) -> LegEvent:
    ours = {LegState.RESERVED, LegState.SUBMITTED}
    return LegEvent(
        says=says,
        source=source or (US if says in ours else GATEWAY),
        at=minutes(at),
        as_of=minutes(at),
        paid_by=PaidBy.GATEWAY if says is LegState.SUCCEEDED else None,
    )


async def record(pool: asyncpg.Pool, refund_no: str, *events: LegEvent) -> Change:
    changes: list[Change] = []
    for each in events:
        async with pool.acquire() as connection, connection.transaction():
            changes.append(await ledger.record(connection, refund_no, each))
    return changes[-1]


async def submitted(pool: asyncpg.Pool, wish: Payout) -> str:
    """Reserve, and submit the only leg; its number."""
    result = await reserve(pool, wish)
    (leg,) = result.legs
    await record(pool, leg.refund_no, event(LegState.SUBMITTED))
    return leg.refund_no


async def paid(pool: asyncpg.Pool, wish: Payout) -> str:
    """Reserve, and pay the only leg; its number."""
    number = await submitted(pool, wish)
    await record(pool, number, event(LegState.SUCCEEDED))
    return number


async def again(pool: asyncpg.Pool, wish: Payout, at: int) -> Again:
    """Take the room of what has failed anew, in a transaction of its own."""
    async with pool.acquire() as connection, connection.transaction():
        return await reservations.reserve_again(connection, wish, minutes(at))


async def legs(pool: asyncpg.Pool, wish: Payout) -> tuple[LegStatus, ...]:
    async with pool.acquire() as connection:
        return await ledger.legs_of(connection, wish.case_id, wish.number)


async def used(pool: asyncpg.Pool, order_no: str) -> dict[str, int]:
    async with pool.acquire() as connection:
        parts = await ledger.parts_of(connection, f"order/{order_no}")
    return {part.name: part.settled + part.held for part in parts}


async def test_200_refunds_of_one_line_at_once(pool: asyncpg.Pool) -> None:
    """R8: never above what was paid, and none is refused while there is room."""
    order_no = await open_order(pool, lines=[10_000], tenders=TWO_TENDERS)

    results = await asyncio.gather(*(reserve(pool, payout(order_no, {"line:1": 70})) for _ in range(200)))

    assert Counter(each.reservation for each in results) == {
        Reservation.RESERVED: 142,
        Reservation.CONTENDED: 58,
    }
    taken = await used(pool, order_no)
    assert taken.pop("line:1") == 142 * 70
    assert sum(taken.values()) == 142 * 70
    assert all(taken[f"tender:{tender}"] <= paid for tender, _, paid in TWO_TENDERS)


async def test_room_comes_back_on_a_confirmed_failure_only(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000])
    number = await submitted(pool, payout(order_no, {"line:1": 800}))
    other = payout(order_no, {"line:1": 800})

    for state in (LegState.UNKNOWN, LegState.PROCESSING, LegState.ABNORMAL):
        await record(pool, number, event(state))
        assert (await reserve(pool, other)).reservation is Reservation.CONTENDED, state
    await record(pool, number, event(LegState.FAILED))

    assert (await reserve(pool, other)).reservation is Reservation.RESERVED


async def test_what_is_paid_is_gone_for_good(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000])
    number = await submitted(pool, payout(order_no, {"line:1": 800}))
    await record(pool, number, event(LegState.SUCCEEDED))

    rest = await reserve(pool, payout(order_no, {"line:1": 201}))
    assert (rest.due, [leg.amount for leg in rest.legs]) == (201, [200]), "R14: what is left is paid"
    await record(pool, rest.legs[0].refund_no, event(LegState.SUBMITTED), event(LegState.SUCCEEDED))
    assert (await reserve(pool, payout(order_no, {"line:1": 1}))).reservation is Reservation.EXHAUSTED
    async with pool.acquire() as connection:
        assert await ledger.refunded(connection, f"order/{order_no}") == 1_000


async def test_reserving_again_is_the_same_reservation(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000])
    wish = payout(order_no, {"line:1": 600})

    first, second = await asyncio.gather(reserve(pool, wish), reserve(pool, wish))

    assert first.legs == second.legs
    assert (await used(pool, order_no))["line:1"] == 600
    with pytest.raises(LedgerContradiction, match="another amount"):
        await reserve(pool, payout(order_no, {"line:1": 500}, case=wish.case_id))


async def test_a_refused_reservation_leaves_nothing_behind(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000, 1_000])
    await paid(pool, payout(order_no, {"line:1": 1_000}))
    before = await used(pool, order_no)
    assert (await reserve(pool, payout(order_no, {"line:1": 500}))).reservation is Reservation.EXHAUSTED
    assert await used(pool, order_no) == before


async def test_a_payout_of_two_tenders_and_a_bank_transfer(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[9_000], freight=1_000, tenders=TWO_TENDERS)

    both = await reserve(pool, payout(order_no, {"line:1": 5_000, "freight": 500}))
    bank = await reserve(pool, payout(order_no, {"line:1": 4_000}, method=BankTransfer(account="vault:accounts/1")))

    assert [(leg.tender, leg.tender_kind, leg.amount, leg.state) for leg in both.legs] == [
        ("w", TenderKind.WALLET, 4_000, LegState.RESERVED),
        ("c", TenderKind.CREDIT_CARD, 1_500, LegState.RESERVED),
    ]
    assert [(leg.tender, leg.amount) for leg in bank.legs] == [(None, 4_000)]
    assert await used(pool, order_no) == {
        "line:1": 9_000,
        "freight": 500,
        "tender:w": 4_000,
        "tender:c": 5_500,
    }


async def test_a_ruling_pays_what_the_disputed_case_has_not(pool: asyncpg.Pool) -> None:
    # D8
    order_no = await open_order(pool, lines=[1_000])
    disputed = payout(order_no, {"line:1": 300})
    await paid(pool, disputed)
    await paid(pool, payout(order_no, {"line:1": 50}))
    ruling = payout(order_no, {"line:1": 800}, remainder=Remainder(counts=disputed.case_id))

    result = await reserve(pool, ruling)

    assert result.reservation is Reservation.RESERVED
    assert [leg.amount for leg in result.legs] == [500], "what another case has paid does not count"
    assert (await used(pool, order_no))["line:1"] == 850


async def test_what_any_case_has_paid_counts_where_none_is_named(pool: asyncpg.Pool) -> None:
    # D8
    order_no = await open_order(pool, lines=[1_000], freight=100)
    await paid(pool, payout(order_no, {"line:1": 300}))
    await paid(pool, payout(order_no, {"line:1": 50, "freight": 100}))

    result = await reserve(pool, payout(order_no, {"line:1": 800, "freight": 100}, remainder=Remainder(counts=None)))

    assert [leg.amount for leg in result.legs] == [450]
    assert (await used(pool, order_no))["line:1"] == 800


async def test_a_case_may_count_what_it_has_paid_itself(pool: asyncpg.Pool) -> None:
    # D8
    order_no = await open_order(pool, lines=[1_000])
    first = payout(order_no, {"line:1": 300})
    await paid(pool, first)
    second = payout(order_no, {"line:1": 400}, case=first.case_id, number=2, remainder=Remainder(counts=first.case_id))
    assert [leg.amount for leg in (await reserve(pool, second)).legs] == [100]


@pytest.mark.parametrize("ends", [LegState.SUCCEEDED, LegState.FAILED])
async def test_a_ruling_waits_for_the_disputed_cases_money(pool: asyncpg.Pool, ends: LegState) -> None:
    # D8, section 11: dispute while a refund settles
    order_no = await open_order(pool, lines=[1_000])
    disputed = payout(order_no, {"line:1": 300})
    ruling = payout(order_no, {"line:1": 500}, remainder=Remainder(counts=disputed.case_id))
    number = (await reserve(pool, disputed)).legs[0].refund_no
    assert (await reserve(pool, ruling)).reservation is Reservation.CONTENDED
    for state in (LegState.SUBMITTED, LegState.UNKNOWN, LegState.PROCESSING, LegState.ABNORMAL):
        await record(pool, number, event(state))
        assert (await reserve(pool, ruling)).reservation is Reservation.CONTENDED, state
    await record(pool, number, event(ends))

    result = await reserve(pool, ruling)

    assert [leg.amount for leg in result.legs] == [200 if ends is LegState.SUCCEEDED else 500]


async def test_a_ruling_that_has_been_paid_already_is_covered(pool: asyncpg.Pool) -> None:
    # D8
    order_no = await open_order(pool, lines=[1_000])
    disputed = payout(order_no, {"line:1": 600})
    await paid(pool, disputed)
    ruling = payout(order_no, {"line:1": 600}, remainder=Remainder(counts=disputed.case_id))

    result = await reserve(pool, ruling)

    assert (result.reservation, result.legs) == (Reservation.COVERED, ())
    assert (await used(pool, order_no))["line:1"] == 600


async def test_a_ruling_never_pays_beyond_what_was_paid(pool: asyncpg.Pool) -> None:
    # D8, R8: clipped, not refused
    order_no = await open_order(pool, lines=[1_000])
    await paid(pool, payout(order_no, {"line:1": 700}))
    ruling = payout(order_no, {"line:1": 800}, remainder=Remainder(counts="refund/none/none"))

    clipped = await reserve(pool, ruling)

    assert [leg.amount for leg in clipped.legs] == [300]
    await record(pool, clipped.legs[0].refund_no, event(LegState.SUBMITTED), event(LegState.SUCCEEDED))
    another = ruling.model_copy(update={"number": 2})
    assert (await reserve(pool, another)).reservation is Reservation.EXHAUSTED


async def test_reserving_a_remainder_again_is_the_same_reservation(pool: asyncpg.Pool) -> None:
    # D8: also after what counts has changed
    order_no = await open_order(pool, lines=[1_000])
    disputed = payout(order_no, {"line:1": 300})
    await paid(pool, disputed)
    ruling = payout(order_no, {"line:1": 800}, remainder=Remainder(counts=disputed.case_id))
    first = await reserve(pool, ruling)
    await paid(pool, payout(order_no, {"line:1": 200}, case=disputed.case_id, number=2))

    assert (await reserve(pool, ruling)).legs == first.legs
    assert (await used(pool, order_no))["line:1"] == 1_000
    smaller = payout(order_no, {"line:1": 499}, case=ruling.case_id, remainder=ruling.remainder)
    with pytest.raises(LedgerContradiction, match="another amount"):
        await reserve(pool, smaller)


async def test_20_rulings_on_one_order_at_once(pool: asyncpg.Pool) -> None:
    # D8, R8: one pays, the others wait for it, and then nothing remains
    order_no = await open_order(pool, lines=[10_000], tenders=TWO_TENDERS)
    rulings = [payout(order_no, {"line:1": 4_500}, remainder=Remainder(counts=None)) for _ in range(20)]

    results = await asyncio.gather(*(reserve(pool, each) for each in rulings))

    assert Counter(each.reservation for each in results) == {Reservation.RESERVED: 1, Reservation.CONTENDED: 19}
    (winner,) = (each for each in results if each.legs)
    assert [leg.amount for leg in winner.legs] == [4_000, 500]
    for leg in winner.legs:
        await record(pool, leg.refund_no, event(LegState.SUBMITTED), event(LegState.SUCCEEDED))
    results = await asyncio.gather(*(reserve(pool, each) for each in rulings))
    assert Counter(each.reservation for each in results) == {Reservation.RESERVED: 1, Reservation.COVERED: 19}
    assert (await used(pool, order_no))["line:1"] == 4_500


@pytest.mark.parametrize("fund_of", [late_shipment_fund, return_freight_fund, freight_insurance_fund])
async def test_compensation_does_not_eat_the_orders_room(pool: asyncpg.Pool, fund_of: Callable[[str], str]) -> None:
    # L3
    order_no = await open_order(pool, lines=[1_000])
    refund = payout(order_no, {"line:1": 400})
    await paid(pool, refund)
    async with pool.acquire() as connection:
        before = await ledger.parts_of(connection, order_fund(order_no))

    wish = await open_compensation(pool, fund_of(order_no), 1_500, case=refund.case_id)
    await paid(pool, wish)

    async with pool.acquire() as connection:
        assert await ledger.parts_of(connection, order_fund(order_no)) == before
        assert await ledger.refunded(connection, order_fund(order_no)) == 400
        assert await ledger.refunded(connection, wish.fund) == 1_500
    ruling = payout(order_no, {"line:1": 1_000}, remainder=Remainder(counts=refund.case_id))
    assert [leg.amount for leg in (await reserve(pool, ruling)).legs] == [600], "nor does it count as a refund"


async def test_compensation_is_paid_once(pool: asyncpg.Pool) -> None:
    # L1: once per order, whoever claims it
    fund = late_shipment_fund(some_id("o"))
    wish = await open_compensation(pool, fund, 500)
    rivals = [wish.model_copy(update={"case_id": f"late/{index}/{fund}"}) for index in range(8)]

    results = await asyncio.gather(*(reserve(pool, each) for each in rivals))

    assert Counter(each.reservation for each in results) == {Reservation.RESERVED: 1, Reservation.CONTENDED: 7}
    with pytest.raises(LedgerContradiction, match="other amounts"):
        await open_compensation(pool, fund, 501)


async def test_the_database_itself_keeps_compensation_apart(pool: asyncpg.Pool) -> None:
    # L3, the last defence
    for fund, parts in (
        (order_fund(some_id("o")), compensation_parts(500)),
        (late_shipment_fund(some_id("o")), (FundPart("line:1", 500),)),
    ):
        async with pool.acquire() as connection:
            with pytest.raises(asyncpg.CheckViolationError, match="fund_parts_compensation_check"):
                async with connection.transaction():
                    await ledger.open_fund(connection, fund, "CNY", parts)


async def test_an_order_paid_in_cash_goes_back_to_an_account(pool: asyncpg.Pool) -> None:
    # T4
    order_no = some_id("o")
    line = {
        "order_no": order_no,
        "marketplace": "douyin",
        "merchant_id": "m-1",
        "buyer_id": "b-1",
        "currency": "CNY",
        "lines": [{"line": "1", "sku": "s", "quantity": 1, "paid": 700}],
        "tenders": [{"tender": "c", "kind": "cash", "paid": 700}],
        "paid_at": "2026-11-20T10:00:00+08:00",
    }
    async with pool.acquire() as connection, connection.transaction():
        assert (await load_orders(connection, [json.dumps(line)], vault())).problems == ()
        order = await find_order(connection, order_no)
        assert order is not None
        await ledger.open_fund(connection, order_fund(order.order_no), order.currency, order_parts(order))
    account = BankTransfer(account="vault:accounts/1")

    by_card = await reserve(pool, payout(order_no, {"line:1": 700}))
    by_bank = await reserve(pool, payout(order_no, {"line:1": 700}, method=account))

    assert by_card.reservation is Reservation.EXHAUSTED
    assert [(leg.tender, leg.tender_kind, leg.amount) for leg in by_bank.legs] == [(None, None, 700)]
    assert await used(pool, order_no) == {"line:1": 700, "freight": 0, "tender:c": 700}


@pytest.mark.parametrize("payer", Payer)
async def test_who_bears_a_payment_is_kept(pool: asyncpg.Pool, payer: Payer) -> None:
    # T4, T10
    result = await reserve(pool, payout(await open_order(pool), {"line:1": 600}, payer=payer))
    kept = await pool.fetchval("SELECT payer FROM ledger.legs WHERE refund_no = $1", result.legs[0].refund_no)
    assert kept == payer


async def test_a_failed_leg_gets_its_room_again_only_if_it_is_free(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000])
    wish = payout(order_no, {"line:1": 600})
    number = await submitted(pool, wish)
    await record(pool, number, event(LegState.FAILED, 2))
    rival = await submitted(pool, payout(order_no, {"line:1": 600}))

    assert (await again(pool, wish, 3)).held == (number,)
    async with pool.acquire() as connection:
        no_room = (await ledger.events_of(connection, number))[-1]
    assert (no_room.says, no_room.failure) == (LegState.FAILED, reservations.NO_ROOM)

    await record(pool, rival, event(LegState.FAILED, 4))
    assert (await again(pool, wish, 5)).kept == (number,)
    assert (await used(pool, order_no))["line:1"] == 600


async def test_what_is_left_of_a_failed_leg_is_reserved_under_a_number_of_its_own(pool: asyncpg.Pool) -> None:
    # R14, section 10
    order_no = await open_order(pool, lines=[1_000])
    wish = payout(order_no, {"line:1": 600})
    number = await submitted(pool, wish)
    await record(pool, number, event(LegState.FAILED, 2))
    await paid(pool, payout(order_no, {"line:1": 700}))

    first, second = await again(pool, wish, 3), await again(pool, wish, 4)

    (leg,) = await legs(pool, wish)
    assert (first.retired, second) == ((number,), Again()), "what is reserved is not reserved again"
    assert (leg.amount, leg.state, leg.refund_no != number) == (300, LegState.RESERVED, True)
    await record(pool, leg.refund_no, event(LegState.SUBMITTED, 5), event(LegState.FAILED, 6))
    await paid(pool, payout(order_no, {"line:1": 100}))
    (third,) = (await again(pool, wish, 7)).instead
    assert third.amount == 200
    assert len({number, leg.refund_no, third.refund_no}) == 3
    assert (await used(pool, order_no))["line:1"] == 1_000


async def test_a_leg_of_which_nothing_is_left_is_tried_no_more(pool: asyncpg.Pool) -> None:
    # R14
    order_no = await open_order(pool, lines=[1_000])
    wish = payout(order_no, {"line:1": 600})
    number = await submitted(pool, wish)
    await record(pool, number, event(LegState.FAILED, 2))
    await paid(pool, payout(order_no, {"line:1": 1_000}))

    assert await again(pool, wish, 3) == Again(retired=(number,))
    assert await again(pool, wish, 4) == Again()
    assert await legs(pool, wish) == ()
    assert (await reserve(pool, wish)).reservation is Reservation.EXHAUSTED

    await record(pool, number, event(LegState.SUCCEEDED, 5, source=callback_source("late")))
    assert [leg.state for leg in await legs(pool, wish)] == [LegState.SUCCEEDED], "that money has moved all the same"


async def test_of_a_ruling_only_what_is_still_missing_is_tried_again(pool: asyncpg.Pool) -> None:
    # D8, R14: there is room for more
    order_no = await open_order(pool, lines=[1_000])
    disputed = payout(order_no, {"line:1": 100})
    await paid(pool, disputed)
    ruling = payout(order_no, {"line:1": 500}, remainder=Remainder(counts=disputed.case_id))
    number = await submitted(pool, ruling)
    await record(pool, number, event(LegState.FAILED, 2))
    await paid(pool, payout(order_no, {"line:1": 150}, case=disputed.case_id, number=2))

    await again(pool, ruling, 3)

    assert [leg.amount for leg in await legs(pool, ruling)] == [250]


async def test_a_callback_is_one_event_however_often_it_comes(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000])
    number = await submitted(pool, payout(order_no, {"line:1": 600}))
    paid = event(LegState.SUCCEEDED, 9, source=callback_source("cb-1"))

    results = await asyncio.gather(*(record(pool, number, paid) for _ in range(8)))
    other_key = await record(pool, number, event(LegState.SUCCEEDED, 10, source=callback_source("cb-2")))

    assert sum(each.moved for each in results) == 1
    assert not other_key.moved
    async with pool.acquire() as connection:
        events = await ledger.events_of(connection, number)
    assert [each.source for each in events] == [US, US, "callback:cb-1", "callback:cb-2"]


async def test_the_leg_is_the_fold_of_its_events(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000])
    wish = payout(order_no, {"line:1": 600})
    number = await submitted(pool, wish)
    for index, state in enumerate(
        [LegState.UNKNOWN, LegState.PROCESSING, LegState.PROCESSING, LegState.FAILED, LegState.SUCCEEDED], start=2
    ):
        await record(pool, number, event(state, index, source=callback_source(f"cb-{index}")))

    async with pool.acquire() as connection:
        folded = fold(await ledger.events_of(connection, number))
        (leg,) = await ledger.legs_of(connection, wish.case_id, 1)
    assert (leg.state, leg.paid_by, leg.submitted_at, leg.settled_at) == (
        folded.state,
        folded.paid_by,
        folded.submitted_at,
        folded.settled_at,
    )
    assert (leg.state, leg.settled_at) == (LegState.SUCCEEDED, minutes(6))


async def test_money_that_moved_after_all_is_written_down_beyond_the_cap(pool: asyncpg.Pool) -> None:
    """Section 10: success after failure is recorded and alerted, even where the room is gone."""
    order_no = await open_order(pool, lines=[1_000])
    wish = payout(order_no, {"line:1": 1_000})
    number = await submitted(pool, wish)
    await record(pool, number, event(LegState.FAILED, 2))
    rival = await submitted(pool, payout(order_no, {"line:1": 1_000}))
    await record(pool, rival, event(LegState.SUCCEEDED, 3))

    change = await record(pool, number, event(LegState.SUCCEEDED, 4, source=callback_source("late")))

    assert (change.standing.state, change.alert) == (LegState.SUCCEEDED, AlertKind.SUCCESS_AFTER_FAILURE)
    assert (await used(pool, order_no))["line:1"] == 2_000
    async with pool.acquire() as connection:
        assert await whole_ledger.overpaid(connection, [f"order/{order_no}"]) == [
            (f"order/{order_no}", "line:1", 1_000, 2_000)
        ]
        alerts = [each for each in await open_alerts(connection, limit=1000) if each.refund_no == number]
        assert [(each.kind, each.evidence) for each in alerts] == [("success_after_failure", "callback:late")]
        assert await resolve_alert(connection, alerts[0].id, minutes(9))
        assert not await resolve_alert(connection, alerts[0].id, minutes(9))
        assert number not in {each.refund_no for each in await open_alerts(connection, limit=1000)}


async def test_a_fund_is_opened_once(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000])
    fund = f"order/{order_no}"
    parts = [
        FundPart("freight", 0),
        FundPart("line:1", 1_000),
        FundPart("tender:w", 1_000, TenderKind.WALLET),
    ]
    async with pool.acquire() as connection:
        await ledger.open_fund(connection, fund, "CNY", parts)
        with pytest.raises(LedgerContradiction):
            await ledger.open_fund(connection, fund, "USD", parts)
        with pytest.raises(LedgerContradiction):
            await ledger.open_fund(connection, fund, "CNY", parts[:2])


async def test_a_refund_is_paid_in_the_currency_that_was_paid(pool: asyncpg.Pool) -> None:
    wish = payout(await open_order(pool), {"line:1": 1}).model_copy(update={"currency": "USD"})
    with pytest.raises(LedgerContradiction, match="USD"):
        await reserve(pool, wish)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.leg_events SET says = 'failed' WHERE refund_no = $1",
        "DELETE FROM ledger.leg_events WHERE refund_no = $1",
        "UPDATE ledger.leg_parts SET amount = amount + 1 WHERE refund_no = $1",
        "DELETE FROM ledger.leg_parts WHERE refund_no = $1",
        "DELETE FROM ledger.legs WHERE refund_no = $1",
        "UPDATE ledger.legs SET amount = amount + 1 WHERE refund_no = $1",
        "UPDATE ledger.legs SET case_id = 'other' WHERE refund_no = $1",
        "UPDATE ledger.legs SET payer = 'platform' WHERE refund_no = $1",
        "UPDATE ledger.legs SET state = 'failed', paid_by = NULL, settled_at = NULL WHERE refund_no = $1",
        "UPDATE ledger.fund_parts SET paid = paid + 1 WHERE $1 <> ''",
        "DELETE FROM ledger.alerts WHERE $1 <> ''",
    ],
)
async def test_nobody_rewrites_the_book(pool: asyncpg.Pool, statement: str) -> None:
    number = await submitted(pool, payout(await open_order(pool), {"line:1": 600}))
    await record(pool, number, event(LegState.SUCCEEDED))
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute(statement, number)


async def insert_leg(
    connection: asyncpg.pool.PoolConnectionProxy, order_no: str, number: str, amount: int, parts: dict[str, int]
) -> None:
    """What code that forgot the rules would write."""
    await connection.execute(
        """
        INSERT INTO ledger.legs (refund_no, case_id, payout, leg, fund, merchant_id, currency, amount, route, tender,
                                 tender_kind, state, reserved_at)
        VALUES ($1, $1, 1, 1, $2, 'm', 'CNY', $3, 'original', 'w', 'wallet', 'reserved', $4)
        """,
        number,
        f"order/{order_no}",
        amount,
        NOON,
    )
    await connection.executemany(
        "INSERT INTO ledger.leg_parts VALUES ($1, $2, $3)", [(number, *part) for part in parts.items()]
    )


async def test_the_database_itself_holds_the_cap(pool: asyncpg.Pool) -> None:
    """R8, the last defence: also against code that does not ask."""
    order_no = await open_order(pool, lines=[1_000])
    await reserve(pool, payout(order_no, {"line:1": 600}))

    async def insert(amount: int, parts: dict[str, int]) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await insert_leg(connection, order_no, f"{order_no}-{amount}", amount, parts)

    with pytest.raises(asyncpg.CheckViolationError, match="than was paid"):
        await insert(401, {"line:1": 401, "tender:w": 401})
    with pytest.raises(asyncpg.CheckViolationError, match="than was paid"):
        await insert(10, {"line:9": 10, "tender:w": 10})
    with pytest.raises(asyncpg.CheckViolationError, match="do not sum"):
        await insert(300, {"line:1": 300, "tender:w": 200})
    await insert(400, {"line:1": 400, "tender:w": 400})


async def test_the_database_holds_the_cap_for_a_retried_leg(pool: asyncpg.Pool) -> None:
    order_no = await open_order(pool, lines=[1_000])
    number = await submitted(pool, payout(order_no, {"line:1": 600}))
    await record(pool, number, event(LegState.FAILED, 2))
    await reserve(pool, payout(order_no, {"line:1": 600}))
    with pytest.raises(asyncpg.CheckViolationError, match="than was paid"):
        await record(pool, number, event(LegState.RESERVED, 3))

"""R13: pieces are counted, over all cases of an order, open and ended ones, whatever runs at the same time."""

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.postgres import pieces
from starter.errors import RefusedRequest
from tests.workflow import disputes
from tests.workflow.disputes import entry, paid, refusal
from tests.workflow.goods import accepting, direct_refund, receipt, signed_for
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import (
    AcceptSettlement,
    Amend,
    Approve,
    ConfirmExchange,
    ConvertToRefund,
    OfferSettlement,
    Reject,
    RejectReason,
    Reship,
    Withdraw,
)
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

THREE: dict[str, Any] = {"lines": {"1": 30_000}, "pieces": 3}


def line(many: int, amount: int, name: str = "1") -> tuple[LineAmount, ...]:
    return (LineAmount(line=name, quantity=many, amount=amount),)


async def code_of(
    world: World, order_no: str, many: int, amount: int, name: str = "1", *, exchange: bool = False
) -> str:
    """Why a return of so many pieces is not opened, or ``opened``."""
    request = world.return_request(order_no, lines=line(many, amount, name), exchange=exchange)
    try:
        await world.aftersales.open_return(request)
    except RefusedRequest as refused:
        return refused.refusal.code
    return "opened"


async def refund_code(world: World, order_no: str, amount: int) -> str:
    """Why a refund of one piece without goods is not opened, or ``opened``."""
    try:
        await world.refund(amount, order_no=order_no, reason=RefundReason.DAMAGED)
    except RefusedRequest as refused:
        return refused.refusal.code
    return "opened"


# Pieces are left until they are taken --------------------------------------------------------------------


async def test_what_was_accepted_back_does_not_come_back_again(world: World) -> None:  # R13, T11
    order_no = await world.shipped_order(**THREE)
    case, _ = await signed_for(world, order_no=order_no, lines=line(2, 20_000))
    await case.act_and_wait(accepting(world, line_1=1))

    assert await code_of(world, order_no, 3, 20_000) == "quantity_too_high"
    assert await code_of(world, order_no, 2, 20_000) == "opened"


async def test_a_withdrawn_return_gives_its_pieces_back(world: World) -> None:  # R13, R6
    order_no = await world.shipped_order()
    case = await world.returned(order_no=order_no)
    taken = await code_of(world, order_no, 1, 10_000)

    await case.act_and_wait(Withdraw(key="w1", by=buyer(world.buyer)))

    assert taken == "quantity_too_high"
    assert await code_of(world, order_no, 1, 10_000) == "opened"


async def test_of_many_who_want_the_same_piece_at_once_one_has_it(world: World) -> None:
    """R13, section 11: cases look at each other under the order's lock, whatever they were told before."""
    order_no = await world.shipped_order(pieces=2)
    requests = [world.return_request(order_no, lines=line(1, 100), exchange=bool(n % 2)) for n in range(4)]
    waiting = """
        SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
    """

    async with world.pool.acquire() as holder, holder.transaction():
        await pieces.lock(holder, order_no)
        cases = [await world.aftersales.open_return(request) for request in requests]
        await until(lambda: world.pool.fetchval(waiting), lambda found: found >= 2)
    views = [await until(case.view, lambda view: view.stage is not StageName.OPENING) for case in cases]

    assert [view.stage for view in views].count(StageName.RETURN_REVIEW) == 2
    assert [view.outcome for view in views].count(OutcomeKind.REFUSED) == 2


async def test_an_amendment_takes_only_pieces_that_are_left(world: World) -> None:  # R13, R6
    order_no = await world.shipped_order(**THREE)
    case = await world.returned(order_no=order_no, lines=line(1, 10_000))
    by = merchant(world.merchant)
    await case.act(Reject(key="r1", by=by, reason=RejectReason.OTHER, evidence=EVIDENCE))
    other = await world.returned(order_no=order_no, lines=line(1, 10_000))

    def amended(key: str, many: int) -> Amend:
        asked = line(many, 10_000 * many)
        return Amend(key=key, by=buyer(world.buyer), reason=RefundReason.DAMAGED, lines=asked)

    why = await refusal(case, amended("a1", 3))
    before = await case.view()
    await case.act(amended("a2", 2))
    both = await code_of(world, order_no, 1, 10_000)

    assert (why.code, why.field, why.rule) == ("quantity_too_high", "lines.0.quantity", "R13")
    assert before.stage is StageName.REJECTED
    assert (await case.view()).stage is StageName.RETURN_REVIEW
    assert both == "quantity_too_high"
    assert (await other.view()).stage is StageName.RETURN_REVIEW


# Refunded or exchanged -----------------------------------------------------------------------------------


async def test_an_exchanged_piece_is_not_refunded(world: World) -> None:  # R13, T8
    order_no = await world.shipped_order()
    case, _ = await signed_for(world, exchange=True, order_no=order_no)
    while_open = await refund_code(world, order_no, 5_000)
    await case.act(Reship(key="s1", by=merchant(world.merchant), parcel=world.parcel()))
    await case.act_and_wait(ConfirmExchange(key="c1", by=buyer(world.buyer)))

    assert while_open == await refund_code(world, order_no, 5_000) == "quantity_too_high"
    assert await code_of(world, order_no, 1, 5_000) == "quantity_too_high"
    assert await code_of(world, order_no, 1, 5_000, exchange=True) == "quantity_too_high"


async def test_a_refunded_piece_is_not_exchanged(world: World) -> None:  # R13
    order_no = await world.shipped_order()
    case = await world.refund(5_000, order_no=order_no, reason=RefundReason.DAMAGED)
    await world.at(case, StageName.SHIPPED_REVIEW)
    undecided = await code_of(world, order_no, 1, 5_000, exchange=True)
    await case.act_and_wait(Approve(key="a1", by=merchant(world.merchant)))

    assert undecided == await code_of(world, order_no, 1, 5_000, exchange=True) == "quantity_too_high"
    assert await code_of(world, order_no, 1, 5_000) == "opened"


async def test_a_return_that_was_refunded_directly_was_not_sent_back(world: World) -> None:  # R13, T1
    order_no = await world.shipped_order()
    case = await world.returned(4_000, order_no=order_no)
    await case.act_and_wait(direct_refund(world))

    assert await code_of(world, order_no, 1, 6_000, exchange=True) == "quantity_too_high"
    assert await code_of(world, order_no, 1, 6_000) == "opened"


async def test_an_exchange_that_becomes_a_refund_is_one(world: World) -> None:  # R13, T9
    order_no = await world.shipped_order()
    case, _ = await signed_for(world, exchange=True, order_no=order_no)
    await case.act(ConvertToRefund(key="c1", by=buyer(world.buyer)))
    outcome = await case.act_and_wait(ConvertToRefund(key="c2", by=merchant(world.merchant)))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000
    held = await world.pool.fetchval("SELECT pieces->>'use' FROM casebook.cases WHERE case_id = $1", case.id)
    assert held == "back"


async def test_a_merchant_pays_back_what_is_in_a_return_but_not_what_is_exchanged(world: World) -> None:  # R13, R9
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 10_000})
    await world.returned(order_no=order_no, lines=line(1, 10_000))
    await world.returned(order_no=order_no, lines=line(1, 10_000, "2"), exchange=True)

    def given(name: str) -> MerchantRefundRequest:
        return MerchantRefundRequest(
            request_key=world.fresh("k"),
            order_no=order_no,
            merchant_id=world.merchant,
            lines=line(1, 10_000, name),
            reason=RefundReason.OUT_OF_STOCK,
        )

    await (await world.aftersales.open_merchant_refund(given("1"))).outcome()
    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_merchant_refund(given("2"))

    assert refused.value.refusal.code == "quantity_too_high"
    assert await paid(world, order_no) == 10_000


# R7: what ships while its refund is open -----------------------------------------------------------------


async def test_goods_come_back_in_one_case_only_though_two_wanted_their_money(world: World) -> None:
    """R7, R13: two unshipped refunds of one piece, which then ships: one is its return, the other is reviewed."""
    order_no = await world.order()
    cases = [await world.refund(5_000, order_no=order_no) for _ in range(2)]
    for case in cases:
        await world.at(case, StageName.MERCHANT_REVIEW)

    await world.aftersales.logistics.order_shipped(order_no, world.parcel(), datetime.now(UTC))
    views = [await until(case.view, lambda view: view.stage is not StageName.MERCHANT_REVIEW) for case in cases]

    assert {view.stage for view in views} == {StageName.RETURN_REVIEW, StageName.SHIPPED_REVIEW}
    assert {view.kind for view in views} == {CaseKind.RETURN, CaseKind.SHIPPED_REFUND}
    assert await code_of(world, order_no, 1, 100) == "quantity_too_high"


# What pieces cost ----------------------------------------------------------------------------------------


async def test_a_refund_without_goods_pays_for_the_pieces_named(world: World) -> None:  # R13
    order_no = await world.shipped_order(**THREE)

    with pytest.raises(RefusedRequest) as refused:
        await world.refund(order_no=order_no, lines=line(1, 10_001), reason=RefundReason.DAMAGED)
    case = await world.refund(order_no=order_no, lines=line(3, 30_000), reason=RefundReason.DAMAGED)
    await world.at(case, StageName.SHIPPED_REVIEW)

    assert (refused.value.refusal.code, refused.value.refusal.rule) == ("amount_too_high", "R13")


async def test_three_pieces_that_come_back_one_by_one_give_exactly_what_was_paid(world: World) -> None:  # R13, T11
    order_no = await world.shipped_order(lines={"1": 10_000}, pieces=3)
    for amount in (3_333, 3_334, 3_333):
        case = await world.returned(order_no=order_no, lines=line(1, amount))
        await case.act_and_wait(direct_refund(world))

    assert await paid(world, order_no) == 10_000


# What cost nothing, and freight --------------------------------------------------------------------------


async def test_a_gift_comes_back_without_a_payment(world: World) -> None:  # R13, T6
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 0})
    case, _ = await signed_for(world, order_no=order_no, lines=line(1, 0, "2"))

    outcome = await case.act_and_wait(receipt(world))

    assert (outcome.outcome, outcome.rule, outcome.legs) == (OutcomeKind.NOTHING_TO_PAY, "R13", ())
    assert outcome.refunded
    assert outcome.refunded.amount == await paid(world, order_no) == 0
    assert (await entry(case, "receipt_confirmed")).by == merchant(world.merchant)
    assert await code_of(world, order_no, 1, 0, "2") == "quantity_too_high"


async def test_an_order_that_cost_nothing_is_cancelled_by_silence(world: World) -> None:  # R13, R1, R3
    order_no = await world.order(marketplace="jd-self", lines={"1": 0})
    case = await world.refund(0, order_no=order_no)
    await world.at(case, StageName.WAREHOUSE_REVIEW)

    await world.forward(case, minutes=31)
    outcome = await case.outcome()

    assert (outcome.kind, outcome.outcome) == (CaseKind.CANCELLATION, OutcomeKind.NOTHING_TO_PAY)
    assert await world.paid_by_gateway(order_no) == 0


async def test_money_for_nothing_is_not_asked_for(world: World) -> None:  # R13
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 0})

    with pytest.raises(RefusedRequest) as refused:
        await world.refund(order_no=order_no, lines=line(1, 0, "2"), reason=RefundReason.DAMAGED)

    assert refused.value.refusal.code == "nothing_asked"


async def test_freight_that_is_asked_back_alone_is_no_return_though_the_goods_ship(world: World) -> None:  # R13, R7
    order_no = await world.order(freight=1_000)
    case = await world.refund(order_no=order_no, lines=(), freight=1_000)
    await world.at(case, StageName.MERCHANT_REVIEW)

    await world.aftersales.logistics.order_shipped(order_no, world.parcel(), datetime.now(UTC))
    await until(lambda: world.events(case), lambda events: "goods_shipped" in events)
    outcome = await case.act_and_wait(Approve(key="a1", by=merchant(world.merchant)))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 1_000


async def test_freight_alone_is_not_intercepted(world: World) -> None:  # R13, R3
    order_no = await world.order(marketplace="jd-self", freight=1_000)
    case = await world.refund(order_no=order_no, lines=(), freight=1_000)
    await world.at(case, StageName.WAREHOUSE_REVIEW)

    await world.aftersales.logistics.order_shipped(order_no, world.parcel(), datetime.now(UTC))
    await until(lambda: world.events(case), lambda events: "goods_shipped" in events)
    await world.forward(case, minutes=31)
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 1_000


async def test_freight_alone_settles_a_dispute(world: World) -> None:  # R13, D2
    order_no = await world.shipped_order(freight=1_000)
    dispute = await world.aftersales.open_dispute(disputes.request(world, order_no, freight=1_000))
    await world.at(dispute, StageName.NEGOTIATION)

    await dispute.act(OfferSettlement(key="o1", by=merchant(world.merchant), freight=600))
    outcome = await dispute.act_and_wait(AcceptSettlement(key="s1", by=buyer(world.buyer), amount=600))

    assert outcome.refunded
    assert outcome.refunded.amount == await paid(world, order_no) == 600


async def test_a_dispute_about_a_gift_that_is_upheld_ends_without_a_payment(world: World) -> None:  # R13, D8
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 0})
    case, _ = await signed_for(world, exchange=True, order_no=order_no, lines=line(1, 0, "2"))
    await world.forward(case, hours=73)
    await world.at(case, StageName.RESHIP_OVERDUE)
    dispute = await disputes.disputed(world, case)

    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, StageName.EVIDENCE)
    await world.forward(dispute, hours=24, minutes=1)
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.NOTHING_TO_PAY
    assert await paid(world, order_no) == 0
    assert await code_of(world, order_no, 1, 0, "2") == "quantity_too_high"  # the merchant has it

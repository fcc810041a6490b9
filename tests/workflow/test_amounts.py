"""R4, R5 and R8: how much goes back, by which route, and never more than was paid."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from starter.client import Case
from starter.errors import RefusedCommand, RefusedRequest, Unreachable
from tests.workflow.world import World, until
from workflows.messages.actors import merchant
from workflows.messages.cases import CaseView
from workflows.messages.commands import Approve
from workflows.messages.requests import BankTransfer, LineAmount, RefundReason
from workflows.messages.stages import OutcomeKind, StageName

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


A_FEW = asyncio.Semaphore(8)
"""Moving a clock is a long call; twenty at once would leave the worker no room on its connection."""


async def approved(world: World, case: Case) -> OutcomeKind:
    """How an approved case ends; where it waits for room, its clock is moved on."""
    answered = False
    while not answered:
        try:
            await case.act(Approve(key="c1", by=merchant(world.merchant)))
            answered = True
        except Unreachable:  # a loaded machine: sending it again, under its key, is what a service does
            continue

    async def moved_on() -> CaseView | None:
        try:
            view = await case.view()
        except Unreachable:  # the same: a look is asked for again
            return None
        if view.stage is StageName.AWAITING_ROOM:
            async with A_FEW:
                await world.forward(case, hours=1)
        return view

    await until(moved_on, lambda view: view is not None and view.stage is StageName.CLOSED, seconds=120)
    return (await case.outcome()).outcome


async def test_several_tenders_get_their_own_back_in_the_policys_order(world: World) -> None:  # R4
    order_no = await world.order(
        lines={"1": 10_000}, tenders=[("card", "credit_card", 7_000), ("purse", "wallet", 3_000)]
    )
    first = await world.refund(4_000, order_no=order_no)
    await approved(world, first)
    second = await world.refund(6_000, order_no=order_no)
    await approved(world, second)

    legs = [[(leg.tender, leg.amount) for leg in (await case.view()).legs] for case in (first, second)]

    assert legs == [[("purse", 3_000), ("card", 1_000)], [("card", 6_000)]]
    assert await world.paid_by_gateway(order_no) == 10_000


async def test_a_bank_transfer_is_one_payment_to_the_named_account(world: World) -> None:  # R4
    order_no = await world.order(tenders=[("card", "credit_card", 7_000), ("purse", "wallet", 3_000)])
    case = await world.refund(10_000, order_no=order_no, method=BankTransfer(account="vault:accounts/1"))

    await approved(world, case)

    assert [(leg.tender, leg.amount) for leg in (await case.view()).legs] == [(None, 10_000)]
    account = await world.pool.fetchval("SELECT account FROM gateway.refunds WHERE fund = $1", f"order/{order_no}")
    assert account == "vault:accounts/1"


@pytest.mark.parametrize(
    ("shipped", "reason", "refundable"),
    [
        (False, RefundReason.NO_LONGER_WANTED, True),
        (True, RefundReason.NO_LONGER_WANTED, False),
        (True, RefundReason.QUALITY_FAULT, True),
    ],
)
async def test_freight_is_the_buyers_unless_the_goods_were_at_fault(
    world: World, shipped: bool, reason: RefundReason, refundable: bool
) -> None:  # R4
    order_no = await world.order(freight=800, shipped_at=YESTERDAY if shipped else None)

    if refundable:
        await approved(world, await world.refund(10_000, order_no=order_no, freight=800, reason=reason))
        assert await world.refunded(order_no) == 10_800
    else:
        with pytest.raises(RefusedRequest) as refused:
            await world.refund(10_000, order_no=order_no, freight=800, reason=reason)
        assert (refused.value.refusal.field, refused.value.refusal.rule) == ("freight", "R4")


@pytest.mark.parametrize(
    ("line", "quantity", "amount", "field"),
    [("1", 1, 10_001, "lines.0.amount"), ("1", 11, 10_000, "lines.0.quantity"), ("9", 1, 1, "lines.0.line")],
)
async def test_a_request_that_does_not_fit_the_order_names_the_field(
    world: World, line: str, quantity: int, amount: int, field: str
) -> None:  # R8
    order_no = await world.order()
    request = world.refund_request(order_no, lines=(LineAmount(line=line, quantity=quantity, amount=amount),))

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_refund(request)

    assert (refused.value.refusal.field, refused.value.refusal.rule) == (field, "R8")


async def test_what_was_paid_back_cannot_be_asked_for_again(world: World) -> None:  # R8
    order_no = await world.order()
    await approved(world, await world.refund(9_000, order_no=order_no))

    with pytest.raises(RefusedRequest) as refused:
        await world.refund(1_001, order_no=order_no)

    assert refused.value.refusal.explanation == "line 1 has 1000 minor units left to refund"


async def test_of_two_cases_on_one_line_one_is_paid(world: World) -> None:  # R8, section 11
    order_no = await world.order()
    cases = [await world.refund(10_000, order_no=order_no) for _ in range(2)]

    ends = await asyncio.gather(*(approved(world, case) for case in cases))

    assert Counter(ends) == {OutcomeKind.REFUNDED: 1, OutcomeKind.NOTHING_LEFT: 1}
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000


async def test_line_refunds_leave_the_other_lines_alone(world: World) -> None:  # R8
    order_no = await world.order(lines={"1": 6_000, "2": 4_000})
    both = tuple(LineAmount(line=line, quantity=1, amount=3_000) for line in ("1", "2"))
    await approved(world, await world.refund(order_no=order_no, lines=both))

    left_on_two = await world.refund(order_no=order_no, lines=(LineAmount(line="2", quantity=1, amount=1_000),))
    await approved(world, left_on_two)
    with pytest.raises(RefusedRequest):
        await world.refund(order_no=order_no, lines=(LineAmount(line="2", quantity=1, amount=1),))

    assert await world.refunded(order_no) == 7_000


async def test_20_refunds_at_once_pay_exactly_what_was_paid_in(world: World) -> None:  # R8
    order_no = await world.order(lines={"1": 10_000})

    async def ask() -> OutcomeKind | str:
        try:
            case = await world.refund(1_000, order_no=order_no)
            try:
                return await approved(world, case)
            except RefusedCommand:  # the approval came while the case was refused, since nothing was left by then
                return (await case.outcome()).outcome
        except RefusedRequest as refused:
            return refused.refusal.code

    ends = Counter(await asyncio.gather(*(ask() for _ in range(20))))

    assert ends[OutcomeKind.REFUNDED] == 10
    assert ends[OutcomeKind.NOTHING_LEFT] + ends["amount_too_high"] == 10
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000

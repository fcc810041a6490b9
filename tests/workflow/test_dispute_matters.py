"""D10: one dispute at a time about one matter, and none after a ruling, also where a dispute names no case."""

import asyncio

import pytest

from starter.cases import Case
from starter.errors import RefusedRequest
from tests.workflow.disputes import (
    apart,
    disputed,
    intervened,
    opening,
    refusal,
    rejected_refund,
    request,
    resolution,
    ruling,
)
from tests.workflow.world import World
from workflows.messages.cases import Refusal
from workflows.messages.requests import LineAmount, RefundReason, Request
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import StageName


def line(number: str, amount: int = 1_000, quantity: int = 1) -> tuple[LineAmount, ...]:
    return (LineAmount(line=number, quantity=quantity, amount=amount),)


async def why_not(world: World, wanted: Request) -> Refusal:
    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open(wanted)
    return caught.value.refusal


async def two_lines(world: World) -> str:
    return await world.shipped_order(lines={"1": 10_000, "2": 10_000}, pieces=10, freight=1_000)


async def of_order(world: World, order_no: str) -> Case:
    case = await world.aftersales.open_dispute(request(world, order_no, lines=line("1")))
    await world.at(case, StageName.NEGOTIATION)
    return case


async def test_lines_are_disputed_once_at_a_time(world: World) -> None:
    order_no = await two_lines(world)
    await of_order(world, order_no)

    again = await why_not(world, request(world, order_no, lines=line("1")))
    await world.aftersales.check(request(world, order_no, lines=line("2")))

    assert (again.code, again.field, again.rule) == ("dispute_open", "lines.0.line", "D10")


async def test_of_two_that_dispute_at_the_same_instant_one_is_opened(world: World) -> None:
    order_no = await two_lines(world)
    wanted = [request(world, order_no, lines=line("1")) for _ in range(4)]

    opened = await asyncio.gather(*(world.aftersales.open_dispute(each) for each in wanted), return_exceptions=True)
    cases = [each for each in opened if isinstance(each, Case)]
    disputes = [each for each in cases if not (await case_refused(each))]

    assert len(disputes) == 1


async def case_refused(case: Case) -> bool:
    """Whether a dispute that was started was not opened."""
    while (view := await case.view()).stage is StageName.OPENING:
        await asyncio.sleep(0.02)
    return view.stage is StageName.CLOSED


@pytest.mark.parametrize("award", [Award.NOTHING, Award.FULL])
async def test_what_was_ruled_on_is_not_disputed_again(world: World, award: Award) -> None:
    order_no = await two_lines(world)
    ruled = await apart(world, request(world, order_no, lines=line("1")))
    await ruled.act_and_wait(ruling(award, fault=Fault.BUYER))

    again = await why_not(world, request(world, order_no, lines=line("1")))
    case = await rejected_refund(world, order_no=order_no, lines=line("1"))
    through_a_case = await refusal(case, opening(world))

    assert again.code == "ruled_before"
    assert (through_a_case.code, through_a_case.rule) == ("ruled_before", "D10")
    assert (await case.view()).stage is StageName.REJECTED
    await world.aftersales.check(request(world, order_no, lines=line("2")))


async def test_what_the_parties_have_resolved_may_be_disputed_again(world: World) -> None:  # D2
    order_no = await two_lines(world)
    await (await of_order(world, order_no)).act_and_wait(resolution(world))

    await of_order(world, order_no)


async def test_a_ruling_on_a_case_stands_for_its_lines(world: World) -> None:
    order_no = await two_lines(world)
    case = await rejected_refund(world, order_no=order_no, lines=line("1"))
    dispute = await intervened(world, case)
    await dispute.act_and_wait(ruling(Award.NOTHING, fault=Fault.BUYER))
    await case.outcome()

    assert (await why_not(world, request(world, order_no, lines=line("1")))).code == "ruled_before"


async def test_an_open_case_is_disputed_where_it_is(world: World) -> None:  # D1
    order_no = await two_lines(world)
    case = await world.refund(order_no=order_no, lines=line("1"), reason=RefundReason.DAMAGED)
    await world.at(case, StageName.SHIPPED_REVIEW)

    refused = await why_not(world, request(world, order_no, lines=line("1")))

    assert (refused.code, case.id in refused.explanation) == ("case_open", True)


async def test_no_case_is_opened_beside_an_open_dispute(world: World) -> None:
    order_no = await two_lines(world)
    await of_order(world, order_no)

    refund = await why_not(world, world.refund_request(order_no, lines=line("1"), reason=RefundReason.DAMAGED))
    sent_back = await why_not(world, world.return_request(order_no, lines=line("1")))
    await world.aftersales.check(world.refund_request(order_no, lines=line("2"), reason=RefundReason.DAMAGED))

    assert (refund.code, sent_back.code) == ("dispute_open", "dispute_open")


async def test_cases_about_different_pieces_are_disputed_each(world: World) -> None:
    order_no = await two_lines(world)
    first = await rejected_refund(world, order_no=order_no, lines=line("1"))
    second = await rejected_refund(world, order_no=order_no, lines=line("1"))
    await disputed(world, first)

    assert (await disputed(world, second)).id != (await first.view()).dispute


async def test_cases_about_the_same_pieces_are_not(world: World) -> None:
    """The order has ten pieces of the line: six have been ruled on, and six more would be some of the same."""
    order_no = await two_lines(world)
    first = await rejected_refund(world, order_no=order_no, lines=line("1", quantity=6))
    dispute = await intervened(world, first)
    await dispute.act_and_wait(ruling(Award.NOTHING, fault=Fault.BUYER))
    await first.outcome()
    second = await rejected_refund(world, order_no=order_no, lines=line("1", quantity=6))

    assert (await refusal(second, opening(world))).code == "ruled_before"


async def test_freight_is_disputed_once_as_well(world: World) -> None:
    order_no = await two_lines(world)
    case = await world.aftersales.open_dispute(request(world, order_no, lines=line("1"), freight=1_000))
    await world.at(case, StageName.NEGOTIATION)

    refused = await why_not(world, request(world, order_no, lines=line("2"), freight=1_000))

    assert (refused.code, refused.field) == ("dispute_open", "freight")

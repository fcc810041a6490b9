"""``docs/operations.md`` says what to do about each reason for attention: done here, on cases that have it."""

import re
import shlex
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.commands import acting, wording
from starter.commands.acting import COMMANDS
from tests.workflow import repairs
from tests.workflow.disputes import (
    escalated_cancellation,
    evidence,
    intervened,
    overdue_exchange,
    overdue_return,
    received,
    rejected_after_receipt,
    rejected_refund,
    reshipped_exchange,
)
from tests.workflow.goods import on_its_way
from tests.workflow.test_cancellation import YESTERDAY, cancellation
from tests.workflow.test_cancellation import report as cancelled_parcel
from tests.workflow.test_cash_on_delivery import asked_for_account, cash_order
from tests.workflow.test_what_is_left import held_up, overdue
from tests.workflow.world import World, until
from workflows.messages.actors import GATEWAY, buyer, merchant
from workflows.messages.commands import (
    AcceptProposal,
    Approve,
    Command,
    GatewayCallback,
    GatewayResult,
    Propose,
    Reship,
)
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.proposals import SendAgain
from workflows.messages.requests import RefundReason
from workflows.messages.stages import Attention, StageName

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
SECTIONS = dict(
    re.findall(r"^### `(\w+)`\n(.*?)(?=^###? )", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
)

Arrange = Callable[[World], Awaitable[Case]]


async def intercept_overdue(world: World) -> Case:
    _, case = await cancellation(world, on_delivery_run_at=YESTERDAY)
    await world.at(case, StageName.INTERCEPTING)
    await world.forward(case, days=15, minutes=1)
    return case


async def goods_contradicted(world: World) -> Case:
    _, case = await cancellation(world, on_delivery_run_at=YESTERDAY)
    await world.at(case, StageName.INTERCEPTING)
    for number, event in enumerate((ParcelEvent.REFUSED, ParcelEvent.SIGNED)):
        await case.act(cancelled_parcel(event, f"p{number}"))
    return case


async def address_missing(world: World) -> Case:
    case = await world.returned()
    await world.forward(case, hours=48, minutes=1)
    await world.at(case, StageName.ADDRESS_MISSING)
    await world.address()  # the merchant has entered one meanwhile
    return case


async def account_missing(world: World) -> Case:
    case = await asked_for_account(world, await cash_order(world))
    await world.forward(case, days=7, minutes=1)
    return case


async def return_refused(world: World) -> Case:
    case, parcel = await on_its_way(world)
    await world.carrier_tells(parcel, ParcelEvent.REFUSED, await world.now(case))
    return case


async def goods_held(world: World) -> Case:
    case = await rejected_after_receipt(world)
    await world.forward(case, days=7, minutes=1)
    return case


async def reship_failed(world: World) -> Case:
    case = await reshipped_exchange(world)
    await world.forward(case, days=10, minutes=1)
    return case


async def resend_overdue(world: World) -> Case:
    case = await to_be_sent_again(world)
    await world.forward(case, hours=72, minutes=1)
    return case


async def resend_failed(world: World) -> Case:
    case = await to_be_sent_again(world)
    parcel = Parcel(carrier="sf", tracking_no=world.fresh("sf"))
    await case.act(Reship(key="again", by=merchant(world.merchant), parcel=parcel))
    await world.forward(case, days=10, minutes=1)
    return case


async def repair_overdue(world: World) -> Case:
    case = await repairs.received(world)
    await world.forward(case, days=18, hours=1)
    return case


async def repair_failed(world: World) -> Case:
    case, _ = await repairs.sent_back(world)
    await world.forward(case, days=10, hours=1)
    return case


async def to_be_sent_again(world: World) -> Case:
    case = await world.refund(order_no=await world.shipped_order(), reason=RefundReason.DAMAGED)
    await world.at(case, StageName.SHIPPED_REVIEW)
    await case.act(Propose(key="offer", by=merchant(world.merchant), terms=SendAgain()))
    await case.act(AcceptProposal(key="taken", by=buyer(world.buyer), number=1))
    return case


async def ruling_overdue(world: World) -> Case:
    case = await rejected_refund(world, order_no=await world.shipped_order())
    dispute = await intervened(world, case)
    await dispute.act(evidence(merchant(world.merchant), final=True))
    await world.forward(dispute, hours=48, minutes=1)
    return dispute


async def dispute_broken_off(world: World) -> Case:
    case = await received(world)
    dispute = await intervened(world, case)
    await dispute.handle.terminate("by an operator")
    return case


async def room_overdue(world: World) -> Case:
    _, _, case = await held_up(world)
    await overdue(world, case)
    return case


def payment(mode: Mode, **more: int) -> Arrange:
    """A refund that the gateway treats so; ``days`` move its clock."""

    async def arrange(world: World) -> Case:
        order_no = await world.order(tenders=[("card", "debit_card", 10_000)])
        await world.behave(Behaviour(mode=mode, order_no=order_no))
        case = await world.refund(order_no=order_no)
        await case.act(Approve(key="approve", by=merchant(world.merchant)))
        if more:
            await world.at(case, StageName.SETTLING)
            await world.forward(case, **more)
        await world.at(case, StageName.PAYMENT_ATTENTION)
        return case

    return arrange


async def refund_returned(world: World) -> Case:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.RETURN_LATER, order_no=order_no, settle_after_seconds=0, uses_left=1))
    case = await world.refund(order_no=order_no)
    outcome = await case.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))
    await world.aftersales.gateway_callback(
        GatewayCallback(
            key="back",
            by=GATEWAY,
            refund_no=outcome.legs[0].refund_no,
            result=GatewayResult.RETURNED,
            settled_at=datetime.now(UTC),
        )
    )
    return case


async def number_conflict(world: World) -> Case:
    case = await world.refund()
    await world.another_has_the_number(case, 6_000)
    await case.act(Approve(key="approve", by=merchant(world.merchant)))
    return case


async def refund_lost(world: World) -> Case:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.NEVER_SETTLE, order_no=order_no, uses_left=1))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="approve", by=merchant(world.merchant)))
    await world.at(case, StageName.SETTLING)
    await world.forgotten_by_the_gateway(case)
    await world.forward(case, hours=1)
    return case


ARRANGE: dict[Attention, Arrange] = {
    Attention.REVIEW_OVERDUE: escalated_cancellation,
    Attention.INTERCEPT_OVERDUE: intercept_overdue,
    Attention.GOODS_CONTRADICTED: goods_contradicted,
    Attention.ADDRESS_MISSING: address_missing,
    Attention.ACCOUNT_MISSING: account_missing,
    Attention.RETURN_OVERDUE: overdue_return,
    Attention.RETURN_REFUSED: return_refused,
    Attention.GOODS_HELD: goods_held,
    Attention.RESHIP_OVERDUE: overdue_exchange,
    Attention.RESHIP_FAILED: reship_failed,
    Attention.RESEND_OVERDUE: resend_overdue,
    Attention.RESEND_FAILED: resend_failed,
    Attention.REPAIR_OVERDUE: repair_overdue,
    Attention.REPAIR_FAILED: repair_failed,
    Attention.RULING_OVERDUE: ruling_overdue,
    Attention.DISPUTE_BROKEN_OFF: dispute_broken_off,
    Attention.REFUND_DECLINED: payment(Mode.DECLINE),
    Attention.REFUND_RETURNED: refund_returned,
    Attention.MONEY_STRANDED: payment(Mode.STRAND),
    Attention.MERCHANT_ACCOUNT_SHORT: payment(Mode.ACCOUNT_SHORT),
    Attention.NUMBER_CONFLICT: number_conflict,
    Attention.REFUND_LOST: refund_lost,
    Attention.ARRIVAL_OVERDUE: payment(Mode.NEVER_SETTLE, days=16),
    Attention.OUTCOME_UNKNOWN: payment(Mode.LOSE_REQUEST, days=3),
    Attention.ROOM_OVERDUE: room_overdue,
}


def told(section: str) -> list[str]:
    """The commands that a section says to send."""
    return re.findall(r"^\$ aftersales act CASE (.*)$", section, re.MULTILINE)


def command_of(line: str, world: World) -> Command:
    """What ``aftersales act`` makes of a line of the page, for this shop."""
    line = line.replace("BUYER", world.buyer).replace("MERCHANT", world.merchant)
    name, option, by, *words = shlex.split(line)
    assert option == "--as"
    model = COMMANDS[name]
    return acting.made(model, acting.fields(model, words) | {"key": "runbook", "by": wording.actor(by)}, "CNY")


def cases() -> list[tuple[Attention, str]]:
    return [(attention, line) for attention in Attention for line in told(SECTIONS.get(attention, ""))]


ON_SERVERS = {
    Attention.DISPUTE_BROKEN_OFF,
    Attention.REFUND_DECLINED,
    Attention.REFUND_RETURNED,
    Attention.NUMBER_CONFLICT,
    Attention.REFUND_LOST,
}
"""A case's workflow is stopped, or begun again after its end; the gateway's book is not as we left it; and one that any
case can come to."""


ANSWERED_BY_NO_COMMAND = frozenset({Attention.BOOK_BEHIND})
"""What is done about it stands in ``tests/pages.py``."""


def test_every_reason_for_attention_has_its_section_and_something_to_do() -> None:
    assert {attention for attention, _ in cases()} == set(Attention) - ANSWERED_BY_NO_COMMAND
    assert set(SECTIONS) >= set(Attention)


@pytest.mark.parametrize(
    ("attention", "line"),
    [
        pytest.param(*each, marks=pytest.mark.on_servers if each[0] in ON_SERVERS else pytest.mark.in_memory)
        for each in cases()
    ],
)
async def test_what_the_page_says_to_do_is_obeyed(world: World, attention: Attention, line: str) -> None:
    case = await ARRANGE[attention](world)
    await until(case.view, lambda view: view.attention is attention)

    await case.act(command_of(line, world))

    assert "runbook" in {entry.command_key for entry in await case.log()}

"""R5: until when money must have arrived follows what the gateway says, and whoever waits is told of it."""

from datetime import timedelta
from typing import Final

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.interpreter.host import MemoryHost
from tests.workflow.in_memory import WorldInMemory
from tests.workflow.world import World
from workflows.messages.actors import merchant, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Approve, RetryPayment
from workflows.messages.payouts import LegState
from workflows.messages.requests import LineAmount
from workflows.messages.stages import Attention, OutcomeKind, StageName

pytestmark = pytest.mark.in_memory

OFFICER: Final = officer("o-1")
HOUR: Final = 3600
DAY: Final = 24 * HOUR
GRACE: Final = timedelta(hours=1)


async def approved(world: World, *modes: Behaviour, tender: str = "credit_card") -> Case:
    """An approved refund; the gateway behaves in these ways, the last one first."""
    order_no = await world.order(tenders=[("t1", tender, 10_000)])
    for each in modes:
        await world.behave(each.model_copy(update={"order_no": order_no}))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    return case


def settles(days: float) -> Behaviour:
    return Behaviour(mode=Mode.CALL_BACK_NEVER, settle_after_seconds=int(days * DAY))


def loses_requests(times: int) -> Behaviour:
    return Behaviour(mode=Mode.LOSE_REQUEST, uses_left=times)


@pytest.mark.on_servers
async def test_a_refund_whose_first_answer_was_lost_has_the_time_that_the_gateway_then_names(world: World) -> None:
    case = await approved(world, settles(1.5), loses_requests(1))
    unknown = await world.at(case, StageName.SETTLING)
    assert unknown.legs[0].state is LegState.UNKNOWN
    assert unknown.due is not None

    await world.forward(case, minutes=3)
    accepted = await case.view()

    (leg,) = accepted.legs
    assert leg.state is LegState.PROCESSING
    assert leg.arrives_until is not None
    assert accepted.due == leg.arrives_until + GRACE > unknown.due + timedelta(hours=1)
    assert await world.notices(case, NoticeTemplate.REFUND_SUBMITTED) == 2, "the second one says when it arrives"

    await world.forward(case, hours=25)
    assert (await case.view()).attention is None, "a day is the limit of what is unknown"

    await world.forward(case, hours=24)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert [each for each in await world.events(case) if each.startswith(("refund_", "attention_"))] == [
        "refund_submitted",
        "refund_accepted",
        "refund_succeeded",
    ]


async def test_the_buyer_is_told_when_it_arrives_once_that_is_known() -> None:
    world = WorldInMemory()
    case = await approved(world, settles(1.5), loses_requests(1))  # pyright: ignore[reportArgumentType]
    await world.forward(case, minutes=3)  # pyright: ignore[reportArgumentType]

    told = [
        each.fields
        for each in world.interpreter.book.cases[case.id].notices
        if each.template is NoticeTemplate.REFUND_SUBMITTED
    ]

    (leg,) = (await case.view()).legs
    assert leg.arrives_until is not None
    assert [each.get("arrives_until") for each in told] == [None, leg.arrives_until.isoformat()]


async def test_money_that_arrives_at_once_has_an_hour_and_not_the_day_of_what_is_unknown(world: World) -> None:
    case = await approved(world, settles(9), loses_requests(1), tender="wallet")
    await world.forward(case, minutes=3)
    accepted = await case.view()
    assert accepted.due is not None

    await world.forward(case, hours=2)

    assert accepted.due == (accepted.legs[0].arrives_until or accepted.due) + GRACE
    assert (await case.view()).attention is Attention.ARRIVAL_OVERDUE


@pytest.mark.parametrize(("mode", "steps"), [(Mode.CALL_BACK_NEVER, 2), (Mode.NEVER_SETTLE, 2)])
async def test_a_case_that_is_answered_at_once_takes_no_step_more(world: World, mode: Mode, steps: int) -> None:
    case = await approved(world, Behaviour(mode=mode, settle_after_seconds=DAY))
    assert (await case.view()).steps == steps

    await world.forward(case, hours=20)

    assert (await case.view()).steps == steps


@pytest.mark.on_servers
async def test_what_is_sent_anew_after_it_was_overdue_has_its_time_again(world: World) -> None:
    declined_late = Behaviour(mode=Mode.DECLINE_LATER, settle_after_seconds=12 * DAY, uses_left=1)
    case = await approved(world, settles(2), declined_late)
    await world.at(case, StageName.SETTLING)
    await world.forward(case, days=13)
    declined = await world.at(case, StageName.PAYMENT_ATTENTION)
    assert declined.attention is Attention.REFUND_DECLINED
    flagged = [each.facts["attention"] for each in await case.log() if each.event == "attention_raised"]
    assert flagged == [Attention.ARRIVAL_OVERDUE, Attention.REFUND_DECLINED]

    await case.act(RetryPayment(key="c2", by=OFFICER, reason="card_renewed"))
    again = await world.at(case, StageName.SETTLING)

    (leg,) = again.legs
    assert leg.arrives_until is not None
    assert (leg.attempt, again.attention, again.due) == (2, None, leg.arrives_until + GRACE)
    await world.forward(case, days=3)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_an_unknown_outcome_that_becomes_known_needs_nobody_any_more(world: World) -> None:
    case = await approved(world, settles(2), loses_requests(30))
    await world.forward(case, hours=25)
    assert (await case.view()).attention is Attention.OUTCOME_UNKNOWN

    await world.forward(case, days=30)

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    events = [each for each in await world.events(case) if each.startswith(("refund_", "attention_"))]
    assert events == ["refund_submitted", "attention_raised", "refund_submitted", "refund_succeeded"]


async def test_what_is_unknown_has_its_day_from_the_sending_and_not_from_the_decision() -> None:
    """It had waited for room for three days (R8)."""
    world = WorldInMemory()
    order_no = await world.order(lines={"1": 20_000}, pieces=2, tenders=[("t1", "credit_card", 20_000)])
    half = Behaviour(mode=Mode.DECLINE_LATER, order_no=order_no, amount=10_000, settle_after_seconds=3 * DAY)
    await world.behave(half)
    await world.behave(Behaviour(mode=Mode.LOSE_REQUEST, order_no=order_no, amount=15_000))
    first = await world.refund(10_000, order_no=order_no)
    second = await world.refund(order_no=order_no, lines=(LineAmount(line="1", quantity=2, amount=15_000),))
    for case in (first, second):
        await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await world.at(second, StageName.AWAITING_ROOM)

    world.interpreter.pass_time(days=3, hours=2)
    sent = [each.at for each in world.interpreter.log(second.id) if each.event == "room_found"]
    view = await second.view()

    assert (view.stage, view.attention) == (StageName.SETTLING, None)
    assert view.due is not None
    assert timedelta(0) <= view.due - sent[0] - timedelta(hours=24) < timedelta(minutes=1)


async def test_a_run_of_before_goes_on_as_it_did(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its history has no step there: to take one would bring it to a halt."""

    def of_before(host: MemoryHost, mark: str) -> bool:
        del host
        return mark != "arrival-limit-is-renewed"

    monkeypatch.setattr(MemoryHost, "holds", of_before)
    case = await approved(world, settles(3), loses_requests(1))
    steps = (await case.view()).steps

    await world.forward(case, hours=20)
    assert ((await case.view()).steps, (await case.view()).legs[0].state) == (steps, LegState.PROCESSING)
    await world.forward(case, hours=5)

    assert (await case.view()).attention is Attention.ARRIVAL_OVERDUE

"""Section 10, X6: all that a payment provider may say of a refund, and what a case makes of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from activities.policies import Policies
from starter.adapters import payment_limits
from starter.client import Aftersales, Case
from starter.errors import RefusedCommand, RefusedRequest
from starter.settings import Settings
from tests.workflow.disputes import amendment, intervened, offer, refusal, rejected_refund, ruling
from tests.workflow.world import World, until
from workflows.messages.actors import GATEWAY, merchant, officer
from workflows.messages.commands import (
    Approve,
    GatewayCallback,
    GatewayResult,
    PayInAdvance,
    RecordManualTransfer,
    RetryPayment,
)
from workflows.messages.money import Money
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.persons import BankAccount
from workflows.messages.rulings import Award
from workflows.messages.stages import Attention, OutcomeKind, StageName

OFFICER = officer("o-1")


async def approved(world: World, *modes: tuple[Mode, int | None]) -> tuple[str, Case]:
    """An approved refund; the gateway behaves in these ways, the last one first, each so often."""
    order_no = await world.order()
    for mode, uses in modes:
        await world.behave(Behaviour(mode=mode, order_no=order_no, uses_left=uses, settle_after_seconds=3600))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    return order_no, case


async def paid_once(world: World, order_no: str) -> bool:
    return (await world.refunded(order_no), await world.paid_by_gateway(order_no)) == (10_000, 10_000)


def returned(refund_no: str, key: str = "back") -> GatewayCallback:
    return GatewayCallback(
        key=key, by=GATEWAY, refund_no=refund_no, result=GatewayResult.RETURNED, settled_at=datetime.now(UTC), raw="REJ"
    )


async def test_an_answer_that_cannot_be_read_is_asked_for(world: World) -> None:
    """A client library that fails after it has sent: nothing is known, and nothing is sent twice."""
    order_no, case = await approved(world, (Mode.GARBLE_ANSWER, 1))
    unknown = await world.at(case, StageName.SETTLING)

    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert unknown.legs[0].state is LegState.UNKNOWN
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid_once(world, order_no)


async def test_what_was_surely_not_sent_is_sent_when_the_provider_says_so(world: World) -> None:
    order_no, case = await approved(world, (Mode.TURN_AWAY, 1))
    waiting = await world.at(case, StageName.SETTLING)
    await world.forward(case, minutes=30)  # it has said an hour
    assert (await case.view()).legs[0].state is LegState.SUBMITTED

    await world.forward(case, minutes=31)
    outcome = await case.outcome()

    assert waiting.legs[0].state is LegState.SUBMITTED, "it is known that nothing was sent: no false unknown"
    assert outcome.legs[0].attempt == 1
    assert await paid_once(world, order_no)


async def test_a_provider_that_waits_for_the_buyer_is_waited_for(world: World) -> None:
    order_no, case = await approved(world, (Mode.REQUIRE_ACTION, None))
    waiting = await world.at(case, StageName.SETTLING)

    await world.forward(case, hours=3)
    outcome = await case.outcome()

    assert (waiting.legs[0].state, waiting.legs[0].failure) == (LegState.PROCESSING, "action_required")
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid_once(world, order_no)


@pytest.mark.parametrize(("mode", "failure"), [(Mode.CLOSE, "closed"), (Mode.CANCEL_LATER, "canceled")])
async def test_what_the_provider_gave_up_is_paid_under_another_number(world: World, mode: Mode, failure: str) -> None:
    """The provider takes a number that it has closed no more: the next attempt has one of its own."""
    order_no, case = await approved(world, (mode, 1))
    if mode is Mode.CANCEL_LATER:
        await world.at(case, StageName.SETTLING)
        await world.forward(case, hours=3)
    declined = await world.at(case, StageName.PAYMENT_ATTENTION)

    outcome = await case.act_and_wait(RetryPayment(key="c2", by=OFFICER, reason="closed_by_mistake"))

    leg = declined.legs[0]
    assert (declined.attention, leg.state, leg.failure) == (Attention.REFUND_DECLINED, LegState.FAILED, failure)
    assert leg.raw == f"STUB_{failure.upper()}"
    assert [(each.refund_no, each.attempt) for each in outcome.legs] == [(leg.refund_no, 2)]
    assert await paid_once(world, order_no)


async def test_money_that_lies_with_the_provider_is_sent_on_and_never_paid_by_hand(world: World) -> None:
    order_no, case = await approved(world, (Mode.STRAND, None))
    stranded = await world.at(case, StageName.PAYMENT_ATTENTION)
    for word in (
        PayInAdvance(key="x1", by=OFFICER, reason="buyer_waits", proof="ticket:1"),
        RecordManualTransfer(
            key="x2", by=OFFICER, reason="card_closed", proof="ticket:2", transferred_at=datetime.now(UTC)
        ),
    ):
        with pytest.raises(RefusedCommand) as refused:
            await case.act(word)
        assert refused.value.refusal.code == "money_stranded"
    await case.act(RetryPayment(key="c2", by=OFFICER, reason="ask_again"))
    await world.at(case, StageName.PAYMENT_ATTENTION)
    account = await world.aftersales.privacy.keep_bank_account(
        world.buyer, "new", BankAccount.model_validate({"holder": "王", "number": "6222020200112233", "bank": "ICBC"})
    )

    outcome = await case.act_and_wait(RetryPayment(key="c3", by=OFFICER, reason="new_account", account=account))

    assert stranded.attention is Attention.MONEY_STRANDED
    assert (outcome.outcome, outcome.legs[0].paid_by) == (OutcomeKind.REFUNDED, PaidBy.GATEWAY)
    ends = await world.pool.fetchval(
        "SELECT account_ends FROM gateway.refunds WHERE refund_no = $1", outcome.legs[0].refund_no
    )
    assert ends == "2233"
    assert await paid_once(world, order_no)


async def test_a_refund_that_comes_back_days_later_opens_its_case_again(world: World) -> None:
    """Failed after it had succeeded: the buyer has no money, so an officer finds a way, and the case can pay again."""
    order_no, case = await approved(world, (Mode.RETURN_LATER, 1))
    ended = await case.outcome()
    number = ended.legs[0].refund_no
    await world.gateway.due_callbacks(datetime.now(UTC) + timedelta(days=3), refund_nos=[number])
    assert await world.refunded(order_no) == 10_000

    await world.aftersales.gateway_callback(returned(number))
    again = await until(case.view, lambda view: view.stage is StageName.PAYMENT_ATTENTION)

    leg = again.legs[0]
    assert (ended.outcome, again.attention) == (OutcomeKind.REFUNDED, Attention.REFUND_RETURNED)
    assert (leg.state, leg.failure, leg.raw) == (LegState.FAILED, "returned", "REJ")
    assert await world.refunded(order_no) == 0, "others may be paid what has come back"
    outcome = await case.act_and_wait(RetryPayment(key="c2", by=OFFICER, reason="card_renewed"))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert [(each.refund_no, each.attempt) for each in outcome.legs] == [(number, 2)]
    events = await world.events(case)
    assert [event for event in events if event.startswith("refund_")] == [
        "refund_succeeded",
        "refund_returned",
        "refund_succeeded",
    ]
    assert await paid_once(world, order_no)
    await world.aftersales.gateway_callback(returned(number))  # once more, late
    assert await paid_once(world, order_no)


async def test_a_callback_reaches_its_case_with_an_amount_only_where_that_is_another(world: World) -> None:
    """X3, section 10: a worker of the release before knows no amount, and refuses whatever tells one."""
    order_no, case = await approved(world, (Mode.NEVER_SETTLE, None))
    number = (await world.at(case, StageName.SETTLING)).legs[0].refund_no
    paid = returned(number, "paid").model_copy(update={"result": GatewayResult.SUCCEEDED, "raw": None})
    for key, amount in (("another", 6_000), ("paid", 10_000)):
        await world.aftersales.gateway_callback(paid.model_copy(update={"key": key, "amount": amount}))

    outcome = await case.outcome()

    assert (outcome.outcome, await world.refunded(order_no)) == (OutcomeKind.REFUNDED, 10_000)
    converter = world.aftersales.temporal.data_converter
    told = [
        (await converter.decode(event.workflow_execution_signaled_event_attributes.input.payloads))[0]
        async for event in case.handle.fetch_history_events()
        if event.workflow_execution_signaled_event_attributes.signal_name == "gateway_callback"
    ]
    assert [(each["key"], each["amount"]) for each in told] == [("another", 6_000), ("paid", None)]


async def test_what_the_provider_does_not_take_is_refused_before_it_is_promised(
    world: World, policies: Path
) -> None:  # X6
    """The stand-in counts ariary whole, as some providers do."""
    order_no = await world.order(currency="MGA", lines={"1": 10_000})
    known = Aftersales(
        world.skipper.client,
        world.task_queue,
        world.pool,
        world.aftersales.vault,
        Policies(policies),
        limits=payment_limits(Settings()),
    )
    with pytest.raises(RefusedRequest) as refused:
        await known.open_refund(world.refund_request(order_no, 5_050))
    assert (refused.value.refusal.code, refused.value.refusal.rule) == ("not_payable", "X6")

    unaware = await world.refund(order_no=order_no, amount=5_050)  # a client that does not know them
    with pytest.raises(RefusedRequest) as refused:
        await unaware.outcome()
    assert refused.value.refusal.code == "not_payable"
    assert (await known.open_refund(world.refund_request(order_no, 5_000))).id


async def test_no_amount_is_promised_that_the_provider_cannot_pay_whoever_names_it(world: World) -> None:  # X6
    """Applied for anew, offered, ruled: each is refused as it is named, and the next one is taken."""
    shipped_at = datetime.now(UTC) - timedelta(days=5)
    order_no = await world.order(currency="MGA", lines={"1": 10_000}, shipped_at=shipped_at)
    case = await rejected_refund(world, order_no=order_no, amount=5_000)

    again = await refusal(case, amendment(world, 4_050))
    dispute = await intervened(world, case)
    offered = await refusal(dispute, offer(world, 2_550))
    ruled = await refusal(dispute, ruling(Award.PARTIAL, 3_050))

    assert {(each.code, each.rule, each.field) for each in (again, offered, ruled)} == {("not_payable", "X6", "lines")}
    await dispute.act(ruling(Award.PARTIAL, 3_000, key="rule-2"))
    assert (await case.outcome()).refunded == Money(amount=3_000, currency="MGA")

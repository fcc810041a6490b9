"""Section 11 and 12: commands, their keys and races, tenancy, and what cannot harm a case."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from starter.client import Case
from starter.errors import NotYours, RefusedCommand, RefusedRequest, UnknownCase
from tests.workflow.world import EVIDENCE, World, until
from workflows.definitions.refund import Refund
from workflows.messages.actors import buyer, carrier, merchant
from workflows.messages.cases import CaseView
from workflows.messages.commands import (
    Approve,
    Command,
    GatewayCallback,
    GatewayResult,
    ParcelEvent,
    PayOut,
    Reject,
    RejectReason,
    ReportParcel,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.requests import RefundReason
from workflows.messages.stages import OutcomeKind, StageName


def approve(world: World, key: str = "c1") -> Approve:
    return Approve(key=key, by=merchant(world.merchant))


async def refusal(case: Case, command: Command) -> str:
    with pytest.raises(RefusedCommand) as refused:
        await case.act(command)
    return refused.value.refusal.code


async def test_the_same_request_twice_is_one_case(world: World) -> None:  # section 11
    request = world.refund_request(await world.order())

    first = await world.aftersales.open_refund(request)
    await first.act_and_wait(approve(world))
    second = await world.aftersales.open_refund(request)

    assert (await second.outcome()).closed_at == (await first.outcome()).closed_at
    assert (await world.events(first)).count("opened") == 1


async def test_an_update_is_sent_by_its_workflow_s_own_handler(world: World) -> None:  # section 11
    case = await world.refund()
    handle = world.aftersales.temporal.get_workflow_handle_for(Refund.run, case.id)

    update = handle.execute_update(  # pyright: ignore[reportUnknownMemberType]
        Refund.withdraw, Withdraw(key="c1", by=buyer(world.buyer))
    )
    view: CaseView = await update

    assert view.outcome is OutcomeKind.WITHDRAWN


async def test_another_request_under_the_same_key_is_refused(world: World) -> None:  # section 11
    request = world.refund_request(await world.order())
    await world.aftersales.open_refund(request)

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_refund(request.model_copy(update={"reason": RefundReason.OTHER}))

    assert (refused.value.refusal.code, refused.value.refusal.field) == ("request_key_reused", "request_key")


async def test_the_same_command_twice_is_one(world: World) -> None:  # section 11
    case = await world.refund()
    evidence = SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE)

    await case.act(evidence)
    await case.act(evidence)
    await case.tell(evidence)
    await case.act_and_wait(approve(world))

    assert (await world.events(case)).count("evidence_submitted") == 1


async def test_the_same_command_after_the_end_is_answered_like_the_first(world: World) -> None:  # section 11
    case = await world.refund()
    await case.act_and_wait(approve(world))

    again = await case.act(approve(world))

    assert again.stage in (StageName.PAYING, StageName.CLOSED)


async def test_another_command_under_the_same_key_is_refused(world: World) -> None:  # section 11
    case = await world.refund()
    await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))

    assert await refusal(case, approve(world, key="e1")) == "key_reused"


async def test_a_command_as_a_signal_does_what_the_update_does(world: World) -> None:
    case = await world.refund()

    await case.tell(approve(world))
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED


@pytest.mark.parametrize(
    "arguments",
    [
        ["not a command"],
        [{"key": "k"}],
        [{"key": "k", "by": {"role": "merchant", "id": "m", "surplus": 1}}],
        [None],
        [],
        ["two", "values"],
    ],
)
async def test_a_malformed_signal_is_logged_and_changes_nothing(
    world: World, arguments: list[Any]
) -> None:  # section 11
    case = await world.refund()
    before = await world.at(case, StageName.MERCHANT_REVIEW)

    await case.handle.signal("approve", args=arguments)
    await until(lambda: world.events(case), lambda events: "command_refused" in events)
    after = await case.view()

    assert (after.stage, after.due) == (before.stage, before.due)
    assert (await case.act_and_wait(approve(world))).outcome is OutcomeKind.REFUNDED


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ([{"key": "k", "by": {"role": "merchant", "id": "王小明"}}], "by.id"),
        ([None], "command"),
        ([], "command"),
        (["two", "values"], "command"),
    ],
)
async def test_a_malformed_update_is_refused_and_changes_nothing(
    world: World, arguments: list[Any], field: str
) -> None:  # section 11, P6
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await case.handle.execute_update("approve", args=arguments)  # pyright: ignore[reportUnknownMemberType]

    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "Refused.malformed"
    assert (cause.details[0]["code"], cause.details[0]["field"]) == ("malformed", field)
    assert "王小明" not in str(cause.details[0])
    assert len(cause.details) == 1, "nobody knows who has sent it"
    assert (await case.view()).stage is StageName.MERCHANT_REVIEW


async def test_a_malformed_start_ends_with_an_error(world: World) -> None:  # section 11
    handle = await world.aftersales.temporal.start_workflow(
        "Refund", {"order_no": "王小明"}, id=world.fresh("w"), task_queue="aftersales"
    )

    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()

    assert "王小明" not in str(failed.value.cause)


async def test_a_request_under_a_foreign_workflow_id_is_refused(world: World) -> None:  # section 11
    request = world.refund_request(await world.order())
    handle = await world.aftersales.temporal.start_workflow(
        "Refund", request, id=world.fresh("w"), task_queue="aftersales"
    )

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.case(handle.id).outcome()

    assert refused.value.refusal.code == "wrong_case_id"


async def test_a_signal_that_does_not_fit_is_logged_as_refused(world: World) -> None:  # section 11
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    await case.handle.signal("approve", Approve(key="c1", by=merchant("another-shop")))
    log = await until(case.log, lambda entries: entries[-1].event == "command_refused")

    assert log[-1].facts == {"command": "approve", "code": "not_yours"}


async def test_a_merchant_acts_on_its_own_cases_only(world: World) -> None:  # section 12
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    with pytest.raises(NotYours):
        await case.act(Approve(key="c1", by=merchant("another-shop")))
    with pytest.raises(NotYours):
        await case.act(Withdraw(key="c2", by=buyer("another-buyer")))


async def test_a_role_that_may_not_send_a_command_is_told_so(world: World) -> None:  # section 1
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    assert await refusal(case, Approve(key="c1", by=buyer(world.buyer))) == "wrong_actor"
    assert await refusal(case, Withdraw(key="c2", by=merchant(world.merchant))) == "wrong_actor"
    forged = GatewayCallback(
        key="c3",
        by=merchant(world.merchant),
        refund_no="RF1",
        result=GatewayResult.SUCCEEDED,
        settled_at=datetime.now(UTC),
    )
    assert await refusal(case, forged) == "wrong_actor"


async def test_an_order_of_another_merchant_is_refused(world: World) -> None:  # section 12
    request = world.refund_request(await world.order()).model_copy(update={"merchant_id": "another-shop"})

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_refund(request)

    assert (refused.value.refusal.code, refused.value.refusal.field) == ("not_yours", "merchant_id")


async def test_there_is_no_such_case(world: World) -> None:
    case = world.aftersales.case("refund/none/none")

    for attempt in (case.view, case.log, lambda: case.act(approve(world)), lambda: case.tell(approve(world))):
        with pytest.raises(UnknownCase):
            await attempt()


async def test_of_two_decisions_at_once_the_first_recorded_wins(world: World) -> None:  # section 11
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)

    answers = await asyncio.gather(
        case.act(approve(world)),
        case.act(Withdraw(key="c2", by=buyer(world.buyer))),
        return_exceptions=True,
    )
    outcome = await case.outcome()

    (refused,) = [each for each in answers if isinstance(each, RefusedCommand)]
    assert refused.refusal.code == "not_open"
    assert refused.view is not None
    won = OutcomeKind.WITHDRAWN if isinstance(answers[0], RefusedCommand) else OutcomeKind.REFUNDED
    assert outcome.outcome is won
    assert await world.paid_by_gateway(order_no) == (10_000 if won is OutcomeKind.REFUNDED else 0)


async def test_a_decision_after_the_deadline_is_told_the_final_state(world: World) -> None:  # section 11
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    await world.forward(case, hours=48, minutes=1)
    await case.outcome()

    with pytest.raises(RefusedCommand) as refused:
        await case.act(
            Reject(key="c1", by=merchant(world.merchant), reason=RejectReason.GOODS_SHIPPED, evidence=EVIDENCE)
        )

    assert refused.value.view is not None
    assert refused.value.view.outcome is OutcomeKind.REFUNDED


async def test_a_deadline_and_decisions_at_the_same_instant_decide_once(world: World) -> None:  # section 11
    order_no = await world.order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.MERCHANT_REVIEW)
    await world.forward(case, hours=47, minutes=59, seconds=59)

    answers = await asyncio.gather(
        world.forward(case, seconds=1),
        *(case.act(approve(world, key=f"c{number}")) for number in range(5)),
        return_exceptions=True,
    )
    outcome = await case.outcome()

    events = await world.events(case)
    assert sum(event in ("approved", "approved_by_silence") for event in events) == 1
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert sum(not isinstance(answer, BaseException) for answer in answers[1:]) == ("approved" in events)
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000


async def test_withdrawing_while_money_is_in_flight_is_refused(world: World) -> None:  # section 11
    from activities.gateways.payment_stub import Behaviour, Mode

    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(approve(world))

    assert await refusal(case, Withdraw(key="c2", by=buyer(world.buyer))) == "not_open"
    assert (await world.at(case, StageName.SETTLING)).outcome is None


async def test_a_command_may_come_before_the_case_has_opened(world: World) -> None:  # section 11
    request = world.refund_request(await world.order())
    temporal = world.aftersales.temporal

    handle = await temporal.start_workflow(
        "Refund",
        request,
        id=f"refund/{request.order_no}/{request.request_key}",
        task_queue="aftersales",
        start_signal="approve",
        start_signal_args=[approve(world)],
    )
    outcome = await world.aftersales.case(handle.id).outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED


async def test_a_fact_about_a_request_that_was_refused_harms_nothing(world: World) -> None:  # section 11
    request = world.refund_request("no-such-order")
    report = ReportParcel(
        key="p1",
        by=carrier("sf"),
        event=ParcelEvent.SHIPPED,
        carrier="sf",
        tracking_no="SF1",
        happened_at=datetime.now(UTC),
    )

    handle = await world.aftersales.temporal.start_workflow(
        "Refund",
        request,
        id=f"refund/{request.order_no}/{request.request_key}",
        task_queue="aftersales",
        start_signal="report_parcel",
        start_signal_args=[report],
    )
    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.case(handle.id).outcome()

    assert refused.value.refusal.code == "unknown_order"


async def test_a_parcel_event_while_money_is_in_flight_is_kept_in_the_log(world: World) -> None:  # section 11, R7
    from activities.gateways.payment_stub import Behaviour, Mode

    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(approve(world))
    await world.at(case, StageName.SETTLING)

    view = await case.act(
        ReportParcel(
            key="p1",
            by=carrier("sf"),
            event=ParcelEvent.SHIPPED,
            carrier="sf",
            tracking_no="SF1",
            happened_at=datetime.now(UTC),
        )
    )

    assert view.stage is StageName.SETTLING
    assert "goods_shipped" in await world.events(case)


async def test_a_cancellation_from_outside_does_not_end_a_case(world: World) -> None:  # section 11
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    await case.handle.cancel()
    await until(lambda: world.events(case), lambda events: "cancellation_ignored" in events)
    outcome = await case.act_and_wait(approve(world))

    assert outcome.outcome is OutcomeKind.REFUNDED


async def test_a_case_that_ends_answers_whoever_still_waits(world: World) -> None:  # section 11
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    answers = await asyncio.gather(
        case.act(approve(world)),
        *(case.act(Withdraw(key=f"w{number}", by=buyer(world.buyer))) for number in range(8)),
        return_exceptions=True,
    )

    assert all(isinstance(answer, RefusedCommand) or not isinstance(answer, BaseException) for answer in answers)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1


async def test_the_log_has_no_gap_and_times_never_run_backwards(world: World) -> None:  # section 12
    case = await world.refund()
    await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))
    await case.tell(PayOut(key="x", by=merchant(world.merchant)))
    await world.forward(case, hours=1)
    await case.act_and_wait(approve(world))

    rows = await world.pool.fetch("SELECT position, at FROM casebook.log WHERE case_id = $1 ORDER BY position", case.id)

    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)

"""P3: virtual numbers of orders, sub-orders and cases, on a real server whose clock is moved.

What each test has made is replayed at its end.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import RespondActivityTaskCompletedByIdRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import TimeSkipper

from activities.gateways.numbers_stub import Mode
from activities.postgres import bindings
from activities.postgres.vault import Vault
from starter.running import Runs
from starter.virtual_numbers import RefusedNumber, case, order, sub_order
from tests.patience import PATIENCE
from tests.storage.money import some_id
from tests.workflow.numbers import OFFICER, NumberDesk, keeping_numbers
from tests.workflow.world import until
from workflows.messages import search_attributes as attributes
from workflows.messages.actors import buyer, merchant
from workflows.messages.virtual_numbers import (
    BecameSubscription,
    NumberStage,
    NumberStart,
    NumberSubject,
    NumberView,
    ObtainNumber,
    OrderCompleted,
    ReleaseNumber,
    RenewNumber,
    VirtualNumber,
)
from workflows.rules.virtual_numbers import months_after

SHANGHAI = ZoneInfo("Asia/Shanghai")
TO_THE_SECOND = timedelta(seconds=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def queue(skipper: TimeSkipper, pool: asyncpg.Pool, vault: Vault) -> AsyncIterator[str]:
    """The task queue of a worker that runs for all tests of this file."""
    task_queue = some_id("q")
    async with keeping_numbers(skipper.client, pool, vault, task_queue):
        yield task_queue


@pytest_asyncio.fixture(loop_scope="session")
async def desk(queue: str, skipper: TimeSkipper, pool: asyncpg.Pool, vault: Vault) -> AsyncIterator[NumberDesk]:
    desk = NumberDesk(skipper, pool, vault, queue)
    yield desk
    await desk.replay_everything()


async def at(desk: NumberDesk, subject: NumberSubject, stage: NumberStage) -> NumberView:
    """The subject, once it stands there."""
    return await until(lambda: desk.view(subject), lambda view: view.stage is stage)


async def ended(desk: NumberDesk, subject: NumberSubject) -> NumberView:
    """How the subject stood when its workflow ended."""
    return await asyncio.wait_for(desk.handle(subject).result(), PATIENCE)


async def unbound(desk: NumberDesk, subject: NumberSubject) -> None:
    """Once the provider has nothing bound for the subject any more."""
    await until(lambda: desk.bound_by_provider(subject), lambda found: not found)


async def renew(desk: NumberDesk, subject: NumberSubject) -> NumberView:
    desk.asked.append(subject)
    return await desk.numbers.renew(RenewNumber(key=some_id("k"), by=merchant(desk.merchant), subject=subject))


async def split(desk: NumberDesk, subject: NumberSubject) -> NumberView:
    desk.asked.append(subject)
    return await desk.numbers.became_subscription(BecameSubscription(key=some_id("k"), by=OFFICER, subject=subject))


def different(numbers: list[VirtualNumber] | list[VirtualNumber | None]) -> int:
    return len(set(numbers))


async def send(desk: NumberDesk, subject: NumberSubject, *values: object) -> None:
    """Whatever the values are, as the update with which a number is obtained."""
    await desk.handle(subject).execute_update(  # pyright: ignore[reportUnknownMemberType]
        "obtain_number", args=values
    )


# Orders --------------------------------------------------------------------------------------------------


async def test_an_orders_number_is_valid_until_the_order_completes(desk: NumberDesk) -> None:
    subject = await desk.order()

    view = await desk.obtain(subject)

    assert view.number
    assert await desk.leads_here(view.number)
    assert (view.stage, view.until) == (NumberStage.BOUND, None)
    assert "until the order completes" in view.no_deadline_because
    await desk.forward(subject, days=400)
    assert await desk.number(subject) == view.number

    told = await desk.completed(subject)

    assert (told.stage, told.number, told.why_none) == (NumberStage.LEAVING, None, "order_completed")
    await unbound(desk, subject)
    assert not await desk.leads_here(view.number)
    assert (await at(desk, subject, NumberStage.AVAILABLE)).why_none == "lapsed"


async def test_after_completion_a_number_is_obtained_for_two_days_again_and_again(desk: NumberDesk) -> None:
    subject = await desk.order()
    first = await desk.number(subject)
    await desk.completed(subject)
    await unbound(desk, subject)

    for _ in range(3):
        view = await desk.obtain(subject)
        assert view.number
        assert view.until
        assert view.until - await desk.now(subject) == pytest.approx(timedelta(days=2), abs=timedelta(minutes=1))
        assert await desk.leads_here(view.number)

        await desk.forward(subject, days=1)
        again = await desk.obtain(subject)
        assert (again.number, again.until) == (view.number, view.until)  # the same one, not a longer one
        await desk.forward(subject, days=1, minutes=1)
        await unbound(desk, subject)
        assert not await desk.leads_here(view.number)

    assert not await desk.leads_here(first)
    assert await desk.ever_bound_by_provider(subject) == 4


@pytest.mark.parametrize(("marketplace", "zone"), [("douyin", "Asia/Shanghai"), ("eu", "Europe/Berlin")])
async def test_after_three_months_nothing_can_be_obtained_and_the_workflow_ends(
    desk: NumberDesk, marketplace: str, zone: str
) -> None:  # G6: days are those of the order's profile
    there = ZoneInfo(zone)
    subject = await desk.order(marketplace=marketplace)
    completed = datetime.now(UTC)
    view = await desk.completed(subject, completed)
    await until(lambda: desk.view(subject), lambda view: view.until is not None)
    last_day = months_after(completed.astimezone(there).date(), 3) + timedelta(days=1)
    ends = datetime(last_day.year, last_day.month, last_day.day, tzinfo=there)
    assert view.until == ends
    assert view.time_zone == (None if zone == "Asia/Shanghai" else zone)

    await desk.forward(subject, seconds=(ends - await desk.now(subject) - timedelta(minutes=10)).total_seconds())
    late = await desk.obtain(subject)  # still the last day: for all of two days
    assert late.until
    assert late.until > ends + timedelta(days=1)
    await desk.forward(subject, hours=1)
    assert await desk.refused(subject) == "too_late"
    assert late.number
    assert await desk.leads_here(late.number)
    await desk.forward(subject, days=2)

    assert (await ended(desk, subject)).why_none == "too_late"
    assert not await desk.leads_here(late.number)


async def test_after_its_workflow_has_ended_an_order_is_still_known_to_have_completed(desk: NumberDesk) -> None:
    subject = await desk.order()
    long_ago = datetime.now(UTC) - timedelta(days=100)

    await desk.completed(subject, long_ago)

    assert (await ended(desk, subject)).stage is NumberStage.ENDED
    assert await desk.refused(subject) == "too_late"
    assert (await ended(desk, subject)).why_none == "too_late"


async def test_an_order_that_completes_before_anybody_asks(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.completed(subject, datetime.now(UTC) - timedelta(days=5))

    view = await desk.obtain(subject)

    assert view.number
    assert view.until
    assert view.until < datetime.now(UTC) + timedelta(days=2, minutes=1)


async def test_a_number_that_lapsed_on_an_order_closed_unclaimed_is_bound_again(desk: NumberDesk) -> None:
    subject = await desk.order()
    number = await desk.number(subject)
    await desk.completed(subject, unclaimed=True)
    await unbound(desk, subject)

    # Whatever has been idle for longer would be given else.
    again = await desk.obtain(subject)

    assert again.number == number
    assert again.until
    assert await desk.leads_here(number)


async def test_where_somebody_else_has_that_number_meanwhile_it_is_another_one(desk: NumberDesk) -> None:
    subject, other = await desk.order(), await desk.order()
    number = await desk.number(subject)
    await desk.completed(subject, unclaimed=True)
    await unbound(desk, subject)
    await desk.provider.bind(other.name, "1", desk.phone, until=None, at=datetime.now(UTC), wanted=number)

    again = await desk.number(subject)

    assert again != number
    assert await desk.leads_here(again)
    await desk.provider.unbind(other.name, "1", at=datetime.now(UTC))


async def test_a_completion_is_told_once(desk: NumberDesk) -> None:
    subject = await desk.order()
    completed = datetime.now(UTC) - timedelta(days=1)
    await desk.completed(subject, completed)

    await desk.completed(subject, completed)

    with pytest.raises(RefusedNumber, match="completed_otherwise"):
        await desk.completed(subject, completed, unclaimed=True)
    with pytest.raises(RefusedNumber, match="completed_otherwise"):
        await desk.completed(subject, completed - timedelta(days=1))
    with pytest.raises(RefusedNumber, match="not_yet"):
        await desk.completed(await desk.order(), datetime.now(UTC) + timedelta(hours=1))


# Subscriptions -------------------------------------------------------------------------------------------


async def test_each_sub_order_has_a_number_of_its_own_and_the_parents_is_void(desk: NumberDesk) -> None:
    parent = await desk.order()
    parents = await desk.number(parent)

    await split(desk, parent)

    deliveries = [sub_order((await desk.order()).id) for _ in range(2)]
    numbers = [await desk.number(each) for each in deliveries]
    assert different([*numbers, parents]) == 3
    assert (await ended(desk, parent)).why_none == "parent_void"
    assert not await desk.leads_here(parents)
    assert await desk.refused(parent) == "parent_void"
    with pytest.raises(RefusedNumber, match="wrong_scope"):
        await split(desk, deliveries[0])

    await desk.completed(deliveries[0])

    await unbound(desk, deliveries[0])
    assert await desk.leads_here(numbers[1])


async def test_a_sub_orders_number_is_one_whoever_calls_it_an_order(desk: NumberDesk) -> None:
    """What is obtained by reveal or export, where an order's number is all that is known, ends with the delivery."""
    as_order = await desk.order()
    delivery = sub_order(as_order.id)

    number = await desk.number(as_order)
    assert await desk.number(delivery) == number
    assert await desk.leads_here(number)
    with pytest.raises(RefusedNumber, match="wrong_scope"):
        await split(desk, delivery)

    told = await desk.completed(delivery)

    assert (told.number, told.why_none) == (None, "order_completed")
    await unbound(desk, as_order)
    assert not await desk.leads_here(number)


# Cases ---------------------------------------------------------------------------------------------------


async def test_a_cases_number_is_valid_for_fifteen_days_and_renewable(desk: NumberDesk) -> None:
    subject = await desk.case()
    view = await desk.obtain(subject)
    assert view.until
    assert view.until - await desk.now(subject) == pytest.approx(timedelta(days=15), abs=timedelta(minutes=1))

    await desk.forward(subject, days=10)
    renewed = await renew(desk, subject)

    assert renewed.number == view.number
    assert renewed.until
    assert renewed.until - view.until == pytest.approx(timedelta(days=10), abs=timedelta(minutes=1))
    await desk.forward(subject, days=14)
    assert view.number
    assert await desk.leads_here(view.number)
    await desk.forward(subject, days=1, minutes=1)
    await ended(desk, subject)  # with its number
    assert not await desk.leads_here(view.number)
    with pytest.raises(RefusedNumber, match="not_bound"):
        await renew(desk, subject)

    again = await desk.obtain(subject)

    assert again.number
    assert await desk.leads_here(again.number)
    with pytest.raises(RefusedNumber, match="wrong_scope"):
        await desk.completed(subject)


async def test_only_a_cases_number_is_renewed(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.obtain(subject)

    with pytest.raises(RefusedNumber, match="not_renewable"):
        await renew(desk, subject)


async def test_the_provider_has_let_go_of_what_is_renewed(desk: NumberDesk) -> None:
    subject = await desk.case()
    number = await desk.number(subject)
    await desk.provider.unbind(subject.name, "1", at=datetime.now(UTC))

    with pytest.raises(RefusedNumber, match="not_bound"):
        await renew(desk, subject)

    assert await desk.leads_here(await desk.number(subject))
    assert not await desk.leads_here(number)


# Who may, and what is no command -------------------------------------------------------------------------


async def test_only_the_merchant_whose_order_it_is_and_the_platform_obtain(desk: NumberDesk) -> None:
    subject = await desk.order()

    assert await desk.refused(subject, by=merchant("m-other")) == "not_yours"
    assert await desk.refused(subject, by=buyer(desk.buyer)) == "wrong_actor"

    assert (await desk.obtain(subject)).number == (await desk.obtain(subject, by=OFFICER)).number
    with pytest.raises(RefusedNumber, match="wrong_actor"):
        await desk.numbers.release(
            ReleaseNumber(key="r", by=merchant(desk.merchant), subject=subject, reason="no_longer_wanted")
        )


async def test_an_order_that_nobody_knows_is_refused_until_it_is_known(desk: NumberDesk) -> None:
    subject = order(some_id("o"))

    assert await desk.refused(subject) == "unknown_order"
    assert (await ended(desk, subject)).why_none == "unknown"
    assert await desk.refused(case(f"refund/{subject.id}/k")) == "unknown_case"

    await desk.order(subject.id)
    assert await desk.leads_here(await desk.number(subject))


async def test_the_same_key_is_one_command(desk: NumberDesk) -> None:
    subject = await desk.order()
    view = await desk.obtain(subject, key="k")

    assert await desk.obtain(subject, key="k") == view

    assert await desk.refused(subject, key="k", by=OFFICER) == "key_reused"
    fact = OrderCompleted(key="k", by=OFFICER, subject=subject, completed_at=datetime.now(UTC))
    with pytest.raises(RefusedNumber, match="key_reused"):
        await desk.numbers.order_completed(fact)
    # Its one number has lapsed: the same command does not bind another one.
    await desk.completed(subject)
    await unbound(desk, subject)
    assert (await desk.obtain(subject, key="k")).number is None


@pytest.mark.parametrize(
    "junk",
    [
        None,
        [],
        "obtain",
        {"key": "k"},
        {"key": "k", "by": {"role": "merchant", "id": "m"}, "subject": {"scope": "order", "id": "a/b"}},
        {"key": "k k", "by": {"role": "merchant", "id": "m"}, "subject": {"scope": "order", "id": "o"}},
    ],
)
async def test_what_is_no_command_changes_nothing(desk: NumberDesk, junk: Any) -> None:
    subject = await desk.order()
    number = await desk.number(subject)

    with pytest.raises(WorkflowUpdateFailedError):
        await send(desk, subject, junk)
    with pytest.raises(WorkflowUpdateFailedError):
        await send(desk, subject)

    assert await desk.number(subject) == number


async def test_a_command_for_another_number_is_refused(desk: NumberDesk) -> None:
    subject, other = await desk.order(), await desk.order()
    await desk.obtain(subject)
    stray = ObtainNumber(key="s", by=merchant(desk.merchant), subject=other)

    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await send(desk, subject, stray)

    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "Refused.wrong_subject"


async def test_a_start_that_is_none_ends(desk: NumberDesk) -> None:
    subject = await desk.order()
    temporal = desk.skipper.client
    handle = await temporal.start_workflow("VirtualNumber", {"no": 1}, id=some_id("w"), task_queue=desk.task_queue)
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), PATIENCE)

    misnamed = await temporal.start_workflow(
        "VirtualNumber", NumberStart(subject=subject), id=some_id("w"), task_queue=desk.task_queue
    )
    await asyncio.wait_for(misnamed.result(), PATIENCE)

    assert await desk.ever_bound_by_provider(subject) == 0


async def test_a_cancellation_from_outside_leaves_the_number_kept(desk: NumberDesk) -> None:
    subject = await desk.order()
    number = await desk.number(subject)
    run = (await desk.handle(subject).describe()).run_id

    await desk.handle(subject).cancel()
    await desk.completed(subject)

    await unbound(desk, subject)
    assert not await desk.leads_here(number)
    assert (await desk.handle(subject).describe()).run_id == run


# The provider, as it is ----------------------------------------------------------------------------------


async def test_concurrent_requests_give_one_number(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.behave(subject, Mode.ANSWER_SLOWLY, answer_after_seconds=0.5, uses_left=1)

    views = await asyncio.gather(*(desk.obtain(subject) for _ in range(8)))

    assert different([view.number for view in views]) == 1
    assert await desk.ever_bound_by_provider(subject) == 1


async def test_the_same_request_at_the_same_time_is_one(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.behave(subject, Mode.ANSWER_SLOWLY, answer_after_seconds=0.5, uses_left=1)

    views = await asyncio.gather(*(desk.obtain(subject, key="k") for _ in range(4)))

    assert different([view.number for view in views]) == 1


async def test_a_dry_pool_is_told_and_asking_again_tries_again(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.behave(subject, Mode.DRY)

    refusals = await asyncio.gather(*(desk.refused(subject, key=f"k-{each}") for each in range(4)))

    assert set(refusals) == {"no_number_free"}
    view = await desk.view(subject)
    assert (view.stage, view.why_none, view.number) == (NumberStage.AVAILABLE, "not_obtained", None)
    await desk.well_again(subject)
    number = await desk.number(subject, key="k-0")
    assert await desk.leads_here(number)
    async with desk.pool.acquire() as connection:
        (listed,) = await bindings.bound_for_merchant(connection, desk.merchant)
    assert listed.number == number


async def test_a_lost_answer_gives_no_second_number(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.behave(subject, Mode.LOSE_ANSWER, uses_left=2)

    number = await desk.number(subject)

    assert await desk.bound_by_provider(subject) == [number]
    assert await desk.ever_bound_by_provider(subject) == 1


async def answered_by_hand(desk: NumberDesk, subject: NumberSubject, activity: str, result: bytes) -> None:
    """As ``temporal activity complete --result`` does, while the provider is asked."""

    async def pending() -> list[str]:
        if not await Runs(desk.skipper.client).exists(subject.workflow_id):
            return []  # it is being started
        described = (await desk.handle(subject).describe()).raw_description
        return [each.activity_id for each in described.pending_activities if each.activity_type.name == activity]

    (under_way,) = await until(pending, lambda ids: len(ids) == 1)
    client = desk.skipper.client
    await client.workflow_service.respond_activity_task_completed_by_id(
        RespondActivityTaskCompletedByIdRequest(
            namespace=client.namespace,
            workflow_id=subject.workflow_id,
            activity_id=under_way,
            result=Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=result)]),
        )
    )


@pytest.mark.parametrize("result", [b'"whatever"', b"{}", b"null"])
async def test_an_answer_that_somebody_makes_up_is_asked_for_again(desk: NumberDesk, result: bytes) -> None:
    subject = await desk.order()
    await desk.behave(subject, Mode.ANSWER_SLOWLY, answer_after_seconds=3, uses_left=1)

    asked = asyncio.ensure_future(desk.number(subject))
    await answered_by_hand(desk, subject, "bind_number", result)
    number = await asked

    assert await desk.bound_by_provider(subject) == [number]
    assert await desk.ever_bound_by_provider(subject) == 1


async def test_an_answer_that_never_comes_leaves_the_number_in_doubt_until_it_is_asked_for_again(
    desk: NumberDesk,
) -> None:
    subject = await desk.order()
    await desk.behave(subject, Mode.LOSE_ANSWER)

    assert await desk.refused(subject, key="k") == "provider_unreachable"

    view = await desk.view(subject)
    assert (view.stage, view.number, view.why_none) == (NumberStage.IN_DOUBT, None, "provider_unreachable")
    (bound,) = await desk.bound_by_provider(subject)
    await desk.well_again(subject)
    assert await desk.number(subject, key="k") == bound
    assert await desk.ever_bound_by_provider(subject) == 1


async def test_who_asks_meanwhile_is_told_what_the_first_one_is(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.behave(subject, Mode.LOSE_ANSWER)

    refusals = await asyncio.gather(
        *(desk.refused(subject) for _ in range(5)), desk.refused(subject, by=merchant("m-other"))
    )

    assert refusals == ["provider_unreachable"] * 5 + ["not_yours"]
    (history,) = await desk.histories(subject)
    asked = [event for event in history.events if event.HasField("activity_task_scheduled_event_attributes")]
    assert len(asked) == 1
    await desk.well_again(subject)


async def test_what_is_in_doubt_is_unbound_when_it_is_due(desk: NumberDesk) -> None:
    subject = await desk.case()
    await desk.behave(subject, Mode.LOSE_ANSWER)
    assert await desk.refused(subject) == "provider_unreachable"
    (bound,) = await desk.bound_by_provider(subject)
    await desk.well_again(subject)

    await desk.forward(subject, days=15, minutes=1)

    await ended(desk, subject)
    assert not await desk.leads_here(bound)


async def test_while_the_provider_is_away_nothing_else_waits_for_it(desk: NumberDesk) -> None:
    subject = await desk.order()
    number = await desk.number(subject)
    await desk.behave(subject, Mode.UNREACHABLE)

    await desk.completed(subject)
    assert (await desk.view(subject)).stage is NumberStage.LEAVING
    await split(desk, subject)  # is answered all the same
    assert await desk.refused(subject) == "parent_void"
    assert await desk.leads_here(number)

    await desk.well_again(subject)
    await ended(desk, subject)
    assert not await desk.leads_here(number)


async def test_who_asks_while_the_last_number_does_not_leave_is_told_so(
    desk: NumberDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.virtual_number.ALL_CALLS", timedelta(seconds=2))
    subject = await desk.order()
    number = await desk.number(subject)
    await desk.behave(subject, Mode.UNREACHABLE)
    await desk.completed(subject)

    # One after the other they would wait for longer than callers do.
    refusals = await asyncio.gather(*(desk.refused(subject) for _ in range(3)))

    assert set(refusals) == {"provider_unreachable"}
    assert await desk.bound_by_provider(subject) == [number]
    await desk.well_again(subject)
    await unbound(desk, subject)


async def test_who_asks_while_the_last_number_leaves_gets_the_next_one(desk: NumberDesk) -> None:
    subject = await desk.order()
    first = await desk.number(subject)
    await desk.behave(subject, Mode.UNREACHABLE, uses_left=2)

    await desk.completed(subject)
    second = await desk.number(subject)

    assert await desk.bound_by_provider(subject) == [second]
    assert await desk.leads_here(second)
    assert first == second or not await desk.leads_here(first)
    assert await desk.ever_bound_by_provider(subject) == 2


# The recipient -------------------------------------------------------------------------------------------


async def test_an_order_without_a_known_recipient(desk: NumberDesk) -> None:
    subject = await desk.order(recipient=False)
    assert await desk.refused(subject) == "recipient_unknown"

    await desk.keep_recipient(subject.id)

    assert await desk.leads_here(await desk.number(subject))


async def test_a_forgotten_recipient_can_not_be_called(desk: NumberDesk) -> None:
    subject, never_asked = await desk.order(), await desk.order()
    number = await desk.number(subject)

    await desk.forget()
    async with desk.pool.acquire() as connection:
        found = await bindings.subjects_of_orders(connection, [subject.id, never_asked.id])
    for each in found:
        await desk.release(each)

    assert found == [subject]
    assert (await ended(desk, subject)).why_none == "released"
    assert not await desk.leads_here(number)
    assert await desk.refused(subject) == "released"
    assert await desk.refused(never_asked) == "recipient_unknown"
    assert await desk.ever_bound_by_provider(never_asked) == 0


async def test_no_phone_is_in_any_history(desk: NumberDesk) -> None:  # P6
    subject = await desk.order()
    number = await desk.number(subject)
    await desk.behave(subject, Mode.LOSE_ANSWER)
    await desk.completed(subject)
    await desk.well_again(subject)
    await unbound(desk, subject)

    codec = desk.skipper.client.data_converter.payload_codec
    assert codec
    texts = [
        payload.data.decode(errors="replace")
        for history in await desk.histories(subject)
        for event in history.events
        for payload in await codec.decode(list(payloads_in(event)))
    ]

    assert any(number.number in text for text in texts)  # they are readable
    assert not [text for text in texts if desk.phone.get_secret_value() in text or "欧阳小明" in text]
    in_books = await desk.pool.fetch("SELECT kept::text AS row FROM numbers.bindings kept")
    assert not [each for each in in_books if desk.phone.get_secret_value() in each["row"]]


async def test_operators_see_where_it_stands_and_no_whole_number(desk: NumberDesk) -> None:
    subject = await desk.order()
    number = await desk.number(subject)

    metadata = await desk.handle(subject).query("__temporal_workflow_metadata", result_type=WorkflowMetadata)

    assert f"`***********-{number.extension}`" in metadata.current_details
    assert number.number not in metadata.current_details
    assert "until the order completes" in metadata.current_details
    found = (await desk.handle(subject).describe()).typed_search_attributes
    assert found[attributes.ORDER] == subject.id


# A long life ---------------------------------------------------------------------------------------------


async def test_the_next_run_knows_number_due_date_and_keys(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.start(subject, events_per_run=40)
    await desk.completed(subject)
    view = await desk.obtain(subject, key="first")
    first_run = (await desk.handle(subject).describe()).run_id

    for each in range(12):
        assert await desk.obtain(subject, key=f"k-{each}") == view

    assert (await desk.handle(subject).describe()).run_id != first_run
    histories = await desk.histories(subject)
    assert len(histories) > 1
    assert all(len(history.events) < 60 for history in histories)
    assert await desk.refused(subject, key="first", by=OFFICER) == "key_reused"
    assert await desk.obtain(subject, key="first") == view
    assert await desk.ever_bound_by_provider(subject) == 1
    assert view.number
    await desk.forward(subject, days=2, minutes=1)
    await unbound(desk, subject)
    assert not await desk.leads_here(view.number)


async def test_runs_follow_each_other_while_many_ask(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.start(subject, events_per_run=30)
    await desk.completed(subject)

    async def ask() -> list[VirtualNumber]:
        return [await desk.number(subject) for _ in range(8)]

    answers = await asyncio.gather(*(ask() for _ in range(5)))

    assert different([number for numbers in answers for number in numbers]) == 1
    assert len(await desk.histories(subject)) > 2
    assert await desk.ever_bound_by_provider(subject) == 1


async def test_another_worker_goes_on_where_one_has_stopped(
    skipper: TimeSkipper, pool: asyncpg.Pool, vault: Vault
) -> None:
    desk = NumberDesk(skipper, pool, vault, some_id("q"))
    subject = await desk.order()
    async with keeping_numbers(skipper.client, pool, vault, desk.task_queue, cached=0):
        number = await desk.number(subject, key="k")
        await desk.behave(subject, Mode.UNREACHABLE)
        await desk.completed(subject)
        assert await desk.leads_here(number)

    await desk.well_again(subject)
    async with keeping_numbers(skipper.client, pool, vault, desk.task_queue, cached=0):
        await unbound(desk, subject)
        assert await desk.refused(subject, key="k", by=OFFICER) == "key_reused"
        again = await desk.obtain(subject)
        assert again.number
        assert again.until

    async with keeping_numbers(skipper.client, pool, vault, desk.task_queue, cached=0):
        await desk.forward(subject, days=2, minutes=1)
        await unbound(desk, subject)
        assert (await at(desk, subject, NumberStage.AVAILABLE)).number is None
    await desk.replay_everything()


@pytest.mark.parametrize("answer_lost", [False, True])
async def test_a_workflow_that_was_terminated_is_begun_again_with_its_number(
    desk: NumberDesk, answer_lost: bool
) -> None:
    subject = await desk.order()
    if answer_lost:
        await desk.behave(subject, Mode.LOSE_ANSWER)
        assert await desk.refused(subject) == "provider_unreachable"
        await desk.well_again(subject)
    else:
        await desk.obtain(subject)
    (bound,) = await desk.bound_by_provider(subject)
    await desk.handle(subject).terminate()

    assert await desk.number(subject) == bound

    assert await desk.ever_bound_by_provider(subject) == 1
    await desk.completed(subject)
    await unbound(desk, subject)


async def test_a_number_that_nobody_has_asked_for(desk: NumberDesk) -> None:
    assert await desk.numbers.view(await desk.order()) is None


async def test_the_workflow_runs_until_nothing_can_be_obtained(desk: NumberDesk) -> None:
    subject = await desk.order()
    await desk.completed(subject, datetime.now(UTC))

    await desk.forward(subject, days=80)
    assert (await desk.handle(subject).describe()).status is WorkflowExecutionStatus.RUNNING
    await desk.forward(subject, days=20)

    assert (await ended(desk, subject)).stage is NumberStage.ENDED


def payloads_in(message: Message) -> Iterator[Payload]:
    """All payloads of an event, however deep."""
    if isinstance(message, Payload):
        yield message
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if descriptor.message_type.GetOptions().map_entry:
            values = value.values()
        else:
            values = value if descriptor.is_repeated else [value]
        for each in values:
            if isinstance(each, Message):
                yield from payloads_in(each)

"""Section 11, R16: a case that is told more than one run takes goes on in another one, and loses nothing.

The short form lets a run be long after some dozens of events; ``PROOFS_FACTS=3000`` (``make proofs``) meets the limits
of the server, which takes 2,000 updates of a run.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory

from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres import resuming
from starter.client import Case
from starter.errors import RefusedCommand
from starter.recovery import stranded, without_their_dispute
from starter.settings import Settings
from tests.workflow.disputes import disputed, paid, rejected_refund, ruling
from tests.workflow.test_foreign_keys import replayed
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages import search_attributes
from workflows.messages.actors import buyer, carrier, merchant, officer
from workflows.messages.commands import Approve, LookAtBook, ReportParcel, Resolve, SubmitEvidence
from workflows.messages.evidence import Evidence
from workflows.messages.parcels import ParcelEvent
from workflows.messages.rulings import Award
from workflows.messages.stages import Attention, OutcomeKind, StageName, Stopped
from workflows.shell.temporal import TemporalHost

FACTS: Final = int(os.environ.get("PROOFS_FACTS", "0"))
LONG: Final = 60


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is long after some dozens of events."""

    def has_run_long(_: TemporalHost) -> bool:
        return workflow.info().get_current_history_length() > LONG

    monkeypatch.setattr(TemporalHost, "has_run_long", has_run_long)


def approve(world: World, key: str = "approve") -> Approve:
    return Approve(key=key, by=merchant(world.merchant))


def report(number: int) -> ReportParcel:
    return ReportParcel(
        key=f"f{number}",
        by=carrier("sf"),
        carrier="sf",
        tracking_no=f"T{number}",
        event=ParcelEvent.SIGNED,
        happened_at=datetime.now(UTC) - timedelta(hours=1),
    )


def pieces(world: World, number: int) -> SubmitEvidence:
    by = buyer(world.buyer) if number % 2 else merchant(world.merchant)
    shown = tuple(
        Evidence(uri=f"vault:evidence/{number}-{each}", media_type=EVIDENCE[0].media_type, bytes=1, sha256="1" * 64)
        for each in range(4)
    )
    return SubmitEvidence(key=f"e{number}", by=by, evidence=shown)


async def runs_of(world: World, case: Case) -> list[str]:
    """All runs of a case, the newest first."""
    found = [(await case.handle.describe()).run_id]
    while True:
        run = world.aftersales.temporal.get_workflow_handle(case.id, run_id=found[-1])
        event = await anext(run.fetch_history_events(page_size=1))
        if not (before := event.workflow_execution_started_event_attributes.continued_execution_run_id):
            return found
        found.append(before)


async def histories(world: World, case: Case, runs: list[str]) -> list[WorkflowHistory]:
    client = world.aftersales.temporal
    return [await client.get_workflow_handle(case.id, run_id=each).fetch_history() for each in runs]


async def tell(case: Case, numbers: range) -> None:
    """Tell facts, as updates and as signals by turns."""
    for number in numbers:
        fact = report(number)
        if number % 2:
            await case.act(fact)
        else:
            await case.tell(fact)


def lines(log: Any) -> Counter[str]:
    return Counter(each.command_key for each in log if each.command_key)


async def test_a_case_that_is_told_much_goes_on_in_another_run_and_loses_nothing(
    world: World, settings: Settings, short_runs: None
) -> None:  # section 11
    order_no = await world.shipped_order()
    case = await world.refund(order_no=order_no)
    before = await world.at(case, StageName.SHIPPED_REVIEW)
    waits = asyncio.create_task(case.outcome())

    async def told_and_shown(number: int) -> None:
        await case.act(pieces(world, number))
        await tell(case, range(number * 4, number * 4 + 4))

    await asyncio.gather(*map(told_and_shown, range(6)))  # who comes between two runs sends it again
    runs = await until(lambda: runs_of(world, case), lambda found: len(found) > 2)
    described = await case.handle.describe()
    view = await case.view()
    await case.act(pieces(world, 0))
    with pytest.raises(RefusedCommand) as reused:
        await case.act(approve(world, key="e1"))
    await case.act(approve(world))
    outcome = await waits

    assert described.typed_search_attributes[search_attributes.STAGE] == StageName.SHIPPED_REVIEW
    assert (view.stage, view.due) == (before.stage, before.due)
    assert reused.value.refusal.code == "key_reused"
    log = await case.log()
    told = lines(log)
    assert {f"e{each}" for each in range(6)} | {f"f{each}" for each in range(24)} | {"approve"} == set(told)
    assert set(told.values()) == {1}
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000
    assert [each.event for each in log][-2:] == ["approved", "refund_succeeded"]
    assert [await replayed(history, settings) for history in await histories(world, case, runs)] == [None] * len(runs)


async def test_who_never_stops_telling_does_not_keep_a_run_from_its_end(world: World, short_runs: None) -> None:  # R16
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    async def keep_on(number: int) -> None:
        for each in range(6):
            await case.act(report(number * 6 + each))

    await asyncio.gather(*map(keep_on, range(8)))  # there is always one more
    runs = await runs_of(world, case)

    assert max(len(history.events) for history in await histories(world, case, runs)) < 48 * 7
    assert len(lines(await case.log())) == 48


async def test_a_deadline_that_was_set_in_an_earlier_run_is_kept(world: World, short_runs: None) -> None:  # section 11
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    await tell(case, range(16))
    await until(lambda: runs_of(world, case), lambda found: len(found) > 1)

    await world.forward(case, hours=48, minutes=1)

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert (await world.events(case)).count("approved_by_silence") == 1


async def test_money_on_its_way_arrives_once_in_another_run(world: World, short_runs: None) -> None:  # section 10
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.SETTLE_LATER, order_no=order_no, settle_after_seconds=600))
    case = await world.refund(order_no=order_no)
    await case.act(approve(world))
    (leg,) = (await world.at(case, StageName.SETTLING)).legs
    await tell(case, range(16))
    await until(lambda: runs_of(world, case), lambda found: len(found) > 1)

    await world.forward(case, hours=1)
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert [each.refund_no for each in outcome.legs] == [leg.refund_no]
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000


async def test_a_case_under_dispute_goes_on_in_another_run_and_carries_the_ruling_out(
    world: World, settings: Settings, short_runs: None
) -> None:  # D3, D8
    case = await rejected_refund(world, order_no=await world.shipped_order())
    dispute = await disputed(world, case)
    await tell(case, range(16))
    await until(lambda: runs_of(world, case), lambda found: len(found) > 1)
    await tell(dispute, range(16))  # of a run that has no parent to wait for its result
    await until(lambda: runs_of(world, dispute), lambda found: len(found) > 1)

    await world.forward(dispute, hours=24, minutes=1)
    await world.at(case, StageName.LOCKED)
    await dispute.act(ruling(Award.PARTIAL, 3_000))
    outcome = await case.outcome()

    assert (await dispute.outcome()).outcome is OutcomeKind.RULED
    assert "cancellation_ignored" not in await world.events(dispute)
    assert (outcome.rule, outcome.outcome) == ("D8", OutcomeKind.REFUNDED)
    assert await paid(world, (await case.view()).order_no) == 3_000
    assert set(lines(await case.log()).values()) == {1}
    for each in (case, dispute):
        told = await histories(world, each, await runs_of(world, each))
        assert [await replayed(history, settings) for history in told] == [None] * len(told)


async def left(world: World) -> tuple[Case, Case]:
    """A case under dispute, in a run that has not started that dispute; and the dispute."""
    case = await rejected_refund(world, order_no=await world.shipped_order())
    dispute = await disputed(world, case)
    await tell(case, range(16))
    await until(lambda: runs_of(world, case), lambda found: len(found) > 1)
    return case, dispute


async def found(world: World, case: Case) -> list[str]:
    """Cases of which ``recover`` would tell that nobody carries their dispute."""
    return [each async for each in without_their_dispute(world.pool, world.aftersales.runs, [case.id])]


async def test_a_dispute_that_is_terminated_after_that_is_started_anew_and_tells_its_case(
    world: World, short_runs: None
) -> None:  # D8
    case, dispute = await left(world)
    await dispute.handle.terminate("by an operator")
    lost = [each async for each in stranded(world.pool, world.aftersales.runs, 10, [case.id, dispute.id])]

    assert [(each.case_id, each.why) for each in lost] == [(dispute.id, Stopped.TERMINATED)]
    assert await found(world, case) == []
    assert await world.aftersales.take_up(lost[0])
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(case, StageName.LOCKED)
    await dispute.act(ruling(Award.PARTIAL, 3_000))

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert await paid(world, (await case.view()).order_no) == 3_000


async def test_a_case_whose_dispute_is_nowhere_goes_on_once_it_is_told_to_look(
    world: World, settings: Settings, short_runs: None
) -> None:
    """D1, D8: as where the dispute was stopped before it had been written down."""
    case, dispute = await left(world)
    run = (await case.handle.describe()).run_id
    await dispute.handle.terminate("by an operator")
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # as if it had never been written
        for table in ("log", "cases"):
            await connection.execute(f"DELETE FROM casebook.{table} WHERE case_id = $1", dispute.id)

    assert await found(world, case) == [case.id]
    await case.act(LookAtBook(key="look", by=officer("recover")))
    view = await world.at(case, StageName.REJECTED)
    lines = await world.events(case)

    assert (view.dispute, view.attention) == (None, Attention.DISPUTE_BROKEN_OFF)
    assert lines[-1] == "dispute_broken_off"
    assert await found(world, case) == []
    assert [await replayed(each, settings) for each in await histories(world, case, [run])] == [None]


async def test_a_case_that_is_told_to_look_leaves_a_dispute_that_runs_as_it_is(
    world: World, short_runs: None
) -> None:  # D8
    case, dispute = await left(world)

    view = await case.act(LookAtBook(key="look", by=officer("recover")))
    await dispute.act_and_wait(Resolve(key="resolved", by=buyer(world.buyer)))

    assert (view.stage, view.dispute) == (StageName.DISPUTED, dispute.id)
    assert (await world.at(case, StageName.REJECTED)).attention is None


async def test_a_key_is_answered_as_before_however_many_came_after_it(
    world: World, settings: Settings, short_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R16, section 11: a run is given the last keys, and asks the book of all others."""
    monkeypatch.setattr(resuming, "MOST_COMMANDS", 5)
    order_no = await world.shipped_order()
    case = await world.refund(order_no=order_no)
    await world.at(case, StageName.SHIPPED_REVIEW)
    first, told_of = pieces(world, 0), report(1_000)
    await case.act(first)
    await case.act(told_of)
    await tell(case, range(28))
    await until(lambda: runs_of(world, case), lambda found: len(found) > 2)
    before = await world.events(case)

    again = await case.act(first)
    await asyncio.gather(*(case.act(told_of) for _ in range(3)))
    await case.tell(told_of)
    with pytest.raises(RefusedCommand) as reused:
        await case.act(approve(world, key="e0"))
    with pytest.raises(RefusedCommand) as refused:
        await case.act(Resolve(key="new", by=buyer(world.buyer)))
    runs = await runs_of(world, case)
    outcome = await case.act_and_wait(approve(world))

    assert again.stage is StageName.SHIPPED_REVIEW
    assert (reused.value.refusal.code, refused.value.refusal.code) == ("key_reused", "not_taken")
    assert (await world.events(case))[: len(before)] == before
    assert set(lines(await case.log()).values()) == {1}
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000
    told = await histories(world, case, runs)
    assert [await replayed(history, settings) for history in told] == [None] * len(told)


async def test_a_run_that_was_there_before_waits_for_its_dispute(
    world: World, settings: Settings, short_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it did: its history has nothing of the change."""

    def finds_dispute_again(_: TemporalHost) -> bool:
        return False

    with monkeypatch.context() as before:
        before.setattr(TemporalHost, "finds_dispute_again", finds_dispute_again)
        case = await rejected_refund(world, order_no=await world.shipped_order())
        dispute = await disputed(world, case)
        await tell(case, range(12))
        (run,) = await runs_of(world, case)
    (told,) = await histories(world, case, [run])

    assert len(told.events) > LONG
    assert await replayed(told, settings) is None
    await dispute.act_and_wait(Resolve(key="resolved", by=buyer(world.buyer)))


async def test_refused_signals_are_all_told_of(world: World, short_runs: None) -> None:  # R16
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    for number in range(90):
        await case.handle.signal("approve", Approve(key=f"s{number}", by=merchant("another-shop")))
    await until(lambda: runs_of(world, case), lambda found: len(found) > 1)
    await case.act_and_wait(approve(world))

    log = await case.log()
    told = sum(int(each.facts["count"]) for each in log if each.event == "more_refused")
    assert told + sum(each.event == "command_refused" for each in log) == 90


@pytest.mark.slow
@pytest.mark.skipif(not FACTS, reason="the long form: PROOFS_FACTS=3000")
@pytest.mark.timeout(3_600)
async def test_three_thousand_facts_and_five_hundred_pieces_of_evidence(
    world: World, settings: Settings, record_property: Callable[[str, object], None]
) -> None:
    """As the server's own limits have it, with what R16 takes of each side."""
    order_no = await world.shipped_order()
    case = await world.refund(order_no=order_no)
    before = await world.at(case, StageName.SHIPPED_REVIEW)
    rules = list[str]()
    for number in range(125):
        try:
            await case.act(pieces(world, number))
        except RefusedCommand as error:
            rules.append(error.refusal.rule)

    async def some(first: int) -> None:
        for number in range(first, FACTS, 8):
            await case.act(report(number))

    await asyncio.gather(*map(some, range(8)))
    runs = await runs_of(world, case)
    view = await case.view()
    outcome = await case.act_and_wait(approve(world))

    record_property("runs", len(runs))
    record_property("facts", FACTS)
    assert len(runs) > FACTS / 1_000
    assert (view.stage, view.due) == (before.stage, before.due)
    told = lines(await case.log())
    assert sum(key.startswith("f") for key in told) == FACTS
    assert sum(key.startswith("e") for key in told) == 125 - len(rules)
    assert {*rules} == {"R16"}
    assert set(told.values()) == {1}
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.refunded(order_no) == await world.paid_by_gateway(order_no) == 10_000
    of_all = [runs[0], runs[len(runs) // 2], runs[-1]]  # to replay all takes as long again
    assert [await replayed(history, settings) for history in await histories(world, case, of_all)] == [None] * len(
        of_all
    )

"""Section 2: a case keeps the numbers that it was opened under, until an officer moves it to the version in force."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres import pauses
from activities.postgres.work_lists import WorkItem, WorkQuery
from starter.client import Case
from starter.errors import RefusedCommand
from tests.workflow import disputes
from tests.workflow.world import World, until
from workflows.messages import search_attributes as attributes
from workflows.messages.actors import Role, buyer, merchant, officer
from workflows.messages.cases import CaseView
from workflows.messages.commands import Approve, ClaimCompensation, MovePolicy, PausesChanged
from workflows.messages.money import Money
from workflows.messages.pauses import DeclarePause, PauseReason
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

OFFICER = officer("f-1")


class Profile:
    """A profile of the test's own, whose file it can edit."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._file = folder / f"{name}.toml"
        self._first = folder.joinpath("negotiated.toml").read_text().replace('name = "negotiated"', f'name = "{name}"')
        self.publish(1)

    def publish(self, version: int, **numbers: int) -> None:
        """Edit the file: a new version, with these numbers instead of the first ones."""
        text = self._first.replace("version = 1\n", f"version = {version}\n")
        for field, number in numbers.items():
            before = [line for line in text.splitlines() if line.startswith(f"{field} = ")]
            assert before
            for line in before:
                text = text.replace(line, f"{field} = {number}")
        draft = self._file.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self._file)  # a worker that looks meanwhile finds one version or the other, whole

    def withdraw(self) -> None:
        """Remove the file: a wrong one keeps every worker from starting that comes after."""
        self._file.unlink()


@pytest.fixture
def profile(world: World, policies: Path) -> Iterator[Profile]:
    profile = Profile(world.fresh("moving"), policies)
    yield profile
    profile.withdraw()


async def reviewed(world: World, profile: Profile, **changes: Any) -> Case:
    """An unshipped refund under the profile, that the merchant is to decide on."""
    case = await world.refund(order_no=await world.order(marketplace=profile.name, **changes))
    await world.at(case, StageName.MERCHANT_REVIEW)
    return case


def move(version: int = 2, key: str = "move") -> MovePolicy:
    return MovePolicy(key=key, by=OFFICER, version=version, reason="rules_changed")


def due(view: CaseView) -> datetime:
    assert view.due
    return view.due


async def item(world: World, case: Case) -> WorkItem:
    """The case as the work lists have it."""
    page = await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant))
    return next(each for each in page.items if each.case_id == case.id)


# The deadline --------------------------------------------------------------------------------------------


async def test_the_running_deadline_is_counted_anew_from_when_the_stage_began(world: World, profile: Profile) -> None:
    case = await reviewed(world, profile)
    before = await case.view()
    await world.forward(case, hours=10)
    profile.publish(2, unshipped_review_hours=72)

    moved = await case.act(move())
    await world.forward(case, hours=48)
    at_the_old_time = await case.view()
    await world.forward(case, hours=14, minutes=1)
    outcome = await case.outcome()

    assert due(before) == before.opened_at + timedelta(hours=48)
    assert due(moved) == before.opened_at + timedelta(hours=72)
    assert at_the_old_time.stage is StageName.MERCHANT_REVIEW
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)


async def test_a_move_is_seen_everywhere(world: World, profile: Profile) -> None:  # section 12
    case = await reviewed(world, profile)
    before = await case.handle.describe()
    profile.publish(2, unshipped_review_hours=72)

    moved = await case.act(move())
    listed = await item(world, case)
    described = await case.handle.describe()

    assert before.typed_search_attributes[attributes.POLICY] == f"{profile.name}/1"
    assert moved.policy == listed.policy == described.typed_search_attributes[attributes.POLICY] == f"{profile.name}/2"
    assert listed.due_at == moved.due
    entry = (await case.log())[-1]
    assert (entry.event, entry.by, entry.facts) == ("policy_moved", OFFICER, {"version": 2, "reason": "rules_changed"})


async def test_a_shorter_time_that_is_over_decides_now_and_not_in_the_past(world: World, profile: Profile) -> None:
    case = await reviewed(world, profile)
    await world.forward(case, hours=10)
    profile.publish(2, unshipped_review_hours=1, reminder_hours=1)
    now = await world.now(case)

    moved = await case.act(move())
    outcome = await case.outcome()

    assert now <= (moved.due or outcome.closed_at) <= outcome.closed_at
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)
    assert await world.events(case) == ["opened", "policy_moved", "approved_by_silence", "refund_succeeded"]
    assert all(entry.at >= now for entry in (await case.log())[1:])


async def test_the_notice_near_the_deadline_goes_by_the_new_version(world: World, profile: Profile) -> None:  # R1
    case = await reviewed(world, profile)
    profile.publish(2, unshipped_review_hours=72, reminder_hours=24)

    await case.act(move())
    await world.forward(case, hours=47)
    early = await world.events(case)
    await world.forward(case, hours=1, minutes=5)

    assert "deadline_near" not in early
    assert await until(lambda: world.events(case), lambda events: "deadline_near" in events)


async def test_a_clock_that_goes_on_after_a_dispute_keeps_its_deadline(world: World, profile: Profile) -> None:  # D3
    order_no = await world.shipped_order(marketplace=profile.name)
    case = await disputes.received(world, order_no=order_no)
    dispute = await disputes.intervened(world, case)
    await dispute.act_and_wait(disputes.resolution(world))
    resumed = await world.at(case, StageName.RETURN_RECEIVED)
    profile.publish(2, receipt_days=20)

    moved = await case.act(move())

    assert moved.policy == f"{profile.name}/2"
    assert due(moved) == due(resumed)


async def test_a_payment_that_is_awaited_keeps_its_deadline(world: World, profile: Profile) -> None:  # R5
    order_no = await world.order(marketplace=profile.name)
    await world.behave(Behaviour(mode=Mode.NEVER_SETTLE, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    settling = await world.at(case, StageName.SETTLING)
    profile.publish(2, unknown_attention_hours=1)

    moved = await case.act(move())

    assert (moved.stage, moved.due) == (StageName.SETTLING, settling.due)


async def test_a_stage_without_a_deadline_has_none_afterwards(world: World, profile: Profile) -> None:
    order_no = await world.order(marketplace=profile.name)
    await world.behave(Behaviour(mode=Mode.ACCOUNT_SHORT, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    before = await world.at(case, StageName.PAYMENT_ATTENTION)
    profile.publish(2)

    moved = await case.act(move())

    assert moved.policy == f"{profile.name}/2"
    assert (moved.stage, moved.due, moved.attention) == (before.stage, None, before.attention)


@pytest_asyncio.fixture(loop_scope="session")
async def paused_for_ten_hours(world: World) -> AsyncIterator[str]:
    """A window of ten hours that begins an hour from now, of which nobody is told; its id."""
    now = datetime.now(UTC)
    declaration = DeclarePause(
        id=world.fresh("w"),
        reason=PauseReason.OUTAGE,
        kinds=(CaseKind.UNSHIPPED_REFUND,),
        starts_at=now + timedelta(hours=1),
        ends_at=now + timedelta(hours=11),
        by=OFFICER,
    )
    async with world.pool.acquire() as connection, connection.transaction():
        await pauses.declare(connection, declaration, now)
    yield declaration.id
    await world.pool.execute("DELETE FROM declarations.pauses WHERE id = $1", declaration.id)


async def test_pauses_and_moves_add_up_whichever_comes_first(
    world: World, profile: Profile, paused_for_ten_hours: str
) -> None:  # section 9
    case = await reviewed(world, profile)
    opened_at = (await case.view()).opened_at
    told = PausesChanged(key="p1", by=OFFICER, window=paused_for_ten_hours)
    profile.publish(2, unshipped_review_hours=72)

    moved = await case.act(move())
    told_afterwards = await case.act(told)
    profile.publish(3, unshipped_review_hours=24)
    moved_again = await case.act(move(3, key="move-again"))

    assert due(moved) == due(told_afterwards) == opened_at + timedelta(hours=72 + 10)
    assert due(moved_again) == opened_at + timedelta(hours=24 + 10)


# Which numbers count -------------------------------------------------------------------------------------


async def test_a_new_version_is_for_new_cases_only(world: World, profile: Profile) -> None:
    case = await reviewed(world, profile)
    before = await case.view()
    profile.publish(2, unshipped_review_hours=72)

    younger = await (await reviewed(world, profile)).view()
    await world.forward(case, hours=47, minutes=59)
    after = await case.view()
    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert (younger.policy, due(younger)) == (f"{profile.name}/2", younger.opened_at + timedelta(hours=72))
    assert (after.policy, after.due) == (f"{profile.name}/1", before.due)
    assert outcome.outcome is OutcomeKind.REFUNDED


@pytest.mark.parametrize(("is_moved", "days"), [(False, 7), (True, 3)])
async def test_later_stages_go_by_the_version_of_the_case(
    world: World, profile: Profile, *, is_moved: bool, days: int
) -> None:  # R6
    case = await world.refund(order_no=await world.shipped_order(marketplace=profile.name))
    await world.at(case, StageName.SHIPPED_REVIEW)
    profile.publish(2, escalation_window_days=3)
    if is_moved:
        await case.act(move())

    rejected = await case.act(disputes.rejection(world))

    assert due(rejected) == (await case.log())[-1].at + timedelta(days=days)


async def test_what_was_owed_when_the_case_opened_is_still_owed(world: World, profile: Profile) -> None:  # L1
    order_no = await world.order(marketplace=profile.name, paid_at=datetime.now(UTC) - timedelta(hours=50))
    case = await world.aftersales.order_paid(order_no)
    opened = await world.at(case, StageName.CLAIMABLE)
    profile.publish(2, percent=90, claim_days=60, review_hours=24)

    moved = await case.act(move())
    claimed = await case.act(ClaimCompensation(key="c1", by=buyer(world.buyer)))
    outcome = await case.act_and_wait(Approve(key="c2", by=merchant(world.merchant)))

    assert due(moved) == opened.opened_at + timedelta(days=60)
    assert due(claimed) == claimed.log[-1].at + timedelta(hours=24)
    assert outcome.compensated == Money(amount=3_000, currency="CNY")


# Refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "code"), [(1, "same_version"), (2, "version_not_in_force")])
async def test_only_another_version_that_is_in_force_is_moved_to(
    world: World, profile: Profile, version: int, code: str
) -> None:
    case = await reviewed(world, profile)
    before = await case.view()

    with pytest.raises(RefusedCommand) as refused:
        await case.act(move(version))
    after = await case.view()

    assert (refused.value.refusal.code, refused.value.refusal.field) == (code, "version")
    assert refused.value.refusal.rule == "section 2"
    assert (after.policy, after.due) == (before.policy, before.due)
    assert await world.events(case) == ["opened"]


async def test_a_version_that_was_overtaken_is_not_moved_to(world: World, profile: Profile) -> None:
    case = await reviewed(world, profile)
    profile.publish(2)
    profile.publish(3, unshipped_review_hours=72)

    with pytest.raises(RefusedCommand) as refused:
        await case.act(move(2))
    moved = await case.act(move(3, key="right"))

    assert refused.value.refusal.code == "version_not_in_force"
    assert moved.policy == f"{profile.name}/3"


@pytest.mark.parametrize("role", [Role.MERCHANT, Role.BUYER])
async def test_only_an_officer_moves_a_case(world: World, profile: Profile, role: Role) -> None:  # section 12
    case = await reviewed(world, profile)
    party = {Role.MERCHANT: merchant(world.merchant), Role.BUYER: buyer(world.buyer)}[role]
    profile.publish(2, unshipped_review_hours=1, reminder_hours=1)

    with pytest.raises(RefusedCommand) as refused:
        await case.act(MovePolicy(key="m1", by=party, version=2, reason="impatient"))

    assert refused.value.refusal.code == "wrong_actor"
    assert (await case.view()).policy == f"{profile.name}/1"


async def test_a_file_that_is_wrong_does_not_hold_the_case_up(world: World, profile: Profile) -> None:  # section 11
    case = await reviewed(world, profile)
    profile.publish(2, unshipped_review_hours=-1)

    with pytest.raises(RefusedCommand) as refused:
        await case.act(move())
    outcome = await case.act_and_wait(Approve(key="c1", by=merchant(world.merchant)))

    assert refused.value.refusal.code == "version_not_in_force"
    assert outcome.outcome is OutcomeKind.REFUNDED


async def test_a_refused_move_leaves_the_clock_and_the_way_open(world: World, profile: Profile) -> None:
    case = await reviewed(world, profile)
    with pytest.raises(RefusedCommand):
        await case.act(move(7))

    view = await case.act(Approve(key="c1", by=merchant(world.merchant)))
    outcome = await case.outcome()

    assert view.stage in (StageName.PAYING, StageName.CLOSED)
    assert outcome.decided_by is Role.MERCHANT

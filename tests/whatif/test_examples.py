"""Stories whose right answer is known: fewer hours, another limit of R9, a pause, a case that is open or was moved."""

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from activities.policies import Policies
from activities.postgres.past_cases import Scope
from starter.interpreter.example import order, refund_of
from starter.interpreter.interpreter import Interpreter
from starter.whatif.comparing import ComparedStory
from starter.whatif.report import Asked, Report, Totals
from starter.whatif.telling import Declared, Rules
from starter.whatif.trying import Trial, told_under_both
from tests.benchmarks.whatif import address_of
from tests.whatif.remembered import RememberingBook, past_of
from tests.whatif.worlds import BEGAN
from workflows.messages.actors import Actor, buyer, merchant, officer
from workflows.messages.commands import (
    Approve,
    ConfirmReceipt,
    EnterTracking,
    MovePolicy,
    Reject,
    RejectReason,
    Withdraw,
)
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import CaseId
from workflows.messages.parcels import Parcel
from workflows.messages.pauses import PauseReason, PauseWindow
from workflows.messages.policy import Policy
from workflows.messages.requests import LineAmount, MerchantRefundRequest, ReturnRequest
from workflows.messages.stages import CaseKind

_SELLER, _BUYER, _OFFICER = merchant("M-1"), buyer("B-1"), officer("f-1")
_EVIDENCE: Final = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)
_FOUND: Final = Policies().get("douyin")
assert _FOUND
_DOUYIN: Final[Policy] = _FOUND


def _world(policy: Policy = _DOUYIN, *, shipped: bool = True) -> Interpreter:
    world = Interpreter(BEGAN, {policy.name: policy}, book=RememberingBook)
    bought = order("O-1", BEGAN - timedelta(days=3))
    world.shop.orders["O-1"] = bought.model_copy(update={"shipped_at": BEGAN - timedelta(days=2) if shipped else None})
    return world


def _refund(world: Interpreter) -> CaseId:
    return world.open(refund_of("O-1"))


def _from_merchant(world: Interpreter, amount: int) -> CaseId:
    lines = (LineAmount(line="1", quantity=1, amount=amount),)
    request = MerchantRefundRequest(
        request_key="k-1", order_no="O-1", merchant_id=_SELLER.id, lines=lines, reason="no_longer_wanted"
    )
    return world.open(request)


def _reject(world: Interpreter, case: CaseId, by: Actor = _SELLER) -> None:
    world.act(case, Reject(key="c-1", by=by, reason=RejectReason.NO_FAULT_SHOWN, evidence=_EVIDENCE))


def _next(part: str, policy: Policy = _DOUYIN, **numbers: int) -> Policy:
    """The next version of a profile, with other numbers in one part of it."""
    changed = getattr(policy, part).model_copy(update=numbers)
    return policy.model_copy(update={"version": policy.version + 1, part: changed})


def _hours(hours: int) -> Policy:
    return _next("refund", unshipped_review_hours=hours, shipped_review_hours=hours, reminder_hours=6)


def _pause(starts_at: datetime, days: int) -> PauseWindow:
    return PauseWindow(
        id="tried-1",
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=(CaseKind.UNSHIPPED_REFUND, CaseKind.SHIPPED_REFUND),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(days=days),
        declared_by=_OFFICER,
        declared_at=BEGAN,
    )


def _tried(world: Interpreter, policy: Policy | None = None, pauses: tuple[PauseWindow, ...] = ()) -> ComparedStory:
    scope = Scope(BEGAN - timedelta(days=1), BEGAN + timedelta(days=365))
    trial = Trial(scope, Rules(policy, pauses), told_until=world.now, declared=Declared())
    (story,) = told_under_both(trial, past_of(world))
    assert story.cannot == ""
    return story


def _report(*stories: ComparedStory) -> Report:
    totals = Totals(most_examples=5)
    totals.add(stories)
    return totals.report(
        Asked(profile="douyin/2", pauses=(), since=BEGAN, until=BEGAN, told_until=BEGAN, other_profiles={})
    )


# 48 h → 24 h ------------------------------------------------------------------------------------------------------


def test_r2_a_rejection_after_40_hours_comes_too_late_where_24_are_given() -> None:
    world = _world()
    case = _refund(world)
    world.pass_time(hours=40)
    _reject(world, case)
    world.pass_time(days=60)

    (found,) = _tried(world, _hours(24)).cases

    assert (found.was.outcome, found.would.outcome) == ("rejected", "refunded")
    assert (found.paid.merchant, found.would_pay.merchant, found.would_pay.platform) == (0, 10_000, 0)
    assert [(each.command, each.event, each.at) for each in found.unheard] == [
        ("reject", "rejected", BEGAN + timedelta(hours=40))
    ]
    assert found.silence_first
    assert (found.silence_first.event, found.silence_first.at) == ("approved_by_silence", BEGAN + timedelta(hours=24))
    report = _report(ComparedStory((found,)))
    assert (report.otherwise, report.rest_on_unheard, report.given_more_time) == (1, 1, 0)
    (money,) = report.money
    assert (money.more_for_buyers, money.more_from_merchants, money.more_from_platform) == (10_000, 10_000, 0)
    (deadline,) = report.deadlines
    assert (deadline.kind, deadline.rule, deadline.cases, deadline.otherwise) == ("shipped_refund", "R2", 1, 1)
    assert (deadline.least_late_minutes, deadline.most_late_minutes) == (16 * 60, 16 * 60)
    (example,) = report.examples
    assert (example.case_id, example.more, example.unheard) == (case, 10_000, (f"reject ({found.unheard[0].code})",))


def test_r2_an_approval_after_40_hours_comes_to_the_same_sooner() -> None:
    world = _world()
    case = _refund(world)
    world.pass_time(hours=40)
    world.act(case, Approve(key="c-1", by=_SELLER))

    (found,) = _tried(world, _hours(24)).cases

    assert not found.otherwise
    assert found.later == timedelta(hours=-16)
    report = _report(ComparedStory((found,)))
    assert (report.same, report.sooner, report.later, report.otherwise) == (1, 1, 0, 0)
    assert [(each.cases, each.otherwise) for each in report.deadlines] == [(1, 0)]
    assert report.money[0].moved == 0


def test_r2_what_is_decided_within_24_hours_stays_as_it_is() -> None:
    world = _world()
    case = _refund(world)
    world.pass_time(hours=23)
    _reject(world, case)
    world.pass_time(days=60)

    (found,) = _tried(world, _hours(24)).cases

    assert not found.otherwise
    assert not found.unheard
    assert found.parts_at is None


def test_r6_a_request_that_is_taken_back_after_30_hours_would_have_been_paid() -> None:
    world = _world(shipped=False)
    case = _refund(world)
    world.pass_time(hours=30)
    world.act(case, Withdraw(key="c-1", by=_BUYER))

    (found,) = _tried(world, _hours(24)).cases

    assert (found.was.outcome, found.would.outcome, found.would.refunded) == ("withdrawn", "refunded", 10_000)


def test_r2_a_deadline_that_has_decided_leaves_people_more_time_where_72_hours_are_given() -> None:
    world = _world()
    _refund(world)
    world.pass_time(hours=60)

    story = _tried(world, _hours(72))

    (found,) = story.cases
    assert (found.was.outcome, found.would.outcome) == ("refunded", "open:shipped_review")
    assert (_report(story).given_more_time, _report(story).rest_on_unheard) == (1, 0)
    assert _report(story).money[0].more_for_buyers == -10_000


def test_an_open_case_is_told_until_now() -> None:
    world = _world()
    _refund(world)
    world.pass_time(hours=30)

    (found,) = _tried(world, _hours(24)).cases

    assert (found.was.outcome, found.would.outcome) == ("open:shipped_review", "refunded")
    assert found.would.closed_at == BEGAN + timedelta(hours=24)
    assert not found.unheard


# A lower limit for officers' review -----------------------------------------------------------------------------


def test_r9_what_was_agreed_to_at_once_waits_for_an_officer_under_a_lower_limit() -> None:
    world = _world()
    _from_merchant(world, 5_000)
    world.pass_time(days=3)

    (found,) = _tried(world, _next("merchant_refund", at_once_up_to=4_999)).cases

    assert not found.otherwise
    assert found.later == timedelta(hours=_DOUYIN.merchant_refund.officer_review_hours)
    assert found.more_time


def test_r9_what_an_officer_has_rejected_is_paid_at_once_under_a_higher_limit() -> None:
    most = _DOUYIN.merchant_refund.at_once_up_to
    world = _world(_next("merchant_refund", at_once_up_to=4_999))
    case = _from_merchant(world, 5_000)
    world.pass_time(hours=2)
    _reject(world, case, _OFFICER)
    world.pass_time(days=1)

    higher = _next("merchant_refund", _next("merchant_refund"), at_once_up_to=most)
    (found,) = _tried(world, higher).cases

    assert (found.was.outcome, found.would.outcome, found.would.refunded) == ("rejected", "refunded", 5_000)
    assert [each.command for each in found.unheard] == ["reject"]
    assert found.silence_first is None or found.silence_first.event != "approved_by_silence"


# Spring Festival as a pause window ------------------------------------------------------------------------------


def test_section_9_a_pause_moves_what_silence_decides() -> None:
    world = _world(shipped=False)
    _refund(world)
    world.pass_time(days=30)

    story = _tried(world, pauses=(_pause(BEGAN + timedelta(hours=24), 7),))

    (found,) = story.cases
    assert not found.otherwise
    assert found.later == timedelta(days=7)
    assert (_report(story).later, _report(story).given_more_time) == (1, 1)


def test_section_9_in_a_pause_a_merchant_that_came_too_late_is_in_time() -> None:
    """It was refunded by silence; what the merchant would have said nobody knows: the same end, later."""
    world = _world()
    case = _refund(world)
    world.pass_time(hours=49)
    _reject(world, case)  # refused: the money has gone
    world.pass_time(hours=1)

    (found,) = _tried(world, pauses=(_pause(BEGAN + timedelta(hours=24), 7),)).cases

    assert (found.was.outcome, found.would.outcome) == ("refunded", "open:shipped_review")
    assert found.more_time
    assert not found.unheard


def test_section_9_a_pause_of_another_time_changes_nothing() -> None:
    world = _world()
    _refund(world)
    world.pass_time(days=30)

    (found,) = _tried(world, pauses=(_pause(BEGAN + timedelta(days=3), 7),)).cases

    assert not found.otherwise
    assert found.parts_at is None
    assert not found.later


def test_section_9_what_comes_before_a_case_is_so_far_is_told_as_soon_as_it_is() -> None:
    """T1: the return is agreed to a week later, so the buyer sends the goods a week later, and not in vain."""
    world = _world()
    request = ReturnRequest(
        request_key="k-1",
        order_no="O-1",
        merchant_id=_SELLER.id,
        buyer_id=_BUYER.id,
        lines=(LineAmount(line="1", quantity=1, amount=10_000),),
        reason="no_longer_wanted",
    )
    world.shop.addresses[_SELLER.id] = [address_of(_SELLER.id)]
    case = world.open(request)
    world.pass_time(hours=50)  # agreed to by silence after 48
    world.act(case, EnterTracking(key="c-1", by=_BUYER, parcel=Parcel(carrier="sf", tracking_no="T1")))
    world.pass_time(hours=20)
    world.act(case, ConfirmReceipt(key="c-2", by=_SELLER))
    world.pass_time(days=30)

    window = _pause(BEGAN + timedelta(hours=24), 7).model_copy(update={"kinds": (CaseKind.RETURN,)})
    (found,) = _tried(world, pauses=(window,)).cases

    assert not found.otherwise
    assert not found.unheard
    assert found.told_later == 2
    assert found.would.closed_at == BEGAN + timedelta(days=7, hours=48)


# Section 2 ------------------------------------------------------------------------------------------------------


def test_section_2_a_case_that_was_moved_goes_by_the_profile_that_is_tried() -> None:
    world = _world()
    case = _refund(world)
    world.pass_time(hours=10)
    world.policies["douyin"] = _hours(24)
    world.act(case, MovePolicy(key="c-1", by=_OFFICER, version=_hours(24).version, reason="shorter"))
    world.pass_time(hours=30)
    assert world.view(case).outcome == "refunded"  # after 24 hours: the version it was moved to

    third = _next("refund", _hours(24), shipped_review_hours=36, reminder_hours=6)
    (found,) = _tried(world, third).cases

    assert found.was.closed_at == BEGAN + timedelta(hours=24)
    assert found.would.closed_at == BEGAN + timedelta(hours=36)
    assert found.later == timedelta(hours=12)
    assert not found.unheard


def test_cases_of_other_profiles_are_left_alone() -> None:
    world = _world()
    _refund(world)
    world.pass_time(days=3)
    other = _hours(24).model_copy(update={"name": "jd-pop"})
    scope = Scope(BEGAN - timedelta(days=1), BEGAN + timedelta(days=1))

    assert told_under_both(Trial(scope, Rules(other), world.now), past_of(world)) == []


@pytest.mark.parametrize(
    "narrower", [{"merchant_id": "M-2"}, {"kind": CaseKind.RETURN}, {"until": BEGAN - timedelta(hours=1)}]
)
def test_only_cases_of_the_scope_count(narrower: dict[str, Any]) -> None:
    world = _world()
    _refund(world)
    world.pass_time(days=3)
    told: dict[str, Any] = {"since": BEGAN - timedelta(days=1), "until": BEGAN + timedelta(days=1), **narrower}
    scope = Scope(**told)

    assert told_under_both(Trial(scope, Rules(_hours(24)), world.now), past_of(world)) == []


def test_a_case_without_the_content_of_its_commands_is_said_to_be_untold() -> None:
    """As of a release that did not keep it."""
    world = _world()
    case = _refund(world)
    world.act(case, Approve(key="c-1", by=_SELLER))
    assert isinstance(world.book, RememberingBook)
    lines = world.book.lines[case]
    lines[:] = [type(line)(line.entry, line.step, line.stage, None) for line in lines]
    scope = Scope(BEGAN - timedelta(days=1), BEGAN + timedelta(days=1))

    (story,) = told_under_both(Trial(scope, Rules(_hours(24)), world.now), past_of(world))

    assert (story.cannot, story.named) == ("what its commands said is not in the book", (case,))
    (untold,) = _report(story).untold
    assert (untold.cases, untold.examples) == (1, (case,))

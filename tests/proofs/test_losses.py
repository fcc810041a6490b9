"""Runs that are lost: the next one goes on from the book, and what the lost one was told is told again (section 11)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.proofs.crashing import LossyHost
from tests.proofs.proof_story import ProofStory
from tests.proofs.retelling import tell
from workflows.messages.actors import carrier, officer
from workflows.messages.commands import ReportParcel
from workflows.messages.message import CaseId
from workflows.messages.parcels import ParcelEvent
from workflows.messages.pauses import DeclarePause, PauseReason
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

DISPUTED = ("open refund", "0 reject merchant", "0 open_dispute buyer")


def log(story: ProofStory, number: str = "0") -> list[str]:
    return [line.event for line in story.told.log(story.case(number))]


def test_a_lost_run_leaves_a_case_as_it_was() -> None:
    story = tell("douyin shipped", ("open refund", "0 reject merchant", "lose 0", "0 amend buyer", "lose 0", "wait 0"))

    assert log(story) == ["opened", "rejected", "amended", "deadline_near", "approved_by_silence", "refund_succeeded"]
    assert story.told.ledger.refunded("order/O-1") == 30_000


@pytest.mark.parametrize("profile", ["douyin", "jd-pop"])
@pytest.mark.parametrize("losses", ["lose 0", "lose 1", "lose 0; lose 1", "lose 1; lose 0"])
@pytest.mark.parametrize(
    "turn", ["1 resolve buyer", "1 submit_evidence merchant final; 1 rule platform full", "wait 1"]
)
def test_a_dispute_tells_its_case_how_it_ends_whichever_runs_were_lost(
    profile: str, losses: str, turn: str
) -> None:  # D2, D4, D8
    """The run that the server has told of the lost case is not the one that ends the dispute."""
    plain = tell(f"{profile} shipped", (*DISPUTED, *turn.split("; ")))
    lost = tell(f"{profile} shipped", (*DISPUTED, *losses.split("; "), *turn.split("; ")))

    assert log(lost) == log(plain)
    assert lost.told.view(lost.case("0")).stage is plain.told.view(plain.case("0")).stage
    assert lost.told.ledger.refunded("order/O-1") == plain.told.ledger.refunded("order/O-1")


@pytest.mark.parametrize(
    ("world", "turns"),
    [
        (
            "douyin",
            (
                *("open refund", "0 reject merchant", "0 agree_return merchant", "0 enter_tracking buyer 0"),
                *("parcel 0 signed", "0 open_dispute buyer", "1 rule platform nothing buyer"),
            ),
        ),
        (
            "jd-pop",
            ("open refund", "watch 2", "parcel 2 shipped", "wait 0", "0 open_dispute buyer", "1 resolve buyer"),
        ),
    ],
)
def test_a_dispute_that_is_lost_as_it_ends_tells_its_case_once(world: str, turns: tuple[str, ...]) -> None:  # D8
    """The case hears of it twice: by the dispute's next run, and by the result of the one that it has started."""
    plain, lost = tell(world, turns), tell(world, (*turns[:-1], "crash 1", turns[-1]))

    assert lost.told.crashed
    assert log(lost) == log(plain)


RULED = ("1 submit_evidence merchant final", "wait 1", "1 rule platform full")
"""What rules on a dispute in negotiation."""


def begun_again(story: ProofStory) -> None:
    story.told.begin_again(story.case("0"))


def ruled_while_nobody_carries(story: ProofStory) -> None:
    host = story.told.host(story.case("0"))
    assert isinstance(host, LossyHost)
    host.lose()
    story.turn(RULED[-1])
    begun_again(story)


def ruled_before_it_is_asked(story: ProofStory) -> None:
    """The book was read, and told of no end."""
    ask = story.told.let_go

    def let_go(case: CaseId) -> bool:
        story.turn(RULED[-1])
        return ask(case)

    story.told.let_go = let_go
    begun_again(story)


def asked_as_it_ends(story: ProofStory) -> None:
    """The dispute has decided to tell nobody, for all that it knew."""
    story.told.let_go = lambda case: True
    begun_again(story)
    story.told.when_written(story.case("1"), story.told.host(story.case("1")).ask_for_cancellation)
    story.turn(RULED[-1])


def asked_in_time(story: ProofStory) -> None:
    begun_again(story)
    story.turn(RULED[-1])


@pytest.mark.parametrize(
    "goes_on", [asked_in_time, ruled_before_it_is_asked, asked_as_it_ends, ruled_while_nobody_carries]
)
def test_no_ruling_is_lost_between_two_runs_of_a_case(goes_on: Callable[[ProofStory], None]) -> None:  # D8
    """Nobody has told the dispute that the run is no more which waits for its end."""
    plain = tell("douyin shipped", (*DISPUTED, *RULED))
    story = tell("douyin shipped", (*DISPUTED, *RULED[:-1]))
    goes_on(story)

    assert log(story) == log(plain)
    assert story.told.ledger.refunded("order/O-1") == plain.told.ledger.refunded("order/O-1") == 30_000
    assert [story.told.outcome(story.case(each)) is not None for each in ("0", "1")] == [True, True]


@pytest.mark.parametrize("hours", [1, 37], ids=["before any step", "reminded"])
@pytest.mark.parametrize(
    ("world", "asks", "gone", "told", "stage"),
    [
        ("douyin", "open refund", "shipped_at", "goods_shipped", StageName.RETURN_REVIEW),
        ("jd-pop", "open refund", "shipped_at", "goods_shipped", StageName.PARCEL_INTERCEPT),
        ("jd-self", "open cancellation", "shipped_at", "goods_shipped", StageName.INTERCEPTING),
        ("jd-self", "open cancellation", "outbound_at", "goods_outbound", StageName.OUTBOUND_REVIEW),
    ],
)
def test_goods_that_left_while_no_run_carried_the_case_are_not_refunded_blindly(
    world: str, asks: str, gone: str, told: str, stage: StageName, hours: int
) -> None:  # R3, R7
    story = tell(world, (asks,))
    if world != "jd-self":  # which has 30 minutes, and no reminder
        story.told.pass_time(hours=hours)
    story.turn("stop 0")
    orders = story.told.shop.orders
    orders["O-1"] = orders["O-1"].model_copy(update={gone: story.told.now})
    story.told.pass_time(hours=1)
    begun_again(story)
    begun_again(story)  # and it is told once
    found = story.told.view(story.case("0")).stage
    story.turn("wait 0")

    assert found is stage
    assert log(story).count(told) == 1
    assert "approved_by_silence" not in log(story)
    assert story.told.ledger.refunded("order/O-1") == 0


@pytest.mark.parametrize("hours", [1, 37], ids=["before any step", "reminded"])
def test_a_pause_that_was_declared_while_no_run_carried_the_case_stops_its_clock(hours: int) -> None:  # section 9
    story = tell("douyin", ("open refund",))
    case, world = story.case("0"), story.told
    before = world.view(case).due
    assert before
    world.pass_time(hours=hours)
    story.turn("stop 0")
    declared = DeclarePause(
        id="w-1",
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=(CaseKind.UNSHIPPED_REFUND,),
        starts_at=world.now + timedelta(hours=1),
        ends_at=world.now + timedelta(hours=25),
        by=officer("f-1"),
    )
    world.shop.declare_pause(declared, world.now)
    begun_again(story)
    begun_again(story)  # and it is told once
    world.pass_time(hours=48 - hours + 1)

    assert world.view(case).due == before + timedelta(hours=24)
    assert [line.by for line in world.log(case) if line.event == "deadline_moved"] == [officer("f-1")]
    assert "approved_by_silence" not in log(story)


def test_a_case_that_goes_on_after_the_platform_has_stepped_in_is_locked() -> None:  # D3
    """The dispute has told nobody: no run carried the case."""
    story = tell("jd-pop shipped", DISPUTED)
    case = story.case("0")
    host = story.told.host(case)
    assert isinstance(host, LossyHost)
    host.lose()
    story.turn("wait 1")
    begun_again(story)
    locked = story.told.view(case).stage
    begun_again(story)
    story.turn("0 amend buyer")
    story.turn("wait 0")

    assert locked is story.told.view(case).stage is StageName.LOCKED
    assert log(story) == ["opened", "rejected", "dispute_opened", "locked"]


def test_a_case_that_decides_itself_ends_its_dispute_whichever_runs_were_lost() -> None:  # D2
    story = tell("jd-self shipped", (*DISPUTED, "lose 0", "lose 1", "0 approve merchant"))

    outcomes = [story.told.outcome(story.case(each)) for each in ("0", "1")]
    assert [each.outcome if each else None for each in outcomes] == [OutcomeKind.REFUNDED, OutcomeKind.RESOLVED]
    assert "disputed_case_stopped" not in log(story, "1")


def test_a_case_that_goes_on_by_itself_can_be_disputed_again_whichever_runs_were_lost() -> None:  # D2, D10
    turns = ("open resend", *DISPUTED[1:], "lose 0", "0 approve merchant")
    story = tell("jd-self shipped", turns)

    assert story.told.view(story.case("0")).dispute is None
    assert log(story) == log(tell("jd-self shipped", tuple(each for each in turns if each != "lose 0")))


def test_that_the_platform_has_stepped_in_is_written_once_however_often_it_is_told() -> None:  # D3
    """The run is lost after it has written that, and before it knows."""
    story = tell("douyin shipped", (*DISPUTED[:2], "crash 4", DISPUTED[2]))

    assert story.told.crashed
    assert log(story) == ["opened", "rejected", "dispute_opened", "locked"]


def test_what_was_applied_for_keeps_its_moment_where_no_step_has_followed() -> None:  # R10
    story = tell("eu shipped", ("open return",))
    case = story.case("0")
    asked = story.told.view(case).application
    story.told.pass_time(hours=24)
    story.turn("lose 0")

    assert story.told.view(case).application == asked


def test_what_is_told_before_a_case_is_open_is_weighed_once_it_is() -> None:  # R18
    story = ProofStory("douyin")
    story.turn("watch 2")
    world = story.told
    case = world.start(story.refund()).case_id
    told = {"carrier": "sf", "tracking_no": "T2", "event": ParcelEvent.SHIPPED}
    before_payment = world.shop.orders["O-1"].paid_at - timedelta(minutes=1)
    impossible = ReportParcel.model_validate({"key": "p-1", "by": carrier("sf"), "happened_at": before_payment, **told})
    true = ReportParcel.model_validate({"key": "p-2", "by": carrier("sf"), "happened_at": world.now, **told})
    world.hand_on(case, impossible)
    world.tell(case, true)

    lines = {line.event: line.facts.get("code") for line in world.log(case)}
    assert lines["command_refused"] == "before_payment"
    assert [line.command_key for line in world.log(case) if line.event.startswith("goods_")] == ["p-2"]

"""Pause windows that change while a dispute has stopped a case's clock (section 9, D3)."""

from datetime import datetime, timedelta

import pytest

from tests.proofs.proof_story import ProofStory
from tests.proofs.retelling import tell
from workflows.messages.actors import officer
from workflows.messages.message import CaseId
from workflows.messages.pauses import DeclarePause, PauseReason
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.pauses import last_told_of

OFFICER = officer("f-1")


def disputed(profile: str) -> tuple[ProofStory, CaseId, datetime]:
    """A rejected refund that has 10 hours behind it when its dispute opens, and when it would have ended."""
    story = tell(f"{profile} shipped", ("open refund", "0 reject merchant"))
    due = story.told.view(story.case("0")).due
    assert due
    story.told.pass_time(hours=10)
    story.turn("0 open_dispute buyer")
    return story, story.case("0"), due


def declare(story: ProofStory, case: CaseId, starts: float, ends: float, lifted: float | None = None) -> None:
    """A window of so many hours from now, which the case is told of."""
    world = story.told
    declaration = DeclarePause(
        id=f"w-{len(world.shop.pauses)}",
        reason=PauseReason.OUTAGE,
        kinds=(CaseKind.SHIPPED_REFUND,),
        starts_at=world.now + timedelta(hours=starts),
        ends_at=world.now + timedelta(hours=ends),
        by=OFFICER,
    )
    window = world.shop.declare_pause(declaration, world.now)
    world.tell(case, last_told_of(window))
    if lifted is not None:
        window = window.model_copy(update={"lifted_by": OFFICER, "lifted_at": world.now + timedelta(hours=lifted)})
        world.shop.pauses[window.id] = window
        world.tell(case, last_told_of(window))


def left_when_resolved(story: ProofStory, case: CaseId) -> timedelta:
    """What the case has left once its dispute has left it as it was."""
    story.turn("1 resolve buyer")
    view = story.told.view(case)
    assert view.stage is StageName.REJECTED
    assert view.due
    return view.due - story.told.now


@pytest.mark.parametrize(
    ("starts", "ends", "lifted", "gives_back"),
    [
        (-6, -2, None, 4),  # an outage, declared afterwards
        (-6, -0.5, None, 5),  # since the dispute opened nothing has run
        (-6, 30, -4, 2),  # called off for the time after that
        (-0.5, -0.25, None, 0),
        (-200, -100, None, 0),
    ],
)
def test_a_window_that_covers_time_before_the_dispute_gives_it_back(
    starts: float, ends: float, lifted: float | None, gives_back: float
) -> None:
    story, case, due = disputed("jd-pop")
    before = due - story.told.now
    story.told.pass_time(hours=1)
    declare(story, case, starts, ends, lifted)

    left = left_when_resolved(story, case)

    assert left == pytest.approx(before + timedelta(hours=gives_back), abs=timedelta(seconds=2))


def test_it_is_kept_when_the_platform_steps_in_and_by_whichever_run_goes_on() -> None:
    story, case, due = disputed("jd-pop")
    before = due - story.told.now
    story.told.pass_time(hours=1)
    declare(story, case, -6, -2)
    story.turn("lose 0")
    story.told.pass_time(hours=24)
    locked = story.told.view(case).stage
    declare(story, case, -34, -33)
    story.turn("lose 0")

    assert locked is StageName.LOCKED
    moved = [line.facts["window"] for line in story.told.log(case) if line.event == "deadline_moved"]
    assert moved == ["w-0", "w-1"]
    standstill = story.told.host(case).run.running.state.dispute.standstill
    assert standstill
    assert standstill.left == before + timedelta(hours=5)


def test_no_step_is_taken_where_no_clock_was_stopped() -> None:
    story = tell("jd-pop shipped", ("open refund", "0 reject merchant", "0 open_dispute buyer"))
    case = story.case("0")
    declare(story, case, -6, -2)
    steps = story.told.view(case).steps
    window = story.told.shop.pauses["w-0"]
    story.told.tell(case, last_told_of(window))

    assert story.told.view(case).steps == steps

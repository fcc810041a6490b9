"""A late shipment that has not opened yet, when the pause that moves its moment is lifted (L1, section 9)."""

from datetime import timedelta

import pytest

from tests.proofs.retelling import tell
from workflows.messages.actors import officer
from workflows.messages.commands import PausesChanged
from workflows.messages.pauses import DeclarePause, PauseReason
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.pauses import last_told_of

OFFICER = officer("f-1")


@pytest.mark.parametrize("ran", [0, 12], ids=["before its moment", "after it has looked"])
def test_it_opens_when_the_lifted_window_lets_it(ran: int) -> None:
    story = tell("douyin", ("open late_shipment",))
    world, case = story.told, story.case("0")
    first = world.host(case).run.running.asleep
    assert first
    declaration = DeclarePause(
        id="w-1",
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=(CaseKind.LATE_SHIPMENT,),
        starts_at=first.until - timedelta(hours=1),
        ends_at=first.until + timedelta(days=20),
        by=OFFICER,
    )
    window = world.shop.declare_pause(declaration, world.now)
    left = first.until - world.now
    world.pass_time(seconds=left.total_seconds() + (ran - 1) * 3600 + 60)
    lifted = window.model_copy(update={"lifted_by": OFFICER, "lifted_at": world.now})
    world.shop.pauses[window.id] = lifted
    before = world.host(case).run.running.asleep
    assert before

    world.tell(case, last_told_of(lifted))
    world.tell(case, PausesChanged(key="p-2", by=OFFICER, window="another"))  # which changes nothing
    asleep = world.host(case).run.running.asleep
    moment = first.until + (lifted.resumes_at - window.starts_at)
    world.pass_time(seconds=(moment - world.now).total_seconds() - 1)
    early = world.host(case).run.running.stage
    world.pass_time(seconds=2)

    assert before.until == (first.until + timedelta(days=20, hours=1) if ran else first.until)
    assert asleep
    assert asleep.until == moment
    assert early.name is StageName.OPENING
    assert world.view(case).stage is StageName.CLAIMABLE

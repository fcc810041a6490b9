"""How long a merchant may look at what has come back, by the sign-off and by the request (T6, G6)."""

from datetime import datetime, timedelta

import pytest

from starter.interpreter.interpreter import Interpreter
from tests.processes.telling import BEGAN, PARCELS, Story
from workflows.messages.parcels import CarrierEvent, ParcelEvent
from workflows.messages.stages import StageName

SENT = ("open return", "0 agree_return merchant", "0 enter_tracking buyer 0")


class Profile(Story):
    """One whose refund comes at the latest so many days after the request; none where that is not said."""

    within: int | None = None

    def made(self) -> Interpreter:
        world = super().made()
        policy = world.policies["negotiated"]
        assert policy
        returns = policy.returns.model_copy(update={"refund_within_days": self.within})
        world.policies["negotiated"] = policy.model_copy(update={"returns": returns})
        return world


class Within14Days(Profile):
    within = 14


def due_of(profile: type[Profile], signed: timedelta, told: timedelta) -> datetime:
    """When silence pays, where goods were signed for and told of so long after the request."""
    story = profile("shipped negotiated")
    story.tell(SENT)
    story.world.pass_time(seconds=told.total_seconds())
    signed_at = BEGAN + signed
    event = CarrierEvent(key="s", parcel=PARCELS[0], event=ParcelEvent.SIGNED, happened_at=signed_at)
    story.world.carrier_tells(event)
    view = story.world.view(story.case("0"))
    assert view.stage is StageName.RETURN_RECEIVED
    assert view.due
    return view.due


@pytest.mark.parametrize("told_after", [timedelta(0), timedelta(days=1), timedelta(days=3)])
@pytest.mark.parametrize("signed", [timedelta(hours=1), timedelta(days=2), timedelta(days=4)])
def test_a_time_counted_from_the_request_makes_the_one_to_look_no_longer(
    signed: timedelta, told_after: timedelta
) -> None:  # G6, T6
    usual, at_the_latest = (due_of(each, signed, signed + told_after) for each in (Profile, Within14Days))

    assert at_the_latest == min(usual, BEGAN + timedelta(days=14))

"""N2: an officer sets an earlier deadline: what is proposed stands no longer than the stage, and that is told."""

from datetime import timedelta

import pytest

from starter.interpreter.interpreter import Interpreter
from tests import profiles
from tests.unit.test_quotes import BUYER, MERCHANT, NOW, OFFICER, disputed_order
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import AcceptProposal, MoveDeadline, Propose
from workflows.messages.proposals import AnotherAmount
from workflows.messages.requests import LineAmount
from workflows.messages.stages import StageName


@pytest.fixture
def world() -> Interpreter:
    """Douyin's, where a merchant has 48 hours and an answer 24."""
    world = Interpreter(NOW, profiles.ALL)
    order, _ = disputed_order()
    world.shop.orders[order.order_no] = order
    return world


@pytest.fixture
def case(world: Interpreter) -> str:
    _, asked = disputed_order()
    case = world.open(asked)
    terms = AnotherAmount(lines=(LineAmount(line="1", quantity=1, amount=50),))
    assert world.act(case, Propose(key="p", by=MERCHANT, terms=terms)) is None
    return case


def move(world: Interpreter, case: str, *, hours: int) -> None:
    until = world.now + timedelta(hours=hours)
    assert world.act(case, MoveDeadline(key=f"m-{hours}", by=OFFICER, until=until, reason="agreed_by_phone")) is None


def told(world: Interpreter, case: str) -> list[object]:
    """Until when whoever answers was told that it stands, the latest last."""
    notices = world.book.cases[case].notices
    return [each.fields["until"] for each in notices if each.template is NoticeTemplate.PROPOSAL_MADE]


def test_an_earlier_deadline_ends_a_proposal_with_the_stage(world: Interpreter, case: str) -> None:
    before = world.view(case).talk.proposals[0]
    world.pass_time(hours=1)

    move(world, case, hours=3)

    view = world.view(case)
    (shortened,) = view.talk.proposals
    assert before.until == NOW + timedelta(hours=24)
    assert shortened == before.model_copy(update={"until": NOW + timedelta(hours=4)})
    assert view.due == shortened.until
    talk = world.book.cases[case].talk
    assert talk
    assert talk.proposals == view.talk.proposals, "lists say the same"
    assert told(world, case) == [before.until.isoformat(), shortened.until.isoformat()]
    assert world.log(case)[-1].facts["proposals"] == "1"

    world.pass_time(hours=2)
    assert world.act(case, AcceptProposal(key="a", by=BUYER, number=1)) is None
    world.pass_time(hours=1)
    assert world.ledger.refunded("order/O-1") == 50


def test_silence_decides_then_and_the_proposal_falls(world: Interpreter, case: str) -> None:
    move(world, case, hours=3)

    world.pass_time(hours=4)

    assert world.view(case).talk.proposals == ()
    assert world.view(case).stage is not StageName.SHIPPED_REVIEW


@pytest.mark.parametrize("hours", [24, 30, 72])
def test_a_deadline_behind_its_end_leaves_it_as_it_is(world: Interpreter, case: str, hours: int) -> None:
    before = world.view(case).talk.proposals

    move(world, case, hours=hours)

    assert world.view(case).talk.proposals == before
    assert told(world, case) == [before[0].until.isoformat()]
    assert "proposals" not in world.log(case)[-1].facts

"""N6: what a notice says is so: of the case as it stands once it is told, and to whom it is told."""

import pytest

from activities.notices.templates import render
from tests.processes.telling import Story
from workflows.messages.actors import Role
from workflows.messages.cases import NoticeTemplate
from workflows.messages.stages import Silence


class Heard:
    """What the first case of a story has told by its last turn."""

    def __init__(self, world: str, *turns: str) -> None:
        *before, last = turns
        story = Story(world)
        story.tell(before)
        told = len(story.world.book.cases[story.case("0")].notices)
        story.turn(last)
        self.notices = story.world.book.cases[story.case("0")].notices[told:]
        self.view = story.world.view(story.case("0"))

    def templates(self, role: Role) -> set[NoticeTemplate]:
        return {each.template for each in self.notices if each.to.role is role}

    def text(self, template: NoticeTemplate) -> str:
        (notice,) = (each for each in self.notices if each.template is template)
        return render(template, notice.fields, "en")


@pytest.mark.parametrize(
    ("turns", "silence"),
    [
        (("0 propose buyer another_amount", "0 reject merchant"), Silence.CLOSE_AS_REJECTED),
        (("0 propose buyer return_goods", "0 accept_proposal merchant"), Silence.CLOSE_NOT_RETURNED),
        (("0 propose buyer send_again", "0 accept_proposal merchant"), Silence.RIGHT_TO_INTERVENTION),
        (("0 propose merchant another_amount", "0 decline_proposal buyer"), Silence.REFUND),
    ],
)
def test_whoever_proposed_is_told_what_silence_does_from_here_on(turns: tuple[str, ...], silence: Silence) -> None:
    heard = Heard("shipped", "open refund", *turns)

    (ended,) = (each for each in heard.notices if each.template is NoticeTemplate.PROPOSAL_ENDED)
    assert ended.fields["on_silence"] == heard.view.on_silence == silence


@pytest.mark.parametrize(
    "turns",
    [
        ("0 propose buyer another_amount", "0 accept_proposal merchant"),
        ("0 propose merchant another_amount", "0 approve merchant"),
        ("0 propose merchant another_amount", "0 withdraw buyer"),
    ],
)
def test_where_nobody_is_waited_for_nothing_is_said_of_silence(turns: tuple[str, ...]) -> None:
    heard = Heard("shipped", "open refund", *turns)

    assert NoticeTemplate.PROPOSAL_ENDED not in {each.template for each in heard.notices}
    assert "if nothing is done" not in heard.text(NoticeTemplate.PROPOSAL_OVER)

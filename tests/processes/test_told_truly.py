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


AGAIN = ("0 reject merchant", "0 amend buyer")


@pytest.mark.parametrize(
    ("asked", "before", "may"),
    [
        ("open refund", (), True),
        ("open refund", AGAIN, True),
        ("open refund", AGAIN * 2, False),  # three times is as often as the profile lets it be applied for
        ("open return", (), True),
        ("open return", AGAIN * 2, False),
        ("open price_protection", (), False),
    ],
)
def test_a_rejection_says_that_the_buyer_may_apply_again_where_it_may(
    asked: str, before: tuple[str, ...], may: bool
) -> None:  # R6, B3
    heard = Heard("shipped", asked, *before, "0 reject merchant")

    template = NoticeTemplate.REQUEST_REJECTED if may else NoticeTemplate.REQUEST_REJECTED_FINALLY
    assert heard.templates(Role.BUYER) == {template}
    assert ("amend and apply again" in heard.text(template)) is may


RECEIVED = ("0 agree_return merchant", "0 enter_tracking buyer 0", "parcel 0 signed")


@pytest.mark.parametrize("asked", ["open return", "open return exchange", "open repair"])
def test_a_rejection_on_receipt_says_what_becomes_of_the_goods(asked: str) -> None:  # T6, T15
    heard = Heard("shipped", asked, *RECEIVED, "0 reject merchant")

    assert heard.templates(Role.BUYER) == {NoticeTemplate.RECEIPT_REJECTED}
    assert "send the goods to you again" in heard.text(NoticeTemplate.RECEIPT_REJECTED)


@pytest.mark.parametrize("asked", ["open return exchange", "open repair"])
def test_a_merchant_that_has_inspected_the_goods_is_not_asked_to_and_the_buyer_is_told(asked: str) -> None:  # T8, M3
    heard = Heard("shipped", asked, *RECEIVED[:2], "0 confirm_receipt merchant")

    assert heard.templates(Role.MERCHANT) == heard.templates(Role.BUYER) == {NoticeTemplate.STAGE_CHANGED}
    assert Heard("shipped", asked, *RECEIVED).templates(Role.MERCHANT) == {NoticeTemplate.RETURN_SIGNED}

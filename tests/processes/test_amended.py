"""An amendment fits the profile as the request had to (R6, G1, G2)."""

from typing import Any

import pytest

from starter.interpreter.interpreter import Interpreter
from tests.processes.telling import BUYER, Story
from workflows.messages.actors import buyer
from workflows.messages.commands import Amend
from workflows.messages.requests import RefundReason
from workflows.messages.stages import StageName


class Bread(Story):
    """Goods that do not come back unless they are at fault."""

    def made(self) -> Interpreter:
        world = super().made()
        policy = world.policies["negotiated"]
        assert policy
        windows = policy.windows.model_copy(update={"not_returnable_skus": ("boots",)})
        world.policies["negotiated"] = policy.model_copy(update={"windows": windows})
        return world

    def amends(self, reason: RefundReason) -> tuple[str, str] | None:
        """The buyer its rejected request: why it cannot."""
        fields: dict[str, Any] = {"lines": ({"line": "1", "quantity": 1, "amount": 30_000},), "reason": reason}
        command = Amend.model_validate({"key": self._key(), "by": buyer(BUYER).model_dump(), **fields})
        refusal = self.world.act(self.case("0"), command)
        return (refusal.code, refusal.field) if refusal else None


@pytest.mark.parametrize("asked", ["open return", "open return exchange"])
def test_goods_that_cannot_come_back_do_not_by_an_amendment(asked: str) -> None:  # G2
    story = Bread("shipped negotiated")
    story.tell((asked, "0 reject merchant"))

    assert story.amends(RefundReason.NO_LONGER_WANTED) == ("line_excluded", "lines.0.line")
    assert story.world.view(story.case("0")).stage is StageName.REJECTED
    assert story.amends(RefundReason.DAMAGED) is None


def test_goods_that_are_to_be_mended_come_in_whatever_they_are() -> None:  # M1, G2
    story = Bread("shipped negotiated")
    story.tell(("open repair", "0 reject merchant"))

    assert story.amends(RefundReason.DAMAGED) is None


@pytest.mark.parametrize("asked", ["open return", "open return exchange", "open repair"])
def test_who_has_asked_to_send_goods_back_has_not_failed_to_receive_them(asked: str) -> None:  # G1
    story = Bread("shipped negotiated")
    story.tell((asked, "0 reject merchant"))

    assert story.amends(RefundReason.NOT_RECEIVED) == ("unknown_reason", "reason")


def test_a_refund_without_goods_can_be_amended_to_not_received() -> None:  # G1
    story = Bread("shipped negotiated")
    story.tell(("open refund", "0 reject merchant"))

    assert story.amends(RefundReason.NOT_RECEIVED) is None

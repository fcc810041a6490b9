"""What is agreed on fits where the goods are, and no side can take the other's word from it (N1 to N4, R16, T15)."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.processes.telling import BUYER, MERCHANT, ORDER, PARCELS, Story
from workflows.kinds.examples import example
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate, Refusal
from workflows.messages.commands import AcceptProposal, Propose, Reject, RejectReason
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.parcels import CarrierEvent, ParcelEvent
from workflows.messages.proposals import ProposalEnd
from workflows.messages.requests import RefundReason, RefundRequest
from workflows.messages.stages import OutcomeKind, Silence, StageName

REFUSED_ON_RECEIPT = (
    "open return",
    "0 agree_return merchant",
    "0 enter_tracking buyer 0",
    "parcel 0 signed",
    "0 reject merchant",
)
_EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)


class Negotiation(Story):
    """A story whose proposals are answered one by one."""

    def proposes(self, **terms: Any) -> Refusal | None:
        """The merchant's."""
        command = {"key": self._key(), "by": merchant(MERCHANT).model_dump(), "terms": terms}
        return self.world.act(self.case("0"), Propose.model_validate(command))

    def accepts(self, *, shows: tuple[Evidence, ...] = ()) -> Refusal | None:
        """The buyer the open one."""
        (proposal,) = self.view.talk.proposals
        by = buyer(BUYER)
        return self.world.act(
            self.case("0"), AcceptProposal(key=self._key(), by=by, number=proposal.number, evidence=shows)
        )

    def rejects(self) -> Refusal | None:
        """The merchant."""
        by, reason = merchant(MERCHANT), RejectReason.OTHER
        return self.world.act(self.case("0"), Reject(key=self._key(), by=by, reason=reason, evidence=_EVIDENCE))

    @property
    def view(self):
        """The case as it stands."""
        return self.world.view(self.case("0"))

    @property
    def came_to(self) -> OutcomeKind | None:
        """How the case has ended."""
        outcome = self.world.outcome(self.case("0"))
        return outcome.outcome if outcome else None


def why(refusal: Refusal | None) -> tuple[str, str] | None:
    return (refusal.code, refusal.field) if refusal else None


def one(amount: int) -> list[dict[str, object]]:
    return [{"line": "1", "quantity": 1, "amount": amount}]


# N3, G3: what the buyer has said of its goods ------------------------------------------------------------


@pytest.mark.parametrize("profile", ["cn-2026", "eu"])
@pytest.mark.parametrize("has_goods", [True, False])
def test_the_buyers_word_that_it_has_the_goods_outlives_what_is_agreed_on(profile: str, has_goods: bool) -> None:
    story = Negotiation(f"shipped {profile}")  # G3, N3
    story.world.open(_for_part_of_the_price(goods_received=has_goods))
    before = story.view

    story.proposes(kind="more_proof", wanted="photo")
    story.accepts(shows=_EVIDENCE)

    after = story.view
    assert after.application
    assert (after.application.version, after.application.goods_received) == (2, has_goods)
    assert after.on_silence is before.on_silence
    assert after.on_silence is (Silence.RIGHT_TO_INTERVENTION if has_goods else Silence.REFUND)


def test_a_pasted_amendment_says_what_the_buyer_has_said_of_its_goods() -> None:  # R10, G3
    story = Negotiation("shipped")
    asked = _for_part_of_the_price(goods_received=True)
    story.world.open(asked)
    story.rejects()

    offered = next(each for each in story.view.commands if each.name == "amend")

    assert json.loads(example(offered, story.view, asked))["goods_received"] is True


def _for_part_of_the_price(*, goods_received: bool) -> RefundRequest:
    return RefundRequest.model_validate(
        {
            "request_key": "k",
            "order_no": ORDER,
            "merchant_id": MERCHANT,
            "buyer_id": BUYER,
            "lines": one(5_000),
            "reason": RefundReason.PRICE_ADJUSTMENT,
            "goods_received": goods_received,
        }
    )


# N1, T15: where the goods are ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({}, None),
        ({"pieces": [{"line": "1", "quantity": 2}]}, None),
        ({"pieces": [{"line": "1", "quantity": 1}]}, ("not_all_of_it", "terms.pieces")),
        ({"parts": [{"line": "1", "sku": "charger"}]}, ("not_all_of_it", "terms.parts")),
    ],
)
def test_for_goods_that_the_merchant_has_all_pieces_are_sent_again_or_none(
    terms: dict[str, Any], refusal: tuple[str, str] | None
) -> None:  # N1, T15, C6
    story = Negotiation("shipped two")
    story.tell((*REFUSED_ON_RECEIPT, "0 open_dispute buyer"))

    assert why(story.proposes(kind="send_again", **terms)) == refusal


def test_a_part_that_was_proposed_is_not_agreed_on_once_the_goods_are_back_with_the_merchant() -> None:  # T15, R11
    story = Negotiation("shipped two")
    story.tell((*REFUSED_ON_RECEIPT, "0 send_back merchant", "0 open_dispute buyer"))
    proposed = story.proposes(kind="send_again", pieces=[{"line": "1", "quantity": 1}])
    story.turn("parcel 3 returned_to_warehouse")

    assert proposed is None
    assert why(story.accepts()) == ("not_all_of_it", "number")


def test_an_amount_for_goods_that_the_merchant_has_is_paid_also_while_they_are_disputed() -> None:  # N3, T15
    story = Negotiation("shipped")
    story.tell((*REFUSED_ON_RECEIPT, "0 open_dispute buyer"))

    assert story.view.stage is StageName.DISPUTED
    assert story.proposes(kind="another_amount", lines=one(15_000)) is None
    assert story.accepts() is None

    assert story.came_to is OutcomeKind.REFUNDED
    assert story.world.ledger.refunded("order/O-1") == 15_000
    pieces = story.world.book.cases[story.case("0")].pieces
    assert pieces
    assert pieces.use.value == "back", "nobody sends back again what the merchant has (R13)"


@pytest.mark.parametrize("kind", ["keep_goods", "refund_only"])
def test_the_buyer_cannot_keep_what_the_merchant_has(kind: str) -> None:  # N1, T15
    story = Negotiation("shipped")
    story.tell((*REFUSED_ON_RECEIPT, "0 open_dispute buyer"))
    lines = {"lines": one(15_000)} if kind == "keep_goods" else {}

    assert why(story.proposes(kind=kind, **lines)) == ("not_with_buyer", "terms.kind")


def test_nor_what_has_come_back_to_the_merchant_since_it_was_proposed() -> None:  # N1, T15
    story = Negotiation("shipped")
    story.tell((*REFUSED_ON_RECEIPT, "0 send_back merchant", "0 open_dispute buyer"))
    assert story.proposes(kind="keep_goods", lines=one(15_000)) is None
    story.turn("parcel 3 refused")

    assert why(story.accepts()) == ("not_with_buyer", "number")


def test_goods_are_not_to_come_back_for_their_freight_alone() -> None:  # N1, T1
    story = Negotiation("shipped freight")
    story.turn("open return freight")

    assert why(story.proposes(kind="another_amount", freight=500)) == ("nothing_sent_back", "terms.lines")
    assert story.proposes(kind="another_amount", lines=one(30_000), freight=500) is None


# N4: a merchant that has talked may reject ------------------------------------------------------------------


def test_proof_that_is_shown_late_does_not_take_the_rejection_from_the_merchant() -> None:  # N4
    story = Negotiation("shipped talks-first")
    story.turn("open refund")
    story.world.pass_time(hours=30)
    assert why(story.rejects()) == ("proposal_needed", "command")
    assert story.proposes(kind="more_proof", wanted="photo") is None
    story.world.pass_time(hours=17, minutes=59)
    assert story.accepts(shows=_EVIDENCE) is None

    assert story.rejects() is None
    assert story.view.stage is StageName.REJECTED


def test_where_nothing_can_be_proposed_no_proposal_is_demanded() -> None:  # N4, R13
    story = Negotiation("shipped free talks-first")
    story.tell(REFUSED_ON_RECEIPT)

    assert story.view.stage is StageName.RECEIPT_REJECTED


def test_where_something_can_be_proposed_one_is_demanded() -> None:  # N4
    story = Negotiation("shipped talks-first")
    story.tell(REFUSED_ON_RECEIPT)

    assert story.view.stage is StageName.RETURN_RECEIVED


def test_a_merchant_that_has_no_time_to_wait_for_an_answer_may_reject() -> None:  # N4, D3
    story = Negotiation("shipped talks-first")
    story.tell(REFUSED_ON_RECEIPT[:4])
    story.world.pass_time(hours=10 * 24 - 5)
    story.tell(("0 open_dispute buyer", "hurry 1", "1 resolve buyer"))

    assert [line.event for line in story.view.log[-2:]] == ["locked", "dispute_resolved"]
    assert story.rejects() is None


@pytest.mark.parametrize("world", ["shipped talks-first", "shipped talks-first-and-longer"])
@pytest.mark.parametrize("talks", [False, True])
def test_a_merchant_that_is_told_late_of_a_sign_off_may_reject(world: str, *, talks: bool) -> None:  # N4, T6
    """The time to inspect runs from the sign-off: what is left of it may be too short for a proposal to lapse."""
    story = Negotiation(world)
    story.tell(REFUSED_ON_RECEIPT[:3])
    signed_at = story.world.now + timedelta(hours=1)
    story.world.pass_time(days=9, hours=20)
    signed = CarrierEvent(key="late", parcel=PARCELS[0], event=ParcelEvent.SIGNED, happened_at=signed_at)
    story.world.carrier_tells(signed)
    assert story.view.stage is StageName.RETURN_RECEIVED
    assert story.view.due
    assert timedelta(0) < story.view.due - story.world.now < timedelta(hours=24)

    if talks:  # which the merchant may, and is not held to wait then
        assert story.proposes(kind="another_amount", lines=one(15_000)) is None
    assert story.rejects() is None
    assert story.view.stage is StageName.RECEIPT_REJECTED


def test_a_proposal_that_lengthens_the_stage_does_not_make_it_a_short_one() -> None:  # N2, N4
    story = Negotiation("shipped talks-first-and-longer")
    story.turn("open refund")
    story.world.pass_time(hours=40)
    assert story.proposes(kind="another_amount", lines=one(15_000)) is None
    lengthened = story.view.due
    story.turn("0 withdraw_proposal merchant")

    assert lengthened == story.world.now + timedelta(hours=24)
    assert why(story.rejects()) == ("proposal_needed", "command")


def test_about_each_version_a_merchant_may_make_the_proposal_that_it_needs() -> None:  # N4, R16
    story = Negotiation("shipped talks-first")
    story.turn("open refund")
    most = story.world.policy("talks-first")
    assert most
    for number in range(most.negotiation.most_proposals):
        assert story.proposes(kind="another_amount", lines=one(1_000 + number)) is None
    assert why(story.proposes(kind="another_amount", lines=one(500))) == ("too_many_proposals", "command")
    story.tell(("0 decline_proposal buyer", "0 reject merchant", "0 amend buyer"))

    assert why(story.rejects()) == ("proposal_needed", "command")
    assert story.proposes(kind="another_amount", lines=one(500)) is None
    assert why(story.proposes(kind="another_amount", lines=one(600))) == ("too_many_proposals", "command")
    story.turn("0 decline_proposal buyer")
    assert story.rejects() is None


# N3, D2: one dispute after another --------------------------------------------------------------------------


def test_each_dispute_learns_that_both_sides_have_agreed() -> None:  # N3, D2
    again = ("0 open_dispute buyer", "0 propose merchant send_again", "0 accept_proposal buyer")
    story = Negotiation("shipped")
    story.tell(("open refund", "0 reject merchant", *again, "0 reship merchant", *again))

    ended = [story.world.outcome(story.case(each)) for each in ("1", "2")]
    assert [each.outcome if each else None for each in ended] == [OutcomeKind.RESOLVED, OutcomeKind.RESOLVED]
    assert story.view.stage is StageName.RESEND


@pytest.mark.parametrize("world", ["shipped talks-first", "shipped talks-first free"])
@pytest.mark.parametrize(
    ("asked", "stage"),
    [("open return exchange", StageName.RESHIPMENT), ("open repair", StageName.REPAIRING)],
)
def test_no_merchant_must_offer_the_whole_price_before_it_rejects_what_came_in(
    asked: str, stage: StageName, world: str
) -> None:  # N4, T6, M3
    """Where all that can be proposed is all of the money, a buyer would accept, and have it for the wrong goods."""
    story = Negotiation(world)
    story.tell([asked, *REFUSED_ON_RECEIPT[1:-1]])
    assert story.view.stage is stage
    assert "reject" in {each.name for each in story.view.commands}
    assert "propose" in {each.name for each in story.view.commands}, "of its own accord it may (N1)"

    assert story.rejects() is None
    assert story.view.stage is StageName.RECEIPT_REJECTED


def test_a_merchant_that_has_agreed_to_money_instead_talks_before_it_rejects() -> None:  # N4, T9
    """What was an exchange is a return then, for which less can be proposed."""
    story = Negotiation("shipped talks-first")
    story.tell(["open return exchange", *REFUSED_ON_RECEIPT[1:3], "0 convert_to_refund buyer"])
    story.tell(["0 convert_to_refund merchant", "parcel 0 signed"])

    assert story.view.stage is StageName.RETURN_RECEIVED
    assert why(story.rejects()) == ("proposal_needed", "command")


def test_what_was_proposed_and_ends_with_the_stage_has_lapsed() -> None:  # N2, N4, N6
    """Nobody has decided: a merchant that then still may is not held to another proposal."""
    story = Negotiation("shipped cn-2026")
    story.tell(["open refund"])
    story.world.pass_time(hours=30)
    assert story.proposes(kind="keep_goods", lines=[{"line": "1", "quantity": 1, "amount": 100}]) is None
    assert story.view.talk.proposals[0].until == story.view.due

    story.turn("wait 0")

    notices = story.world.book.cases[story.case("0")].notices
    told = [(each.to.role, each.fields["how"]) for each in notices if each.template is NoticeTemplate.PROPOSAL_ENDED]
    assert story.view.stage is StageName.MERCHANT_OVERDUE
    assert [each.event for each in story.view.log if each.event.startswith("proposal_")] == ["proposal_lapsed"]
    assert set(told) == {(Role.BUYER, ProposalEnd.LAPSED), (Role.MERCHANT, ProposalEnd.LAPSED)}
    assert story.rejects() is None


def test_a_proposal_of_the_buyers_that_ends_with_the_stage_gives_the_merchant_nothing() -> None:  # N4
    story = Negotiation("shipped cn-2026")
    story.tell(["open refund"])
    story.world.pass_time(hours=30)
    story.tell(["0 propose buyer another_amount", "wait 0"])

    refused = story.rejects()

    assert refused
    assert refused.code == "proposal_needed"

"""A decision is bound to what was seen: however it crosses amendments, nothing else is paid (R11)."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activities.policies import Policies
from starter.interpreter.interpreter import Interpreter
from workflows.kinds.admission import accepted, open_commands
from workflows.kinds.examples import example as example_of
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Actor, buyer, merchant, officer
from workflows.messages.commands import (
    AcceptProposal,
    AcceptSettlement,
    AgreeReturn,
    Amend,
    Approve,
    Command,
    ConfirmProposal,
    ConfirmReceipt,
    ConvertToRefund,
    OfferSettlement,
    OpenDispute,
    PayOut,
    Propose,
    RefundDirectly,
    Reject,
    RejectReason,
    Rule,
)
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import CaseId
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.payouts import TenderKind
from workflows.messages.policy import DecisionPolicy, Policy
from workflows.messages.proposals import AnotherAmount, KeepGoods, Proposal
from workflows.messages.requests import (
    DisputeReason,
    LineAmount,
    MerchantRefundRequest,
    RefundReason,
    RefundRequest,
    ReturnRequest,
)
from workflows.messages.rulings import Award, Fault
from workflows.messages.seen import Deciding, Seen
from workflows.messages.stages import OutcomeKind, StageName
from workflows.rules.applications import refused_unseen

MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
MERCHANT, BUYER, OFFICER = merchant("M-1"), buyer("B-1"), officer("f-1")
EVIDENCE = (Evidence(uri="shop:pictures/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)
PAID = 10_000
SELLER_S_WORD: dict[str, Any] = {"reason": RejectReason.OTHER, "evidence": EVIDENCE}


def profile(*, required: bool) -> dict[str, Policy]:
    built_in = Policies().get("douyin")
    assert built_in
    refund = built_in.refund.model_copy(update={"most_applications": 20})
    decisions = DecisionPolicy(must_name_what_was_seen=required)
    return {"douyin": built_in.model_copy(update={"refund": refund, "decisions": decisions})}


def line(amount: int) -> tuple[LineAmount, ...]:
    return (LineAmount(line="1", quantity=1, amount=amount),)


REQUEST = RefundRequest(
    request_key="k-1",
    order_no="O-1",
    merchant_id="M-1",
    buyer_id="B-1",
    lines=line(3_000),
    reason=RefundReason.DAMAGED,
)


class Desk:
    """A case that is decided on by people who have looked at it some time ago."""

    def __init__(self, *, sends_back: bool = False, required: bool = True) -> None:
        self.interpreter = Interpreter(MONDAY, profile(required=required))
        self.interpreter.shop.orders["O-1"] = OrderFacts(
            order_no="O-1",
            marketplace="douyin",
            merchant_id="M-1",
            buyer_id="B-1",
            currency="CNY",
            lines=(OrderLine(line="1", sku="boots-42", quantity=1, paid=PAID),),
            freight=0,
            tenders=(Tender(tender="t1", kind=TenderKind.WALLET, paid=PAID),),
            paid_at=MONDAY - timedelta(days=2),
            shipped_at=MONDAY - timedelta(days=1),
        )
        said = REQUEST.model_dump()
        self.case = self.interpreter.open(ReturnRequest.model_validate(said) if sends_back else REQUEST)
        self.known: dict[CaseId, Seen] = {}
        """What was seen when somebody last looked."""
        self.shown: dict[CaseId, tuple[Proposal, ...]] = {}
        """The proposals that were open then."""
        self.accepted: dict[str, Proposal] = {}
        """By the key of each acceptance that was sent, the proposal as it was shown."""
        self.named: dict[str, Seen] = {}
        """By the key of each decision that was sent, what it was about."""
        self._keys = 0

    def look(self, case: CaseId | None = None) -> None:
        """Everybody looks at the case."""
        view = self.interpreter.view(case or self.case)
        assert view.seen
        self.known[case or self.case] = view.seen
        self.shown[case or self.case] = view.talk.proposals

    def send(self, kind: type[Command], by: Actor, case: CaseId | None = None, **fields: Any) -> None:
        """Have the case given a command, together with others that it has not looked at yet."""
        case = case or self.case
        self._keys += 1
        key = f"c-{self._keys}"
        if issubclass(kind, Deciding):
            if case not in self.known:
                self.look(case)
            fields["expects"] = self.known[case]
            self.named[key] = self.known[case]
        if kind is AcceptProposal:
            shown = next((each for each in self.shown[case] if each.by.role is not by.role), None)
            fields["number"] = shown.number if shown else 99
            self.accepted |= {key: shown} if shown else {}
        self.interpreter.hand_on(case, kind.model_validate({"key": key, "by": by, **fields}))

    def settle(self) -> None:
        """Let the cases look at what they were given."""
        self.interpreter.pass_time(seconds=0)

    def decided_on(self) -> list[tuple[Seen, Seen]]:
        """Of each decision that was carried out: what it named, and what was asked for at that moment."""
        found: list[tuple[Seen, Seen]] = []
        for case in self.interpreter.cases():
            asked = Seen(version=1, amount=0)
            for entry in self.interpreter.log(case):
                if entry.command_key in self.named and entry.event == "proposal_accepted":  # on what was asked before
                    found.append((self.named[entry.command_key], asked))
                if entry.event in ("opened", "amended", "proposal_accepted"):
                    version, amount = entry.facts["version"], entry.facts["amount"]
                    asked = Seen.model_validate({"version": version, "amount": amount})
                if entry.command_key in self.named and entry.event != "proposal_accepted":
                    found.append((self.named[entry.command_key], asked))
        return found

    def agreed_on(self) -> list[tuple[Proposal | None, dict[str, str | int]]]:
        """Of each acceptance that was carried out: the proposal as it was shown, and what the log says of it."""
        entries = [each for case in self.interpreter.cases() for each in self.interpreter.log(case)]
        return [
            (self.accepted.get(each.command_key), each.facts) for each in entries if each.event == "proposal_accepted"
        ]


def _amend(desk: Desk, amount: int) -> None:
    desk.send(Amend, BUYER, lines=line(amount), reason=RefundReason.DAMAGED)


def _approve(desk: Desk, _: int) -> None:
    desk.send(Approve, MERCHANT)


def _in_dispute(kind: type[Command], by: Actor, **fields: Any) -> Callable[[Desk, int], None]:
    def send(desk: Desk, amount: int) -> None:
        for case in desk.interpreter.cases()[1:]:
            given = {"lines": line(amount)} if kind is OfferSettlement else fields
            given = {"amount": amount} if kind is AcceptSettlement else given
            desk.send(kind, by, case, **given)

    return send


def _propose(by: Actor) -> Callable[[Desk, int], None]:
    def send(desk: Desk, amount: int) -> None:
        terms = KeepGoods(lines=line(700)) if amount == 1_000 else AnotherAmount(lines=line(amount + 7))
        desk.send(Propose, by, terms=terms)

    return send


def _everybody_looks(desk: Desk, _: int) -> None:
    for case in desk.interpreter.cases():
        desk.look(case)


TURNS: dict[str, Callable[[Desk, int], None]] = {
    "look": _everybody_looks,
    "amend": _amend,
    "approve": _approve,
    "reject": lambda desk, _: desk.send(Reject, MERCHANT, **SELLER_S_WORD),
    "agree": lambda desk, _: desk.send(AgreeReturn, MERCHANT),
    "refund directly": lambda desk, _: desk.send(RefundDirectly, MERCHANT),
    "confirm receipt": lambda desk, _: desk.send(ConfirmReceipt, MERCHANT),
    "dispute": lambda desk, _: desk.send(OpenDispute, BUYER, reason=DisputeReason.REFUND_REJECTED),
    "propose": _propose(MERCHANT),
    "propose back": _propose(BUYER),
    "take": lambda desk, _: desk.send(AcceptProposal, BUYER),
    "take as merchant": lambda desk, _: desk.send(AcceptProposal, MERCHANT),
    "offer": _in_dispute(OfferSettlement, MERCHANT),
    "accept": _in_dispute(AcceptSettlement, BUYER),
    "rule": _in_dispute(Rule, OFFICER, fault=Fault.MERCHANT, refund=Award.FULL, reason="so_it_is"),
    "settle": lambda desk, _: desk.settle(),
}

AMOUNTS = st.sampled_from([1_000, 3_000, 7_000])
TURN = st.tuples(st.sampled_from(sorted(TURNS)), AMOUNTS)
STALE = [("look", 0), ("reject", 0), ("settle", 0), ("amend", 7_000)]
"""The merchant has seen a small amount, and the buyer asks for a larger one."""
PROPOSED = [("propose", 3_000), ("settle", 0), ("look", 0)]
"""Both sides have seen what the merchant proposes."""


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.lists(TURN, max_size=14))
@example(False, [*STALE, ("settle", 0), ("approve", 0)])
@example(False, [*STALE, ("approve", 0)])
@example(True, [*STALE, ("settle", 0), ("refund directly", 0)])
@example(True, [*STALE, ("agree", 0), ("settle", 0), ("confirm receipt", 0)])
@example(False, [*PROPOSED, ("take", 0)])
@example(False, [*PROPOSED, ("propose", 1_000), ("settle", 0), ("take", 0)])
@example(False, [*PROPOSED, ("propose", 1_000), ("take", 0)])
@example(False, [*PROPOSED, ("propose back", 7_000), ("approve", 0), ("take", 0)])
def test_nothing_is_paid_that_whoever_decided_had_not_seen(sends_back: bool, turns: Sequence[tuple[str, int]]) -> None:
    desk = Desk(sends_back=sends_back)

    for turn, amount in turns:
        TURNS[turn](desk, amount)
    desk.settle()

    decided = desk.decided_on()
    assert all(named == asked for named, asked in decided), "a decision was about something else"
    agreed = desk.agreed_on()
    for shown, told in agreed:  # N3
        assert shown, "nobody had seen what was accepted"
        assert (told["number"], told["amount"]) == (shown.number, shown.amount)
    paid = desk.interpreter.ledger.refunded("order/O-1")
    by_decisions = [named.amount for named, _ in decided]
    by_agreement = [shown.amount or 0 for shown, _ in agreed if shown]
    assert paid <= max((*by_decisions, *by_agreement), default=0)
    if agreed and desk.interpreter.outcome(desk.case):
        assert paid <= by_agreement[-1], "what was agreed on is what is paid"


def test_a_decision_on_what_is_asked_for_now_is_carried_out() -> None:  # R11
    desk = Desk()
    for turn, amount in [*STALE, ("settle", 0), ("look", 0), ("approve", 0), ("settle", 0)]:
        TURNS[turn](desk, amount)

    assert desk.interpreter.ledger.refunded("order/O-1") == 7_000
    outcome = desk.interpreter.outcome(desk.case)
    assert outcome
    assert outcome.outcome is OutcomeKind.REFUNDED


def test_a_stale_decision_is_refused_with_the_reason_and_changes_nothing() -> None:  # R11
    desk = Desk(required=False)
    for turn, amount in [*STALE, ("settle", 0)]:
        TURNS[turn](desk, amount)
    before = desk.interpreter.view(desk.case)

    stale = Approve(key="late", by=MERCHANT, expects=Seen(version=1, amount=3_000))
    refused = desk.interpreter.act(desk.case, stale)

    assert refused
    assert (refused.code, refused.field, refused.rule) == ("application_changed", "expects.version", "R11")
    assert desk.interpreter.view(desk.case) == before
    assert before.seen == Seen(version=2, amount=7_000)


def test_a_profile_can_demand_it_and_else_a_decision_may_be_about_whatever_is_asked() -> None:  # R11
    strict, lenient = Desk(required=True), Desk(required=False)

    refused = strict.interpreter.act(strict.case, Approve(key="a", by=MERCHANT))

    assert refused
    assert (refused.code, refused.field) == ("expectation_missing", "expects")
    assert lenient.interpreter.act(lenient.case, Approve(key="a", by=MERCHANT)) is None


def test_a_case_without_an_application_of_a_buyer_is_decided_on_at_version_1() -> None:  # R11, R9
    desk = Desk()
    request = MerchantRefundRequest(
        request_key="own",
        order_no="O-1",
        merchant_id="M-1",
        lines=line(PAID),
        reason=RefundReason.OUT_OF_STOCK,
    )
    at_once = profile(required=True)["douyin"].merchant_refund.model_copy(update={"at_once_up_to": 0})
    policy = profile(required=True)["douyin"].model_copy(update={"merchant_refund": at_once})
    desk.interpreter.policies["douyin"] = policy
    case = desk.interpreter.open(request)

    other = desk.interpreter.act(case, Approve(key="a", by=OFFICER, expects=Seen(version=1, amount=PAID - 1)))
    approved = desk.interpreter.act(case, Approve(key="b", by=OFFICER, expects=Seen(version=1, amount=PAID)))

    assert other
    assert (other.code, other.field) == ("application_changed", "expects.amount")
    assert approved is None


@pytest.mark.parametrize(
    ("expects", "required", "code"),
    [
        (None, False, None),
        (None, True, "expectation_missing"),
        (Seen(version=2, amount=500), True, None),
        (Seen(version=1, amount=500), False, "application_changed"),
        (Seen(version=3, amount=500), False, "application_changed"),
        (Seen(version=2, amount=499), False, "application_changed"),
        (Seen(version=2, amount=501), False, "application_changed"),
    ],
)
def test_only_what_is_asked_for_now_can_be_decided_on(expects: Seen | None, required: bool, code: str | None) -> None:
    refused = refused_unseen(expects, 2, 500, required=required)

    assert (refused.code if refused else None) == code


def test_who_decides_on_what_is_asked_for_can_name_what_was_seen() -> None:  # R11
    taken = {each for stage in STAGES.values() for each in accepted(stage) if issubclass(each, Deciding)}

    assert taken == {
        Approve,
        Reject,
        AgreeReturn,
        RefundDirectly,
        ConfirmReceipt,
        ConvertToRefund,
        PayOut,
        AcceptSettlement,
        Propose,
        AcceptProposal,
        Rule,
        ConfirmProposal,
    }


def test_what_operators_paste_carries_what_their_page_shows() -> None:  # R11, R10
    desk = Desk()
    for turn, amount in [*STALE, ("settle", 0)]:
        TURNS[turn](desk, amount)
    view = desk.interpreter.view(desk.case)
    rejected = view.model_copy(update={"stage": StageName.REJECTED})
    amend = next(each for each in open_commands(STAGES[StageName.REJECTED]) if each.name == "amend")

    pasted = {each.name: json.loads(example_of(each, view, REQUEST)) for each in view.commands}

    assert pasted["approve"]["expects"] == pasted["reject"]["expects"] == {"version": 2, "amount": 7_000}
    assert "expects" not in pasted["submit_evidence"]
    assert json.loads(example_of(amend, rejected, REQUEST))["lines"] == [{"line": "1", "quantity": 1, "amount": 7_000}]

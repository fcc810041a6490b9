"""What a dispute may come to, and what fits the claim (D2, D4, D5, D6, D8)."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from workflows.messages.actors import Actor
from workflows.messages.cases import Refusal
from workflows.messages.commands import AcceptProposal, AcceptSettlement, OfferSettlement, Rule
from workflows.messages.policy import DisputePolicy
from workflows.messages.requests import DisputeRequest
from workflows.messages.rulings import Award, Fault, FreightBearer, Ruling, Verdict
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.messages.statements import EvidenceGiven
from workflows.rules.evidence import submitted_facts
from workflows.rules.refusals import refused

DISPUTABLE = frozenset(
    {
        CaseKind.UNSHIPPED_REFUND,
        CaseKind.SHIPPED_REFUND,
        CaseKind.CANCELLATION,
        CaseKind.RETURN,
        CaseKind.EXCHANGE,
        CaseKind.PRICE_PROTECTION,
        CaseKind.RESEND,
        CaseKind.REPAIR,
        CaseKind.LATE_SHIPMENT,
    }
)
"""Kinds of case that the buyer may dispute: those that it asked for (D1), and claims for late shipment (L5)."""

DECIDED = frozenset(
    {
        StageName.AWAITING_ACCOUNT,
        StageName.PAYING,
        StageName.AWAITING_ROOM,
        StageName.ROOM_OVERDUE,
        StageName.SETTLING,
        StageName.PAYMENT_ATTENTION,
        StageName.CLOSED,
    }
)
"""Stages in which a case has been decided: a dispute no longer stops what is being paid (section 11)."""

STANDS_STILL = frozenset({StageName.DISPUTED, StageName.LOCKED})
"""Stages in which the clock of the one before stands still, and what is left of it is kept (D3)."""

FINAL = frozenset(OutcomeKind) - {OutcomeKind.RESOLVED, OutcomeKind.REFUSED, OutcomeKind.CLOSED_BY_OFFICER}
"""Ends of a dispute after which the same case cannot be disputed again: the platform, or both sides, decided."""


def refused_dispute(
    stage: StageName,
    closed_at: datetime | None,
    earlier: Iterable[OutcomeKind | None],
    at: datetime,
    policy: DisputePolicy,
) -> Refusal | None:
    """Why a case in ``stage``, ended at ``closed_at``, cannot be disputed apart from it at ``at``, or None (D1).

    ``earlier`` has the outcomes of other disputes about it, None for an open one.
    """
    if stage not in DECIDED:
        return refused("case_open", "about", "D1", "the case is open: send open_dispute to it")
    if closed_at and at > closed_at + timedelta(days=policy.window_days):
        return refused("window_over", "about", "D1", f"a case can be disputed for {policy.window_days} days")
    outcomes = set(earlier)
    if None in outcomes:
        return refused("dispute_open", "about", "D1", "a dispute about this case is open")
    if outcomes & FINAL:
        return refused("ruled_before", "about", "D8", "this case has been ruled on")
    return None


def refused_matter(
    request: DisputeRequest, kind: CaseKind | None, outcome: OutcomeKind | None, owed: int
) -> Refusal | None:
    """L5: a claim for late shipment is disputed about what it owed, in minor units, once it was answered; or None."""
    if kind is not CaseKind.LATE_SHIPMENT:
        if not request.compensation:
            return None
        return refused("no_compensation", "compensation", "L5", "the case is no claim for late shipment")
    if outcome is not OutcomeKind.EXEMPT:
        return refused("not_answered", "about", "L5", "only a claim that was answered as exempt or disproved")
    if request.compensation != request.amount:
        return refused("no_refund", "lines", "L5", "a claim for late shipment is about compensation alone (L3)")
    if request.compensation > owed:
        return refused("amount_too_high", "compensation", "L5", f"late shipment owes {owed}")
    return None


def ruling_key(dispute: str) -> str:
    """The key under which a dispute tells its case how it has ended: the same however often it does."""
    return f"ruled-{hashlib.sha256(dispute.encode()).hexdigest()[:32]}"


def intervention_key(dispute_id: str) -> str:
    """The key under which a dispute tells its case that the platform has stepped in, and the case knows it by (D3)."""
    return f"intervened-{hashlib.sha256(dispute_id.encode()).hexdigest()[:32]}"


def resolved(by: Actor, reason: str) -> Ruling:
    """Nobody is at fault and nothing is paid: the parties have ended it themselves (D2)."""
    return Ruling(verdict=Verdict.RESOLVED, fault=Fault.NOBODY, award=Award.NOTHING, reason=reason, by=by)


def settled(offer: OfferSettlement, accepted: AcceptSettlement | AcceptProposal) -> Ruling:
    """What one side offered and the other accepted; nobody is at fault (D2, N3)."""
    return Ruling(
        verdict=Verdict.SETTLED,
        fault=Fault.NOBODY,
        award=Award.PARTIAL,
        lines=offer.lines,
        freight=offer.freight,
        compensation=offer.compensation,
        reason="settled_by_the_parties",
        by=accepted.by,
    )


def upheld(claim: DisputeRequest, by: Actor) -> Ruling:
    """What the merchant's silence comes to: all of the claim, its fault, and the freight (D4, D5)."""
    return Ruling(
        verdict=Verdict.UPHELD,
        fault=Fault.MERCHANT,
        award=Award.FULL,
        lines=claim.lines,
        freight=claim.freight,
        compensation=claim.compensation,
        return_freight=FreightBearer.MERCHANT,
        reason="merchant_silent",
        by=by,
    )


def ruled(command: Rule, claim: DisputeRequest) -> Ruling:
    """An officer's decision, with what it gives in all (D8)."""
    match command.refund:
        case Award.FULL:
            lines, freight, compensation = claim.lines, claim.freight, claim.compensation
        case Award.PARTIAL:
            lines, freight, compensation = command.lines, command.freight, command.compensation
        case Award.NOTHING:
            lines, freight, compensation = (), 0, 0
    return Ruling(
        verdict=Verdict.RULED,
        fault=command.fault,
        award=command.refund,
        lines=lines,
        freight=freight,
        compensation=compensation,
        return_freight=command.return_freight,
        reason=command.reason,
        by=command.by,
    )


def refused_ruling(command: Rule, claim: DisputeRequest) -> Refusal | None:
    """Why a ruling does not fit the claim, or None (D8)."""
    return _beyond(command, claim, "D8")


def refused_offer(offer: OfferSettlement, claim: DisputeRequest) -> Refusal | None:
    """Why an offer does not fit the claim, or None (D2)."""
    return _beyond(offer, claim, "D2")


def refused_acceptance(command: AcceptSettlement, offer: OfferSettlement | None) -> Refusal | None:
    """Only the offer that stands can be accepted (D2)."""
    if offer is None:
        return refused("no_offer", "command", "D2", "the merchant has offered nothing")
    if command.amount != offer.amount:
        return refused("offer_changed", "amount", "D2", f"the offer that stands is {offer.amount}")
    return None


def refused_evidence_after_final() -> Refusal:
    """Who has said its final word has no more to say before the deadline (D6)."""
    return refused("said_finally", "command", "D6", "you have given your evidence finally")


def given_facts(given: EvidenceGiven) -> dict[str, str | int]:
    """What the case log tells of evidence: whose, how it counts, and where a statement is kept (D4)."""
    return {"standing": "late" if given.late else "final" if given.final else "draft", **submitted_facts(given)}


def _beyond(given: Rule | OfferSettlement, claim: DisputeRequest, rule: str) -> Refusal | None:
    claimed = {each.line: each for each in claim.lines}
    for number, each in enumerate(given.lines):
        on_line = claimed.pop(each.line, None)
        most = on_line.amount if on_line else 0
        if on_line is None or each.amount > most:
            return refused("beyond_claim", f"lines.{number}.amount", rule, f"{most} is claimed on this line")
        if each.quantity > on_line.quantity:  # R13
            explanation = f"{on_line.quantity} pieces are claimed on this line"
            return refused("beyond_claim", f"lines.{number}.quantity", rule, explanation)
    if given.compensation > claim.compensation:
        return refused("beyond_claim", "compensation", rule, f"{claim.compensation} of compensation is claimed")
    if given.freight > claim.freight:
        return refused("beyond_claim", "freight", rule, f"{claim.freight} of freight is claimed")
    return None

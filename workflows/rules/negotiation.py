"""What may be proposed where, and what a proposal must fit (N1, N4, R13)."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.commands import OfferSettlement
from workflows.messages.orders import OrderFacts
from workflows.messages.pieces import LineQuantity
from workflows.messages.policy import NegotiationPolicy
from workflows.messages.proposals import (
    AnotherAmount,
    AnotherCompensation,
    KeepGoods,
    MoreProof,
    Proposal,
    ProposalKind,
    RefundInstead,
    ReturnInstead,
    SendAgain,
    Terms,
)
from workflows.messages.requests import Application, LineAmount
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.refusals import refused
from workflows.rules.shipping import refused_unsent

_OTHER_THAN_REFUND: Final = frozenset(
    {
        ProposalKind.AMOUNT,
        ProposalKind.KEEP_GOODS,
        ProposalKind.RETURN,
        ProposalKind.SEND_AGAIN,
        ProposalKind.MORE_PROOF,
    }
)
_OTHER_THAN_RETURN: Final = frozenset(
    {
        ProposalKind.AMOUNT,
        ProposalKind.KEEP_GOODS,
        ProposalKind.REFUND,
        ProposalKind.SEND_AGAIN,
        ProposalKind.MORE_PROOF,
    }
)
_OTHER_THAN_EXCHANGE: Final = frozenset(
    {
        ProposalKind.RETURN,
        ProposalKind.KEEP_GOODS,
        ProposalKind.REFUND,
        ProposalKind.SEND_AGAIN,
        ProposalKind.MORE_PROOF,
    }
)
_OTHER_THAN_RESEND: Final = frozenset({ProposalKind.REFUND, ProposalKind.KEEP_GOODS, ProposalKind.MORE_PROOF})
_TOO_LATE: Final = frozenset({ProposalKind.MORE_PROOF})
"""What is not for a case that is disputed, or whose merchant has let its time go by: evidence is given there (D6)."""

_AMOUNT_ALONE: Final = frozenset({ProposalKind.AMOUNT})
_MONEY_INSTEAD: Final = frozenset({ProposalKind.RETURN})

OPEN_TERMS: Final[Mapping[tuple[CaseKind, StageName], frozenset[ProposalKind]]] = {
    (CaseKind.UNSHIPPED_REFUND, StageName.MERCHANT_REVIEW): _AMOUNT_ALONE,
    (CaseKind.SHIPPED_REFUND, StageName.SHIPPED_REVIEW): _OTHER_THAN_REFUND,
    (CaseKind.SHIPPED_REFUND, StageName.REJECTED): _OTHER_THAN_REFUND,
    (CaseKind.SHIPPED_REFUND, StageName.MERCHANT_OVERDUE): _OTHER_THAN_REFUND - _TOO_LATE,
    (CaseKind.SHIPPED_REFUND, StageName.DISPUTED): _OTHER_THAN_REFUND - _TOO_LATE,
    (CaseKind.RETURN, StageName.RETURN_REVIEW): _OTHER_THAN_RETURN,
    (CaseKind.RETURN, StageName.REJECTED): _OTHER_THAN_RETURN,
    (CaseKind.RETURN, StageName.MERCHANT_OVERDUE): _OTHER_THAN_RETURN - _TOO_LATE,
    (CaseKind.RETURN, StageName.DISPUTED): _OTHER_THAN_RETURN - _TOO_LATE,
    (CaseKind.RETURN, StageName.RETURN_RECEIVED): _AMOUNT_ALONE,
    (CaseKind.RETURN, StageName.RECEIPT_REJECTED): _AMOUNT_ALONE,
    (CaseKind.EXCHANGE, StageName.RETURN_REVIEW): _OTHER_THAN_EXCHANGE,
    (CaseKind.EXCHANGE, StageName.REJECTED): _OTHER_THAN_EXCHANGE,
    (CaseKind.EXCHANGE, StageName.MERCHANT_OVERDUE): _OTHER_THAN_EXCHANGE - _TOO_LATE,
    (CaseKind.EXCHANGE, StageName.DISPUTED): _OTHER_THAN_EXCHANGE - _TOO_LATE,
    (CaseKind.EXCHANGE, StageName.RESHIPMENT): _MONEY_INSTEAD,
    (CaseKind.EXCHANGE, StageName.RESHIP_OVERDUE): _MONEY_INSTEAD,
    (CaseKind.REPAIR, StageName.REPAIR_REVIEW): _OTHER_THAN_EXCHANGE,
    (CaseKind.REPAIR, StageName.REJECTED): _OTHER_THAN_EXCHANGE,
    (CaseKind.REPAIR, StageName.MERCHANT_OVERDUE): _OTHER_THAN_EXCHANGE - _TOO_LATE,
    (CaseKind.REPAIR, StageName.DISPUTED): _OTHER_THAN_EXCHANGE - _TOO_LATE,
    (CaseKind.REPAIR, StageName.REPAIRING): _MONEY_INSTEAD,
    (CaseKind.REPAIR, StageName.REPAIR_OVERDUE): _MONEY_INSTEAD,
    (CaseKind.RESEND, StageName.RESEND_REVIEW): _OTHER_THAN_RESEND,
    (CaseKind.RESEND, StageName.REJECTED): _OTHER_THAN_RESEND,
    (CaseKind.RESEND, StageName.MERCHANT_OVERDUE): _OTHER_THAN_RESEND - _TOO_LATE,
    (CaseKind.RESEND, StageName.DISPUTED): _OTHER_THAN_RESEND - _TOO_LATE,
    (CaseKind.RESEND, StageName.RESEND): _OTHER_THAN_RESEND - _TOO_LATE,
    (CaseKind.RESEND, StageName.RESEND_OVERDUE): _OTHER_THAN_RESEND - _TOO_LATE,
    (CaseKind.RESEND, StageName.RESEND_FAILED): _OTHER_THAN_RESEND - _TOO_LATE,
    (CaseKind.LATE_SHIPMENT, StageName.CLAIM_REVIEW): frozenset({ProposalKind.COMPENSATION}),
    (CaseKind.DISPUTE, StageName.NEGOTIATION): frozenset({ProposalKind.AMOUNT, ProposalKind.COMPENSATION}),
}
"""What may be proposed, by the kind of a case and its stage (N1)."""


def amount_of(terms: Terms, asked: int) -> int | None:
    """What is paid at most if a proposal is accepted, in minor units; None where no money moves by that.

    ``asked`` is all that is asked for.
    """
    match terms:
        case AnotherAmount() | KeepGoods():
            return terms.amount
        case AnotherCompensation():
            return terms.amount
        case ReturnInstead() | RefundInstead():
            return asked
        case SendAgain() | MoreProof():
            return None


def as_offer(terms: Terms, key: str, by: Actor) -> OfferSettlement:
    """What would end a dispute, as an offer of the one who proposes it (D2, L5).

    Raises:
        ValueError: a dispute is not settled by such terms.
    """
    match terms:
        case AnotherAmount():
            return OfferSettlement.made_of(key=key, by=by, lines=terms.lines, freight=terms.freight)
        case AnotherCompensation():
            return OfferSettlement.made_of(key=key, by=by, compensation=terms.amount)
        case _:
            raise ValueError("a dispute is settled by an amount")


def terms_facts(terms: Terms) -> dict[str, str | int]:
    """A proposal's terms for the case log: amounts in minor units, lines as in ``version_facts``."""
    match terms:
        case AnotherAmount() | KeepGoods():
            lines = " ".join(f"{each.line}:{each.quantity}:{each.amount}" for each in terms.lines)
            return {"lines": lines, **({"freight": terms.freight} if terms.freight else {})}
        case SendAgain():
            pieces = " ".join(f"{each.line}:{each.quantity}" for each in terms.pieces)
            parts = " ".join(f"{each.line}:{each.sku}" for each in terms.parts)
            return {**({"pieces": pieces} if pieces else {}), **({"parts": parts} if parts else {})}
        case MoreProof():
            return {"wanted": terms.wanted}
        case _:
            return {}


def refused_kind(terms: Terms, by: Actor, kind: CaseKind, stage: StageName) -> Refusal | None:
    """Why such terms cannot be proposed in this stage, or by this side; or None (N1)."""
    open_terms = OPEN_TERMS.get((kind, stage), frozenset())
    if terms.kind not in open_terms:
        names = ", ".join(sorted(open_terms)) or "nothing"
        return refused("terms_not_open", "terms.kind", "N1", f"in stage {stage} can be proposed: {names}")
    if isinstance(terms, MoreProof) and by.role is not Role.MERCHANT:
        return refused("terms_not_open", "terms.kind", "N1", "more proof is for the merchant to ask for")
    return None


def refused_terms(
    terms: Terms, application: Application, order: OrderFacts, *, comes_back: bool = False, held: bool = False
) -> Refusal | None:
    """Why terms do not fit what is asked for, or None: pieces that it does not name are another application's (N1).

    ``comes_back``: goods are to come back for the amount. ``held``: the merchant has them, so that they cannot stay
    with the buyer, and what it pays, or sends for them, is for all of them (T15).
    """
    match terms:
        case KeepGoods() | RefundInstead() if held:
            explanation = "the merchant has the goods, so the buyer cannot keep them: propose an amount for all of them"
            return refused("not_with_buyer", "terms.kind", "T15", explanation)
        case AnotherAmount() if held and _pieces(terms.lines) != _pieces(application.lines):
            explanation = "the merchant has the goods: the amount must name all pieces that came back"
            return refused("not_all_of_it", "terms.lines", "T15", explanation)
        case SendAgain() if held and (
            terms.parts or _pieces(terms.pieces or application.lines) != _pieces(application.lines)
        ):
            explanation = "the merchant has the goods: whole pieces must be sent for all that came back"
            field = "terms.parts" if terms.parts else "terms.pieces"
            return refused("not_all_of_it", field, "T15", explanation)
        case AnotherAmount() if comes_back and not terms.lines:
            explanation = "what is sent back must be named; freight alone goes with goods that the buyer keeps"
            return refused("nothing_sent_back", "terms.lines", "T1", explanation)
        case AnotherAmount() | KeepGoods():
            return _refused_amounts(terms, application)
        case ReturnInstead() | SendAgain() if not application.lines:
            return refused("nothing_sent_back", "terms.kind", "N1", "the freight alone is asked for, and no goods")
        case ReturnInstead():
            return refused_unsent(application.lines, order)
        case SendAgain():
            return _refused_pieces(terms.pieces, application.lines) or _refused_parts(terms, application)
        case _:
            return None


def _refused_amounts(terms: AnotherAmount | KeepGoods, application: Application) -> Refusal | None:
    if not terms.amount:
        return refused("nothing_offered", "terms.lines", "N1", "an amount on a line, or freight, must be proposed")
    if len({each.line for each in terms.lines}) != len(terms.lines):
        return refused("line_twice", "terms.lines", "N1", "a line stands more than once in the proposal")
    if (set(terms.lines), terms.freight) == (set(application.lines), application.freight):
        return refused("nothing_else", "terms.lines", "N1", "this is what is asked for: agree to that")
    if isinstance(terms, KeepGoods) and not terms.lines:
        return refused("nothing_kept", "terms.lines", "N1", "the goods that the buyer keeps must be named")
    if isinstance(terms, KeepGoods) and terms.amount >= application.amount:
        return refused("not_a_part", "terms.lines", "N1", f"a part of {application.amount} must be proposed")
    pieces = [LineQuantity(line=each.line, quantity=each.quantity) for each in terms.lines]
    return _refused_pieces(pieces, application.lines)


def refused_compensation(terms: AnotherCompensation, owed: int) -> Refusal | None:
    """Why so much cannot be agreed on for late shipment, or None (L1)."""
    if terms.amount < owed:
        return None
    return refused("beyond_claim", "terms.amount", "L1", f"less than the {owed} that is owed can be agreed on")


def _pieces(lines: Iterable[LineAmount | LineQuantity]) -> dict[str, int]:
    return {each.line: each.quantity for each in lines}


def _refused_pieces(pieces: Iterable[LineQuantity], asked: Iterable[LineAmount]) -> Refusal | None:
    named = {each.line: each.quantity for each in asked}
    for number, each in enumerate(pieces):
        if each.line not in named:
            return refused("other_line", f"terms.lines.{number}.line", "N1", f"line {each.line} is not asked about")
        if not 1 <= each.quantity <= named[each.line]:
            explanation = f"{named[each.line]} pieces of line {each.line} are asked about"
            return refused("quantity_too_high", f"terms.lines.{number}.quantity", "R13", explanation)
    return None


def _refused_parts(terms: SendAgain, application: Application) -> Refusal | None:
    """C6: of which pieces parts are sent must be clear, for the others stay as they are."""
    lines = {each.line for each in terms.pieces or application.lines}
    if not terms.parts or {each.line for each in terms.parts} == lines:
        return None
    return refused("part_missing", "terms.parts", "C6", "each line needs its part, or none does")


def refused_answer(number: int, by: Actor, proposals: Iterable[Proposal], *, own: bool) -> Refusal | None:
    """Why the proposal of this number cannot be answered, or with ``own`` taken back, by this actor; or None (R11)."""
    mine = {each.number for each in proposals if (each.by.role is by.role) is own}
    if number in mine:
        return None
    whose = "of yours" if own else "of the other side"
    open_ones = ", ".join(str(each) for each in sorted(mine)) or "none"
    explanation = f"no proposal {number} {whose} is open; open: {open_ones}"
    return refused("proposal_not_open", "number", "N1", explanation)


def refused_more(made: int, most: int, what: str) -> Refusal | None:
    """Why one side cannot send more of it, or None (R16)."""
    if made < most:
        return None
    return refused(f"too_many_{what}", "command", "R16", f"a case takes {most} {what} from one side")


def is_proposable(kind: CaseKind, stage: StageName, asked: int, least: int) -> bool:
    """Whether anything can be proposed instead of what is asked for: of the smallest amount there is none less (N4).

    ``asked`` is all that is asked for, ``least`` the smallest amount that is paid (X6), in minor units.
    """
    return OPEN_TERMS[kind, stage] != _AMOUNT_ALONE or asked > least


def rejects_after_talk(kind: CaseKind, stage: StageName) -> bool:
    """Whether a rejection here may have to come after a proposal (N4).

    One that proves that the goods have left never has to (R1). Nor has one where nothing but all of the money can be
    proposed: a merchant that may reject what came in for an exchange (T6) would have to offer the whole price first.
    """
    terms = OPEN_TERMS.get((kind, stage), _MONEY_INSTEAD)
    return terms != _MONEY_INSTEAD and stage is not StageName.MERCHANT_REVIEW


def refused_rejection(
    version: int, in_vain: int, policy: NegotiationPolicy, *, lasts: timedelta | None, proposable: bool
) -> Refusal | None:
    """Why the merchant cannot reject yet, or None (N4).

    A merchant is not held to what it cannot do: in a stage that ``lasts`` no longer than a proposal stands, from when
    the merchant could act in it, nothing can lapse; and there may be nothing ``proposable``.
    """
    if not policy.rejection_needs_proposal or in_vain >= version or not proposable:
        return None
    if lasts is not None and lasts <= timedelta(hours=policy.answer_hours):
        return None
    explanation = "the profile demands a proposal first: reject once it has lapsed or the buyer has refused it"
    return refused("proposal_needed", "command", "N4", explanation)

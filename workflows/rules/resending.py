"""What is sent again: which pieces, or what of them (C1, C6)."""

from collections.abc import Iterable

from workflows.messages.cases import Refusal
from workflows.messages.commands import Amend
from workflows.messages.pieces import CasePieces, PieceUse
from workflows.messages.proposals import SendAgain
from workflows.messages.requests import Application, PartOfPiece
from workflows.rules.pieces import named
from workflows.rules.refusals import refused


def agreed_pieces(terms: SendAgain, application: Application) -> CasePieces:
    """What both sides have agreed to be sent again (N3): pieces, or parts of them, of what is asked about."""
    agreed = {each.line: each.quantity for each in terms.pieces}
    lines = [
        each.model_copy(
            update={"quantity": pieces, "amount": max(each.amount * pieces // each.quantity, bool(each.amount))}
        )
        for each in application.lines
        if (pieces := agreed.get(each.line, 0) if agreed else each.quantity)
    ]
    return named(lines, PieceUse.RESEND_PART if terms.parts else PieceUse.RESEND, terms.parts)


def refused_resend(command: Amend, parts: Iterable[PartOfPiece]) -> Refusal | None:
    """Why a re-send cannot be amended so, or None: it is about goods alone, and what of them is sent stays (C1)."""
    if command.freight:
        return refused("freight_not_refundable", "freight", "C1", "who asks for goods asks for no freight")
    if not command.lines:
        return refused("nothing_named", "lines", "C1", "what is to be sent again must be named")
    of_lines = {each.line for each in parts}
    for number, each in enumerate(command.lines):
        if of_lines and each.line not in of_lines:
            explanation = "no part of this line was asked for: ask for that apart"
            return refused("part_missing", f"lines.{number}.line", "C1", explanation)
    return None

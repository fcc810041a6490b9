"""What counts as paid already where a ruling pays only the remainder (D8)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from workflows.messages.pieces import CasePieces
from workflows.messages.stages import CaseKind
from workflows.rules.allocation import FundPart
from workflows.rules.matters import Matter


def disputes_that_count(case_id: str, others: Iterable[Matter]) -> list[str]:
    """The disputes whose payments a ruling about a case counts, with that case's own (D8, D10).

    Of one that an officer has closed, with a part of it paid, the same can be disputed again: those about the case, and
    those that name none, which are about its lines as a whole.
    """
    return [each.case_id for each in others if each.kind is CaseKind.DISPUTE and each.about in (None, case_id)]


@dataclass(frozen=True)
class Covered:
    """A case of an order, or of an allowance, that ended because what it was to pay had been paid (D8, A6)."""

    case_id: str
    kind: CaseKind
    about: str | None
    """The case that a dispute is about."""
    closed_at: datetime


def has_counted(covered: Covered, case_id: str, about: str | None, paid_at: datetime) -> bool:
    """Whether it counted what was paid for ``case_id`` at ``paid_at``; ``about`` is what this is about, if a dispute.

    Where that comes back, nobody has had what the covered case was to pay.
    """
    if covered.case_id == case_id or covered.closed_at < paid_at:
        return False
    if covered.kind is CaseKind.DISPUTE:
        return covered.about in (None, case_id, about)
    return covered.kind in (CaseKind.WITHDRAWAL, CaseKind.EXPIRY)


def but_for_goods_back(
    fund: Iterable[FundPart], back: Iterable[tuple[CasePieces, Iterable[FundPart]]]
) -> tuple[FundPart, ...]:
    """The fund without what was paid for pieces that have come back: it is not about those that are left (D8, R13).

    ``back`` has the pieces that came back, case by case, and the fund as that case alone has used it.
    """
    parts = {part.name: part for part in fund}
    for pieces, used in back:
        paid = {part.name: part for part in used}
        for each in pieces.lines:
            name = f"line:{each.line}"
            part, of_case = parts.get(name), paid.get(name)
            if part and of_case:
                settled = min(of_case.settled, each.amount)
                held = min(of_case.held, each.amount - settled)
                parts[name] = replace(part, settled=part.settled - settled, held=part.held - held)
    return tuple(parts.values())

"""What counts as paid already where a ruling pays only the remainder (D8)."""

from collections.abc import Iterable
from dataclasses import replace

from workflows.messages.pieces import CasePieces
from workflows.rules.allocation import FundPart


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

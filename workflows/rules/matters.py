"""What a request or a dispute is about, held against the other cases of its order (D10, R6, R16)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts
from workflows.messages.requests import Application
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.dispute import DISPUTABLE, FINAL
from workflows.rules.refusals import refused

FREIGHT: Final = "freight"

IN_VAIN: Final = frozenset(
    {OutcomeKind.REJECTED, OutcomeKind.WITHDRAWN, OutcomeKind.NOT_RETURNED, OutcomeKind.DISMISSED}
)
"""Ends of a case after which the same could be asked again."""


@dataclass(frozen=True)
class Matter:
    """A case of an order, and what it is about."""

    case_id: str
    kind: CaseKind
    stage: StageName
    opened_in: StageName
    outcome: OutcomeKind | None
    """None while the case is open."""
    about: str | None
    """The case that a dispute is about, where it names one."""
    asked: int
    refunded: int
    application: ApplicationVersion | None
    """As it stands; None where nothing is applied for."""

    @property
    def parts(self) -> Mapping[str, int]:
        """How many pieces of each line it is about, and the freight where that is asked for."""
        return parts_of(self.application) if self.application else {}


def parts_of(application: Application | ApplicationVersion) -> dict[str, int]:
    """How many pieces of each line an application is about, and the freight where that is asked for."""
    freight = {FREIGHT: 1} if application.freight else {}
    return {each.line: each.quantity for each in application.lines} | freight


# D10: one dispute at a time about one matter, and none after a ruling ---------------------------------------


def refused_dispute_of_order(request: Application, others: Iterable[Matter]) -> Refusal | None:
    """Why a dispute that names no case cannot be opened, or None: it is about the lines as a whole (D1, D10)."""
    asked = parts_of(request)
    for each in others:
        part = next((part for part in asked if part in each.parts), None)
        if part is None:
            continue
        field = _field(request, part)
        if each.kind is CaseKind.DISPUTE and each.outcome is None:
            return refused("dispute_open", field, "D10", f"{each.case_id} is open about the same")
        if each.kind is CaseKind.DISPUTE and each.outcome in FINAL:
            return refused("ruled_before", field, "D10", f"{each.case_id} has decided on the same")
        if each.kind in DISPUTABLE and each.outcome is None:
            return refused("case_open", field, "D10", f"{each.case_id} is open about the same: dispute it there")
    return None


def refused_dispute_of_case(
    application: Application | ApplicationVersion, case_id: str, order: OrderFacts, others: Iterable[Matter]
) -> Refusal | None:
    """Why a case cannot be disputed, or None, for what disputes about other things have to do with its lines (D10).

    A dispute that names no case is about its lines as a whole; one about another case about that one's pieces.
    """
    for each in others:
        if each.kind is not CaseKind.DISPUTE or each.about == case_id or not _touches(each, application, order):
            continue
        if each.outcome is None and each.about is None:
            return refused("dispute_open", "command", "D10", f"{each.case_id} is open about the same lines")
        if each.outcome in FINAL:
            return refused("ruled_before", "command", "D10", f"{each.case_id} has decided on the same lines")
    return None


def refused_beside_dispute(request: Application, order: OrderFacts, others: Iterable[Matter]) -> Refusal | None:
    """Why a case cannot be opened beside a dispute about the same, which would give the same twice; or None (D10)."""
    for each in others:
        if each.kind is not CaseKind.DISPUTE or each.outcome is not None:
            continue
        asked = parts_of(request)
        if each.about is None and (part := next((part for part in asked if part in each.parts), None)):
            return refused("dispute_open", _field(request, part), "D10", f"{each.case_id} is open about the same")
        if each.about and _touches(each, request, order):
            return refused("dispute_open", "lines", "D10", f"{each.case_id} is open about the same pieces")
    return None


def _touches(dispute: Matter, application: Application | ApplicationVersion, order: OrderFacts) -> bool:
    bought = {line.line: line.quantity for line in order.lines}
    return any(
        dispute.about is None or each.quantity + dispute.parts[each.line] > bought.get(each.line, 0)
        for each in application.lines
        if each.line in dispute.parts
    )


# R6, R9, R16: limits -------------------------------------------------------------------------------------------


def refused_application_again(
    application: Application | ApplicationVersion, own: int, others: Iterable[Matter], most: int
) -> Refusal | None:
    """Why nothing can be applied for on these lines any more, or None (R6, R16).

    Each version of an application that was refused or taken back counts, in whichever case: this one is the ``own``th
    of its case. Opening another case gives no more of them.
    """
    counted = [(each.parts, _in_vain(each)) for each in others]
    for part in [each.line for each in application.lines] or [FREIGHT]:
        if sum(versions for parts, versions in counted if part in parts) + own > most:
            explanation = f"it can be applied for {most} times, in whichever case"
            return refused("too_many_applications", _field(application, part), "R16", explanation)
    return None


def approved_at_once(others: Iterable[Matter]) -> int:
    """What a merchant's refunds of an order have been given without an officer, in minor units (R9, R16)."""
    at_once = (each for each in others if each.kind is CaseKind.MERCHANT_REFUND and each.opened_in is StageName.PAYING)
    return sum(each.asked if each.outcome is None else each.refunded for each in at_once)


def _in_vain(case: Matter) -> int:
    """How many versions of a case's application came to nothing; the last one of an open case may still be granted."""
    if case.kind not in DISPUTABLE or case.application is None:
        return 0
    if case.outcome in IN_VAIN or case.stage is StageName.REJECTED:
        return case.application.applied_for
    return max(case.application.applied_for - 1, 0)


def _field(application: Application | ApplicationVersion, part: str) -> str:
    if part == FREIGHT:
        return "freight"
    number = next(number for number, each in enumerate(application.lines) if each.line == part)
    return f"lines.{number}.line"

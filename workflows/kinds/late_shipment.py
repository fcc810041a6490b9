"""Compensation for late shipment 延迟发货赔付 (L1 to L3)."""

from workflows.kinds import every_case, money
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.events import DeadlinePassed, Event
from workflows.messages.actors import CLOCK, Actor
from workflows.messages.cases import LogEntry, NoticeTemplate, Refusal, ShipmentClaim
from workflows.messages.commands import (
    Approve,
    ClaimCompensation,
    Command,
    ProveExemption,
    ProveShipment,
    ReportParcel,
    Withdraw,
)
from workflows.messages.payouts import Part
from workflows.messages.requests import OriginalRoute
from workflows.messages.stages import OutcomeKind
from workflows.rules.allocation import COMPENSATION
from workflows.rules.compensation import late_shipment_fund
from workflows.rules.evidence import evidence_facts
from workflows.rules.stages import CLAIM_REVIEW, CLAIMABLE


def late_shipment(case: Case, event: Event) -> Decision:
    """What becomes of an event once the order has shipped late, or not at all."""
    match event:
        case ClaimCompensation():  # L2
            owed = case.asked
            return case.enter(
                CLAIM_REVIEW,
                case.obeyed(event, "compensation_claimed", amount=owed.amount),
                notices=case.notice(
                    NoticeTemplate.COMPENSATION_CLAIMED, case.merchant, amount=owed.amount, currency=owed.currency
                ),
            )
        case ProveShipment():  # L2
            return _prove(case, event)
        case ProveExemption():  # L2
            return _refer_to(case, event)
        case Approve():
            return _compensate(case, case.obeyed(event, "approved"), event.by)
        case Withdraw():
            return every_case.withdrawn(case, event, "L2")
        case DeadlinePassed() if case.stage is CLAIMABLE:
            return case.close(OutcomeKind.UNCLAIMED, case.silent("unclaimed"), rule="L2", by=CLOCK)
        case DeadlinePassed():  # L2: otherwise paid
            return _compensate(case, case.silent("compensated_by_silence"), CLOCK)
        case ReportParcel():  # late is late
            return every_case.note_parcel(case, event)
        case _:
            raise AssertionError(f"{event} does not belong to {case.stage.name}")


def _prove(case: Case, command: ProveShipment) -> Decision:
    """L2, R15, R18: the parcel must not be known to have left a part behind, nor to have left later."""
    facts: dict[str, str | int] = {
        "carrier": command.parcel.carrier,
        "tracking_no": command.parcel.tracking_no,
        "shipped_at": command.shipped_at.isoformat(),
        **evidence_facts(command.evidence),
    }
    proof = ShipmentClaim(parcel=command.parcel, shipped_at=command.shipped_at)
    return _exempt(case, case.obeyed(command, "shipment_proved", **facts), command, proof=proof)


def _refer_to(case: Case, command: ProveExemption) -> Decision:
    """L2: the declaration must be there, and cover the time in which the order was to ship."""
    facts = {"exemption": command.exemption, **evidence_facts(command.evidence)}
    return _exempt(case, case.obeyed(command, "exemption_shown", **facts), command, exemption=command.exemption)


def _exempt(
    case: Case,
    entry: LogEntry,
    command: Command,
    *,
    proof: ShipmentClaim | None = None,
    exemption: str | None = None,
) -> Decision:
    """The end of a claim that is not owed, unless what the merchant shows does not count."""
    return case.close(
        OutcomeKind.EXEMPT,
        entry,
        rule="L2",
        by=entry.by,
        notices=case.closed_notices(OutcomeKind.EXEMPT),
        proof=proof,
        exemption=exemption,
        evidence=case.given(command, entry.event),
    )


def _compensate(case: Case, decided: LogEntry, by: Actor) -> Decision:
    """L3: booked apart from what was paid for the order."""
    return money.pay(
        case,
        decided,
        fund=late_shipment_fund(case.order.order_no),
        wanted=(Part(name=COMPENSATION, amount=case.asked.amount),),
        method=OriginalRoute(),
        by=by,
        rule="L2",
        compensates=True,
    )


def refused_content(case: Case, command: Command) -> Refusal | None:
    """L2: only shipping in time is a proof."""
    ships_until = case.opened.ships_until
    if isinstance(command, ProveShipment) and ships_until and command.shipped_at > ships_until:
        return Refusal(
            code="shipped_late",
            field="shipped_at",
            rule="L2",
            explanation=f"the goods had to ship by {ships_until.isoformat()}",
        )
    return None

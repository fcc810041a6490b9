"""Compensation for late shipment 延迟发货赔付 (L1 to L3)."""

from dataclasses import replace

from workflows.kinds import every_case, money, negotiating
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.process import Process, hears, silence, takes
from workflows.kinds.stage import BUYER, MERCHANT, Stage, days, hours
from workflows.messages.actors import CLOCK, Actor, Role
from workflows.messages.cases import LogEntry, NoticeTemplate, Refusal
from workflows.messages.commands import (
    AcceptProposal,
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
from workflows.messages.stages import OutcomeKind, Silence, StageName, WorkList
from workflows.messages.step_parts import ShipmentClaim
from workflows.rules.allocation import COMPENSATION
from workflows.rules.compensation import late_shipment_fund
from workflows.rules.evidence import evidence_facts

CLAIMABLE = Stage(
    StageName.CLAIMABLE,
    "L2",
    "延迟发货，买家可申请赔付 · shipped late or not at all: the buyer may claim compensation",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_UNCLAIMED,
    span=lambda policy: days(policy.late_shipment.claim_days),
    work_list=WorkList.AWAITING_BUYER,
)

CLAIM_REVIEW = Stage(
    StageName.CLAIM_REVIEW,
    "L2",
    "延迟发货赔付待处理 · claimed: the merchant may prove shipment or an exemption",
    waits_for=Role.MERCHANT,
    silence=Silence.PAY_COMPENSATION,
    span=lambda policy: hours(policy.late_shipment.review_hours, policy.late_shipment.reminder_hours),
    work_list=WorkList.LATE_SHIPMENTS,
)


def process() -> Process:
    """L2: once the order has shipped late, or not at all. Late is late: parcels that move now change nothing."""
    return Process(
        "Compensation for late shipment 延迟发货赔付 (L1, L2)",
        opens=(CLAIMABLE,),
        table={
            CLAIMABLE: (
                takes(ClaimCompensation, BUYER, _claim, compensation_claimed=CLAIM_REVIEW),
                hears(ReportParcel, every_case.note_parcel),
                silence(_unclaimed, unclaimed=OutcomeKind.UNCLAIMED),
            ),
            CLAIM_REVIEW: (
                takes(ProveShipment, MERCHANT, _prove, shipment_proved=OutcomeKind.EXEMPT),
                takes(ProveExemption, MERCHANT, _refer_to, exemption_shown=OutcomeKind.EXEMPT),
                takes(Approve, MERCHANT, _approve, approved=money.PAYING),
                takes(Withdraw, BUYER, _withdraw, withdrawn=OutcomeKind.WITHDRAWN),
                *negotiating.talks(_accept_proposal, money.PAYING),
                hears(ReportParcel, every_case.note_parcel),
                silence(_compensate_by_silence, compensated_by_silence=money.PAYING),
            ),
            **money.table(compensates=True),
        },
    )


def _claim(case: Case, command: ClaimCompensation) -> Decision:
    owed = case.asked
    return case.enter(
        CLAIM_REVIEW,
        case.obeyed(command, "compensation_claimed", amount=owed.amount),
        notices=case.notice(
            NoticeTemplate.COMPENSATION_CLAIMED, case.merchant, amount=owed.amount, currency=owed.currency
        ),
    )


def _unclaimed(case: Case) -> Decision:
    return case.close(OutcomeKind.UNCLAIMED, case.silent("unclaimed"), rule="L2", by=CLOCK)


def _approve(case: Case, command: Approve) -> Decision:
    return _compensate(case, case.obeyed(command, "approved"), command.by)


def _accept_proposal(case: Case, command: AcceptProposal) -> Decision:
    """N3, L3: so much of what is owed as both sides have agreed on."""
    agreed = negotiating.agreed_amount(case, command)
    paid = _compensate(agreed.case, agreed.entry, command.by, agreed.amount, rule="N3")
    step = replace(paid.step, notices=(*paid.step.notices, *agreed.notices)) if paid.step else None
    return replace(paid, step=step)


def _withdraw(case: Case, command: Withdraw) -> Decision:
    return every_case.withdrawn(case, command, "L2")


def _compensate_by_silence(case: Case) -> Decision:
    return _compensate(case, case.silent("compensated_by_silence"), CLOCK)


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


def _compensate(case: Case, decided: LogEntry, by: Actor, amount: int | None = None, *, rule: str = "L2") -> Decision:
    """L3: booked apart from what was paid for the order."""
    return money.pay(
        case,
        decided,
        fund=late_shipment_fund(case.order.order_no),
        wanted=(Part(name=COMPENSATION, amount=case.asked.amount if amount is None else amount),),
        method=OriginalRoute(),
        by=by,
        rule=rule,
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

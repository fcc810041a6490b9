"""Price protection 保价: the price of what was bought has fallen, and the buyer wants the difference (B1 to B3).

The goods stay bought. What is owed is looked at when the case opens (``workflows.rules.price_protection``).
"""

from workflows.kinds import disputed, every_case, overdue, rejecting
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import DISPUTED
from workflows.kinds.evidence import take_evidence
from workflows.kinds.order_money import PAID_BACK, refund
from workflows.kinds.overdue import MERCHANT_OVERDUE
from workflows.kinds.process import Process, hears, silence, takes
from workflows.kinds.rejecting import REJECTED
from workflows.kinds.stage import BUYER, MERCHANT, PARTIES, Stage, hours
from workflows.messages.actors import CLOCK, Role
from workflows.messages.commands import Approve, OpenDispute, Reject, ReportParcel, SubmitEvidence, Withdraw
from workflows.messages.stages import OutcomeKind, Silence, StageName, WorkList

PRICE_REVIEW = Stage(
    StageName.PRICE_REVIEW,
    "B3",
    "保价待处理 · price protection, the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.REFUND,
    span=lambda policy: hours(policy.price_protection.review_hours, policy.price_protection.reminder_hours),
    work_list=WorkList.PRICE_PROTECTIONS,
)


def process() -> Process:
    """B3: the merchant decides, and who says nothing pays. A rejection can be disputed (D1)."""
    return Process(
        "Price protection 保价 (B1 to B3)",
        opens=(PRICE_REVIEW,),
        table=disputed.disputable(
            {
                PRICE_REVIEW: (
                    takes(Approve, MERCHANT, _approve, approved=PAID_BACK),
                    takes(Reject, MERCHANT, rejecting.reject, rejected=REJECTED),
                    takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN),
                    takes(SubmitEvidence, PARTIES, take_evidence),
                    hears(ReportParcel, every_case.note_parcel),
                    overdue.unless_silent(_approve_by_silence, approved_by_silence=PAID_BACK),
                ),
                MERCHANT_OVERDUE: overdue.table(
                    takes(Approve, MERCHANT, _approve, approved=PAID_BACK),
                    takes(SubmitEvidence, PARTIES, take_evidence),
                    hears(ReportParcel, every_case.note_parcel),
                ),
                REJECTED: (
                    takes(OpenDispute, BUYER, disputed.stand_still_and_dispute, dispute_opened=DISPUTED),
                    hears(ReportParcel, every_case.note_parcel),
                    silence(rejecting.close_as_rejected, closed_as_rejected=OutcomeKind.REJECTED),
                ),
            },
            approve=_approve,
            note_parcel=every_case.note_parcel,
            carry_out=disputed.carry_out_ruling,
            free=False,
        ),
    )


def _approve(case: Case, command: Approve) -> Decision:
    return refund(case, case.obeyed(command, "approved"), by=command.by, rule="B3")


def _approve_by_silence(case: Case) -> Decision:
    return refund(case, case.silent("approved_by_silence"), by=CLOCK, rule="B3")

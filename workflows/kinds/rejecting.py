"""A request that the merchant rejects, and what the buyer may do then: apply again, or do nothing (R2, R6, T1, T6)."""

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.stage import Stage, days
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import LogEntry, NoticeTemplate, Refusal
from workflows.messages.commands import Amend, Command, Reject
from workflows.messages.parcels import Parcel, ParcelPurpose
from workflows.messages.pieces import CasePieces, PieceUse
from workflows.messages.requests import Application, BankTransfer, PartOfPiece
from workflows.messages.stages import CaseKind, OutcomeKind, Silence, StageName, WorkList
from workflows.messages.step_parts import NamedAccount, ParcelWatch
from workflows.rules.applications import version_facts, version_of
from workflows.rules.evidence import evidence_facts
from workflows.rules.pieces import pieces_of
from workflows.rules.reasons import refused_reason
from workflows.rules.refund import refused_application, refused_worthless
from workflows.rules.refusals import refused
from workflows.rules.resending import refused_resend
from workflows.rules.shipping import refused_unsent
from workflows.rules.silence import silence_of
from workflows.rules.standing_orders import may_decide
from workflows.rules.windows import refused_goods

REJECTED = Stage(
    StageName.REJECTED,
    "R6",
    "商家已拒绝 · rejected, the buyer may amend and apply again",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_REJECTED,
    span=lambda policy: days(policy.refund.escalation_window_days),
    work_list=WorkList.AWAITING_BUYER,
)


def reject(
    case: Case, command: Reject, stage: Stage = REJECTED, told: NoticeTemplate = NoticeTemplate.REQUEST_REJECTED
) -> Decision:
    """R2, T1, T6: a reason and evidence; the buyer may apply again or dispute it within the window (R6)."""
    if told is NoticeTemplate.REQUEST_REJECTED and not _may_apply_again(case):
        told = NoticeTemplate.REQUEST_REJECTED_FINALLY
    return case.enter(
        stage,
        rejection(case, command),
        watch=proven(command),
        evidence=case.given(command, "rejected"),
        notices=case.notice(
            told,
            case.buyer,
            reason=command.reason,
            window_days=case.policy.refund.escalation_window_days,
        ),
    )


def _may_apply_again(case: Case) -> bool:
    """R6: so often, and not for the difference to a lower price (B3)."""
    return case.kind is not CaseKind.PRICE_PROTECTION and not _applied_for_all_times(case)


def _applied_for_all_times(case: Case) -> bool:
    applied = case.state.applied
    return applied is not None and applied.applied_for >= case.policy.refund.most_applications


def apply_again(case: Case, command: Amend, stage: Stage) -> Decision:
    """R6, R12, R13: told to the merchant, who decides with a new clock; refused where its pieces are not left."""
    named: NamedAccount | None = None
    if isinstance(command.method, BankTransfer):
        named = NamedAccount(account=command.method.account, field="method.account")
    version = version_of(command, case.now, case.state.applied)
    return case.but(amended=command).enter(
        stage,
        case.obeyed(command, "amended", **version_facts(version)),
        application=version,
        asks_standing_orders=may_decide(case.policy, case.kind),
        account=named,
        evidence=case.given(command, "amended"),
        pieces=pieces_asked(case, command),
        claims=True,
        notices=case.notice(
            NoticeTemplate.REQUEST_AMENDED,
            case.merchant,
            version=version.version,
            amount=version.amount,
            currency=case.asked.currency,
            on_silence=silence_of(stage.name, case.policy, command) or stage.silence,
        ),
    )


def close_as_rejected(case: Case, outcome: OutcomeKind = OutcomeKind.REJECTED) -> Decision:
    """R6: the window has passed. T15: or the buyer has the goods back that were rejected, or ruled on."""
    return case.close(
        outcome,
        case.silent("closed_as_rejected"),
        rule="R6" if case.stage is REJECTED else case.stage.rule,
        by=CLOCK,
        notices=case.closed_notices(outcome),
    )


def use_of(case: Case) -> PieceUse:
    """What the case does with the pieces that it names (R13)."""
    match case.kind:
        case CaseKind.RETURN:
            return PieceUse.RETURN
        case CaseKind.EXCHANGE:
            return PieceUse.EXCHANGE
        case CaseKind.REPAIR:
            return PieceUse.REPAIR
        case CaseKind.RESEND:
            return PieceUse.RESEND_PART if parts_of(case) else PieceUse.RESEND
        case _:
            return PieceUse.REFUND


def pieces_asked(case: Case, application: Application) -> CasePieces:
    """The pieces that an application of the case names, and what happens to them (R13, C6)."""
    return pieces_of(application, use_of(case), parts_of(case))


def money_for(case: Case) -> PieceUse:
    """What becomes of the pieces for which money is paid and nothing comes back (R13, C6)."""
    return PieceUse.PRICE_ADJUSTMENT if parts_of(case) else PieceUse.REFUND


def parts_of(case: Case) -> tuple[PartOfPiece, ...]:
    """What of each piece is to be sent again; none where whole pieces are, or none is (C1)."""
    return case.state.applied.parts if case.state.applied else ()


def proven(command: Reject) -> ParcelWatch | None:
    """R15: what becomes of the parcel that a rejection names as proof is told to the case."""
    proof = command.shipping
    parcel = Parcel(carrier=proof.carrier, tracking_no=proof.tracking_no) if proof else None
    if proof is None or parcel is None:
        return None
    return ParcelWatch(parcel=parcel, purpose=ParcelPurpose.ORDER, shipped_at=proof.shipped_at)


def rejection(case: Case, command: Reject) -> LogEntry:
    """The log line of a rejection."""
    facts: dict[str, str | int] = {"reason": command.reason, **evidence_facts(command.evidence)}
    if command.shipping:
        facts["carrier"] = command.shipping.carrier
        facts["tracking_no"] = command.shipping.tracking_no
        facts["shipped_at"] = command.shipping.shipped_at.isoformat()
    return case.obeyed(command, "rejected", **facts)


def refused_content(case: Case, command: Command) -> Refusal | None:
    """R6, R8, G1, G2: an amended request must fit the order and its profile, and there is an end to it."""
    match command:
        case Amend() if _applied_for_all_times(case):
            return Refusal(
                code="too_many_applications",
                field="command",
                rule="R6",
                explanation=f"a case can be applied for {case.policy.refund.most_applications} times",
            )
        case Amend():
            return _refused_amendment(case, command)
        case _:
            return None


def _refused_amendment(case: Case, command: Amend) -> Refusal | None:
    use = use_of(case)
    if case.kind is CaseKind.RESEND and (refusal := refused_resend(command, parts_of(case))):
        return refusal
    if case.kind is CaseKind.REPAIR and command.freight:
        return refused("freight_not_refundable", "freight", "M1", "who wants goods mended asks for no freight")
    given = bool(case.state.applied and case.state.applied.evidence)
    asked = case.request if isinstance(case.request, Application) else None
    if refusal := refused_reason(command, case.kind, case.policy, before=asked, has_evidence=given):
        return refusal
    if refusal := refused_application(command, case.order, case.policy, {}, use=use):
        return refusal
    if use is PieceUse.REFUND:
        return refused_worthless(command, CaseKind.SHIPPED_REFUND)
    if case.kind is CaseKind.RESEND:
        return refused_unsent(command.lines, case.order, "C1")
    if not command.lines:
        return Refusal(
            code="nothing_sent_back", field="lines", rule="T1", explanation="what is sent back must be named"
        )
    if refusal := refused_unsent(command.lines, case.order):
        return refusal
    return refused_goods(command, case.kind, case.order, case.policy)  # G2

"""What the shell asks of a kind of case, and the kinds that there are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from workflows.kinds import (
    cancellation,
    compensation,
    dispute,
    disputed,
    every_case,
    evidence,
    late_shipment,
    merchant_refund,
    money,
    order_money,
    refund,
    returning,
    withdrawal,
)
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.events import DisputeEnded, Event
from workflows.kinds.state import GoodsState, RunningClock, State
from workflows.messages.cases import Refusal
from workflows.messages.commands import (
    AcceptSettlement,
    AgreeReturn,
    Amend,
    Approve,
    CaseSettled,
    ClaimCompensation,
    CloseCase,
    Command,
    ConfirmExchange,
    ConfirmProposal,
    ConfirmReceipt,
    ConvertToRefund,
    DisputeIntervened,
    EnterTracking,
    ExtendReceipt,
    GatewayCallback,
    GiveRefundAccount,
    LookAtBook,
    MoveDeadline,
    MovePolicy,
    OfferSettlement,
    OpenDispute,
    PausesChanged,
    PayInAdvance,
    PayOut,
    ProveExemption,
    ProveShipment,
    RecordManualTransfer,
    RefundDirectly,
    Reject,
    ReportParcel,
    Reship,
    Resolve,
    Retain,
    RetryPayment,
    Rule,
    RulingTold,
    SendBack,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.requests import Application, Request, ReturnRequest
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.applications import version_of
from workflows.rules.dispute import DECIDED, ruling_key
from workflows.rules.moments import refused_deadline

OF_EVERY_CASE: Final = (MovePolicy, MoveDeadline, ReportParcel, GatewayCallback, PausesChanged, LookAtBook)
"""What the platform may ask of each case, and what the world tells."""

_PAYMENT: Final = (CloseCase, RetryPayment, PayInAdvance, RecordManualTransfer)
_RETURN: Final = (
    AgreeReturn,
    RefundDirectly,
    Reject,
    Withdraw,
    Amend,
    Approve,
    SubmitEvidence,
    EnterTracking,
    GiveRefundAccount,
    ConfirmReceipt,
    ExtendReceipt,
    Reship,
    SendBack,
    ConfirmExchange,
    ConvertToRefund,
    OpenDispute,
    CloseCase,
)


def _nothing(_: Case) -> Decision:
    return Decision()


def _nobody_waits(case: Case, event: Event) -> Decision:
    raise AssertionError(f"{event} does not belong to {case.stage.name}")


@dataclass(frozen=True)
class Kind:
    """One kind of case: which commands it takes, and what it makes of what happens before money is decided on."""

    commands: tuple[type[Command], ...]
    decide: Callable[[Case, Event], Decision] = _nobody_waits
    opened: Callable[[Case], Decision] = _nothing
    """What follows from the opening alone."""
    refuses: tuple[Callable[[Case, Command], Refusal | None], ...] = ()
    """What is held against a command's content, in this order."""
    pays_order: bool = False
    """Whether it pays an order back, and so may want an account (T4)."""
    disputable: bool = False
    waits_for: tuple[type[Command], ...] = ()
    """Facts that a stage before the payment takes; all others go to the log (R7)."""

    def handle(self, case: Case, event: Event) -> Decision:
        """What is to happen next."""
        if isinstance(event, RulingTold):
            event = DisputeEnded(event.ruling)
        if self.disputable and (decision := disputed.about_dispute(case, event)) is not None:
            return decision
        match case.state.stage:
            case StageName.AWAITING_ROOM | StageName.ROOM_OVERDUE:
                return money.in_wait_for_room(case, event)
            case StageName.PAYING | StageName.SETTLING | StageName.PAYMENT_ATTENTION:
                return money.with_gateway(case, event)
            case StageName.AWAITING_ACCOUNT:
                return order_money.in_want_of_account(case, event)
            case _:
                return self.decide(case, event)

    def awaits(self, case: Case, fact: Command) -> bool:
        """Whether a fact may decide something as the case stands; else it goes to the log."""
        match fact:
            case DisputeIntervened():
                return self.disputable
            case RulingTold():
                current = case.state.dispute.current
                return current is not None and self.ended_dispute_counts(case.state) and fact.key == ruling_key(current)
            case GatewayCallback():
                return case.state.stage in (StageName.SETTLING, StageName.PAYMENT_ATTENTION)
            case ReportParcel() if case.state.stage is StageName.AWAITING_ACCOUNT:
                return True
            case _:
                return case.state.stage not in DECIDED and isinstance(fact, self.waits_for)

    def note(self, case: Case, fact: Command) -> Decision:
        """What becomes of a fact that nobody waits for. A callback still goes into the ledger (section 10)."""
        match fact:
            case GatewayCallback() if case.state.payout:
                return money.take_callback(case, fact)
            case ReportParcel() if self.pays_order:
                return every_case.note_parcel(case, fact)
            case _:
                return every_case.note_fact(case, fact)

    def refusal(self, case: Case, command: Command) -> Refusal | None:
        """What is to be said against a command's content, or None."""
        asked = (*self.refuses, *_OF_EVERY_KIND)
        return next((refusal for refuses in asked if (refusal := refuses(case, command)) is not None), None)

    def ended_dispute_counts(self, state: State) -> bool:
        """Whether the end of a dispute still decides something; what is being paid is finished (section 11)."""
        return state.stage not in DECIDED


def _refused_account(case: Case, command: Command) -> Refusal | None:
    return order_money.refused_content(case, command) if isinstance(command, GiveRefundAccount) else None


def _refused_deadline(case: Case, command: Command) -> Refusal | None:
    return refused_deadline(command, now=case.now, policy=case.policy)


def _refused_more_evidence(case: Case, command: Command) -> Refusal | None:
    return evidence.refused_more(case, command)


_OF_EVERY_KIND: Final = (_refused_more_evidence, _refused_deadline, evidence.refused_content)


def _buyers_refund(case: Case, event: Event) -> Decision:
    match case.kind:
        case CaseKind.CANCELLATION:
            return cancellation.cancellation(case, event)
        case CaseKind.RETURN | CaseKind.EXCHANGE:
            return returning.returning(case, event)
        case _:
            return refund.money_only(case, event)


_DISPUTABLE_REFUSES: Final = (returning.refused_content, disputed.refused_content, _refused_account)

REFUND: Final = Kind(
    commands=(*_RETURN, RetryPayment, PayInAdvance, RecordManualTransfer, DisputeIntervened, RulingTold),
    opened=refund.opened,
    decide=_buyers_refund,
    refuses=_DISPUTABLE_REFUSES,
    pays_order=True,
    disputable=True,
    waits_for=(ReportParcel,),
)
RETURN: Final = Kind(
    commands=REFUND.commands,
    decide=returning.returning,
    refuses=_DISPUTABLE_REFUSES,
    pays_order=True,
    disputable=True,
    waits_for=(ReportParcel,),
)
MERCHANT_REFUND: Final = Kind(
    commands=(Approve, Reject, GiveRefundAccount, *_PAYMENT),
    opened=merchant_refund.opened,
    decide=merchant_refund.merchant_refund,
    refuses=(_refused_account,),
    pays_order=True,
)
DISPUTE: Final = Kind(
    commands=(
        Resolve,
        OfferSettlement,
        AcceptSettlement,
        SubmitEvidence,
        Rule,
        ConfirmProposal,
        GiveRefundAccount,
        *_PAYMENT,
        CaseSettled,
    ),
    decide=dispute.dispute,
    refuses=(dispute.refused_content, _refused_account),
    pays_order=True,
    waits_for=(CaseSettled,),
)
LATE_SHIPMENT: Final = Kind(
    commands=(ClaimCompensation, ProveShipment, ProveExemption, Approve, Withdraw, *_PAYMENT),
    decide=late_shipment.late_shipment,
    refuses=(late_shipment.refused_content,),
    waits_for=(ReportParcel,),
)
COMPENSATION: Final = Kind(commands=_PAYMENT, opened=compensation.opened)
WITHDRAWAL: Final = Kind(
    commands=(Retain, PayOut, Withdraw, *_PAYMENT), opened=withdrawal.opened, decide=withdrawal.withdrawal
)
EXPIRY: Final = Kind(commands=_PAYMENT, opened=withdrawal.expired)


def beginning(request: Request, now: datetime) -> State:
    """The state of a case that is being opened."""
    return State(
        clock=RunningClock(began_at=now),
        applied=version_of(request, now) if isinstance(request, Application) else None,
        goods=GoodsState(exchange=isinstance(request, ReturnRequest) and request.exchange),
    )

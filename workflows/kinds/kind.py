"""The kinds of case that there are, and what the shell asks of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

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
    price_protection,
    proposal_checks,
    refund,
    rejecting,
    repairing,
    resend,
    resending,
    returning,
    withdrawal,
)
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.events import DisputeEnded, Event
from workflows.kinds.outgoing import OTHERS
from workflows.kinds.process import Process
from workflows.kinds.state import GoodsState, RunningClock, State
from workflows.messages.cases import Refusal, StepAnswer
from workflows.messages.commands import (
    AgreeReturn,
    Amend,
    Approve,
    Command,
    GatewayCallback,
    GiveRefundAccount,
    LookAtBook,
    MoveDeadline,
    MovePolicy,
    OfferSettlement,
    PausesChanged,
    RefundDirectly,
    ReportParcel,
    Rule,
    RulingTold,
)
from workflows.messages.requests import Application, RepairRequest, Request, ResendRequest, ReturnRequest
from workflows.messages.seen import Deciding
from workflows.messages.stages import CaseKind
from workflows.messages.standing_orders import ByStandingOrder
from workflows.rules.applications import refused_unseen, version_of
from workflows.rules.dispute import DECIDED, ruling_key
from workflows.rules.moments import refused_deadline
from workflows.rules.payable import refused_amount

PROCESSES: Final[Mapping[CaseKind, Process]] = {
    CaseKind.UNSHIPPED_REFUND: refund.unshipped(),
    CaseKind.SHIPPED_REFUND: refund.shipped(),
    CaseKind.CANCELLATION: cancellation.process(),
    CaseKind.MERCHANT_REFUND: merchant_refund.process(),
    CaseKind.RETURN: returning.process(None, "Return 退货退款 (T1 to T15)"),
    CaseKind.EXCHANGE: returning.process(OTHERS, "Exchange 换货 (T1 to T15)"),
    CaseKind.PRICE_PROTECTION: price_protection.process(),
    CaseKind.REPAIR: repairing.process(),
    CaseKind.RESEND: resend.process(),
    CaseKind.DISPUTE: dispute.process(),
    CaseKind.LATE_SHIPMENT: late_shipment.process(),
    CaseKind.FREIGHT_INSURANCE: compensation.process("Freight insurance 运费险 (T10)"),
    CaseKind.RETURN_FREIGHT: compensation.process("Return freight (T10)"),
    CaseKind.WITHDRAWAL: withdrawal.process(),
    CaseKind.EXPIRY: withdrawal.expiry(),
}
"""How each kind of case goes."""

OF_EVERY_CASE: Final = (MovePolicy, MoveDeadline, ReportParcel, GatewayCallback, PausesChanged, LookAtBook)
"""What the platform may ask of each case, and what the world tells."""


def _nothing(_: Case) -> Decision:
    return Decision()


@dataclass(frozen=True)
class Kind:
    """One workflow's kinds of case, and what it makes of what happens to them."""

    of: tuple[CaseKind, ...]
    """What a case that it carries may be, or become."""
    opened: Callable[[Case], Decision] = _nothing
    """What follows from the opening alone."""
    refuses: tuple[Callable[[Case, Command], Refusal | None], ...] = ()
    """What is held against a command's content, in this order."""
    pays_order: bool = False
    """Whether it pays an order back, and so may want an account (T4)."""
    disputable: bool = False

    @property
    def commands(self) -> tuple[type[Command], ...]:
        """What is taken in one stage or another, as updates and as signals."""
        lines = (each.event for kind in self.of for on in PROCESSES[kind].table.values() for each in on)
        taken = tuple(each for each in dict.fromkeys(lines) if issubclass(each, Command))
        return tuple(dict.fromkeys((*taken, *((RulingTold,) if self.disputable else ()), *OF_EVERY_CASE)))

    def handle(self, case: Case, event: Event) -> Decision:
        """What is to happen next.

        Raises:
            AssertionError: the stage waits for no such event.
        """
        if isinstance(event, RulingTold):
            event = DisputeEnded(event.ruling)
        on = PROCESSES[case.kind].on(case.stage, type(event))
        if on is None:
            raise AssertionError(f"{event} does not belong to {case.stage.name}")
        decision = on.does(case, event)
        if decision.step and decision.step.asks_standing_orders and not decision.then:  # G4
            return replace(decision, then=applied_again, follow_up=APPLIED_AGAIN)
        return decision

    def begin(self, case: Case) -> Decision:
        """What follows from the opening: a standing order of the merchant's may decide at once (G4).

        Not where the goods have shipped meanwhile: then something else is to be decided (R7).
        """
        decision = self.opened(case)
        if case.opened.standing_order is None or decision.hear:
            return decision
        decided = by_standing_order(replace(case, state=decision.state or case.state), case.opened.standing_order)
        return decided if decided.step else decision

    def awaits(self, case: Case, fact: Command) -> bool:
        """Whether a fact may decide something as the case stands; else it goes to the log."""
        if isinstance(fact, RulingTold):
            current = case.state.dispute.current
            return current is not None and self.ended_dispute_counts(case.state) and fact.key == ruling_key(current)
        return PROCESSES[case.kind].on(case.stage, type(fact)) is not None

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
        asked = (_refused_unseen, *self.refuses, *_OF_EVERY_KIND)
        return next((refusal for refuses in asked if (refusal := refuses(case, command)) is not None), None)

    def ended_dispute_counts(self, state: State) -> bool:
        """Whether the end of a dispute still decides something; what is being paid is finished (section 11)."""
        return state.stage not in DECIDED


def by_standing_order(case: Case, order: ByStandingOrder) -> Decision:
    """G4: what the merchant would decide, decided in its name; the log says by which order. Else it decides as ever."""
    key = f"standing-order-{order.number}-{order.version}-{case.version}"
    if order.does == "refund_without_return":
        command: Command = RefundDirectly(key=key, by=case.merchant)
    elif case.kind in (CaseKind.RETURN, CaseKind.EXCHANGE, CaseKind.REPAIR):
        command = AgreeReturn(key=key, by=case.merchant)
    else:
        command = Approve(key=key, by=case.merchant)
    on = PROCESSES[case.kind].on(case.stage, type(command))
    decision = on.does(case, command) if on else Decision()
    if decision.step is None:
        return decision
    facts: dict[str, str | int] = {"standing_order": order.number, "standing_order_version": order.version}
    entries = tuple(
        each.model_copy(update={"facts": each.facts | facts}) if each.command_key == key else each
        for each in decision.step.entries
    )
    return replace(decision, step=replace(decision.step, entries=entries))


def applied_again(case: Case, stepped: StepAnswer) -> Decision:
    """G4: what is applied for again may be what a standing order decides."""
    return by_standing_order(case, stepped.standing_order) if stepped.standing_order else Decision()


APPLIED_AGAIN: Final = "applied_again"
"""The name of ``applied_again`` in the state."""


def _refused_unseen(case: Case, command: Command) -> Refusal | None:
    """R11: a decision is about what is asked for now, or it is none; nothing else is held against it before."""
    if not isinstance(command, Deciding):
        return None
    required = case.policy.decisions.must_name_what_was_seen
    return refused_unseen(command.expects, case.version, case.asked.amount, required=required)


def _refused_account(case: Case, command: Command) -> Refusal | None:
    return order_money.refused_content(case, command) if isinstance(command, GiveRefundAccount) else None


def _refused_deadline(case: Case, command: Command) -> Refusal | None:
    return refused_deadline(command, now=case.now, policy=case.policy)


def _refused_more_evidence(case: Case, command: Command) -> Refusal | None:
    return evidence.refused_more(case, command)


def _refused_amount(case: Case, command: Command) -> Refusal | None:
    """X6: what is asked for anew, offered or ruled is an amount that the provider can pay."""
    match command:
        case Amend() | OfferSettlement():
            return refused_amount(case.opened.payable, command.amount, "lines")
        case Rule():
            amount = sum(line.amount for line in command.lines) + command.freight + command.compensation
            return refused_amount(case.opened.payable, amount, "lines")
        case _:
            return None


_OF_EVERY_KIND: Final = (
    _refused_more_evidence,
    _refused_deadline,
    evidence.refused_content,
    _refused_amount,
    proposal_checks.refused_content,
)
_DISPUTABLE: Final[dict[str, Any]] = {
    "refuses": (
        returning.refused_content,
        resending.refused_content,
        disputed.refused_content,
        rejecting.refused_content,
        _refused_account,
    ),
    "pays_order": True,
    "disputable": True,
}

REFUND: Final = Kind(
    # Goods that have shipped meanwhile come back first (R7).
    of=(CaseKind.UNSHIPPED_REFUND, CaseKind.SHIPPED_REFUND, CaseKind.CANCELLATION, CaseKind.RETURN),
    opened=refund.opened,
    **_DISPUTABLE,
)
RETURN: Final = Kind(of=(CaseKind.RETURN, CaseKind.EXCHANGE), **_DISPUTABLE)
PRICE_PROTECTION: Final = Kind(of=(CaseKind.PRICE_PROTECTION,), **_DISPUTABLE)
REPAIR: Final = Kind(of=(CaseKind.REPAIR, CaseKind.RETURN), **_DISPUTABLE)
RESEND: Final = Kind(of=(CaseKind.RESEND,), **_DISPUTABLE)
MERCHANT_REFUND: Final = Kind(
    of=(CaseKind.MERCHANT_REFUND,), opened=merchant_refund.opened, refuses=(_refused_account,), pays_order=True
)
DISPUTE: Final = Kind(of=(CaseKind.DISPUTE,), refuses=(dispute.refused_content, _refused_account), pays_order=True)
LATE_SHIPMENT: Final = Kind(of=(CaseKind.LATE_SHIPMENT,), refuses=(late_shipment.refused_content,))
COMPENSATION: Final = Kind(of=(CaseKind.FREIGHT_INSURANCE, CaseKind.RETURN_FREIGHT), opened=compensation.opened)
WITHDRAWAL: Final = Kind(of=(CaseKind.WITHDRAWAL,), opened=withdrawal.opened)
EXPIRY: Final = Kind(of=(CaseKind.EXPIRY,), opened=withdrawal.expired)


def wants_goods(request: Request) -> bool:
    """Whether the buyer wants goods, and not money (T8, C1, M1)."""
    return isinstance(request, ResendRequest | RepairRequest) or (
        isinstance(request, ReturnRequest) and request.exchange
    )


def beginning(request: Request, now: datetime) -> State:
    """The state of a case that is being opened."""
    return State.made_of(
        clock=RunningClock.made_of(began_at=now),
        applied=version_of(request, now) if isinstance(request, Application) else None,
        goods=GoodsState.made_of(exchange=wants_goods(request)),
    )

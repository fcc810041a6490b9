"""Paying an order back, and where to: cash on delivery goes to an account that the buyer names (T4, R17)."""

from dataclasses import replace

from workflows.kinds import every_case, money
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, TellCase
from workflows.kinds.owed import granted
from workflows.kinds.process import Table, hears, silence, takes
from workflows.kinds.stage import BUYER, PLATFORM, Stage, days
from workflows.kinds.state import DecidedRefund
from workflows.messages.actors import CLOCK, Actor, Role
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate, Refusal
from workflows.messages.commands import CaseSettled, CloseCase, GiveRefundAccount, ReportParcel
from workflows.messages.payouts import Part, Payer, Remainder
from workflows.messages.pieces import CasePieces
from workflows.messages.requests import BankTransfer, OriginalRoute
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName, WorkList
from workflows.messages.step_parts import NamedAccount
from workflows.rules.identity import order_fund
from workflows.rules.refund import wanted_parts

AWAITING_ACCOUNT = Stage(
    StageName.AWAITING_ACCOUNT,
    "T4",
    "货到付款，待买家提供退款账户 · cash on delivery: the buyer is asked for an account",
    waits_for=Role.BUYER,
    silence=Silence.ASK_AGAIN,
    span=lambda policy: days(policy.returns.account_reminder_days),
    work_list=WorkList.AWAITING_BUYER,
    pausable=False,
)


def table(*, rest: bool = False, free: bool = False, also_compensates: bool = False) -> Table:
    """Paying an order back: where to, and the money leg (``money.table``)."""
    return {
        AWAITING_ACCOUNT: (
            takes(GiveRefundAccount, BUYER, _pay_to_account, refund_account_given=money.PAYING),
            takes(CloseCase, PLATFORM, every_case.closed_by_officer, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER),
            hears(ReportParcel, every_case.note_parcel),
            silence(_ask_for_account_again),
        ),
        **money.table(shared=True, rest=rest, free=free, also_compensates=also_compensates),
    }


PAID_BACK = (money.PAYING, AWAITING_ACCOUNT)
"""Where a decision to pay an order back leads."""


def refund(
    case: Case,
    *decided: LogEntry,
    by: Actor,
    rule: str,
    wanted: tuple[Part, ...] | None = None,
    remainder: Remainder | None = None,
    charges: tuple[ScoreChange, ...] = (),
    notices: tuple[Notice, ...] = (),
    pieces: CasePieces | None = None,
    freight_before: bool = False,
) -> Decision:
    """Pay back what is asked for, or ``wanted`` of it; ``by`` decided it under ``rule``.

    A cash-on-delivery order is paid back in advance by the platform, to the account that the buyer names.
    Where it is missing, or is somebody else's (R17), the case waits and asks; it does not fail (T4).

    A dispute about the case that is still open learns of it, without the money waiting for that (D2). What sending
    goods in has cost is owed beside it, by fault (T10); ``freight_before`` where the release before did so as well.
    """
    told = tell_settled(case)
    if told:
        case = case.but(dispute=case.state.dispute.but(told_settled=True))
    wanted = wanted if wanted is not None else wanted_parts(case.application)
    decision = DecidedRefund.made_of(
        by=by, rule=rule, wanted=wanted, remainder=remainder, charges=charges, notices=notices
    )
    by_route = isinstance(case.application.method, OriginalRoute)
    if wanted and case.order.cash_on_delivery and case.state.account is None and by_route:
        asked = case.entry("account_asked", CLOCK, "T4")
        refunded = _want_account(case.but(decided=decision), *decided, asked, pieces=pieces)
    else:
        refunded = _pay(case, decision, *decided, pieces=pieces)
    return granted(case, replace(refunded, aside=told) if told else refunded, owed_before=freight_before)


def tell_settled(case: Case) -> TellCase | None:
    """D2: the case has been decided; there is nothing left to dispute. None where nobody is to be told."""
    dispute = case.state.dispute
    if dispute.current is None or dispute.told_settled:
        return None
    return TellCase(dispute.current, CaseSettled(key=f"settled-{dispute.opened}", by=CLOCK))


def _pay(case: Case, decision: DecidedRefund, *decided: LogEntry, pieces: CasePieces | None = None) -> Decision:
    account = case.state.account

    def another(case: Case, refusal: Refusal) -> Decision:
        return _ask_for_another(case.but(decided=decision), refusal, *decided, pieces=pieces)

    return money.pay(
        case.but(decided=None) if case.state.decided else case,
        *decided,
        fund=order_fund(case.order.order_no),
        wanted=decision.wanted,
        method=BankTransfer(account=account) if account else case.application.method,
        by=decision.by,
        rule=decision.rule,
        payer=Payer.PLATFORM if case.order.cash_on_delivery else Payer.MERCHANT,
        remainder=decision.remainder,
        charges=decision.charges,
        notices=decision.notices,
        pieces=pieces,
        if_refused=another,
    )


def _pay_to_account(case: Case, command: GiveRefundAccount) -> Decision:
    if case.state.decided is None:
        raise ValueError("an account is wanted for what has been decided")
    named = case.but(account=command.account)
    return _pay(named, case.state.decided, case.obeyed(command, "refund_account_given"))


def _ask_for_account_again(case: Case) -> Decision:
    return _want_account(case, case.silent("account_asked"), attention=Attention.ACCOUNT_MISSING)


def _ask_for_another(case: Case, refusal: Refusal, *decided: LogEntry, pieces: CasePieces | None) -> Decision:
    """R17: the account is not the buyer's. Whoever named it just now is told; else the buyer and staff are."""
    case = case.but(account=None)
    if case.stage is AWAITING_ACCOUNT:
        return Decision(state=case.state, refuse=refusal)
    told = case.entry("account_refused", CLOCK, refusal.rule, code=refusal.code)
    return _want_account(case, *decided, told, attention=Attention.ACCOUNT_MISSING, pieces=pieces)


def _want_account(
    case: Case, *asked: LogEntry, attention: Attention | None = None, pieces: CasePieces | None = None
) -> Decision:
    notices = case.notice(NoticeTemplate.ACCOUNT_WANTED, case.buyer)
    return case.enter(AWAITING_ACCOUNT, *asked, notices=notices, attention=attention, pieces=pieces)


def take_account(case: Case, command: GiveRefundAccount) -> Decision:
    """T4: the account goes into the payment only, never into the log or a view, which the merchant sees."""
    taken = case.stay(case.obeyed(command, "refund_account_given"), account=NamedAccount(account=command.account))
    return replace(taken, state=case.but(account=command.account).state)


def takes_account(case: Case) -> bool:
    """Whether an account may be named (T4, R17)."""
    return case.order.cash_on_delivery or case.stage is AWAITING_ACCOUNT


def refused_content(case: Case, command: GiveRefundAccount) -> Refusal | None:
    """T4: only cash on delivery needs an account, and whoever is asked for another one (R17)."""
    if takes_account(case):
        return None
    return Refusal(
        code="not_cash_on_delivery",
        field="account",
        rule="T4",
        explanation="the order was paid in advance, and goes back the way it was paid",
    )

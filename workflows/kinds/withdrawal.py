"""Allowance withdrawal 膨胀金提现, asked for by the buyer (A1 to A5) or by the end of validity (A6)."""

from dataclasses import replace

from workflows.kinds import money
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.process import Process, silence, takes
from workflows.kinds.stage import BUYER, MERCHANT, Stage, hours
from workflows.kinds.state import Decided
from workflows.messages.actors import CLOCK, GATEWAY, Actor, Role
from workflows.messages.cases import LogEntry, NoticeTemplate, StepAnswer
from workflows.messages.commands import PayOut, Retain, Withdraw
from workflows.messages.money import Money
from workflows.messages.payouts import Part, Remainder
from workflows.messages.requests import OriginalRoute
from workflows.messages.stages import OutcomeKind, Silence, StageName, WorkList
from workflows.messages.step_parts import BalanceChange, Thaw
from workflows.rules.allowance import Split, split
from workflows.rules.identity import allowance_fund

GIVEN_BACK = "given_back"

RETENTION = Stage(
    StageName.RETENTION,
    "A3",
    "膨胀金提现待处理 · the merchant may retain or pay out",
    waits_for=Role.MERCHANT,
    silence=Silence.PAY_PRINCIPAL,
    span=lambda policy: hours(policy.withdrawal.retention_hours, policy.withdrawal.reminder_hours),
    work_list=WorkList.WITHDRAWALS,
)


def process() -> Process:
    """A1 to A5: where something is spent, the merchant may offer to keep the balance."""
    return Process(
        "Allowance withdrawal 膨胀金提现 (A1 to A5)",
        opens=(money.PAYING, RETENTION),
        table={
            RETENTION: (
                takes(Retain, MERCHANT, _retain),
                takes(PayOut, MERCHANT, _pay_out, paid_out=money.PAYING),
                takes(
                    Withdraw,
                    BUYER,
                    _give_back,
                    validity_ended=money.PAYING,
                    balance_thawed=(OutcomeKind.WITHDRAWN, OutcomeKind.RETAINED),
                    covered=OutcomeKind.COVERED,
                ),
                silence(_pay_by_silence, paid_out_by_silence=money.PAYING),
            ),
            **money.table(rest=True),
        },
    )


def expiry() -> Process:
    """A6: what is left when the validity ends is paid back, by whoever has been asked for it already."""
    paying = money.table(rest=True)
    (answers,) = paying[money.PAYING]
    handed_over = {money.PAYING: (answers.leading(handed_over=OutcomeKind.HANDED_OVER),)}
    return Process("Allowance expiry (A6)", opens=(money.PAYING,), table={**paying, **handed_over})


def opened(case: Case) -> Decision:
    """A2: where nothing is spent, all is paid back at once."""
    if case.opened.stage is not StageName.PAYING:
        return Decision()
    return _pay_principal(case, case.entry("nothing_spent", CLOCK, "A2"), CLOCK, "A2")


def _retain(case: Case, command: Retain) -> Decision:
    """A3: the clock runs on until the buyer withdraws."""
    return case.but(retained=True).stay(
        case.obeyed(command, "retention_offered"), notices=case.notice(NoticeTemplate.RETENTION_ASKED, case.buyer)
    )


def _pay_out(case: Case, command: PayOut) -> Decision:
    return _pay_principal(case, case.obeyed(command, "paid_out"), command.by, "A3")


def _pay_by_silence(case: Case) -> Decision:
    return _pay_principal(case, case.silent("paid_out_by_silence"), CLOCK, "A3")


def _give_back(case: Case, command: Withdraw) -> Decision:
    """A5: the balance thaws; unless its validity has ended meanwhile, for then the principal is due (A6)."""
    entry = case.obeyed(command, "withdrawn")
    return case.stay(entry, attention=None, balance=BalanceChange.THAW, then=given_back, follow_up=GIVEN_BACK)


def given_back(case: Case, stepped: StepAnswer) -> Decision:
    """A3, A5, A6: the end of a withdrawal that was taken back."""
    if stepped.thaw is Thaw.VALIDITY_ENDED:
        return _pay_principal(case, case.entry("validity_ended", CLOCK, "A6"), CLOCK, "A6")
    by = case.buyer or CLOCK
    if stepped.thaw is Thaw.PAID_BACK:
        return _found_paid_back(case, by)
    outcome = OutcomeKind.RETAINED if case.state.retained else OutcomeKind.WITHDRAWN
    return case.close(
        outcome,
        case.entry("balance_thawed", by, "A5", None, allowance=case.allowance.allowance_id),
        rule="A3" if case.state.retained else "A5",
        by=by,
        notices=case.closed_notices(outcome),
    )


def _found_paid_back(case: Case, by: Actor) -> Decision:
    """A5: a payment that had been given up was made after all: the buyer has the principal, and the balance is void."""
    shares, outcome = _shares(case), OutcomeKind.COVERED
    ended = case.close(
        outcome,
        case.entry(outcome, GATEWAY, "A5", amount=shares.withdrawable),
        rule="A5",
        by=by,
        notices=case.closed_notices(outcome),
    )
    lost = Money(amount=shares.bonus_lost, currency=case.allowance.currency)
    return replace(ended, verdict=Decided.made_of(rule="A5", by=by, bonus_voided=lost))


def expired(case: Case) -> Decision:
    """A6: the validity has ended: what is left is paid back, by whoever has been asked for it already."""
    if case.opened.handed_over_to:
        return case.close(
            OutcomeKind.HANDED_OVER,
            case.entry("handed_over", CLOCK, "A6", None, case=case.opened.handed_over_to),
            rule="A6",
            by=CLOCK,
        )
    return _pay_principal(case, case.entry("validity_ended", CLOCK, "A6"), CLOCK, "A6")


def _pay_principal(case: Case, decided: LogEntry, by: Actor, rule: str) -> Decision:
    """A1: the unspent principal goes back, the unspent bonus is void."""
    allowance, shares = case.allowance, _shares(case)
    return money.pay(
        case,
        decided,
        fund=allowance_fund(allowance.allowance_id),
        wanted=(Part(name="principal", amount=shares.withdrawable),) if shares.withdrawable else (),
        remainder=Remainder(counts=None),  # A6: what another case has paid back of it is not paid twice
        method=OriginalRoute(),
        by=by,
        rule=rule,
        balance=BalanceChange.VOID,
        bonus_voided=Money(amount=shares.bonus_lost, currency=allowance.currency),
    )


def _shares(case: Case) -> Split:
    allowance = case.allowance
    return split(allowance.principal, allowance.bonus, allowance.spent)

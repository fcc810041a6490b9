"""The last step of a payout, as it was paid: what is paid is known for certain only when it has been (R14, A7)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate, Step
from workflows.messages.payouts import LegStatus, PaidBy
from workflows.rules.paying import amount_of, paid_out


def as_paid(step: Step, legs: Sequence[LegStatus]) -> Step:
    """The closing ``step`` of a payout all of whose ``legs`` have succeeded.

    Amounts that it states are put right. Where less was paid than both sides have been told, it says so, and where
    something of it has to do with an allowance, what became of that.
    """
    return _with_allowances(_with_amounts(step, paid_out(legs), amount_of(legs)), legs)


def of_allowances(
    legs: Sequence[LegStatus], notices: Sequence[Notice], at: datetime
) -> tuple[tuple[LogEntry, ...], tuple[Notice, ...]]:
    """A7: what went back to an allowance, and what of one that is no more went as money and was lost.

    A line for the log each, and a notice to the buyer where ``notices`` tell it of the payment. Minor units.
    """
    told = next((each for each in notices if each.to.role is Role.BUYER and "currency" in each.fields), None)
    entries: list[LogEntry] = []
    also: list[Notice] = []

    def say(event: str, template: NoticeTemplate, amount: int, principal: int, bonus: int) -> None:
        facts: dict[str, str | int] = {"amount": amount, "principal": principal, "bonus": bonus}
        entries.append(
            LogEntry.made_of(event=event, by=CLOCK, rule="A7", at=at, command_key="", command_digest="", facts=facts)
        )
        if told:
            also.append(told.model_copy(update={"template": template, "fields": {**told.fields, **facts}}))

    if back := [leg for leg in legs if leg.paid_by is PaidBy.ALLOWANCE]:
        amount, principal = amount_of(back), _principal(back)
        say("allowance_refunded", NoticeTemplate.ALLOWANCE_REFUNDED, amount, principal, amount - principal)
    if gone := [leg for leg in legs if leg.principal is not None and leg not in back]:
        amount, principal = amount_of(gone), paid_out(gone)
        say("allowance_paid_out", NoticeTemplate.ALLOWANCE_PAID_OUT, amount, principal, amount - principal)
    return tuple(entries), tuple(also)


def _with_allowances(step: Step, legs: Sequence[LegStatus]) -> Step:
    if all(leg.principal is None for leg in legs):
        return step
    entries, notices = of_allowances(legs, step.notices, step.at)
    return step.model_copy(update={"entries": (*step.entries, *entries), "notices": (*step.notices, *notices)})


def _principal(legs: Sequence[LegStatus]) -> int:
    return sum(leg.principal or 0 for leg in legs)


def _with_amounts(step: Step, paid: int, used: int) -> Step:
    """``paid`` went to the buyer, and ``used`` of the order is done with: more, where bonus was lost (A7)."""
    reduction = step.reduction
    if reduction is None and paid == step.refunded + step.compensated:
        return step
    entries, notices = step.entries, step.notices
    if reduction and used < reduction.told:
        entries += (reduction.entry.model_copy(update={"facts": {**reduction.entry.facts, "paid": paid}}),)
        notices += tuple(
            each.model_copy(update={"fields": {**each.fields, "amount": paid}}) for each in reduction.notices
        )
    if paid == step.refunded + step.compensated:
        return step.model_copy(update={"entries": entries, "notices": notices, "reduction": None})
    return step.model_copy(
        update={
            "refunded": paid if step.refunded else 0,
            "compensated": paid if step.compensated else 0,
            "entries": tuple(each.model_copy(update={"facts": _amount(each.facts, paid)}) for each in entries),
            "notices": tuple(each.model_copy(update={"fields": _amount(each.fields, paid)}) for each in notices),
            "reduction": None,
        }
    )


def _amount(stated: Mapping[str, str | int], paid: int) -> dict[str, str | int]:
    return {**stated, "amount": paid} if "amount" in stated else dict(stated)

"""What an order spends of the allowances that it was paid with, when it is told of and when it changes (A7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from workflows.messages.payouts import TenderKind
from workflows.rules.allowance_refunds import given_back
from workflows.rules.balances import Account, Spending, spent


class PaidWith(Protocol):
    """A tender, stored or told."""

    @property
    def kind(self) -> TenderKind: ...  # noqa: D102
    @property
    def paid(self) -> int: ...  # noqa: D102
    @property
    def allowance_id(self) -> str | None: ...  # noqa: D102


class Ordered(Protocol):
    """An order, stored or told."""

    @property
    def merchant_id(self) -> str: ...  # noqa: D102
    @property
    def buyer_id(self) -> str: ...  # noqa: D102
    @property
    def currency(self) -> str: ...  # noqa: D102
    @property
    def paid_at(self) -> datetime: ...  # noqa: D102
    @property
    def tenders(self) -> Sequence[PaidWith]: ...  # noqa: D102


@dataclass(frozen=True)
class NotSpent:
    """Why an order cannot have been paid so: the field and the rule."""

    field: str
    rule: str
    reason: str


_REFUSED: Final[Mapping[Spending, tuple[str, str, str]]] = {
    Spending.UNKNOWN: ("allowance_id", "A7", "there is no such allowance"),
    Spending.VOID: ("allowance_id", "A7", "the allowance has been paid out, or has expired"),
    Spending.VALIDITY_ENDED: ("allowance_id", "A6", "the allowance's validity had ended when the order was paid"),
    Spending.FROZEN: ("allowance_id", "A5", "the allowance's balance is frozen while a withdrawal is open"),
    Spending.TOO_MUCH: ("paid", "A7", "more than the allowance's balance"),
}


def allowances_of(tenders: Iterable[PaidWith]) -> dict[str, int]:
    """What each allowance has paid, in minor units, by its id."""
    return {each.allowance_id: each.paid for each in tenders if each.allowance_id}


def spent_on(
    order: Ordered, before: Iterable[PaidWith], accounts: Mapping[str, Account | None]
) -> dict[str, Account] | NotSpent:
    """The allowances as they are once ``order`` is known, which was paid with ``before`` as far as was known.

    ``accounts`` has all that either names, None for those that there are not. What an order's change pays less is put
    back; while a withdrawal is open, and once the allowance has been paid out, nothing of it changes (A5).
    """
    changed: dict[str, Account] = {}
    known = allowances_of(before)
    for number, each in enumerate(order.tenders):
        if each.allowance_id is None:
            continue
        account, more = accounts[each.allowance_id], each.paid - known.pop(each.allowance_id, 0)
        if account and (stranger := _not_theirs(order, account)):
            return NotSpent(f"tenders.{number}.allowance_id", "A7", stranger)
        match _changed(account, more, order.paid_at):
            case Account() as now:
                changed[each.allowance_id] = now
            case Spending() as why:
                field, rule, reason = _REFUSED[why]
                return NotSpent(f"tenders.{number}.{field}", rule, reason)
    for allowance_id, paid in known.items():
        match _changed(accounts[allowance_id], -paid, order.paid_at):
            case Account() as now:
                changed[allowance_id] = now
            case Spending() as why:
                _, rule, reason = _REFUSED[why]
                return NotSpent("tenders", rule, reason)
    return changed


def _changed(account: Account | None, more: int, at: datetime) -> Account | Spending:
    if account is None:
        return Spending.UNKNOWN
    if more == 0:
        return account
    if more > 0:
        spending, now = spent(account, more, at)
        return now if now and spending is Spending.SPENT else spending
    if account.voided_at:
        return Spending.VOID
    return Spending.FROZEN if account.frozen_by else given_back(account, -more)


def _not_theirs(order: Ordered, account: Account) -> str | None:
    facts = account.facts
    if facts.merchant_id != order.merchant_id:
        return "it is an allowance of another shop"
    if facts.buyer_id != order.buyer_id:
        return "it is another buyer's allowance"
    return None if facts.currency == order.currency else "the allowance is in another currency"

"""An allowance's balance: which case holds it, when it may be given back, when it is void (A2, A5, A6).

At most one case holds a balance, and only the case that holds it may void it: this is why a withdrawal and the end of
validity never pay twice (A6).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from workflows.messages.allowances import Standing
from workflows.messages.orders import AllowanceFacts
from workflows.messages.step_parts import Thaw
from workflows.rules.allowance import split


@dataclass(frozen=True)
class Account:
    """An allowance account as a whole. Moments are business time."""

    facts: AllowanceFacts
    frozen_by: str | None = None
    """The case that holds the balance; once the principal is paid back, the case that paid."""
    frozen_at: datetime | None = None
    validity_ended_at: datetime | None = None
    voided_at: datetime | None = None
    paid_back_at: datetime | None = None

    @property
    def balance(self) -> int:
        """What is left of principal and bonus together, in minor units; nothing once it is void (A2)."""
        return 0 if self.voided_at else self.facts.principal + self.facts.bonus - self.facts.spent

    @property
    def withdrawable(self) -> int:
        """What is left of the principal, in minor units (A1); nothing once it has been paid back."""
        facts = self.facts
        return 0 if self.voided_at else split(facts.principal, facts.bonus, facts.spent).withdrawable


@dataclass(frozen=True)
class Held:
    """The balance is frozen for the case that asked; asking again changes nothing (A5)."""


@dataclass(frozen=True)
class HeldByOther:
    """Another case holds the balance; it is the one that pays (A6)."""

    case_id: str


@dataclass(frozen=True)
class Empty:
    """The principal has been paid back or spent: there is nothing to pay."""


@dataclass(frozen=True)
class StillValid:
    """The validity has been prolonged: it ends only then (A6)."""

    until: datetime


@dataclass(frozen=True)
class NoSuchAllowance:
    """There is no allowance with this id."""


Freezing: TypeAlias = Held | HeldByOther | Empty | NoSuchAllowance
ValidityEnd: TypeAlias = Held | HeldByOther | Empty | StillValid | NoSuchAllowance


class Spending(StrEnum):
    """What came of spending from an allowance."""

    SPENT = "spent"
    FROZEN = "frozen"
    """A request is open (A5)."""
    TOO_MUCH = "too_much"
    VALIDITY_ENDED = "validity_ended"
    VOID = "void"
    UNKNOWN = "unknown"


def standing(account: Account, at: datetime) -> Standing:
    """How an allowance stands, for whoever reads it."""
    if account.paid_back_at:
        return "paid_out"
    if account.voided_at or account.validity_ended_at or account.facts.valid_until <= at:
        return "expired"
    if account.frozen_by:
        return "frozen"
    return "valid" if account.balance else "empty"


def spent(account: Account | None, amount: int, at: datetime) -> tuple[Spending, Account | None]:
    """Spend ``amount`` minor units, as the shop's checkout did at ``at``; refused while a request is open (A5).

    Raises:
        ValueError: the amount is not positive.
    """
    if amount <= 0:
        raise ValueError("an amount to spend is positive")
    match account:
        case None:
            return Spending.UNKNOWN, None
        case Account(voided_at=datetime()):
            return Spending.VOID, account
        case Account(facts=AllowanceFacts(valid_until=until)) if until <= at:
            return Spending.VALIDITY_ENDED, account
        case Account(frozen_by=str()):
            return Spending.FROZEN, account
        case Account(balance=left) if amount > left:
            return Spending.TOO_MUCH, account
        case Account(facts=facts):
            return Spending.SPENT, replace(account, facts=facts.model_copy(update={"spent": facts.spent + amount}))


def frozen(account: Account, case_id: str, at: datetime) -> tuple[Freezing, Account]:
    """Hold the balance for a case, so that nothing is spent of it while the case is open (A5)."""
    if not account.withdrawable:
        return Empty(), account
    if account.frozen_by is None:
        return Held(), replace(account, frozen_by=case_id, frozen_at=at)
    return _held_by(account.frozen_by, case_id), account


def thawed(account: Account, case_id: str, at: datetime, *, paid_back: int) -> tuple[Thaw, Account]:
    """Give the balance back that a case holds (A5), unless its validity has ended meanwhile (A6).

    In that case it stays frozen, and this case must pay the principal back: the expiry has left it to it.
    A case that holds nothing (any more) has nothing to give back; that counts as thawed.
    Where the ledger says that principal has been ``paid_back``, in minor units, by a payment that had been given up and
    was made after all, the balance is void instead: the buyer has the money.
    """
    if account.frozen_by != case_id or account.voided_at:
        return Thaw.THAWED, account
    if paid_back:
        _, void = voided(account, case_id, at)
        return Thaw.PAID_BACK, void
    if account.validity_ended_at:
        return Thaw.VALIDITY_ENDED, account
    return Thaw.THAWED, replace(account, frozen_by=None, frozen_at=None)


def validity_ended(account: Account, case_id: str, at: datetime) -> tuple[ValidityEnd, Account]:
    """End an allowance's validity and settle which case pays the principal back (A6).

    Whoever holds the balance pays: an open request keeps it and can no longer thaw it; without one the expiry
    (``case_id``) holds it from now on. Where no principal is left, the rest of the bonus is void at once. The
    same call again gives the same answer.
    """
    if account.voided_at:
        return Empty(), account
    if account.facts.valid_until > at:
        return StillValid(account.facts.valid_until), account
    if account.frozen_by is None and not account.withdrawable:
        return Empty(), replace(account, validity_ended_at=at, voided_at=at)
    holder = account.frozen_by or case_id
    ended = replace(
        account,
        frozen_by=holder,
        frozen_at=account.frozen_at or at,
        validity_ended_at=account.validity_ended_at or at,
    )
    return _held_by(holder, case_id), ended


class Voiding(StrEnum):
    """What came of voiding a balance."""

    VOIDED = "voided"
    """The balance is void, now or since this case did it before."""
    NOT_HELD = "not_held"
    """The case does not hold the balance; nothing was changed."""
    UNKNOWN = "unknown"


def voided(account: Account, case_id: str, at: datetime) -> tuple[Voiding, Account]:
    """Empty the account of the case that has paid the principal back: the bonus is void (A2)."""
    if account.frozen_by != case_id:
        return Voiding.NOT_HELD, account
    paid = replace(account, voided_at=account.voided_at or at, paid_back_at=account.paid_back_at or at)
    return Voiding.VOIDED, paid


def owed_again(account: Account, case_id: str) -> Account:
    """A void account as the case holds it whose payment had emptied it and has come back, and that pays it again (A2).

    Another one had found the principal paid, and voided the balance for it (A5, A6).
    """
    return replace(account, frozen_by=case_id) if account.paid_back_at else account


def _held_by(holder: str, case_id: str) -> Held | HeldByOther:
    return Held() if holder == case_id else HeldByOther(holder)

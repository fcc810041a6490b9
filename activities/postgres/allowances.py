"""Allowance accounts: who may touch a balance, and when (A2, A5, A6).

Every operation takes the account's row lock and belongs to its caller's transaction: an allowance is frozen,
thawed or voided together with the step of the case that says so. At most one case holds a balance, and only
the case that holds it may void it: this is why a withdrawal and the end of validity never pay twice (A6).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.cases import Thaw
from workflows.messages.orders import AllowanceFacts
from workflows.messages.payouts import TenderKind
from workflows.rules.allowance import split


@dataclass(frozen=True)
class Account:
    """An allowance account as a whole. Moments are business time."""

    facts: AllowanceFacts
    frozen_by: str | None
    """The case that holds the balance; once the principal is paid back, the case that paid."""
    frozen_at: datetime | None
    validity_ended_at: datetime | None
    voided_at: datetime | None
    paid_back_at: datetime | None

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


class Voiding(StrEnum):
    """What came of voiding a balance."""

    VOIDED = "voided"
    """The balance is void, now or since this case did it before."""
    NOT_HELD = "not_held"
    """The case does not hold the balance; nothing was changed."""
    UNKNOWN = "unknown"


class Spending(StrEnum):
    """What came of spending from an allowance."""

    SPENT = "spent"
    FROZEN = "frozen"
    """A request is open (A5)."""
    TOO_MUCH = "too_much"
    VALIDITY_ENDED = "validity_ended"
    VOID = "void"
    UNKNOWN = "unknown"


async def account(connection: Connection, allowance_id: str) -> Account | None:
    """The account without a lock, or None where there is none."""
    return _account(await connection.fetchrow(_SELECT, allowance_id))


async def facts(connection: Connection, allowance_id: str, *, for_update: bool = False) -> AllowanceFacts | None:
    """What a case needs to know of an allowance, or None where there is none.

    With ``for_update`` the account stays locked until the transaction ends, so that nothing is spent between.
    """
    found = await (_locked if for_update else account)(connection, allowance_id)
    return found.facts if found else None


async def of_account(connection: Connection, merchant_id: str, account_lookup: str) -> list[str]:
    """The ids of one account's allowances at one merchant (A4); the hash is `lookup.account_lookup`'s."""
    rows = await connection.fetch(
        """
        SELECT allowance_id FROM shop.allowances
        WHERE merchant_id = $1 AND account_lookup = $2
        ORDER BY allowance_id
        """,
        merchant_id,
        account_lookup,
    )
    return [row["allowance_id"] for row in rows]


async def freeze(connection: Connection, allowance_id: str, case_id: str, at: datetime) -> Freezing:
    """Hold the balance for a case, so that nothing is spent of it while the case is open (A5)."""
    match await _locked(connection, allowance_id):
        case None:
            return NoSuchAllowance()
        case Account(withdrawable=0):
            return Empty()
        case Account(frozen_by=str(holder)):
            return Held() if holder == case_id else HeldByOther(holder)
        case _:
            await connection.execute(
                "UPDATE shop.allowances SET frozen_by = $2, frozen_at = $3 WHERE allowance_id = $1",
                allowance_id,
                case_id,
                at,
            )
            return Held()


async def thaw(connection: Connection, allowance_id: str, case_id: str) -> Thaw:
    """Give the balance back that a case holds (A5), unless its validity has ended meanwhile (A6).

    In that case it stays frozen, and this case must pay the principal back: the expiry has left it to it.
    A case that holds nothing (any more) has nothing to give back; that counts as thawed.
    """
    match await _locked(connection, allowance_id):
        case Account(frozen_by=holder, voided_at=None, validity_ended_at=ended) if holder == case_id:
            if ended:
                return Thaw.VALIDITY_ENDED
            await connection.execute(
                "UPDATE shop.allowances SET frozen_by = NULL, frozen_at = NULL WHERE allowance_id = $1",
                allowance_id,
            )
        case _:
            pass
    return Thaw.THAWED


async def end_validity(connection: Connection, allowance_id: str, case_id: str, at: datetime) -> ValidityEnd:
    """End an allowance's validity and settle which case pays the principal back (A6).

    Whoever holds the balance pays: an open request keeps it and can no longer thaw it; without one the expiry
    (``case_id``) holds it from now on. Where no principal is left, the rest of the bonus is void at once. The
    same call again gives the same answer.
    """
    match await _locked(connection, allowance_id):
        case None:
            return NoSuchAllowance()
        case Account(voided_at=datetime()):
            return Empty()
        case Account(facts=AllowanceFacts(valid_until=until)) if until > at:
            return StillValid(until)
        case Account(frozen_by=None, withdrawable=0):
            await connection.execute(
                "UPDATE shop.allowances SET validity_ended_at = $2, voided_at = $2 WHERE allowance_id = $1",
                allowance_id,
                at,
            )
            return Empty()
        case Account(frozen_by=holder):
            await connection.execute(
                """
                UPDATE shop.allowances
                SET frozen_by = coalesce(frozen_by, $2), frozen_at = coalesce(frozen_at, $3),
                    validity_ended_at = coalesce(validity_ended_at, $3)
                WHERE allowance_id = $1
                """,
                allowance_id,
                case_id,
                at,
            )
            return Held() if holder in {None, case_id} else HeldByOther(str(holder))


async def void(connection: Connection, allowance_id: str, case_id: str, at: datetime) -> Voiding:
    """Empty the account of the case that has paid the principal back: the bonus is void (A2)."""
    match await _locked(connection, allowance_id):
        case None:
            return Voiding.UNKNOWN
        case Account(frozen_by=holder) if holder != case_id:
            return Voiding.NOT_HELD
        case _:
            await connection.execute(
                """
                UPDATE shop.allowances
                SET voided_at = coalesce(voided_at, $2), paid_back_at = coalesce(paid_back_at, $2)
                WHERE allowance_id = $1
                """,
                allowance_id,
                at,
            )
            return Voiding.VOIDED


async def prolong(connection: Connection, allowance_id: str, until: datetime) -> bool:
    """Move the end of validity to a later moment, as the shop may; False where it cannot be done any more."""
    moved = await connection.fetchval(
        """
        UPDATE shop.allowances SET valid_until = greatest(valid_until, $2)
        WHERE allowance_id = $1 AND validity_ended_at IS NULL AND voided_at IS NULL
        RETURNING true
        """,
        allowance_id,
        until,
    )
    return moved is not None


async def spend(connection: Connection, allowance_id: str, amount: int, at: datetime) -> Spending:
    """Spend ``amount`` minor units, as the shop's checkout does; refused while a request is open (A5).

    Raises:
        ValueError: the amount is not positive.
    """
    if amount <= 0:
        raise ValueError("an amount to spend is positive")
    match await _locked(connection, allowance_id):
        case None:
            return Spending.UNKNOWN
        case Account(voided_at=datetime()):
            return Spending.VOID
        case Account(facts=AllowanceFacts(valid_until=until)) if until <= at:
            return Spending.VALIDITY_ENDED
        case Account(frozen_by=str()):
            return Spending.FROZEN
        case Account(balance=left) if amount > left:
            return Spending.TOO_MUCH
        case _:
            await connection.execute(
                "UPDATE shop.allowances SET spent = spent + $2 WHERE allowance_id = $1", allowance_id, amount
            )
            return Spending.SPENT


_SELECT = """
    SELECT allowance_id, marketplace, merchant_id, buyer_id, currency, principal, bonus, spent, tender_kind,
           valid_until, frozen_by, frozen_at, validity_ended_at, voided_at, paid_back_at
    FROM shop.allowances
    WHERE allowance_id = $1
"""


async def _locked(connection: Connection, allowance_id: str) -> Account | None:
    return _account(await connection.fetchrow(f"{_SELECT} FOR UPDATE", allowance_id))


def _account(row: asyncpg.Record | None) -> Account | None:
    if row is None:
        return None
    return Account(
        facts=AllowanceFacts(
            allowance_id=row["allowance_id"],
            marketplace=row["marketplace"],
            merchant_id=row["merchant_id"],
            buyer_id=row["buyer_id"],
            currency=row["currency"],
            principal=row["principal"],
            bonus=row["bonus"],
            spent=row["spent"],
            tender_kind=TenderKind(row["tender_kind"]),
            valid_until=row["valid_until"],
        ),
        frozen_by=row["frozen_by"],
        frozen_at=row["frozen_at"],
        validity_ended_at=row["validity_ended_at"],
        voided_at=row["voided_at"],
        paid_back_at=row["paid_back_at"],
    )

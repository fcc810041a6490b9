"""Allowance accounts in PostgreSQL (A2, A5, A6); which case may touch a balance, and when, says ``rules.balances``.

Every operation takes the account's row lock and belongs to its caller's transaction: an allowance is frozen,
thawed or voided together with the step of the case that says so.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import asyncpg

from activities.postgres import campaigns
from activities.postgres.connection import Connection
from workflows.messages.allowances import AllowanceCampaign, HeldAllowance
from workflows.messages.orders import AllowanceFacts
from workflows.messages.payouts import TenderKind
from workflows.messages.requests import ExpiryRequest
from workflows.messages.step_parts import Thaw
from workflows.rules.allowance_refunds import Purse, given_back
from workflows.rules.allowance_spending import NotSpent, Ordered, PaidWith, allowances_of, spent_on
from workflows.rules.balances import (
    Account,
    Freezing,
    NoSuchAllowance,
    Spending,
    ValidityEnd,
    Voiding,
    frozen,
    owed_again,
    spent,
    standing,
    thawed,
    validity_ended,
    voided,
)


async def account(connection: Connection, allowance_id: str, *, for_update: bool = False) -> Account | None:
    """The account, or None where there is none; with ``for_update`` it stays locked until the transaction ends."""
    return _account(await connection.fetchrow(f"{_SELECT} FOR UPDATE" if for_update else _SELECT, allowance_id))


async def facts(connection: Connection, allowance_id: str, *, for_update: bool = False) -> AllowanceFacts | None:
    """What a case needs to know of an allowance, or None where there is none.

    With ``for_update`` the account stays locked until the transaction ends, so that nothing is spent between.
    """
    found = await account(connection, allowance_id, for_update=for_update)
    return found.facts if found else None


async def buyer_of(connection: Connection, allowance_id: str) -> str | None:
    """Whose allowance it is; None where it is not known."""
    return await connection.fetchval("SELECT buyer_id FROM shop.allowances WHERE allowance_id = $1", allowance_id)


async def marketplace_of(connection: Connection, allowance_id: str) -> str | None:
    """By which policy an allowance goes; None where it is not known."""
    return await connection.fetchval("SELECT marketplace FROM shop.allowances WHERE allowance_id = $1", allowance_id)


async def payment_of(connection: Connection, allowance_id: str) -> asyncpg.Record | None:
    """The provider's payment that an allowance was bought with, as ``TenderPayment``; None without one (X6)."""
    return await connection.fetchrow(
        """
        SELECT transaction, coalesce(charged, principal) AS total, currency, charged_at AS paid_at, payment_account
        FROM shop.allowances WHERE allowance_id = $1 AND transaction IS NOT NULL
        """,
        allowance_id,
    )


async def valid(connection: Connection, after: str, limit: int) -> list[ExpiryRequest]:
    """A page of allowances whose principal is to go back when they end, and that have no such case (A6)."""
    rows = await connection.fetch(
        """
        SELECT allowance_id, merchant_id, buyer_id, valid_until FROM shop.allowances
        WHERE validity_ended_at IS NULL AND voided_at IS NULL AND allowance_id > $1
          AND NOT EXISTS (SELECT FROM casebook.every_case WHERE case_id = 'expiry/' || allowances.allowance_id)
        ORDER BY allowance_id LIMIT $2
        """,
        after,
        limit,
    )
    return [ExpiryRequest(**dict(row)) for row in rows]


PERSON_OF_SUBJECT: Final = "(SELECT 'buyer/' || buyer_id FROM shop.allowances WHERE allowance_id = subject)"
"""As SQL, beside a column ``subject``: under whose key what tells of an allowance is put."""


async def held(
    connection: Connection, buyer_id: str, merchant_id: str | None, at: datetime, *, after: str, limit: int
) -> tuple[HeldAllowance, ...]:
    """A page of a buyer's allowances by their ids, at one merchant or at all, from the first behind ``after`` on."""
    rows = await connection.fetch(
        f"""
        {_COLUMNS}, campaign_id FROM shop.allowances
        WHERE buyer_id = $1 AND ($2::text IS NULL OR merchant_id = $2) AND allowance_id > $3
        ORDER BY allowance_id LIMIT $4
        """,
        buyer_id,
        merchant_id,
        after,
        limit,
    )
    known = await campaigns.find_all(connection, {row["campaign_id"] for row in rows if row["campaign_id"]})
    return tuple(_held(_account(row), known.get(row["campaign_id"]), at) for row in rows)


def _held(account: Account | None, campaign: AllowanceCampaign | None, at: datetime) -> HeldAllowance:
    assert account is not None
    return HeldAllowance(
        **account.facts.model_dump(exclude={"tender_kind"}),
        balance=account.balance,
        withdrawable=account.withdrawable,
        standing=standing(account, at),
        held_by=None if account.voided_at else account.frozen_by,
        campaign=campaign,
    )


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
    if (account := await _locked(connection, allowance_id)) is None:
        return NoSuchAllowance()
    freezing, changed = frozen(account, case_id, at)
    await _change(connection, account, changed)
    return freezing


async def thaw(connection: Connection, allowance_id: str, case_id: str, at: datetime, *, paid_back: int) -> Thaw:
    """Give the balance back that a case holds (A5), unless its validity has ended meanwhile (A6).

    Of what has been ``paid_back`` of the principal, in minor units, the ledger tells.
    """
    if (account := await _locked(connection, allowance_id)) is None:
        return Thaw.THAWED
    thaw, changed = thawed(account, case_id, at, paid_back=paid_back)
    await _change(connection, account, changed)
    return thaw


async def end_validity(connection: Connection, allowance_id: str, case_id: str, at: datetime) -> ValidityEnd:
    """End an allowance's validity and settle which case pays the principal back (A6)."""
    if (account := await _locked(connection, allowance_id)) is None:
        return NoSuchAllowance()
    ended, changed = validity_ended(account, case_id, at)
    await _change(connection, account, changed)
    return ended


async def void(connection: Connection, allowance_id: str, case_id: str, at: datetime) -> Voiding:
    """Empty the account of the case that has paid the principal back: the bonus is void (A2)."""
    if (account := await _locked(connection, allowance_id)) is None:
        return Voiding.UNKNOWN
    voiding, changed = voided(account, case_id, at)
    await _change(connection, account, changed)
    return voiding


async def owe_again(connection: Connection, allowance_id: str, case_id: str) -> None:
    """Let the case hold a void balance whose payment has come back, and that is to pay it again (A2, A5)."""
    if account := await _locked(connection, allowance_id):
        await _change(connection, account, owed_again(account, case_id))


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
    account = await _locked(connection, allowance_id)
    spending, changed = spent(account, amount, at)
    if account and changed and changed is not account:
        await _note_spent(connection, changed)
    return spending


async def order_paid(connection: Connection, order: Ordered, before: Iterable[PaidWith] = ()) -> NotSpent | None:
    """Spend what an order was paid with, of which ``before`` was known (A7); why not, and then nothing is spent."""
    named = sorted({*allowances_of(order.tenders), *allowances_of(before)})
    if not named:
        return None
    accounts = {each: await _locked(connection, each) for each in named}
    match spent_on(order, before, accounts):
        case NotSpent() as refused:
            return refused
        case changed:
            for now in changed.values():
                await _note_spent(connection, now)
            return None


async def give_back(connection: Connection, purse: Purse, amount: int) -> None:
    """Put back into an allowance what was spent of it (A7); the caller holds it locked.

    Raises:
        ValueError: more than was spent.
    """
    await _note_spent(connection, given_back(purse.account, amount))


async def _note_spent(connection: Connection, account: Account) -> None:
    await connection.execute(
        "UPDATE shop.allowances SET spent = $2 WHERE allowance_id = $1",
        account.facts.allowance_id,
        account.facts.spent,
    )


_COLUMNS: Final = """
    SELECT allowance_id, marketplace, merchant_id, buyer_id, currency, principal, bonus, spent, tender_kind,
           valid_until, frozen_by, frozen_at, validity_ended_at, voided_at, paid_back_at
"""
_SELECT: Final = f"{_COLUMNS} FROM shop.allowances WHERE allowance_id = $1"


async def _locked(connection: Connection, allowance_id: str) -> Account | None:
    return await account(connection, allowance_id, for_update=True)


async def _change(connection: Connection, account: Account, changed: Account) -> None:
    if changed == account:
        return
    await connection.execute(
        """
        UPDATE shop.allowances
        SET frozen_by = $2, frozen_at = $3, validity_ended_at = $4, voided_at = $5, paid_back_at = $6
        WHERE allowance_id = $1
        """,
        account.facts.allowance_id,
        changed.frozen_by,
        changed.frozen_at,
        changed.validity_ended_at,
        changed.voided_at,
        changed.paid_back_at,
    )


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

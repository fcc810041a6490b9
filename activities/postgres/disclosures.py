"""Showing and revealing what is a person's own, and the record of who looked (P1, P2).

Another merchant's order or case is the same as one that does not exist. Whatever is given in clear to anybody but
the buyer is recorded in the transaction that reads it: nothing is seen that is not written down.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg
from pydantic import SecretStr

from activities.postgres.connection import Connection
from activities.postgres.vault import Vault
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.disclosures import Look, Reveal, Revealed, RevealField, ShownRecipient
from workflows.messages.persons import Recipient
from workflows.messages.surfaces import Field, Surface
from workflows.rules.masking import SHOWN_IN_FULL, shown
from workflows.rules.postal_addresses import masked_region
from workflows.rules.refusals import refused

REVEAL: Final = "reveal"
EXPORT: Final = "export"
"""What stands for a surface in the record where something was asked for outside any."""
NO_RECIPIENT: Final = "no_recipient"
"""Why there is no virtual number: nobody is known to whom the order was sent, or the person was forgotten."""
_SHOWN: Final = "shown"
_WINDOW: Final = timedelta(hours=1)


class TooManyReveals(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The actor has revealed as much as it may within an hour (P2). Nothing was read.

    Attributes:
        try_again_at: When the next reveal will be granted, unless others come first.
    """

    def __init__(self, per_hour: int, try_again_at: datetime) -> None:
        super().__init__(f"{per_hour} reveals an hour are allowed; try again at {try_again_at.isoformat()}")
        self.try_again_at = try_again_at


class OtherLookUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The key stands for another look, or for one of more than an hour ago. Nothing was read."""


async def show(
    connection: Connection, vault: Vault, order_no: str, surface: Surface, viewer: Actor, at: datetime
) -> ShownRecipient | None:
    """The recipient as ``surface`` shows it to ``viewer``: the order's merchant or buyer, or the platform (P1).

    None where there is no such order, or it is another's. What a surface shows in full is recorded as a look, unless
    the buyer sees its own.
    """
    found = await _order(connection, order_no)
    if found is None or not found.is_open_to(viewer):
        return None
    recipient = await vault.recipient(connection, order_no)
    if recipient is None:
        return ShownRecipient(order_no=order_no, surface=surface)
    in_full = SHOWN_IN_FULL.get((surface, viewer.role), frozenset[Field]())
    if viewer.role is not Role.BUYER:
        await record(connection, viewer, found.merchant_id, [order_no], sorted(in_full), surface, _SHOWN, at)
    return ShownRecipient(order_no=order_no, surface=surface, **as_shown(recipient, surface, viewer.role))


def as_shown(recipient: Recipient, surface: Surface, viewer: Role) -> dict[str, SecretStr]:
    """Name, phone and address as ``surface`` shows them to a ``viewer`` of this role (P1)."""
    name, phone = recipient.name.get_secret_value(), recipient.phone.get_secret_value()
    in_full = Field.ADDRESS in SHOWN_IN_FULL.get((surface, viewer), ())
    return {
        Field.NAME: SecretStr(shown(surface, viewer, Field.NAME, name)),
        Field.PHONE: SecretStr(shown(surface, viewer, Field.PHONE, phone)),
        Field.ADDRESS: _address(recipient) if in_full else SecretStr(masked_region(recipient.region)),
    }


async def reveal(connection: Connection, vault: Vault, wish: Reveal, per_hour: int, at: datetime) -> Revealed | None:
    """Real name and address, at a case or order of the actor's own, one recorded look for each field (P2).

    None where there is no such case or order, or it is another merchant's. A virtual number is recorded here and
    obtained by the caller, once this transaction stands. Of a person who is not known, or was forgotten, there is
    nothing to see and nothing to record. The same key within an hour is the same look.

    Args:
        connection: In a transaction, READ COMMITTED.
        vault: Where name and address are.
        wish: What is asked, by whom and why.
        per_hour: How many reveals the actor may make within any hour; at least 1.
        at: The moment of the look.

    Raises:
        TooManyReveals: the actor has to wait.
        OtherLookUnderKey: the key was used for something else, or too long ago.
    """
    found = await _subject(connection, wish.subject)
    if found is None or not found.is_open_to(wish.by):
        return None
    # One after the other for each actor: the count below holds until the look is recorded.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('vault.looks/' || $1, 0))", wish.by.id)
    is_repeated = await _is_repeated(connection, wish, at)
    if not is_repeated and (try_again_at := await _try_again_at(connection, wish.by, per_hour, at)):
        raise TooManyReveals(per_hour, try_again_at)
    recipient = await vault.recipient(connection, found.order_no) if found.order_no else None
    if recipient is None:
        return Revealed(subject=wish.subject, at=at, number_refusal=_no_number(wish))
    if not is_repeated:
        await record(
            connection, wish.by, found.merchant_id, [wish.subject], wish.fields, REVEAL, wish.why, at, key=wish.key
        )
    return Revealed(
        subject=wish.subject,
        at=at,
        name=recipient.name if RevealField.NAME in wish.fields else None,
        address=_address(recipient) if RevealField.ADDRESS in wish.fields else None,
    )


async def record(
    connection: Connection,
    by: Actor,
    merchant_id: str,
    subjects: Sequence[str],
    fields: Iterable[str],
    surface: str,
    reason: str,
    at: datetime,
    *,
    key: str | None = None,
) -> None:
    """Write down a look at each of these fields of each subject (P2)."""
    await connection.executemany(
        """
        INSERT INTO vault.looks (key, role, actor_id, merchant_id, subject, field, surface, reason, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (key, by.role, by.id, merchant_id, subject, field, surface, reason, at)
            for field in fields
            for subject in subjects
        ],
    )


async def looks_at(connection: Connection, merchant_id: str | None, subject: str) -> tuple[Look, ...]:
    """Who looked at a case, or at an order and all of its cases, oldest first (P2).

    Without a merchant, for the platform, of all.
    """
    rows = await connection.fetch(
        f"""
        SELECT {_LOOK} FROM vault.looks
        WHERE (subject = $1 OR subject IN (SELECT case_id FROM casebook.cases WHERE order_no = $1))
        AND ($2::text IS NULL OR merchant_id = $2)
        ORDER BY id
        """,  # noqa: S608 -- a constant
        subject,
        merchant_id,
    )
    return tuple(_look(row) for row in rows)


def _no_number(wish: Reveal) -> Refusal | None:
    if RevealField.VIRTUAL_NUMBER not in wish.fields:
        return None
    return refused(NO_RECIPIENT, "subject", "P2", "nobody is known to whom this was sent")


_LOOK = "key, role, actor_id, merchant_id, subject, field, surface, reason, at"


@dataclass(frozen=True)
class _Subject:
    """Whose order or case it is."""

    merchant_id: str
    buyer_id: str | None
    order_no: str | None

    def is_open_to(self, viewer: Actor) -> bool:
        match viewer.role:
            case Role.PLATFORM:
                return True
            case Role.MERCHANT:
                return viewer.id == self.merchant_id
            case Role.BUYER:
                return viewer.id == self.buyer_id
            case _:
                return False


async def _subject(connection: Connection, subject: str) -> _Subject | None:
    if "/" not in subject:
        return await _order(connection, subject)
    row = await connection.fetchrow(
        "SELECT merchant_id, buyer_id, order_no FROM casebook.cases WHERE case_id = $1", subject
    )
    return _Subject(**row) if row else None


async def _order(connection: Connection, order_no: str) -> _Subject | None:
    row = await connection.fetchrow(
        "SELECT merchant_id, buyer_id, order_no FROM shop.orders WHERE order_no = $1", order_no
    )
    return _Subject(**row) if row else None


async def _is_repeated(connection: Connection, wish: Reveal, at: datetime) -> bool:
    """Whether the wish has been granted before."""
    rows = await connection.fetch(
        f"SELECT {_LOOK} FROM vault.looks WHERE actor_id = $1 AND key = $2",  # noqa: S608 -- a constant
        wish.by.id,
        wish.key,
    )
    before = [_look(row) for row in rows]
    if not before:
        return False
    if {(each.by, each.subject, each.field, each.reason) for each in before} != {
        (wish.by, wish.subject, field, wish.why) for field in wish.fields
    }:
        raise OtherLookUnderKey(f"key {wish.key} stands for another look")
    # Else one recorded look would do for ever.
    if before[0].at <= at - _WINDOW:
        raise OtherLookUnderKey(f"key {wish.key} stands for a look of more than an hour ago")
    return True


async def _try_again_at(connection: Connection, by: Actor, per_hour: int, at: datetime) -> datetime | None:
    """When the actor may reveal again; None where it may now. Fields of one reveal count once."""
    nth = await connection.fetchval(
        """
        SELECT min(at) FROM vault.looks
        WHERE actor_id = $1 AND role = $2 AND surface = $3 AND at > $4
        GROUP BY key ORDER BY 1 DESC OFFSET $5 LIMIT 1
        """,
        by.id,
        by.role,
        REVEAL,
        at - _WINDOW,
        per_hour - 1,
    )
    return nth + _WINDOW if nth else None


def _address(recipient: Recipient) -> SecretStr:
    region = recipient.region
    parts = (region.province, region.city, region.district, recipient.street.get_secret_value())
    return SecretStr(" ".join(part for part in parts if part))


def _look(row: asyncpg.Record) -> Look:
    return Look(
        key=row["key"],
        by=Actor(role=row["role"], id=row["actor_id"]),
        merchant_id=row["merchant_id"],
        subject=row["subject"],
        field=row["field"],
        surface=row["surface"],
        reason=row["reason"],
        at=row["at"],
    )

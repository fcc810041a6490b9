"""Flags 插旗 and remarks 备注 of orders and allowances, and so of all of their cases; remarks of one case (section 12).

Both belong to a merchant: what it notes is seen by it and by the platform, never by another merchant. The words of
a remark are under the key of the buyer whom the order or case is of: they tell of that person (P6).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
from pydantic import SecretStr

from activities.postgres import allowances, case_rows, limits, orders, person_locks
from activities.postgres.connection import Connection
from activities.postgres.person_keys import PersonKeys, sealed_for_nobody
from workflows.messages.actors import Actor
from workflows.messages.flags import AddRemark, Colour, FlagChange, Remark, SetFlag
from workflows.messages.persons import buyer_person, merchant_person
from workflows.messages.policy import LimitsPolicy
from workflows.messages.words import shown_as_written

REMARK: Final = "remark"
"""As what it is sealed."""

COUNTED_REMARKS: Final = """
    (SELECT count(*) FROM shop.remarks r WHERE r.merchant_id = c.merchant_id AND r.subject = c.case_id) AS remarks,
    (SELECT count(*) FROM shop.remarks r
     WHERE r.merchant_id = c.merchant_id AND r.subject = coalesce(c.order_no, c.allowance_id)) AS order_remarks"""
"""How many there are at a case, and at its order or allowance: columns of a query of cases ``c``."""

OF_ORDER: Final = """
    (SELECT f.colour FROM shop.flags f WHERE f.merchant_id = $1 AND f.subject = o.order_no) AS flag,
    (SELECT count(*) FROM shop.remarks r WHERE r.merchant_id = $1 AND r.subject = o.order_no) AS order_remarks"""
"""Flag of an order ``o`` of the merchant $1, and how many remarks there are at it: columns of a query of orders."""


class NoSuchCase(LookupError):  # noqa: N818 -- it is a finding, not a fault
    """There is no such case of this merchant's; nothing was noted down."""


class OtherMarkingUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The key was used at this subject for something else; nothing was changed."""


async def set_flag(connection: Connection, wish: SetFlag, at: datetime) -> FlagChange:
    """Put a flag up, change it, or take it down; the same key once more changes nothing.

    Raises:
        OtherMarkingUnderKey: the key stands for another colour, or for somebody else's change.
    """
    # Changes of one flag come one after the other, and between the openings of its cases.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", f"{wish.merchant_id}/{wish.subject}"
    )
    inserted = await connection.fetchrow(
        f"""
        INSERT INTO shop.flag_history (merchant_id, subject, key, colour, actor_role, actor_id, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (merchant_id, subject, key) DO NOTHING
        RETURNING {_CHANGE}
        """,  # noqa: S608 -- a constant
        wish.merchant_id,
        wish.subject,
        wish.key,
        wish.colour,
        wish.by.role,
        wish.by.id,
        at,
    )
    if inserted is None:
        return await _change_before(connection, wish)
    await connection.execute(
        """
        INSERT INTO shop.flags (merchant_id, subject, colour) VALUES ($1, $2, $3)
        ON CONFLICT (merchant_id, subject) DO UPDATE SET colour = excluded.colour
        """,
        wish.merchant_id,
        wish.subject,
        wish.colour,
    )
    # In this order: what moves meanwhile, or is brought back, is met there.
    for cases in ("casebook.cases", "casebook.closed_keys", "casebook.cases"):
        await connection.execute(
            f"UPDATE {cases} SET flag = $3 WHERE merchant_id = $1 AND (order_no = $2 OR allowance_id = $2)",  # noqa: S608
            wish.merchant_id,
            wish.subject,
            wish.colour,
        )
    return _change(inserted)


async def flag_of(connection: Connection, merchant_id: str, subject: str) -> Colour | None:
    """The flag that this merchant's order or allowance has now, or None."""
    colour = await connection.fetchval(
        "SELECT colour FROM shop.flags WHERE merchant_id = $1 AND subject = $2", merchant_id, subject
    )
    return _colour(colour)


async def flag_of_new_case(connection: Connection, merchant_id: str, subject: str) -> Colour | None:
    """The flag with which a case is opened. Until the opening's transaction ends, nobody changes it."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 1))", f"{merchant_id}/{subject}")
    return await flag_of(connection, merchant_id, subject)


async def flag_history(connection: Connection, merchant_id: str | None, subject: str) -> tuple[FlagChange, ...]:
    """How the flag came to be what it is, oldest change first; without a merchant, for the platform, of all."""
    rows = await connection.fetch(
        f"""
        SELECT {_CHANGE} FROM shop.flag_history
        WHERE subject = $1 AND ($2::text IS NULL OR merchant_id = $2) ORDER BY id
        """,  # noqa: S608 -- a constant
        subject,
        merchant_id,
    )
    return tuple(_change(row) for row in rows)


async def add_remark(
    connection: Connection,
    keys: PersonKeys,
    wish: AddRemark,
    at: datetime,
    *,
    most: int = LimitsPolicy().remarks_of_a_party,
) -> Remark:
    """Note something down; the same key once more is the same remark.

    Raises:
        NoSuchCase: it is about a case that the merchant does not have.
        OtherMarkingUnderKey: the key stands for other words, or for somebody else's.
        LimitReached: the party has noted down ``most`` others (R16).
    """
    await hold_remarks(connection, wish.subject)
    person = await _person(connection, wish)
    await person_locks.hold(connection, person)
    await limits.check_remarks(connection, wish.merchant_id, wish.subject, wish.by, wish.key, most)
    inserted = await connection.fetchrow(
        f"""
        INSERT INTO shop.remarks (merchant_id, subject, key, actor_role, actor_id, at, person, sealed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (merchant_id, subject, key) DO NOTHING
        RETURNING {_REMARK}
        """,  # noqa: S608 -- a constant
        wish.merchant_id,
        wish.subject,
        wish.key,
        wish.by.role,
        wish.by.id,
        at,
        person,
        await keys.seal(
            person,
            REMARK,
            wish.text.get_secret_value().encode(),
            place=_place(wish.merchant_id, wish.subject, wish.key),
        ),
    )
    if inserted is None:
        return await _remark_before(connection, keys, wish)
    (remark,) = await _remarks(keys, [inserted])
    return remark


async def hold_remarks(connection: Connection, subject: str) -> None:
    """Let nobody note anything down about a subject before this transaction ends, which may make it known."""
    await connection.execute(_REMARKS_LOCK, subject)


async def buyer_known(connection: Connection, keys: PersonKeys, subject: str, buyer_id: str) -> None:
    """Put what was noted down about a subject before it was known under the key of its buyer.

    What was noted down before that buyer was forgotten can be opened by nobody from now on. To be called in the
    transaction that makes the subject known, after ``hold_remarks``.
    """
    rows = await connection.fetch(
        f"SELECT id, {_REMARK} FROM shop.remarks WHERE subject = $1 AND person LIKE 'merchant/%'",  # noqa: S608
        subject,
    )
    person = buyer_person(buyer_id)
    for row, remark in zip(rows, await _remarks(keys, rows), strict=True):
        if remark.text is None or await person_locks.forgotten_since(connection, person, remark.at):
            sealed = sealed_for_nobody()
        else:
            sealed = await keys.seal(person, REMARK, remark.text.get_secret_value().encode(), place=_place_of(row))
        await connection.execute(
            "UPDATE shop.remarks SET person = $2, sealed = $3 WHERE id = $1", row["id"], person, sealed
        )


async def remarks_of(
    connection: Connection, keys: PersonKeys, merchant_id: str | None, subject: str
) -> tuple[Remark, ...]:
    """What was noted down, oldest first; without a merchant, for the platform, of all.

    About a case: at the case itself, at the one that it disputes, and at their order or allowance.
    """
    rows = await connection.fetch(
        f"""
        SELECT {_REMARK} FROM shop.remarks
        WHERE subject = ANY ($1) AND ($2::text IS NULL OR merchant_id = $2) ORDER BY id
        """,  # noqa: S608 -- a constant
        await _subjects(connection, subject),
        merchant_id,
    )
    return await _remarks(keys, rows)


async def counted_remarks(connection: Connection, case_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many there are at each of these cases (``remarks``), and at its order or allowance (``order_remarks``)."""
    rows = await connection.fetch(
        f"SELECT c.case_id, {COUNTED_REMARKS} FROM casebook.every_case c WHERE c.case_id = ANY ($1)",  # noqa: S608
        list(case_ids),
    )
    return {row["case_id"]: {name: row[name] for name in ("remarks", "order_remarks")} for row in rows}


_REMARKS_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('shop.remarks/' || $1, 0))"
_CHANGE = "merchant_id, subject, key, colour, actor_role, actor_id, at"
_REMARK = "merchant_id, subject, key, sealed, actor_role, actor_id, at"


async def _change_before(connection: Connection, wish: SetFlag) -> FlagChange:
    row = await connection.fetchrow(
        f"SELECT {_CHANGE} FROM shop.flag_history WHERE merchant_id = $1 AND subject = $2 AND key = $3",  # noqa: S608
        wish.merchant_id,
        wish.subject,
        wish.key,
    )
    before = _change(row) if row else None
    if before is None or (before.colour, before.by) != (wish.colour, wish.by):
        raise OtherMarkingUnderKey(f"key {wish.key} stands for another change of the flag of {wish.subject}")
    return before


async def _remark_before(connection: Connection, keys: PersonKeys, wish: AddRemark) -> Remark:
    row = await connection.fetchrow(
        f"SELECT {_REMARK} FROM shop.remarks WHERE merchant_id = $1 AND subject = $2 AND key = $3",  # noqa: S608
        wish.merchant_id,
        wish.subject,
        wish.key,
    )
    before = (await _remarks(keys, [row]))[0] if row else None
    if before is None or (before.text, before.by) != (wish.text, wish.by):
        raise OtherMarkingUnderKey(f"key {wish.key} stands for another remark at {wish.subject}")
    return before


def _colour(written: str | None) -> Colour | None:
    with shown_as_written():  # nothing is decided by it
        return Colour(written) if written else None


def _change(row: asyncpg.Record) -> FlagChange:
    return FlagChange(
        subject=row["subject"],
        merchant_id=row["merchant_id"],
        colour=_colour(row["colour"]),
        by=_actor(row),
        key=row["key"],
        at=row["at"],
    )


async def _subjects(connection: Connection, subject: str) -> list[str]:
    """Where remarks about a subject stand."""
    if "/" not in subject:
        return [subject]
    case = await connection.fetchrow(
        "SELECT about, order_no, allowance_id FROM casebook.every_case WHERE case_id = $1", subject
    )
    return [subject, *(each for each in (case or ()) if each)]


async def _person(connection: Connection, wish: AddRemark) -> str:
    """Whose key a remark is put under: the buyer's whom it tells of, whichever merchant notes it down.

    The merchant's where the subject is not known yet, until it is (see `buyer_known`), and at a case without a buyer.
    """
    if "/" in wish.subject:
        case = await case_rows.find(connection, wish.subject)
        if case is None or case.merchant_id != wish.merchant_id:
            raise NoSuchCase(wish.subject)
        return buyer_person(case.buyer_id) if case.buyer_id else merchant_person(wish.merchant_id)
    bought_by = await orders.buyer_of(connection, wish.subject)
    buyer_id = bought_by or await allowances.buyer_of(connection, wish.subject)
    return buyer_person(buyer_id) if buyer_id else merchant_person(wish.merchant_id)


def _place(merchant_id: str, subject: str, key: str) -> str:
    """What makes a remark one."""
    return f"{merchant_id}/{subject}/{key}"


def _place_of(row: asyncpg.Record) -> str:
    return _place(row["merchant_id"], row["subject"], row["key"])


async def _remarks(keys: PersonKeys, rows: Sequence[asyncpg.Record]) -> tuple[Remark, ...]:
    texts = await keys.unseal_many(REMARK, {_place_of(row): row["sealed"] for row in rows})
    return tuple(_remark(row, text) for row, text in zip(rows, texts, strict=True))


def _remark(row: asyncpg.Record, plain: bytes | None) -> Remark:
    return Remark(
        subject=row["subject"],
        merchant_id=row["merchant_id"],
        text=None if plain is None else SecretStr(plain.decode()),
        by=_actor(row),
        key=row["key"],
        at=row["at"],
    )


def _actor(row: asyncpg.Record) -> Actor:
    return Actor(role=row["actor_role"], id=row["actor_id"])

"""Writing anew what earlier releases kept in another form: sealed texts, and the hashes of look-ups.

A text was sealed as what it is, and now as that and for its place, so that nobody can move it. A look-up's hash was
the same for every kind of text and in every environment. Both are done once, by the database's owner, before anything
is read in the new form; broken off, it goes on.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import asyncpg

from activities.postgres import allowances, orders
from activities.postgres.connection import Connection
from activities.postgres.flags import REMARK
from activities.postgres.lookup import LOOKUPS, of_kind, phone_of
from activities.postgres.person_keys import PersonKeys
from activities.postgres.statements import STATEMENT
from activities.postgres.vault import RECIPIENT, Vault
from activities.privacy.sealing import Tampered
from workflows.messages.persons import Recipient

TEXTS: Final = "texts"
LOOKUP_HASHES: Final = "lookups"
_BATCH: Final = 500


class _Sealed(NamedTuple):
    """A table of sealed texts."""

    table: str
    key: str
    """Its primary key."""
    place: str
    """What binds a text to its row."""
    context: str
    """As what it is sealed; an expression."""
    person: str = "person"
    """Whose it is, or should be; an expression."""


_OWNER_OF_REMARK: Final = f"""
coalesce(
    {orders.PERSON_OF_SUBJECT},
    {allowances.PERSON_OF_SUBJECT},
    person
)
"""
_TABLES: Final = (
    _Sealed("vault.recipients", "order_no", "order_no", f"'{RECIPIENT}'"),
    _Sealed("vault.items", "reference", "reference", "kind"),
    _Sealed("disputes.statements", "reference", "reference", f"'{STATEMENT}'"),
    _Sealed("shop.remarks", "id", "merchant_id || '/' || subject || '/' || key", f"'{REMARK}'", _OWNER_OF_REMARK),
)
_APPEND_ONLY: Final = {"disputes.statements": ("keep",), "shop.remarks": ("keep", "keep_words")}


async def wanted(connection: Connection) -> tuple[str, ...]:
    """What is still to be written anew; nothing in a database without the schema of this release."""
    if not await connection.fetchval("SELECT to_regclass('vault.renewals') IS NOT NULL"):
        return ()
    done = {row["form"] for row in await connection.fetch("SELECT form FROM vault.renewals")}
    return tuple(each for each in (TEXTS, LOOKUP_HASHES) if each not in done)


async def renew(connection: Connection, vault: Vault) -> Mapping[str, int]:
    """Write anew what is in an earlier form; how many texts and hashes there were.

    Cases that are open in Temporal keep the hashes that they were opened with (`CaseCustomer`).

    Raises:
        asyncpg.InsufficientPrivilegeError: the connection's role does not own the tables.
        Tampered: a text is in neither form.
    """
    todo = await wanted(connection)
    done: dict[str, int] = {}
    if TEXTS in todo:
        done[TEXTS] = 0
        for table in _TABLES:
            done[TEXTS] += await _seal_anew(connection, vault.keys, table)
        await _record(connection, TEXTS)
    if LOOKUP_HASHES in todo:
        async with connection.transaction():
            done[LOOKUP_HASHES] = await _hash_anew(connection, vault)
            await _record(connection, LOOKUP_HASHES)
    return done


async def _record(connection: Connection, form: str) -> None:
    await connection.execute("INSERT INTO vault.renewals (form, at) VALUES ($1, now())", form)


async def _seal_anew(connection: Connection, keys: PersonKeys, table: _Sealed) -> int:
    """One table, in batches; a row that has the new form already is passed over."""
    sealed_anew, after = 0, None
    while True:
        async with connection.transaction():
            rows = await connection.fetch(
                f"""
                SELECT {table.key} AS key, {table.place} AS place, {table.context} AS context,
                       person AS under, {table.person} AS person, sealed
                FROM {table.table} WHERE $1::text IS NULL OR {table.key} > $1::text::{_type_of(table)}
                ORDER BY {table.key} LIMIT {_BATCH} FOR UPDATE
                """,  # noqa: S608 -- constants
                after,
            )
            if not rows:
                return sealed_anew
            changed = [change for row in rows if (change := await _anew(keys, row)) is not None]
            for trigger in _APPEND_ONLY.get(table.table, ()):
                await connection.execute(f"ALTER TABLE {table.table} DISABLE TRIGGER {trigger}")
            await connection.executemany(
                f"UPDATE {table.table} SET sealed = $2, person = $3 WHERE {table.key} = $1",  # noqa: S608
                changed,
            )
            for trigger in _APPEND_ONLY.get(table.table, ()):
                await connection.execute(f"ALTER TABLE {table.table} ENABLE TRIGGER {trigger}")
            sealed_anew += len(changed)
            after = str(rows[-1]["key"])


def _type_of(table: _Sealed) -> str:
    return "bigint" if table.key == "id" else "text"


async def _anew(keys: PersonKeys, row: asyncpg.Record) -> tuple[object, bytes, str] | None:
    """The row's key, its text sealed for its place, and whose it is; None where nothing is to be done."""
    context, place, is_bound = row["context"], row["place"], True
    try:
        (plain,) = await keys.unseal_many(context, {place: row["sealed"]})
    except Tampered:
        is_bound = False
        (plain,) = await keys.unseal_many(context, {"": row["sealed"]})
    if plain is None or (is_bound and row["under"] == row["person"]):
        return None
    return row["key"], await keys.seal(row["person"], context, plain, place=place), row["person"]


async def _hash_anew(connection: Connection, vault: Vault) -> int:
    """Names and phones from the recipients; account names, which are kept nowhere, from the hashes that stand."""
    rows = await connection.fetch("SELECT * FROM vault.lookups FOR UPDATE")
    orders = sorted({row["subject"] for row in rows if row["field"] != "account"})
    recipients: dict[str, Recipient] = {}
    for start in range(0, len(orders), _BATCH):
        recipients |= await vault.recipients(connection, orders[start : start + _BATCH])
    for row in rows:
        await connection.execute(
            """
            UPDATE vault.lookups SET hash = $5
            WHERE merchant_id = $1 AND hash = $2 AND subject = $3 AND field = $4
            """,
            row["merchant_id"],
            row["hash"],
            row["subject"],
            row["field"],
            _hash_of(vault, row, recipients.get(row["subject"])),
        )
    # Allowances from before there was a vault have their hash in their own row alone.
    allowances = await connection.fetch(
        "SELECT allowance_id, account_lookup FROM shop.allowances WHERE account_lookup IS NOT NULL FOR UPDATE"
    )
    await connection.executemany(
        "UPDATE shop.allowances SET account_lookup = $2 WHERE allowance_id = $1",
        [(row["allowance_id"], of_kind(vault.lookup_key, "account", row["account_lookup"])) for row in allowances],
    )
    return len(rows)


def _hash_of(vault: Vault, row: asyncpg.Record, recipient: Recipient | None) -> str:
    match row["field"], recipient:
        case "name", Recipient():
            return LOOKUPS["name"](vault.lookup_key, recipient.name.get_secret_value())
        case "phone", Recipient():
            return LOOKUPS["phone"](vault.lookup_key, phone_of(recipient))
        case field, _:
            return of_kind(vault.lookup_key, field, row["hash"])

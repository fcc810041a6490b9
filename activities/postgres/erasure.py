"""Forgetting a person: the key destroyed, what could be searched taken away, and the proof (section 8).

The money books, the case log and Temporal hold ids, amounts and references only: they stay whole, and open cases go
on. What cannot be deleted, the statements and remarks of an append-only log, cannot be read any more.
"""

from datetime import datetime

from activities.postgres.connection import Connection
from activities.postgres.flags import REMARK
from activities.postgres.statements import STATEMENT
from activities.postgres.vault import Vault
from workflows.messages.actors import Actor
from workflows.messages.message import Code, Message


class Erasure(Message):
    """What forgetting a person has done, and what was found when it was tried to read them again."""

    person: str
    keys_destroyed: int
    deleted: int
    """Rows of the vault and hashes of searches that are gone."""
    sealed_for_good: int
    """Texts that stay where they are and that nobody can open."""
    readable: int
    """Texts of the person that could be opened still. It must be 0."""
    kept_elsewhere: tuple[str, ...] = ()
    """References of attachments that other stores hold: they must forget them on their own."""
    numbers_released: int = 0
    open_cases: tuple[str, ...] = ()
    """Cases that go on, and end, without the person's data."""

    @property
    def complete(self) -> bool:
        """Whether nothing of the person's can be read here any more."""
        return self.readable == 0


async def forget(
    connection: Connection, vault: Vault, person: str, *, by: Actor, reason: Code, at: datetime
) -> Erasure:
    """Forget a person, ``buyer/<id>`` or ``merchant/<id>``; once more does no harm and proves it again.

    The key goes first: whatever breaks off afterwards, nothing can be read from then on.
    """
    destroyed = await vault.keys.destroy(person)
    async with connection.transaction():
        deleted = [
            await connection.fetch(f"DELETE FROM {table} WHERE person = $1 RETURNING true", person)  # noqa: S608
            for table in ("vault.recipients", "vault.items", "vault.lookups")
        ]
        role, _, identifier = person.partition("/")
        if role == "buyer":
            await connection.execute("UPDATE shop.allowances SET account_lookup = NULL WHERE buyer_id = $1", identifier)
        await connection.execute(
            "INSERT INTO vault.erasures (person, asked_by, reason, at) VALUES ($1, $2, $3, $4)",
            person,
            f"{by.role}:{by.id}",
            reason,
            at,
        )
        cases = await connection.fetch(
            """
            SELECT case_id, closed_at IS NULL AS open FROM casebook.cases
            WHERE (buyer_id = $2 AND $1 = 'buyer') OR (merchant_id = $2 AND $1 = 'merchant') ORDER BY case_id
            """,
            role,
            identifier,
        )
        elsewhere = await _attachments_elsewhere(connection, [row["case_id"] for row in cases]) if cases else ()
    sealed, readable = await _proof(connection, vault, person)
    return Erasure(
        person=person,
        keys_destroyed=destroyed,
        deleted=sum(map(len, deleted)),
        sealed_for_good=sealed - readable,
        readable=readable,
        kept_elsewhere=elsewhere if role == "buyer" else (),
        open_cases=tuple(row["case_id"] for row in cases if row["open"]) if role == "buyer" else (),
    )


async def _proof(connection: Connection, vault: Vault, person: str) -> tuple[int, int]:
    """How many texts of the person are there, and how many of them still open: each is tried."""
    sealed = readable = 0
    for context, table in ((STATEMENT, "disputes.statements"), (REMARK, "shop.remarks")):
        rows = await connection.fetch(f"SELECT sealed FROM {table} WHERE person = $1", person)  # noqa: S608
        opened = await vault.keys.unseal_many(context, [row["sealed"] for row in rows])
        sealed += len(opened)
        readable += sum(plain is not None for plain in opened)
    return sealed, readable


async def _attachments_elsewhere(connection: Connection, case_ids: list[str]) -> tuple[str, ...]:
    rows = await connection.fetch(
        """
        SELECT DISTINCT attachment ->> 'uri' AS uri
        FROM disputes.evidence, jsonb_array_elements(attachments) AS attachment
        WHERE case_id = ANY($1) ORDER BY 1
        """,
        case_ids,
    )
    return tuple(row["uri"] for row in rows if not row["uri"].startswith("vault:evidence/"))

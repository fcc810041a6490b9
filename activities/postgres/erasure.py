"""Forgetting a person: the key destroyed, what could be searched taken away, and the proof (section 8).

The money books, the case log and Temporal hold ids, amounts and references only: they stay whole, and open cases go
on. What cannot be deleted, the statements and remarks of an append-only log, cannot be read any more.

It waits for whoever is writing something of the person, and lets nobody write meanwhile (`person_locks`). The proof
looks at all that could be the person's: by whose it says that it is, and by the person's orders, allowances and cases.
"""

from datetime import datetime
from typing import Final

from activities.postgres import orders, person_locks
from activities.postgres.connection import Connection
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
    """Texts of the person, or about its orders and cases, that could be opened still. It must be 0."""
    searchable: int = 0
    """Hashes by which the person could be found still. It must be 0."""
    kept_elsewhere: tuple[str, ...] = ()
    """References of attachments that other stores hold: they must forget them on their own."""
    numbers_released: int = 0
    open_cases: tuple[str, ...] = ()
    """Cases that go on, and end, without the person's data."""

    @property
    def complete(self) -> bool:
        """Whether nothing of the person's can be read here any more."""
        return self.readable == 0 and self.searchable == 0


async def forget(
    connection: Connection, vault: Vault, person: str, *, by: Actor, reason: Code, at: datetime
) -> Erasure:
    """Forget a person, ``buyer/<id>`` or ``merchant/<id>``; once more does no harm and proves it again.

    The key goes first: whatever breaks off afterwards, nothing can be read from then on.

    Raises:
        StoreUnreachable: contents of attachments may be in their store still, where nobody can open them: try again.
    """
    role, _, identifier = person.partition("/")
    buyer_id = identifier if role == "buyer" else None
    async with connection.transaction():
        await person_locks.take(connection, person)
        destroyed = await vault.keys.destroy(person)
        # Now that nobody can tell of another one.
        bought = await orders.all_of_buyer(connection, buyer_id) if buyer_id else []
        await vault.delete_stored(connection, person)  # before the rows that know its name
        deleted = [
            await connection.fetch(
                f"DELETE FROM {table} WHERE person = $1 {also} RETURNING true",  # noqa: S608 -- constants
                *(person, bought, buyer_id)[: 1 + also.count("$")],
            )
            for table, also in _DELETED.items()
        ]
        if buyer_id:
            await connection.execute("UPDATE shop.allowances SET account_lookup = NULL WHERE buyer_id = $1", buyer_id)
        await connection.execute(
            "INSERT INTO vault.erasures (person, asked_by, reason, at) VALUES ($1, $2, $3, $4)",
            person,
            f"{by.role}:{by.id}",
            reason,
            at,
        )
        cases = await connection.fetch(
            """
            SELECT case_id, closed_at IS NULL AS open FROM casebook.every_case
            WHERE (buyer_id = $2 AND $1 = 'buyer') OR (merchant_id = $2 AND $1 = 'merchant') ORDER BY case_id
            """,
            role,
            identifier,
        )
        elsewhere = await _attachments_elsewhere(connection, [row["case_id"] for row in cases]) if cases else ()
        sealed = [row["sealed"] for row in await connection.fetch(_SEALED, person, bought, buyer_id)]
        readable = await vault.keys.can_be_opened(sealed)
        searchable = await connection.fetchval(_SEARCHABLE, person, bought, buyer_id)
    return Erasure(
        person=person,
        keys_destroyed=destroyed,
        deleted=sum(map(len, deleted)),
        sealed_for_good=len(sealed) - readable,
        readable=readable,
        searchable=searchable,
        kept_elsewhere=elsewhere if role == "buyer" else (),
        open_cases=tuple(row["case_id"] for row in cases if row["open"]) if role == "buyer" else (),
    )


_SUBJECTS: Final = """
subject = ANY ($2::text[]) OR subject IN (SELECT allowance_id FROM shop.allowances WHERE buyer_id = $3)
"""
_DELETED: Final = {
    "vault.recipients": "OR order_no = ANY ($2::text[])",
    "vault.items": "",
    "vault.lookups": f"OR {_SUBJECTS}",
}
"""What is deleted, beside what says that it is the person's: what belongs to its orders and allowances."""
_SEALED: Final = f"""
SELECT sealed FROM vault.recipients WHERE person = $1 OR order_no = ANY ($2::text[])
UNION ALL SELECT sealed FROM vault.items WHERE person = $1
UNION ALL SELECT sealed FROM disputes.statements
    WHERE person = $1 OR case_id IN (SELECT case_id FROM casebook.every_case WHERE buyer_id = $3)
UNION ALL SELECT sealed FROM shop.remarks
    WHERE person = $1 OR {_SUBJECTS} OR subject IN (SELECT case_id FROM casebook.every_case WHERE buyer_id = $3)
"""  # noqa: S608
_SEARCHABLE: Final = f"""
SELECT (SELECT count(*) FROM vault.lookups WHERE person = $1 OR {_SUBJECTS})
    + (SELECT count(*) FROM shop.allowances WHERE buyer_id = $3 AND account_lookup IS NOT NULL)
"""  # noqa: S608


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

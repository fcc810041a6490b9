"""The vault: what is a person's own, each under that person's key (section 8).

Opened texts are given to whoever calls; who may see what is decided there. Nothing here logs.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

import asyncpg
from pydantic import BaseModel

from activities.gateways.attachments import AttachmentDamaged, AttachmentStore, StoreUnreachable
from activities.postgres import lookups, person_locks
from activities.postgres.connection import Connection
from activities.postgres.lookup import LookupKey, phone_of
from activities.postgres.person_keys import PersonKeys
from activities.privacy.sealing import Tampered
from workflows.messages.evidence import MAX_ATTACHMENT_BYTES, Evidence
from workflows.messages.persons import BankAccount, Contact, Reach, Recipient, buyer_person, in_clear, merchant_person
from workflows.messages.reading import read_own_json
from workflows.rules.evidence import is_ours

RECIPIENT: Final = "recipient"
_BANK_ACCOUNT: Final = "account"
_CONTACT: Final = "address"
_ATTACHMENT: Final = "evidence"
_REACH: Final = "reach"
MOST_IN_DATABASE: Final = 8 * 1024 * 1024
"""What one attachment may have where the database keeps it."""
_KINDS: Final = (_BANK_ACCOUNT, _CONTACT, _ATTACHMENT)


async def is_account_of(connection: Connection, reference: str, buyer_id: str, *, or_gone: bool = False) -> bool:
    """Whether money of this buyer's may go to the account of this reference (R17). See ``may_use``."""
    return await may_use(connection, reference, _BANK_ACCOUNT, buyer_person(buyer_id), or_gone=or_gone)


async def is_contact_of(connection: Connection, reference: str, merchant_id: str) -> bool:
    """Whether an address of this merchant's may have the contact of this reference (T2). See ``may_use``."""
    return await may_use(connection, reference, _CONTACT, merchant_person(merchant_id))


async def may_use(connection: Connection, reference: str, kind: str, person: str, *, or_gone: bool = False) -> bool:
    """Whether a reference may stand for a thing of this kind that is the person's own.

    What the vault keeps must be of this kind and person; what is not there counts as somebody else's, unless it may be
    gone: forgotten since it was named. References of other stores tell nothing here: whoever keeps those has to ask.
    """
    if not reference.startswith(tuple(f"vault:{each}/" for each in _KINDS)):
        return True
    row = await connection.fetchrow("SELECT kind, person FROM vault.items WHERE reference = $1", reference)
    return (row["kind"], row["person"]) == (kind, person) if row else or_gone


async def is_attachment_of(connection: Connection, reference: str, subject: str, person: str) -> bool:
    """Whether an attachment was kept for this order or allowance and this person (D6)."""
    kept = await connection.fetchval(
        """
        SELECT true FROM vault.items
        WHERE reference = $1 AND kind = $2 AND person = $3 AND coalesce(subject, $4) = $4
        """,
        reference,
        _ATTACHMENT,
        person,
        subject,
    )
    return bool(kept)


async def missing_attachment(
    connection: Connection, attachments: Sequence[Evidence], subject: str, person: str
) -> int | None:
    """Which of these attachments is not kept for this order or allowance and person, in this content; None for none.

    References of other stores tell nothing here: whoever keeps those has to ask (D6).
    """
    for number, each in enumerate(attachments):
        if not is_ours(each):
            continue
        kept = await connection.fetchval(
            """
            SELECT true FROM vault.items
            WHERE reference = $1 AND kind = $2 AND person = $3
            AND coalesce(subject, $4) = $4 AND coalesce(sha256, $5) = $5
            """,
            each.uri,
            _ATTACHMENT,
            person,
            subject,
            each.sha256,
        )
        if not kept:
            return number
    return None


class OtherItemUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The key stands for something else of this person; that one stays."""


class VaultAccounts:
    """The bank accounts of the vault, for the gateway's adapter."""

    def __init__(self, pool: asyncpg.Pool, vault: "Vault") -> None:
        self._pool = pool
        self._vault = vault

    async def bank_account(self, reference: str, buyer_id: str | None) -> BankAccount | None:
        """The account of this reference; None where this buyer has none such, or was forgotten (R17)."""
        async with self._pool.acquire() as connection:
            if buyer_id is None or not await may_use(connection, reference, _BANK_ACCOUNT, buyer_person(buyer_id)):
                return None
            return await self._vault.bank_account(connection, reference)


class Vault:
    """Persons' own data, and how to find them by it."""

    def __init__(
        self,
        keys: PersonKeys,
        lookup_key: LookupKey,
        attachments: AttachmentStore | None = None,
        phone_region: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """Take the keys of persons, and what stands beside them.

        Args:
            keys: Each person's own.
            lookup_key: The secret of the keyed hashes by which persons are found.
            attachments: Where contents of evidence are kept; the database where it is None.
            phone_region: Where phones without a country code are from, by profile (G6); in China where it gives None.
        """
        self.keys = keys
        self.lookup_key = lookup_key
        self.phone_region = phone_region
        self._attachments = attachments

    @property
    def most_bytes(self) -> int:
        """What one attachment may have (D6)."""
        return MAX_ATTACHMENT_BYTES if self._attachments else MOST_IN_DATABASE

    async def keep_recipient(
        self, connection: Connection, order_no: str, merchant_id: str, buyer_id: str, recipient: Recipient, at: datetime
    ) -> None:
        """Keep to whom an order was sent, found by name and phone; a later one replaces an earlier one."""
        person = buyer_person(buyer_id)
        await person_locks.hold(connection, person)
        await connection.execute(
            """
            INSERT INTO vault.recipients (order_no, merchant_id, person, sealed, at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (order_no) DO UPDATE SET person = excluded.person, sealed = excluded.sealed, at = excluded.at
            """,
            order_no,
            merchant_id,
            person,
            await self.keys.seal(person, RECIPIENT, _written(recipient), place=order_no),
            at,
        )
        await lookups.replace(
            connection,
            self.lookup_key,
            merchant_id,
            order_no,
            person,
            {"name": recipient.name.get_secret_value(), "phone": phone_of(recipient)},
        )

    async def recipient(self, connection: Connection, order_no: str) -> Recipient | None:
        """To whom an order was sent; None where that is not known, or the buyer was forgotten."""
        return (await self.recipients(connection, [order_no])).get(order_no)

    async def recipients(self, connection: Connection, order_nos: Sequence[str]) -> Mapping[str, Recipient]:
        """The same for many orders, by their numbers; those that are not known, or forgotten, are left out."""
        rows = await connection.fetch(
            "SELECT order_no, sealed FROM vault.recipients WHERE order_no = ANY($1)", list(order_nos)
        )
        opened = await self.keys.unseal_many(RECIPIENT, {row["order_no"]: row["sealed"] for row in rows})
        return {
            row["order_no"]: read_own_json(Recipient, plain)
            for row, plain in zip(rows, opened, strict=True)
            if plain is not None
        }

    async def keep_bank_account(
        self, connection: Connection, buyer_id: str, key: str, account: BankAccount, at: datetime
    ) -> str:
        """Keep an account to pay to (R4, T4), and give its reference. The same key and account are one item.

        Raises:
            OtherItemUnderKey: the key stands for another account.
        """
        return await self._keep(connection, _BANK_ACCOUNT, buyer_person(buyer_id), key, _written(account), at)

    async def bank_account(self, connection: Connection, reference: str) -> BankAccount | None:
        """The account of this reference; None where there is none, or its person was forgotten."""
        return await self._read(connection, _BANK_ACCOUNT, reference, BankAccount)

    async def keep_contact(
        self, connection: Connection, merchant_id: str, key: str, contact: Contact, at: datetime
    ) -> str:
        """Keep who takes parcels in at a return address (T2), and give its reference. Errors as above."""
        return await self._keep(connection, _CONTACT, merchant_person(merchant_id), key, _written(contact), at)

    async def contact(self, connection: Connection, reference: str) -> Contact | None:
        """The contact of this reference; None where there is none, or the merchant was forgotten."""
        return await self._read(connection, _CONTACT, reference, Contact)

    async def keep_reach(self, connection: Connection, person: str, reach: Reach, at: datetime) -> None:
        """Keep under what a person is told of cases, in place of what was kept before."""
        await person_locks.hold(connection, person)
        await connection.execute("DELETE FROM vault.items WHERE person = $1 AND kind = $2", person, _REACH)
        await self._keep(connection, _REACH, person, at.isoformat(), _written(reach), at)

    async def reach(self, connection: Connection, person: str) -> Reach | None:
        """Under what a person is told of cases; None where that is not known, or the person was forgotten."""
        reference = await connection.fetchval(
            "SELECT reference FROM vault.items WHERE person = $1 AND kind = $2", person, _REACH
        )
        return await self._read(connection, _REACH, reference, Reach) if reference else None

    async def keep_attachment(
        self,
        connection: Connection,
        person: str,
        key: str,
        content: bytes,
        at: datetime,
        *,
        subject: str | None = None,
    ) -> str:
        """Keep the content of a piece of evidence (D6), and give its reference. Errors as above.

        ``subject`` is the order or allowance that it is evidence about: it can be named in cases of that one only.
        Kept in a store of attachments, it may stay there, sealed, should the transaction fail afterwards.

        Raises:
            OtherItemUnderKey: the key stands for another content.
            StoreUnreachable: it was not kept.
        """
        if self._attachments is None:
            return await self._keep(connection, _ATTACHMENT, person, key, content, at, subject=subject)
        reference = self._reference(_ATTACHMENT, person, key)
        digest = hashlib.sha256(content).hexdigest()
        await person_locks.hold(connection, person)
        before = await connection.fetchval("SELECT sha256 FROM vault.items WHERE reference = $1", reference)
        if before is None:
            name = secrets.token_hex(16)
            sealed = await self.keys.seal(person, _ATTACHMENT, content, place=reference)
            await self._attachments.put(name, sealed)
            proof = await self.keys.seal(person, _ATTACHMENT, digest.encode(), place=reference)
            inserted = await connection.fetchval(
                """
                INSERT INTO vault.items (reference, kind, person, sealed, at, subject, sha256, stored_as)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (reference) DO NOTHING RETURNING true
                """,
                *(reference, _ATTACHMENT, person, proof, at, subject, digest, name),
            )
            if inserted:
                return reference
            await self._attachments.delete(name)  # the same key at the same moment: whoever came first has kept it
            before = await connection.fetchval("SELECT sha256 FROM vault.items WHERE reference = $1", reference)
        if before != digest:
            raise OtherItemUnderKey(f"key {key} stands for another {_ATTACHMENT}")
        return reference

    async def attachment(self, connection: Connection, reference: str) -> bytes | None:
        """The content of this reference; None where there is none, or its person was forgotten.

        Raises:
            AttachmentDamaged: the store has not what was put there.
            StoreUnreachable: the store does not answer, or is not configured here.
        """
        row = await connection.fetchrow(
            "SELECT sealed, sha256, stored_as FROM vault.items WHERE reference = $1 AND kind = $2",
            reference,
            _ATTACHMENT,
        )
        if row is None or row["stored_as"] is None:
            return await self._open(connection, _ATTACHMENT, reference)
        if (await self.keys.unseal_many(_ATTACHMENT, {reference: row["sealed"]}))[0] is None:
            return None
        if self._attachments is None:
            raise StoreUnreachable("the store that attachments were put into is not configured here")
        sealed = await self._attachments.get(row["stored_as"])
        if sealed is None:
            raise AttachmentDamaged(f"{reference} is not in the store of attachments")
        try:
            (content,) = await self.keys.unseal_many(_ATTACHMENT, {reference: sealed})
        except Tampered as error:
            raise AttachmentDamaged(f"{reference} is not what was put into the store of attachments") from error
        if content is not None and hashlib.sha256(content).hexdigest() != row["sha256"]:
            raise AttachmentDamaged(f"{reference} is not what was put into the store of attachments")
        return content

    async def delete_stored(self, connection: Connection, person: str) -> int:
        """Delete what the store of attachments has of a person; how many there were.

        Raises:
            StoreUnreachable: some may be there still; none is forgotten by the database before.
        """
        rows = await connection.fetch(
            "SELECT stored_as FROM vault.items WHERE person = $1 AND stored_as IS NOT NULL", person
        )
        if rows and self._attachments is None:
            raise StoreUnreachable("the store that attachments were put into is not configured here")
        for row in rows:
            assert self._attachments is not None
            await self._attachments.delete(row["stored_as"])
        return len(rows)

    async def _keep(
        self,
        connection: Connection,
        kind: str,
        person: str,
        key: str,
        plain: bytes,
        at: datetime,
        *,
        subject: str | None = None,
    ) -> str:
        reference = self._reference(kind, person, key)
        await person_locks.hold(connection, person)
        inserted = await connection.fetchval(
            """
            INSERT INTO vault.items (reference, kind, person, sealed, at, subject, sha256)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (reference) DO NOTHING RETURNING true
            """,
            reference,
            kind,
            person,
            await self.keys.seal(person, kind, plain, place=reference),
            at,
            subject,
            hashlib.sha256(plain).hexdigest() if kind == _ATTACHMENT else None,
        )
        if not inserted and await self._open(connection, kind, reference) != plain:
            raise OtherItemUnderKey(f"key {key} stands for another {kind}")
        return reference

    def _reference(self, kind: str, person: str, key: str) -> str:
        # Of what makes the item one, so that no retry can make another; and of a secret, so that nobody can make it who
        # knows the rest. It tells nothing of the person.
        source = "\0".join(("aftersales reference", self.lookup_key.environment, kind, person, key))
        return f"vault:{kind}/{hmac.new(self.lookup_key.secret, source.encode(), hashlib.sha256).hexdigest()[:32]}"

    async def _open(self, connection: Connection, kind: str, reference: str) -> bytes | None:
        sealed = await connection.fetchval(
            "SELECT sealed FROM vault.items WHERE reference = $1 AND kind = $2", reference, kind
        )
        return (await self.keys.unseal_many(kind, {reference: sealed}))[0] if sealed else None

    async def _read(self, connection: Connection, kind: str, reference: str, model: "type[Item]") -> "Item | None":
        plain = await self._open(connection, kind, reference)
        return None if plain is None else read_own_json(model, plain)


Item = TypeVar("Item", bound=BaseModel)


def _written(item: BaseModel) -> bytes:
    return json.dumps(in_clear(item), ensure_ascii=False).encode()

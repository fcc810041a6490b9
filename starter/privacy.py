"""What a platform keeps of persons, and how it forgets them (section 8)."""

import hashlib
from datetime import UTC, datetime
from typing import Final

import asyncpg

from activities.postgres import bindings, casebook, erasure
from activities.postgres.erasure import Erasure
from activities.postgres.vault import Vault
from starter.database import transaction
from starter.errors import UnknownCase
from starter.merchant_desk import whose
from starter.virtual_numbers import VirtualNumbers
from workflows.messages.actors import Actor
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.persons import BankAccount, Contact
from workflows.messages.virtual_numbers import ReleaseNumber

MOST_BYTES: Final = 8 * 1024 * 1024
"""What one attachment may have here. Larger ones belong into a store of their own, and come as its reference."""


class AttachmentTooLarge(ValueError):  # noqa: N818 -- named after what happened
    """An attachment is empty or larger than the vault takes."""


class Privacy:
    """The vault, for the platform's services. Errors of the database come as ``Unreachable``: nothing was kept."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, numbers: VirtualNumbers) -> None:
        self._pool = pool
        self._vault = vault
        self._numbers = numbers

    async def keep_bank_account(self, buyer_id: str, key: str, account: BankAccount) -> str:
        """Keep an account to pay to; its reference goes into ``BankTransfer`` and ``GiveRefundAccount`` (R4, T4).

        Raises:
            OtherItemUnderKey: the key stands for another account of this buyer.
            Unreachable: the database does not answer.
        """
        async with transaction(self._pool) as connection:
            return await self._vault.keep_bank_account(connection, buyer_id, key, account, datetime.now(UTC))

    async def keep_contact(self, merchant_id: str, key: str, contact: Contact) -> str:
        """Keep who takes parcels in; its reference goes into ``SaveAddress`` (T2). Errors as above."""
        async with transaction(self._pool) as connection:
            return await self._vault.keep_contact(connection, merchant_id, key, contact, datetime.now(UTC))

    async def keep_attachment(self, case_id: str, key: str, media_type: MediaType, content: bytes) -> Evidence:
        """Keep the content of a piece of evidence under the key of the case's buyer; what comes back is sent (D6).

        Raises:
            AttachmentTooLarge: it is empty, or larger than ``MOST_BYTES``.
            UnknownCase: there is no such case.
            OtherItemUnderKey: the key stands for another content.
        """
        if not 1 <= len(content) <= MOST_BYTES:
            raise AttachmentTooLarge(f"an attachment has 1 to {MOST_BYTES} bytes here (D6)")
        async with transaction(self._pool) as connection:
            case = await casebook.find(connection, case_id)
            if case is None:
                raise UnknownCase(case_id)
            uri = await self._vault.keep_attachment(
                connection, whose(case), f"{case_id} {key}", content, datetime.now(UTC)
            )
        digest = hashlib.sha256(content).hexdigest()
        return Evidence(uri=uri, media_type=media_type, bytes=len(content), sha256=digest)

    async def read_attachment(self, reference: str) -> bytes | None:
        """An attachment's content, for whoever may read the case; None where it is unknown or was forgotten."""
        async with transaction(self._pool) as connection:
            return await self._vault.attachment(connection, reference)

    async def forget(self, person: str, *, by: Actor, reason: str) -> Erasure:
        """Forget ``buyer/<id>`` or ``merchant/<id>`` for good, and prove that nothing of theirs opens any more.

        Money books, case logs and Temporal hold nothing personal and stay; open cases go on to their end. Virtual
        numbers that lead to the person's phone are released; their provider is told until it answers.

        Raises:
            Unreachable: Temporal does not answer. The person is forgotten; again, for the numbers that are left.
        """
        async with self._pool.acquire() as connection:
            done = await erasure.forget(connection, self._vault, person, by=by, reason=reason, at=datetime.now(UTC))
            role, _, identifier = person.partition("/")
            orders = await connection.fetch(
                "SELECT order_no FROM shop.orders WHERE buyer_id = $1 AND $2 = 'buyer'", identifier, role
            )
            subjects = await bindings.subjects_of_orders(connection, [row["order_no"] for row in orders])
        for subject in subjects:
            await self._numbers.release(ReleaseNumber(key="forgotten", by=by, subject=subject, reason="forgotten"))
        return done.model_copy(update={"numbers_released": len(subjects)})

    async def rewrap(self) -> int:
        """Put all persons' keys under the ring's current key, so that older ones can go; how many there were."""
        total = 0
        while moved := await self._vault.keys.rewrap():
            total += moved
        return total

"""What a platform keeps of persons, and how it forgets them (section 8)."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg

from activities.gateways.attachments import StoreUnreachable
from activities.postgres import bindings, case_rows, erasure, looks, orders
from activities.postgres.connection import Connection
from activities.postgres.erasure import Erasure
from activities.postgres.vault import Vault, is_attachment_of
from starter.database import transaction
from starter.errors import UnknownCase, UnknownOrder, Unreachable
from starter.merchant_desk import whose
from starter.virtual_numbers import VirtualNumbers
from workflows.messages.actors import Actor, Role
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.persons import BankAccount, Contact, Reach, buyer_person, merchant_person
from workflows.messages.virtual_numbers import ReleaseNumber
from workflows.rules.admission import Parties, may_see
from workflows.rules.media_types import is_of_type


class AttachmentTooLarge(ValueError):  # noqa: N818 -- named after what happened
    """An attachment is empty or larger than where attachments are kept takes."""


class OtherMediaType(ValueError):  # noqa: N818 -- named after what happened
    """An attachment is not of the media type that it is said to be."""


@asynccontextmanager
async def _stored() -> AsyncGenerator[None]:
    try:
        yield
    except StoreUnreachable as error:
        raise Unreachable(str(error)) from error


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

    async def keep_reach(self, person: Actor, reach: Reach) -> None:
        """Keep under what a buyer or a merchant is told of cases: an e-mail address, a phone number.

        It takes the place of what was kept before, is opened when a notice is sent, and goes with the person.

        Raises:
            ValueError: the actor is neither a buyer nor a merchant.
            Unreachable: the database does not answer.
        """
        match person.role:
            case Role.BUYER:
                name = buyer_person(person.id)
            case Role.MERCHANT:
                name = merchant_person(person.id)
            case _:
                raise ValueError("only buyers and merchants are told by e-mail and SMS")
        async with transaction(self._pool) as connection:
            await self._vault.keep_reach(connection, name, reach, datetime.now(UTC))

    async def keep_attachment(self, subject: str, key: str, media_type: MediaType, content: bytes) -> Evidence:
        """Keep the content of a piece of evidence under the key of its buyer; what comes back is sent (D6).

        ``subject`` is a case's id, or an order's number for what a request is to be opened with. In cases of that
        order, or allowance, it can be named as evidence, and nowhere else.

        Raises:
            AttachmentTooLarge: it is empty, or larger than where attachments are kept takes (``Vault.most_bytes``).
            OtherMediaType: by how it begins, it is something else.
            Unreachable: the database, or the store of attachments, does not answer: nothing is kept.
            UnknownCase, UnknownOrder: there is no such case or order.
            OtherItemUnderKey: the key stands for another content.
        """
        if not 1 <= len(content) <= self._vault.most_bytes:
            raise AttachmentTooLarge(f"an attachment has 1 to {self._vault.most_bytes} bytes here (D6)")
        if not is_of_type(content, media_type):
            raise OtherMediaType(f"this is no {media_type} (D6)")
        async with _stored(), transaction(self._pool) as connection:
            about, person = await self._whose(connection, subject)
            uri = await self._vault.keep_attachment(
                connection, person, f"{subject} {key}", content, datetime.now(UTC), subject=about
            )
        digest = hashlib.sha256(content).hexdigest()
        return Evidence(uri=uri, media_type=media_type, bytes=len(content), sha256=digest)

    async def read_attachment(
        self, case_id: str, reference: str, reader: Actor, *, why: str = "evidence"
    ) -> bytes | None:
        """An attachment of a case, for its merchant, its buyer or the platform; each reading is a recorded look (P2).

        None where nothing of this case's order or allowance is kept under the reference, or it was forgotten. ``why``
        is a code, for the record.

        Raises:
            UnknownCase: there is no such case, or it is not the reader's.
            AttachmentDamaged: it is not what was kept.
            Unreachable: the database, or the store of attachments, does not answer.
        """
        async with _stored(), transaction(self._pool) as connection:
            case = await case_rows.find(connection, case_id)
            if case is None or not may_see(reader, Parties(case.merchant_id, case.buyer_id)):
                raise UnknownCase(case_id)
            about = case.order_no or case.allowance_id or ""
            if not await is_attachment_of(connection, reference, about, whose(case)):
                return None
            content = await self._vault.attachment(connection, reference)
            if content is not None:
                at = datetime.now(UTC)
                subject, fields = [case_id], ["attachment"]
                await looks.record(
                    connection, reader, case.merchant_id, subject, fields, "attachment", why, at, person=whose(case)
                )
            return content

    async def _whose(self, connection: Connection, subject: str) -> tuple[str, str]:
        """The order or allowance that ``subject`` is, or is about, and under whose key what tells of it is put."""
        if "/" not in subject:
            buyer_id = await orders.buyer_of(connection, subject)
            if buyer_id is None:
                raise UnknownOrder(subject)
            return subject, buyer_person(buyer_id)
        case = await case_rows.find(connection, subject)
        if case is None:
            raise UnknownCase(subject)
        return case.order_no or case.allowance_id or "", whose(case)

    async def forget(self, person: str, *, by: Actor, reason: str) -> Erasure:
        """Forget ``buyer/<id>`` or ``merchant/<id>`` for good, and prove that nothing of theirs opens any more.

        Money books, case logs and Temporal hold nothing personal and stay; open cases go on to their end. Virtual
        numbers that lead to the person's phone are released; their provider is told until it answers.

        Raises:
            Unreachable: Temporal, or the store of attachments, does not answer. Nothing can be read any more; again,
                for the numbers and the contents that are left.
        """
        async with _stored(), self._pool.acquire() as connection:
            done = await erasure.forget(connection, self._vault, person, by=by, reason=reason, at=datetime.now(UTC))
            role, _, identifier = person.partition("/")
            bought = await orders.all_of_buyer(connection, identifier) if role == "buyer" else []
            subjects = await bindings.subjects_of_orders(connection, bought)
        for subject in subjects:
            await self._numbers.release(ReleaseNumber(key="forgotten", by=by, subject=subject, reason="forgotten"))
        return done.model_copy(update={"numbers_released": len(subjects)})

    async def rewrap(self) -> int:
        """Put all persons' keys under the ring's current key, so that older ones can go; how many there were."""
        total = 0
        while moved := await self._vault.keys.rewrap():
            total += moved
        return total

"""What a merchant's back end keeps beside the cases: addresses, flags, remarks, statements; and its score."""

from datetime import UTC, datetime
from typing import TypeVar

import asyncpg
from pydantic import SecretStr

from activities.policies import Policies
from activities.postgres import (
    addresses,
    case_rows,
    dossiers,
    evidence,
    flags,
    limits,
    looks,
    orders,
    scores,
    standing_orders,
    statements,
    threads,
)
from activities.postgres.connection import Connection
from activities.postgres.vault import Vault
from starter.archived_cases import ArchivedCases
from starter.errors import RefusedStandingOrder, RefusedStatement, UnknownCase, UnknownOrder, VagueReply
from workflows.messages.actors import Actor, Role
from workflows.messages.addresses import ReturnAddress, SaveAddress
from workflows.messages.dossiers import Dossier
from workflows.messages.flags import AddRemark, Colour, FlagChange, Remark, SetFlag
from workflows.messages.persons import buyer_person, merchant_person
from workflows.messages.policy import LimitsPolicy
from workflows.messages.requests import (
    DisputeRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundRequest,
    RepairRequest,
    ResendRequest,
    ReturnRequest,
    opener,
)
from workflows.messages.scores import ChargedScore
from workflows.messages.stages import CaseKind
from workflows.messages.standing_orders import EndStandingOrder, SetStandingOrder, StandingOrderVersion
from workflows.messages.statements import GivenEvidence, Purpose, Statement, VagueStatement, WriteStatement
from workflows.messages.threads import ThreadItem
from workflows.rules.admission import Parties, may_see
from workflows.rules.identity import case_id
from workflows.rules.opening import not_theirs
from workflows.rules.refusals import refused
from workflows.rules.standing_orders import refused_terms

Asked = TypeVar(
    "Asked",
    RefundRequest,
    MerchantRefundRequest,
    ReturnRequest,
    PriceProtectionRequest,
    ResendRequest,
    RepairRequest,
    DisputeRequest,
)
"""A request that can say in words what is asked for (R10)."""


def whose(case: case_rows.Row) -> str:
    """Under whose key a text about a case is put: its buyer's, or the merchant's where it has none (P6)."""
    return buyer_person(case.buyer_id) if case.buyer_id else merchant_person(case.merchant_id)


class MerchantDesk:
    """The books of the shop. Errors of the database come as they are: nothing was written then."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: Vault,
        policies: Policies | None = None,
        archived: ArchivedCases | None = None,
    ) -> None:
        """``policies`` says how much a party may write (R16)."""
        self._pool = pool
        self._archived = archived or ArchivedCases(pool)
        self._vault = vault
        self._policies = policies or Policies()

    async def save_address(self, address: SaveAddress) -> ReturnAddress:
        """Add a return address, or change one; open cases keep the version that they were given (T2).

        Raises:
            ContactOfOthers: its details are not a contact of this merchant's.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            return await addresses.save(connection, address, datetime.now(UTC))

    async def remove_address(self, merchant_id: str, address_id: str) -> bool:
        """Take an address out of the book; False where it is not in it (T2).

        Raises:
            DefaultAddressNeeded: it is the default, and there are others.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            return await addresses.remove(connection, merchant_id, address_id, datetime.now(UTC))

    async def address_book(self, merchant_id: str) -> tuple[ReturnAddress, ...]:
        """The merchant's addresses, the default first (T2)."""
        async with self._pool.acquire() as connection:
            return await addresses.address_book(connection, merchant_id)

    async def set_flag(self, wish: SetFlag) -> FlagChange:
        """插旗: put a flag on an order or allowance, and so on all its cases; None takes it down (section 12).

        Raises:
            OtherMarkingUnderKey: the key stands for another change.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            return await flags.set_flag(connection, wish, datetime.now(UTC))

    async def flag(self, merchant_id: str, subject: str) -> Colour | None:
        """The flag of an order or allowance."""
        async with self._pool.acquire() as connection:
            return await flags.flag_of(connection, merchant_id, subject)

    async def add_remark(self, wish: AddRemark) -> Remark:
        """备注: note something down at an order or allowance, and so at all its cases, or at one case (section 12).

        Raises:
            UnknownCase: there is no such case, or it is another merchant's.
            OtherMarkingUnderKey: the key stands for another remark.
            LimitReached: the party has noted down as much there as it may (R16).
        """
        async with self._pool.acquire() as connection, connection.transaction():
            if "/" in wish.subject:
                own = await self._limits_of_case(connection, wish.subject)
            else:
                marketplace = await limits.marketplace_of(connection, wish.subject)
                policy = self._policies.get(marketplace) if marketplace else None
                own = policy.limits if policy else LimitsPolicy()
            try:
                return await flags.add_remark(
                    connection, self._vault.keys, wish, datetime.now(UTC), most=own.remarks_of_a_party
                )
            except flags.NoSuchCase:
                raise UnknownCase(wish.subject) from None

    async def remarks(self, merchant_id: str | None, subject: str) -> tuple[Remark, ...]:
        """The remarks at an order or allowance, oldest first; without a merchant, for the platform, of all.

        About a case: at the case itself, at the one that it disputes, and at their order or allowance.
        """
        async with self._pool.acquire() as connection:
            return await flags.remarks_of(connection, self._vault.keys, merchant_id, subject)

    async def set_standing_order(self, wish: SetStandingOrder) -> StandingOrderVersion:
        """Give a standing order, or change one, within what the profile allows; cases that are open keep waiting (G4).

        The same terms again are the same order, so that sending it again is safe.

        Raises:
            RefusedStandingOrder: the profile does not allow it, or there is no such profile or order.
            LimitReached: the merchant has as many in force as it may have (R16).
        """
        policy = self._policies.get(wish.profile)
        if policy is None:
            explanation = f"there is no profile {wish.profile}"
            raise RefusedStandingOrder(refused("unknown_profile", "profile", "G4", explanation))
        if refusal := refused_terms(wish.terms, policy):
            raise RefusedStandingOrder(refusal)
        async with self._pool.acquire() as connection, connection.transaction():
            try:
                return await standing_orders.set_order(connection, wish, datetime.now(UTC))
            except standing_orders.NoSuchStandingOrder as error:
                raise RefusedStandingOrder(refused("unknown_order", "number", "G4", str(error))) from None

    async def end_standing_order(self, wish: EndStandingOrder) -> StandingOrderVersion:
        """End a standing order; what it has decided stays decided. Again is no change (G4).

        Raises:
            RefusedStandingOrder: the merchant has no such order.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            try:
                return await standing_orders.end_order(connection, wish, datetime.now(UTC))
            except standing_orders.NoSuchStandingOrder as error:
                raise RefusedStandingOrder(refused("unknown_order", "number", "G4", str(error))) from None

    async def standing_orders(
        self, merchant_id: str, profile: str | None = None, *, history: bool = False
    ) -> tuple[StandingOrderVersion, ...]:
        """The merchant's standing orders, ended ones too: the last version of each, or with ``history`` all (G4)."""
        async with self._pool.acquire() as connection:
            return await standing_orders.versions(connection, merchant_id, profile, last=not history)

    async def write_statement(self, wish: WriteStatement) -> Statement:
        """Write down what a dispute needs to know; its reference goes into ``SubmitEvidence`` (D6, D7).

        Raises:
            VagueReply: a merchant's reply to the buyer in a dispute must name a concrete time and hold no vague words;
                they are named (D7).
            UnknownCase: there is no such case.
            RefusedStatement: the case is another merchant's or buyer's (section 12).
            OtherTextUnderKey: the key stands for another text.
            LimitReached: the party has written as much about the case as it may (R16).
        """
        async with self._pool.acquire() as connection, connection.transaction():
            case = await case_rows.find(connection, wish.case_id)
            if case is None:
                raise UnknownCase(wish.case_id)
            if wish.by.id != {Role.MERCHANT: case.merchant_id, Role.BUYER: case.buyer_id}.get(wish.by.role, wish.by.id):
                raise RefusedStatement(wish.case_id)
            own = await self._limits_of_case(connection, wish.case_id)
            now = datetime.now(UTC)
            written = await statements.write(
                connection,
                self._vault.keys,
                wish,
                whose(case),
                now,
                in_dispute=case.kind is CaseKind.DISPUTE,
                most=own.evidence_of_a_party,
            )
        if isinstance(written, VagueStatement):
            raise VagueReply(written)
        return written

    async def in_words(self, request: Asked, text: SecretStr, *, key: str = "words") -> Asked:
        """申请说明: keep what is written about an application, and give the request that names it (R10).

        It is kept under the key of the order's buyer, and travels as its reference. An amendment's text is a statement
        about its case (``write_statement``), whose reference goes into ``Amend.words``.

        Args:
            request: What is to be opened.
            text: The words of whoever opens it.
            key: The same key and text is the same statement; another text needs another key.

        Raises:
            UnknownOrder: there is no such order.
            RefusedStatement: the order is another merchant's or buyer's (section 12).
            OtherTextUnderKey: the key stands for another text.
            LimitReached: the party has written as much about the case as it may (R16).
        """
        by = opener(request)
        wish = WriteStatement(case_id=case_id(request), by=by, text=text, key=key, purpose=Purpose.EVIDENCE)
        async with self._pool.acquire() as connection, connection.transaction():
            order = await orders.find_order(connection, request.order_no)
            if order is None:
                raise UnknownOrder(request.order_no)
            if not_theirs(request, order.merchant_id, order.buyer_id):
                raise RefusedStatement(wish.case_id)
            policy = self._policies.get(order.marketplace)
            written = await statements.write(
                connection,
                self._vault.keys,
                wish,
                buyer_person(order.buyer_id),
                datetime.now(UTC),
                in_dispute=False,
                most=(policy.limits if policy else LimitsPolicy()).evidence_of_a_party,
            )
        if isinstance(written, VagueStatement):
            raise VagueReply(written)
        return request.model_copy(update={"words": written.reference})

    async def read_statement(self, reference: str, reader: Actor, *, why: str = "evidence") -> Statement | None:
        """The statement of this reference, for the merchant or buyer of its case, or the platform.

        Each reading is a recorded look (P2); ``why`` is a code, for the record. None where there is no such statement,
        or its case is not the ``reader``'s.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            found = await statements.read(connection, self._vault.keys, reference)
            case = await case_rows.find(connection, found.case_id) if found else None
            if found is None or case is None or not may_see(reader, Parties(case.merchant_id, case.buyer_id)):
                return None
            if found.text is not None:
                at = datetime.now(UTC)
                await looks.record(connection, reader, None, [reference], ["statement"], "statement", why, at)
            return found

    async def evidence(self, case_id: str) -> tuple[GivenEvidence, ...]:
        """All evidence of a dispute, oldest first, replaced and late ones marked as such (D6)."""
        async with self._pool.acquire() as connection:
            return await evidence.evidence_of(connection, case_id)

    async def thread(self, case_id: str, reader: Actor) -> tuple[ThreadItem, ...]:
        """What both sides and the platform have said and proposed in a case, oldest first (N5).

        For the case's merchant and buyer, and the platform. Words are references: ``read_statement`` reads and records.

        Raises:
            UnknownCase: there is no such case, or it is not the ``reader``'s.
            ArchiveAway: it is in the archive alone, which cannot be read.
        """
        async with self._pool.acquire() as connection:
            case = await case_rows.find(connection, case_id)
        if case is None or not may_see(reader, Parties(case.merchant_id, case.buyer_id)):
            raise UnknownCase(case_id)
        async with self._archived.whole(case_id) as connection:
            return await threads.thread_of(connection, case_id)

    async def dossier(self, case_id: str, officer: Actor) -> Dossier:
        """What the officer who rules has before it (D8): what is asked for and why it was rejected, the evidence of
        both sides, other cases of these two and of the order, the flag and the remarks (R10).

        Raises:
            UnknownCase: there is no such case, or it is not the platform who asks.
            ArchiveAway: it, or the case that it disputes, is in the archive alone, which cannot be read.
        """
        if officer.role is not Role.PLATFORM:
            raise UnknownCase(case_id)
        async with self._pool.acquire() as connection:
            about = await case_rows.matter_of(connection, case_id)
        async with self._archived.whole(case_id, about or case_id) as connection:
            found = await dossiers.dossier(connection, self._vault.keys, case_id)
        if found is None:
            raise UnknownCase(case_id)
        return found

    async def _limits_of_case(self, connection: Connection, case_id: str) -> LimitsPolicy:
        policies = await case_rows.policies_of(connection, case_id)
        return max(policies, key=lambda each: each.version).limits if policies else LimitsPolicy()

    async def score(self, merchant_id: str) -> int:
        """The points that the merchant has lost (D9)."""
        async with self._pool.acquire() as connection:
            return await scores.score_of(connection, merchant_id)

    async def score_changes(self, merchant_id: str, limit: int = 50) -> tuple[ChargedScore, ...]:
        """What has cost the merchant points, each with its case, the newest first (D9)."""
        async with self._pool.acquire() as connection:
            return await scores.changes_of(connection, merchant_id, limit)

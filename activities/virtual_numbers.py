"""Binding virtual numbers to the phones of recipients (P3).

The phone is read from the vault here, told to the provider, and to nobody else: neither arguments, results nor
failures of these activities hold it (P6).

That the provider is asked is written down before it is asked. Its answer may be lost: then the same binding is asked
for again, or unbound, under the same key. No transaction is open while it is asked.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import asyncpg
from pydantic import SecretStr
from temporalio import activity

from activities.gateways.numbers import NotBound, NumberProvider, PoolDry, ProviderUnreachable
from activities.measures import Measures
from activities.policies import Policies
from activities.postgres import bindings, case_rows, pieces
from activities.postgres.connection import Connection
from activities.postgres.orders import find_order
from activities.postgres.vault import Vault
from activities.time_zones import time_zone_of
from workflows.messages.cases import Refusal
from workflows.messages.virtual_numbers import (
    BindNumber,
    ExtendNumber,
    FindNumberSubject,
    KeepNumberFacts,
    NumberBound,
    NumberExtended,
    NumberSubject,
    NumberSubjectFound,
    Scope,
    UnbindNumber,
    bind_number,
    extend_number,
    find_number_subject,
    keep_number_facts,
    unbind_number,
)
from workflows.rules.phone_numbers import HOME, read_phone
from workflows.rules.refusals import refused

_Answer = TypeVar("_Answer")


class VirtualNumbers:
    """The activities around one subject's number.

    Args:
        pool: Our database.
        vault: Where the recipients' phones are.
        provider: Who binds numbers.
        timeout: Seconds that one call of the provider may take; after that its outcome is unknown.
        measures: Where calls of the provider are counted.
        policies: The profiles in force, whose time zones are kept to (G6); by default the built-in ones.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: Vault,
        provider: NumberProvider,
        timeout: float = 5.0,
        measures: Measures | None = None,
        policies: Policies | None = None,
    ) -> None:
        self._policies = policies or Policies()
        self._measures = measures or Measures()
        self._pool = pool
        self._vault = vault
        self._provider = provider
        self._timeout = timeout

    @activity.defn(name=find_number_subject.__name__)
    async def find_number_subject(self, finding: FindNumberSubject) -> NumberSubjectFound:
        """Look up the order or case, and what was written down of its number before.

        Refused are an order or a case that is not there (``unknown_order``, ``unknown_case``), and a case without
        an order, whose recipient nobody knows (``recipient_unknown``).
        """
        async with self._pool.acquire() as connection, connection.transaction():
            found = await _owner(connection, finding.subject)
            if isinstance(found, Refusal):
                return NumberSubjectFound(refusal=found)
            order_no, merchant_id = found
            told = {"time_zone": await time_zone_of(connection, finding.subject.id, self._policies.get)}
            if finding.subject.scope is Scope.CASE:
                state = await bindings.begin_subject(connection, finding.subject, order_no, merchant_id, finding.at)
                return NumberSubjectFound(state=state.model_copy(update=told))
            # Who tells that the order is completed holds the same lock, and tells the number once it has begun (X2).
            await pieces.lock(connection, order_no)
            state = await bindings.begin_subject(connection, finding.subject, order_no, merchant_id, finding.at)
            order = await find_order(connection, order_no)
            if order and order.completed_at and state.facts.completed_at is None:
                facts = state.facts.model_copy(update={"completed_at": order.completed_at})
                await bindings.keep_facts(connection, finding.subject, facts, finding.at)
                state = state.model_copy(update={"facts": facts})
        return NumberSubjectFound(state=state.model_copy(update=told))

    @activity.defn(name=keep_number_facts.__name__)
    async def keep_number_facts(self, keeping: KeepNumberFacts) -> None:
        """Write down what has happened to a subject; the same again changes nothing."""
        async with self._pool.acquire() as connection:
            await bindings.keep_facts(connection, keeping.subject, keeping.facts, keeping.at)

    @activity.defn(name=bind_number.__name__)
    async def bind_number(self, binding: BindNumber) -> NumberBound:
        """Let a number lead to the recipient's phone; the same binding again is the same number.

        Refused are a recipient who is not known or was forgotten (``recipient_unknown``), also one who is forgotten
        at this moment, a phone that is none (``phone_unusable``), a provider with no number free
        (``no_number_free``), and a binding that was ended before (``not_bound``). This binding is over then: asking
        again is another one.

        Raises:
            ProviderUnreachable: nothing is known; asking again is right.
            asyncpg.PostgresError, OSError: a database failed; asking again is right.
        """
        phone = await self._phone(binding.order_no)
        if isinstance(phone, Refusal):
            return await self._take_back(binding, phone)
        async with self._pool.acquire() as connection:
            asked = await bindings.ask(connection, binding.subject, binding.no, binding.until, binding.at)
        if not asked:
            return NumberBound(refusal=_over())
        asking = self._provider.bind(
            binding.subject.name,
            str(binding.no),
            phone,
            until=binding.until,
            at=binding.at,
            wanted=binding.wanted,
        )
        try:
            number = await self._heard("bind", asking)
        except PoolDry:
            explanation = "the provider has no number free: ask again later"
            return await self._nothing(binding, refused("no_number_free", "subject", "P3", explanation))
        except NotBound:
            return await self._nothing(binding, _over())
        async with self._pool.acquire() as connection:
            await bindings.bound(connection, binding.subject, binding.no, number, binding.at)
        # Looked at again once it is written down: who forgets a person destroys the key first, and releases what is
        # written down after that. One of the two sees the other.
        forgotten = await self._phone(binding.order_no)
        if isinstance(forgotten, Refusal):
            return await self._take_back(binding, forgotten)
        return NumberBound(number=number)

    @activity.defn(name=extend_number.__name__)
    async def extend_number(self, extending: ExtendNumber) -> NumberExtended:
        """Let a number be valid for longer; refused where the provider no longer knows it (``not_bound``).

        Raises:
            ProviderUnreachable: nothing is known; asking again is right.
        """
        subject, no = extending.subject, extending.no
        try:
            asking = self._provider.extend(subject.name, str(no), until=extending.until, at=extending.at)
            await self._heard("extend", asking)
        except NotBound:
            async with self._pool.acquire() as connection:
                await bindings.unbound(connection, subject, no, extending.at)
            explanation = "the provider has let the number go: obtain another one"
            return NumberExtended(no=no, refusal=refused("not_bound", "command", "P3", explanation))
        async with self._pool.acquire() as connection:
            await bindings.extended(connection, subject, no, extending.until)
        return NumberExtended(no=no)

    @activity.defn(name=unbind_number.__name__)
    async def unbind_number(self, unbinding: UnbindNumber) -> None:
        """Let a number lead nowhere.

        Raises:
            ProviderUnreachable: nothing is known; asking again is right.
        """
        await self._unbind(unbinding)

    async def _unbind(self, unbinding: UnbindNumber) -> None:
        subject, no = unbinding.subject, unbinding.no
        await self._heard("unbind", self._provider.unbind(subject.name, str(no), at=unbinding.at))
        async with self._pool.acquire() as connection:
            await bindings.unbound(connection, subject, no, unbinding.at)

    async def _nothing(self, binding: BindNumber, refusal: Refusal) -> NumberBound:
        """The provider has answered that nothing is bound under this key."""
        async with self._pool.acquire() as connection:
            await bindings.unbound(connection, binding.subject, binding.no, binding.at)
        return NumberBound(refusal=refusal)

    async def _take_back(self, binding: BindNumber, refusal: Refusal) -> NumberBound:
        """Nothing is to be bound, but an earlier attempt may have been heard by the provider."""
        async with self._pool.acquire() as connection:
            asked = await bindings.is_asked(connection, binding.subject, binding.no)
        if asked:
            await self._unbind(UnbindNumber(subject=binding.subject, no=binding.no, at=binding.at))
        return NumberBound(refusal=refusal)

    async def _phone(self, order_no: str) -> SecretStr | Refusal:
        async with self._pool.acquire() as connection:
            recipient = await self._vault.recipient(connection, order_no)
        if recipient is None:
            explanation = "the order's recipient is not known, or was forgotten"
            return refused("recipient_unknown", "subject", "P3", explanation)
        phone = read_phone(recipient.phone.get_secret_value(), recipient.country or HOME)
        if phone is None:
            return refused("phone_unusable", "subject", "P3", "what the order has for a phone is none")
        return SecretStr(phone.dialled)

    async def _heard(self, operation: str, asked: Awaitable[_Answer]) -> _Answer:
        try:
            with self._measures.call("numbers", operation):
                async with asyncio.timeout(self._timeout):
                    return await asked
        except TimeoutError:
            raise ProviderUnreachable from None


def _over() -> Refusal:
    return refused("not_bound", "subject", "P3", "this binding was ended: ask again")


async def _owner(connection: Connection, subject: NumberSubject) -> tuple[str, str] | Refusal:
    """The order whose recipient is called, and the merchant whose it is."""
    if subject.scope is not Scope.CASE:
        order = await find_order(connection, subject.id)
        if order is None:
            return refused("unknown_order", "subject.id", "P3", f"there is no order {subject.id}")
        return order.order_no, order.merchant_id
    case = await case_rows.find(connection, subject.id)
    if case is None:
        return refused("unknown_case", "subject.id", "P3", f"there is no case {subject.id}")
    if case.order_no is None:
        return refused("recipient_unknown", "subject.id", "P3", "the case is not about an order")
    return case.order_no, case.merchant_id

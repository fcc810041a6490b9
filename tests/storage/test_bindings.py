"""Our own book of virtual numbers, and the activities that keep it together with the provider's (P3, P6)."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.gateways.numbers import ProviderUnreachable
from activities.gateways.numbers_stub import Behaviour, Mode, NumbersStub
from activities.postgres import bindings
from activities.postgres.loading import load_orders
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from activities.virtual_numbers import VirtualNumbers
from tests.storage.money import NOON, minutes, open_case, some_id
from workflows.messages.addresses import Region
from workflows.messages.persons import Recipient, buyer_person
from workflows.messages.virtual_numbers import (
    Binding,
    BindNumber,
    ExtendNumber,
    FindNumberSubject,
    KeepNumberFacts,
    NumberBound,
    NumberFacts,
    NumberState,
    NumberSubject,
    Scope,
    UnbindNumber,
    VirtualNumber,
)

PHONE = SecretStr("13800138000")


class Provider(NumbersStub):
    """A provider during whose work a person may be forgotten."""

    vault: Vault | None = None
    person: str = ""
    told: str = ""

    async def bind(
        self,
        subject: str,
        key: str,
        phone: SecretStr,
        *,
        until: datetime | None,
        at: datetime,
        wanted: VirtualNumber | None = None,
    ) -> VirtualNumber:
        self.told = phone.get_secret_value()
        number = await super().bind(subject, key, phone, until=until, at=at, wanted=wanted)
        if self.vault:
            await self.vault.keys.destroy(self.person)
        return number


@dataclass
class Books:
    """One merchant's orders, ours and the provider's book."""

    pool: asyncpg.Pool
    vault: Vault
    provider: Provider
    merchant: str = field(default_factory=lambda: some_id("m"))
    buyer: str = field(default_factory=lambda: some_id("b"))

    patience: float = 2

    @property
    def activities(self) -> VirtualNumbers:
        return VirtualNumbers(self.pool, self.vault, self.provider, timeout=self.patience)

    async def order(self, *, phone: SecretStr | None = PHONE) -> NumberSubject:
        order_no = some_id("o")
        record = {
            "order_no": order_no,
            "marketplace": "douyin",
            "merchant_id": self.merchant,
            "buyer_id": self.buyer,
            "currency": "CNY",
            "lines": [{"line": "1", "sku": "sku-1", "quantity": 1, "paid": 100}],
            "tenders": [{"tender": "t1", "kind": "wallet", "paid": 100}],
            "paid_at": "2026-01-01T00:00:00Z",
        }
        async with self.pool.acquire() as connection:
            report = await load_orders(connection, [json.dumps(record)], self.vault)
            assert not report.problems
            if phone:
                await self.keep_recipient(connection, order_no, phone)
        return NumberSubject(scope=Scope.ORDER, id=order_no)

    async def keep_recipient(
        self, connection: bindings.Connection, order_no: str, phone: SecretStr = PHONE, country: str | None = None
    ) -> None:
        recipient = Recipient(
            name=SecretStr("欧阳小明"),
            phone=phone,
            region=Region(province="广东省", city="广州市", district="天河区"),
            street=SecretStr("体育西路 1 号"),
            country=country,
        )
        await self.vault.keep_recipient(connection, order_no, self.merchant, self.buyer, recipient, NOON)

    async def found(self, subject: NumberSubject) -> NumberState:
        found = await self.activities.find_number_subject(FindNumberSubject(subject=subject, at=NOON))
        assert found.state, found.refusal
        return found.state

    async def bind(self, subject: NumberSubject, no: int = 1) -> NumberBound:
        await self.found(subject)
        asking = BindNumber(subject=subject, order_no=subject.id, no=no, until=minutes(60), wanted=None, at=NOON)
        return await self.activities.bind_number(asking)

    async def number(self, subject: NumberSubject, no: int = 1) -> VirtualNumber:
        bound = await self.bind(subject, no)
        assert bound.number
        return bound.number

    async def refused(self, subject: NumberSubject) -> str:
        bound = await self.bind(subject)
        assert bound.refusal
        assert bound.number is None
        return bound.refusal.code

    async def unbind(self, subject: NumberSubject, no: int = 1) -> None:
        await self.activities.unbind_number(UnbindNumber(subject=subject, no=no, at=minutes(5)))

    async def behave(self, subject: NumberSubject, mode: Mode, uses_left: int | None = None) -> None:
        await self.provider.set_behaviour(Behaviour(mode=mode, subject=subject.name, uses_left=uses_left))

    async def kept(self, subject: NumberSubject) -> list[asyncpg.Record]:
        return await self.pool.fetch("SELECT * FROM vault.bindings WHERE subject = $1 ORDER BY no", subject.name)

    async def provider_has(self, subject: NumberSubject) -> int:
        return await self.pool.fetchval(
            "SELECT count(*) FROM numbers.bindings WHERE subject = $1 AND number IS NOT NULL AND unbound_at IS NULL",
            subject.name,
        )


@pytest_asyncio.fixture(loop_scope="session")
async def books(database: str, vault: Vault) -> AsyncIterator[Books]:
    async with await open_pool(database) as pool:
        yield Books(pool, vault, Provider(pool, b"a key of the provider's own"))


async def test_a_binding_is_in_both_books(books: Books) -> None:
    subject = await books.order()

    number = await books.number(subject)

    assert await books.provider.leads_to(number, PHONE)
    (row,) = await books.kept(subject)
    assert (row["number"], row["extension"]) == (number.number, number.extension)
    assert (row["merchant_id"], row["bound_at"], row["until"]) == (books.merchant, NOON, minutes(60))
    assert row["unbound_at"] is None
    assert await books.number(subject) == number
    assert len(await books.kept(subject)) == 1


async def test_a_german_phone_is_told_to_the_provider_with_its_code(books: Books) -> None:  # P3, P7, G6
    subject = await books.order(phone=None)
    async with books.pool.acquire() as connection:
        await books.keep_recipient(connection, subject.id, SecretStr("0170 / 1234567"), "DE")

    number = await books.number(subject)

    assert await books.provider.leads_to(number, SecretStr("+49 170 1234567"))


async def test_what_was_bound_before_is_found_again(books: Books) -> None:
    subject = await books.order()
    fresh = await books.found(subject)
    assert fresh == NumberState(merchant_id=books.merchant, order_no=subject.id)

    first = await books.number(subject)
    assert (await books.found(subject)).binding == Binding(no=1, number=first, until=minutes(60))

    await books.unbind(subject)
    facts = NumberFacts(completed_at=minutes(1), closed_unclaimed=True)
    await books.activities.keep_number_facts(KeepNumberFacts(subject=subject, facts=facts, at=minutes(2)))
    assert await books.found(subject) == fresh.model_copy(update={"facts": facts, "unbound": 1, "lapsed": first})
    assert await books.provider_has(subject) == 0


async def test_the_number_of_an_order_that_was_completed_before_begins_as_such(books: Books) -> None:  # P3, X2
    subject = await books.order()
    await books.pool.execute("UPDATE shop.orders SET completed_at = $2 WHERE order_no = $1", subject.id, minutes(-5))

    found = await books.found(subject)
    told_otherwise = NumberFacts(completed_at=minutes(-9), closed_unclaimed=True)
    await books.activities.keep_number_facts(KeepNumberFacts(subject=subject, facts=told_otherwise, at=minutes(2)))

    assert found.facts == NumberFacts(completed_at=minutes(-5))
    assert (await books.found(subject)).facts == told_otherwise, "what the number was told stands"


async def test_a_lost_answer_is_in_doubt_in_our_book(books: Books) -> None:
    subject = await books.order()
    await books.behave(subject, Mode.LOSE_ANSWER, 1)

    with pytest.raises(ProviderUnreachable):
        await books.bind(subject)

    assert (await books.found(subject)).binding == Binding(no=1, number=None, until=minutes(60))
    number = await books.number(subject)
    assert (await books.found(subject)).binding == Binding(no=1, number=number, until=minutes(60))
    assert await books.provider_has(subject) == 1


async def test_a_provider_that_takes_too_long_has_not_answered(books: Books) -> None:
    subject = await books.order()
    await books.provider.set_behaviour(
        Behaviour(mode=Mode.ANSWER_SLOWLY, subject=subject.name, answer_after_seconds=60, uses_left=1)
    )
    books.patience = 0.3

    with pytest.raises(ProviderUnreachable):
        await books.bind(subject)


async def test_a_dry_pool_leaves_nothing_in_doubt(books: Books) -> None:
    subject = await books.order()
    await books.behave(subject, Mode.DRY, 1)

    assert await books.refused(subject) == "no_number_free"

    state = await books.found(subject)
    assert (state.binding, state.unbound, state.lapsed) == (None, 1, None)
    assert await books.number(subject, 2)


async def test_a_binding_that_is_over_is_not_bound_by_whoever_comes_late(books: Books) -> None:
    subject = await books.order()
    await books.found(subject)
    await books.unbind(subject)  # the attempt to bind it is still on its way
    assert (await books.found(subject)).unbound == 1

    assert await books.refused(subject) == "not_bound"

    assert await books.provider_has(subject) == 0
    assert await books.number(subject, 2)


async def test_a_provider_that_has_ended_a_binding_by_itself(books: Books) -> None:
    subject = await books.order()
    await books.provider.unbind(subject.name, "1", at=NOON)

    assert await books.refused(subject) == "not_bound"

    assert (await books.found(subject)).unbound == 1
    assert await books.number(subject, 2)


async def test_no_two_numbers_at_a_time(books: Books) -> None:
    subject = await books.order()
    await books.bind(subject)

    with pytest.raises(asyncpg.UniqueViolationError):
        await books.bind(subject, 2)

    assert await books.provider_has(subject) == 1


@pytest.mark.parametrize("phone", ["", "no phone", "1380013800x", "1234", "1" * 16])
async def test_a_phone_that_is_none(books: Books, phone: str) -> None:
    subject = await books.order(phone=SecretStr(phone) if phone else None)

    assert await books.refused(subject) == ("phone_unusable" if phone else "recipient_unknown")

    assert await books.provider_has(subject) == 0
    assert await books.kept(subject) == []


@pytest.mark.parametrize(
    "typed",
    [
        "１３８００１３８０００",
        "\u202d13800138000\u202c",
        "138.0013.8000",
        "138\u20110013\u20118000",
        "13800138000转1234",
        "13800138000-1234",
        "+86 138 0013 8000",
    ],
)
async def test_a_provider_is_told_what_it_can_dial_however_it_was_typed(books: Books, typed: str) -> None:  # P3, P7
    await books.bind(await books.order(phone=SecretStr(typed)))

    assert books.provider.told == "13800138000"


async def test_a_person_who_is_forgotten_while_the_number_is_being_bound(books: Books) -> None:
    subject = await books.order()
    books.provider.vault, books.provider.person = books.vault, buyer_person(books.buyer)

    assert await books.refused(subject) == "recipient_unknown"

    assert await books.provider_has(subject) == 0
    (row,) = await books.kept(subject)
    assert row["unbound_at"] is not None


async def test_a_person_who_is_forgotten_while_a_number_is_in_doubt(books: Books) -> None:
    subject = await books.order()
    await books.behave(subject, Mode.LOSE_ANSWER, 1)
    with pytest.raises(ProviderUnreachable):
        await books.bind(subject)
    assert await books.provider_has(subject) == 1
    await books.vault.keys.destroy(buyer_person(books.buyer))

    assert await books.refused(subject) == "recipient_unknown"

    assert await books.provider_has(subject) == 0


async def test_renewing(books: Books) -> None:
    subject = await books.order()
    await books.bind(subject)
    extending = ExtendNumber(subject=subject, no=1, until=minutes(999), at=NOON)

    assert (await books.activities.extend_number(extending)).refusal is None
    assert [row["until"] for row in await books.kept(subject)] == [minutes(999)]

    await books.provider.unbind(subject.name, "1", at=NOON)
    refusal = (await books.activities.extend_number(extending)).refusal
    assert refusal
    assert refusal.code == "not_bound"
    assert (await books.found(subject)).binding is None


async def test_whose_a_subject_is(books: Books) -> None:
    async def refusal(scope: Scope, identifier: str) -> str | None:
        subject = NumberSubject(scope=scope, id=identifier)
        found = await books.activities.find_number_subject(FindNumberSubject(subject=subject, at=NOON))
        assert (found.refusal is None) is (found.state is not None)
        return found.refusal.code if found.refusal else None

    assert await refusal(Scope.ORDER, some_id("o")) == "unknown_order"
    assert await refusal(Scope.SUB_ORDER, some_id("o")) == "unknown_order"
    assert await refusal(Scope.CASE, f"refund/{some_id('o')}/k") == "unknown_case"
    case = await open_case(books.pool)
    state = await books.found(NumberSubject(scope=Scope.CASE, id=case.case_id))
    assert (state.merchant_id, state.order_no) == (case.merchant_id, case.fund.removeprefix("order/"))
    without_order = some_id("withdrawal/a")
    await books.pool.execute(
        """
        INSERT INTO casebook.cases (case_id, run_id, kind, merchant_id, allowance_id, currency, asked, policy, stage,
                                    opened_at, step, log_length, opened)
        VALUES ($1, 'r', 'withdrawal', 'm-1', 'a-1', 'CNY', 1, 'douyin/1', 'retention', $2, 0, 0, '{}')
        """,
        without_order,
        NOON,
    )
    assert await refusal(Scope.CASE, without_order) == "recipient_unknown"


async def test_what_a_merchant_can_call_and_what_is_to_be_released(books: Books) -> None:
    bound, doubtful, over = [await books.order() for _ in range(3)]
    number = await books.number(bound)
    await books.behave(doubtful, Mode.LOSE_ANSWER, 1)
    with pytest.raises(ProviderUnreachable):
        await books.bind(doubtful)
    await books.bind(over)
    await books.unbind(over)
    orders = [each.id for each in (bound, doubtful, over)]

    async with books.pool.acquire() as connection:
        (listed,) = await bindings.bound_for_merchant(connection, books.merchant)
        assert (listed.subject, listed.number, listed.until) == (bound, number, minutes(60))
        assert await bindings.bound_for_merchant(connection, some_id("m")) == []
        leading = await bindings.subjects_of_orders(connection, orders)
        assert {each.name for each in leading} == {each.name for each in (bound, doubtful, over)}
        await bindings.keep_facts(connection, bound, NumberFacts(released=True), NOON)
        assert len(await bindings.subjects_of_orders(connection, orders)) == 2


async def test_no_phone_in_our_book_nor_in_a_failure(books: Books, caplog: pytest.LogCaptureFixture) -> None:  # P6
    caplog.set_level(logging.DEBUG)
    subject = await books.order()
    await books.behave(subject, Mode.LOSE_ANSWER, 1)
    with pytest.raises(ProviderUnreachable) as failed:
        await books.bind(subject)
    await books.bind(subject)

    told = [str(await books.kept(subject)), repr(failed.value), str(failed.value), caplog.text]
    assert not [text for text in told if PHONE.get_secret_value() in text]

"""Allowance accounts: loading and finding (A4), freezing (A5), voiding (A2), the end of validity (A6)."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import allowances
from activities.postgres.allowances import Spending
from activities.postgres.connection import Connection
from activities.postgres.loading import LineProblem, LoadReport, load_allowances
from activities.postgres.lookup import account_lookup
from activities.postgres.pool import open_pool
from tests.patience import PATIENCE
from tests.storage.own_keys import vault
from workflows.messages.orders import AllowanceFacts
from workflows.messages.payouts import TenderKind
from workflows.messages.step_parts import Thaw
from workflows.rules.balances import (
    Account,
    Empty,
    Freezing,
    Held,
    HeldByOther,
    NoSuchAllowance,
    StillValid,
    ValidityEnd,
    Voiding,
)

KEY = b"a key of this test, and of no other place"
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
END = datetime(2026, 6, 1, tzinfo=UTC)
T = TypeVar("T")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=20)
    yield pool
    await pool.close()


def record(**changes: object) -> dict[str, Any]:
    return {
        "allowance_id": f"a-{uuid4().hex}",
        "marketplace": "douyin",
        "merchant_id": "m-1",
        "buyer_id": "b-1",
        "currency": "CNY",
        "principal": 8000,
        "bonus": 2000,
        "tender_kind": "wallet",
        "valid_until": "2026-06-01T08:00:00+08:00",
        **changes,
    }


async def load(pool: asyncpg.Pool, *lines: dict[str, Any]) -> LoadReport:
    async with pool.acquire() as connection:
        return await load_allowances(connection, map(json.dumps, lines), vault(KEY))


async def granted(pool: asyncpg.Pool, **changes: object) -> str:
    line = record(**changes)
    assert (await load(pool, line)).loaded == 1
    return line["allowance_id"]


async def in_transaction(pool: asyncpg.Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    async with pool.acquire() as connection, connection.transaction():
        return await work(connection)


async def freeze(pool: asyncpg.Pool, allowance: str, case: str) -> Freezing:
    return await in_transaction(pool, lambda c: allowances.freeze(c, allowance, case, NOW))


async def thaw(pool: asyncpg.Pool, allowance: str, case: str, paid_back: int = 0) -> Thaw:
    return await in_transaction(pool, lambda c: allowances.thaw(c, allowance, case, NOW, paid_back=paid_back))


async def expire(pool: asyncpg.Pool, allowance: str, case: str, at: datetime = END) -> ValidityEnd:
    return await in_transaction(pool, lambda c: allowances.end_validity(c, allowance, case, at))


async def void(pool: asyncpg.Pool, allowance: str, case: str) -> Voiding:
    return await in_transaction(pool, lambda c: allowances.void(c, allowance, case, NOW))


async def spend(pool: asyncpg.Pool, allowance: str, amount: int, at: datetime = NOW) -> Spending:
    return await in_transaction(pool, lambda c: allowances.spend(c, allowance, amount, at))


async def account(pool: asyncpg.Pool, allowance: str) -> Account:
    async with pool.acquire() as connection:
        found = await allowances.account(connection, allowance)
    assert found is not None
    return found


# ---------------------------------------------------------------------------- loading and finding


async def test_a_loaded_allowance_is_found_with_every_fact(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool, spent=1000)
    found = await account(pool, allowance)
    assert found == Account(
        facts=AllowanceFacts(
            allowance_id=allowance,
            marketplace="douyin",
            merchant_id="m-1",
            buyer_id="b-1",
            currency="CNY",
            principal=8000,
            bonus=2000,
            spent=1000,
            tender_kind=TenderKind.WALLET,
            valid_until=END,
        ),
        frozen_by=None,
        frozen_at=None,
        validity_ended_at=None,
        voided_at=None,
        paid_back_at=None,
    )
    assert (found.balance, found.withdrawable) == (9000, 7200)
    assert await in_transaction(pool, lambda c: allowances.facts(c, allowance)) == found.facts
    assert await in_transaction(pool, lambda c: allowances.facts(c, "a-none")) is None


async def test_facts_for_update_keep_others_from_spending(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    async with pool.acquire() as connection, connection.transaction():
        await allowances.facts(connection, allowance, for_update=True)
        spending = asyncio.create_task(spend(pool, allowance, 100))
        await until_blocked(connection)
        assert not spending.done()
    assert await spending is Spending.SPENT


async def test_only_a_hash_of_the_account_name_is_kept_and_finds_it(pool: asyncpg.Pool) -> None:  # A4, P6
    rare = uuid4().hex
    name = f"Zhang 三 {rare}"
    mine = await granted(pool, account_name=name)
    await granted(pool, account_name=f"{name}x")
    await granted(pool, account_name=name, merchant_id="m-2")
    async with pool.acquire() as connection:
        lookup = account_lookup(KEY, f" ＺＨＡＮＧ三{rare.upper()}")
        assert await allowances.of_account(connection, "m-1", lookup) == [mine]
        other_key = account_lookup(b"another key", name)
        assert await allowances.of_account(connection, "m-1", other_key) == []
        row = await connection.fetchval("SELECT to_jsonb(a)::text FROM shop.allowances a WHERE allowance_id = $1", mine)
    assert "Zhang" not in row
    assert rare not in row


async def test_loading_again_changes_nothing_also_after_spending_and_prolonging(
    pool: asyncpg.Pool,
) -> None:
    line = record(account_name="somebody")
    await load(pool, line)
    await spend(pool, line["allowance_id"], 300)
    later = END + timedelta(days=30)
    assert await in_transaction(pool, lambda c: allowances.prolong(c, line["allowance_id"], later))
    assert await load(pool, line) == LoadReport(loaded=0, unchanged=1, problems=())
    found = await account(pool, line["allowance_id"])
    assert (found.facts.spent, found.facts.valid_until) == (300, later)


@pytest.mark.parametrize(
    "changes",
    [
        {"principal": 8001},
        {"bonus": 1999},
        {"currency": "USD"},
        {"buyer_id": "b-2"},
        {"tender_kind": "debit_card"},
        {"spent": 1},
        {"valid_until": "2026-06-02T08:00:00+08:00"},
        {"account_name": "somebody else"},
    ],
)
async def test_a_line_that_contradicts_the_store_is_a_problem(pool: asyncpg.Pool, changes: dict[str, object]) -> None:
    line = record(account_name="somebody")
    await load(pool, line)
    before = await account(pool, line["allowance_id"])
    report = await load(pool, {**line, **changes})
    assert report.problems == (LineProblem(1, next(iter(changes)), "contradicts what was loaded before"),)
    assert (report.loaded, report.unchanged) == (0, 0)
    assert await account(pool, line["allowance_id"]) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"principal": 0}, "principal"),
        ({"spent": 10001}, "spent"),
        ({"tender_kind": "cash"}, "tender_kind"),
        ({"account_name": "　 "}, "account_name"),
        ({"account_name": "\u200b\u2060"}, "account_name"),
        ({"valid_until": "3026-06-01T00:00:00Z"}, "valid_until"),
    ],
)
async def test_bad_lines_are_told_by_field(pool: asyncpg.Pool, changes: dict[str, object], field: str) -> None:
    report = await load(pool, record(**changes))
    assert [(problem.line, problem.field) for problem in report.problems] == [(1, field)]
    assert report.loaded == 0


def test_a_blank_name_has_no_lookup() -> None:
    with pytest.raises(ValueError, match="blank"):
        account_lookup(KEY, " 　\t")


# ---------------------------------------------------------------------------- one case after another


async def test_a_frozen_balance_cannot_be_spent_and_a_thawed_one_can(pool: asyncpg.Pool) -> None:  # A5
    allowance = await granted(pool)
    assert await freeze(pool, allowance, "case-1") == Held()
    assert await spend(pool, allowance, 1) is Spending.FROZEN
    held = await account(pool, allowance)
    assert (held.frozen_by, held.frozen_at, held.facts.spent) == ("case-1", NOW, 0)
    assert await thaw(pool, allowance, "case-1") is Thaw.THAWED
    assert await spend(pool, allowance, 1) is Spending.SPENT
    assert (await account(pool, allowance)).facts.spent == 1


async def test_the_same_case_freezes_once_and_another_is_told_who_holds_it(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    assert await freeze(pool, allowance, "case-1") == Held()
    assert await freeze(pool, allowance, "case-1") == Held()
    assert await freeze(pool, allowance, "case-2") == HeldByOther("case-1")
    assert (await account(pool, allowance)).frozen_by == "case-1"


async def test_only_the_holder_thaws(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    await freeze(pool, allowance, "case-1")
    assert await thaw(pool, allowance, "case-2") is Thaw.THAWED
    assert (await account(pool, allowance)).frozen_by == "case-1"
    await thaw(pool, allowance, "case-1")
    await freeze(pool, allowance, "case-2")
    assert await thaw(pool, allowance, "case-1") is Thaw.THAWED
    assert (await account(pool, allowance)).frozen_by == "case-2"


async def test_what_was_paid_back_meanwhile_is_void_and_not_given_back(pool: asyncpg.Pool) -> None:  # A5
    allowance = await granted(pool)
    await freeze(pool, allowance, "case-1")
    assert await thaw(pool, allowance, "case-2", paid_back=1) is Thaw.THAWED
    assert (await account(pool, allowance)).balance == 10000
    assert await thaw(pool, allowance, "case-1", paid_back=1) is Thaw.PAID_BACK
    emptied = await account(pool, allowance)
    assert (emptied.balance, emptied.voided_at, emptied.paid_back_at) == (0, NOW, NOW)
    assert await spend(pool, allowance, 1) is Spending.VOID


async def test_voiding_empties_the_account_for_good(pool: asyncpg.Pool) -> None:  # A2
    allowance = await granted(pool)
    await freeze(pool, allowance, "case-1")
    assert await void(pool, allowance, "case-1") is Voiding.VOIDED
    emptied = await account(pool, allowance)
    assert (emptied.balance, emptied.withdrawable) == (0, 0)
    assert (emptied.voided_at, emptied.paid_back_at) == (NOW, NOW)
    assert await void(pool, allowance, "case-1") is Voiding.VOIDED
    assert await spend(pool, allowance, 1) is Spending.VOID
    assert await freeze(pool, allowance, "case-2") == Empty()
    assert await expire(pool, allowance, "expiry") == Empty()
    assert await thaw(pool, allowance, "case-1") is Thaw.THAWED
    assert await account(pool, allowance) == emptied


async def test_only_the_holder_voids(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    assert await void(pool, allowance, "case-1") is Voiding.NOT_HELD
    await freeze(pool, allowance, "case-1")
    assert await void(pool, allowance, "case-2") is Voiding.NOT_HELD
    assert (await account(pool, allowance)).balance == 10000


async def test_nothing_to_withdraw_is_not_frozen(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool, spent=10000)
    assert await freeze(pool, allowance, "case-1") == Empty()
    assert (await account(pool, allowance)).frozen_by is None


async def test_spending_stops_at_the_balance_and_at_the_end_of_validity(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    assert await spend(pool, allowance, 10001) is Spending.TOO_MUCH
    assert await spend(pool, allowance, 9999) is Spending.SPENT
    assert await spend(pool, allowance, 2) is Spending.TOO_MUCH
    assert await spend(pool, allowance, 1, END) is Spending.VALIDITY_ENDED
    assert await spend(pool, allowance, 1, END - timedelta(microseconds=1)) is Spending.SPENT
    assert (await account(pool, allowance)).balance == 0
    with pytest.raises(ValueError, match="positive"):
        await spend(pool, allowance, 0)


async def test_the_expiry_holds_what_nobody_holds(pool: asyncpg.Pool) -> None:  # A6
    allowance = await granted(pool)
    assert await expire(pool, allowance, "expiry") == Held()
    assert await expire(pool, allowance, "expiry", END + timedelta(days=1)) == Held()
    held = await account(pool, allowance)
    assert (held.frozen_by, held.frozen_at, held.validity_ended_at) == ("expiry", END, END)
    assert await freeze(pool, allowance, "late-request") == HeldByOther("expiry")
    assert await void(pool, allowance, "expiry") is Voiding.VOIDED


async def test_an_open_request_pays_what_expires_and_cannot_thaw_it(pool: asyncpg.Pool) -> None:  # A6
    allowance = await granted(pool)
    await freeze(pool, allowance, "request")
    assert await expire(pool, allowance, "expiry") == HeldByOther("request")
    assert await expire(pool, allowance, "expiry") == HeldByOther("request")
    assert await thaw(pool, allowance, "request") is Thaw.VALIDITY_ENDED
    assert await thaw(pool, allowance, "request") is Thaw.VALIDITY_ENDED
    assert (await account(pool, allowance)).frozen_by == "request"
    assert await void(pool, allowance, "expiry") is Voiding.NOT_HELD
    assert await void(pool, allowance, "request") is Voiding.VOIDED


async def test_a_prolonged_validity_does_not_end_yet(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    later = END + timedelta(days=30)
    assert await in_transaction(pool, lambda c: allowances.prolong(c, allowance, later))
    await freeze(pool, allowance, "request")
    assert await expire(pool, allowance, "expiry") == StillValid(later)
    assert await thaw(pool, allowance, "request") is Thaw.THAWED
    assert await expire(pool, allowance, "expiry", later - timedelta(seconds=1)) == StillValid(later)
    assert (await account(pool, allowance)).validity_ended_at is None
    assert await expire(pool, allowance, "expiry", later) == Held()
    assert not await in_transaction(pool, lambda c: allowances.prolong(c, allowance, later + timedelta(days=1)))
    assert (await account(pool, allowance)).facts.valid_until == later


async def test_prolonging_never_shortens(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    await in_transaction(pool, lambda c: allowances.prolong(c, allowance, END - timedelta(days=1)))
    assert (await account(pool, allowance)).facts.valid_until == END


async def test_the_end_of_a_spent_allowance_leaves_nothing_to_pay(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool, spent=10000)
    assert await expire(pool, allowance, "expiry") == Empty()
    assert await expire(pool, allowance, "expiry") == Empty()
    ended = await account(pool, allowance)
    assert (ended.voided_at, ended.paid_back_at, ended.frozen_by) == (END, None, None)


async def test_an_unknown_allowance_is_an_answer(pool: asyncpg.Pool) -> None:
    assert await freeze(pool, "a-none", "case-1") == NoSuchAllowance()
    assert await expire(pool, "a-none", "case-1") == NoSuchAllowance()
    assert await thaw(pool, "a-none", "case-1") is Thaw.THAWED
    assert await void(pool, "a-none", "case-1") is Voiding.UNKNOWN
    assert await spend(pool, "a-none", 1) is Spending.UNKNOWN
    assert not await in_transaction(pool, lambda c: allowances.prolong(c, "a-none", END))


async def test_a_step_that_is_rolled_back_freezes_nothing(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)

    async def broken_step(connection: Connection) -> None:
        await allowances.freeze(connection, allowance, "case-1", NOW)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await in_transaction(pool, broken_step)
    assert (await account(pool, allowance)).frozen_by is None


# ---------------------------------------------------------------------------- at the same time (section 11)


async def until_blocked(connection: Connection, sessions: int = 1) -> None:
    """Wait until so many other sessions wait for a lock."""
    async with asyncio.timeout(PATIENCE):
        # Not pg_stat_activity: a transaction sees that as it was at its first look.
        while await connection.fetchval("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") < sessions:
            await asyncio.sleep(0.005)


async def behind_a_lock(pool: asyncpg.Pool, allowance: str, *work: Awaitable[T]) -> list[T]:
    """Let all of ``work`` pile up behind the account's lock, then let go."""
    async with pool.acquire() as connection, connection.transaction():
        await allowances.facts(connection, allowance, for_update=True)
        tasks = [asyncio.ensure_future(each) for each in work]
        await until_blocked(connection, len(tasks))
    return await asyncio.gather(*tasks)


async def test_of_many_requests_at_once_one_holds_the_balance(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    results = await behind_a_lock(pool, allowance, *(freeze(pool, allowance, f"case-{number}") for number in range(10)))
    winners = [number for number, result in enumerate(results) if result == Held()]
    assert len(winners) == 1
    holder = f"case-{winners[0]}"
    assert [result for result in results if result != Held()] == [HeldByOther(holder)] * 9
    assert (await account(pool, allowance)).frozen_by == holder


async def test_spending_and_freezing_at_once_never_spends_what_is_frozen(pool: asyncpg.Pool) -> None:
    for _ in range(5):
        allowance = await granted(pool)
        seen: list[int] = []

        async def request(allowance: str = allowance, seen: list[int] = seen) -> None:
            async with pool.acquire() as connection, connection.transaction():
                assert await allowances.freeze(connection, allowance, "case-1", NOW) == Held()
                frozen = await allowances.facts(connection, allowance)
                assert frozen is not None
                seen.append(frozen.spent)

        spendings = [spend(pool, allowance, 700) for _ in range(4)]
        tasks = [*spendings[:2], request(), *spendings[2:]]
        results = await behind_a_lock(pool, allowance, *tasks)
        spent = 700 * results.count(Spending.SPENT)
        assert results.count(Spending.SPENT) + results.count(Spending.FROZEN) == 4
        # What the request saw when it froze the balance is what it will split: nothing is spent after it.
        assert seen == [spent]
        assert (await account(pool, allowance)).facts.spent == spent


async def test_many_spendings_at_once_never_exceed_the_balance(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    results = await behind_a_lock(pool, allowance, *(spend(pool, allowance, 1500) for _ in range(10)))
    assert results.count(Spending.SPENT) == 6
    assert results.count(Spending.TOO_MUCH) == 4
    assert (await account(pool, allowance)).balance == 1000


async def test_expiry_revocation_and_a_new_request_at_once_leave_one_payer(pool: asyncpg.Pool) -> None:  # A6
    for _ in range(10):
        allowance = await granted(pool)
        await freeze(pool, allowance, "request")
        thawed, ended, second = await asyncio.gather(
            thaw(pool, allowance, "request"),
            expire(pool, allowance, "expiry"),
            freeze(pool, allowance, "second-request"),
        )
        payers = [
            case
            for case, pays in {
                "request": thawed is Thaw.VALIDITY_ENDED,
                "expiry": ended == Held(),
                "second-request": second == Held(),
            }.items()
            if pays
        ]
        assert len(payers) == 1
        if ended != Held():
            assert ended == HeldByOther(payers[0])
        voided = [
            case
            for case in ("request", "expiry", "second-request")
            if await void(pool, allowance, case) is Voiding.VOIDED
        ]
        assert voided == payers


async def test_the_expiry_that_comes_first_leaves_the_open_request_no_way_back(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    await freeze(pool, allowance, "request")
    async with pool.acquire() as connection, connection.transaction():
        assert await allowances.end_validity(connection, allowance, "expiry", END) == HeldByOther("request")
        revoking = asyncio.create_task(thaw(pool, allowance, "request"))
        await until_blocked(connection)
    assert await revoking is Thaw.VALIDITY_ENDED


async def test_the_revocation_that_comes_first_leaves_the_expiry_to_pay(pool: asyncpg.Pool) -> None:
    allowance = await granted(pool)
    await freeze(pool, allowance, "request")
    async with pool.acquire() as connection, connection.transaction():
        assert await allowances.thaw(connection, allowance, "request", NOW, paid_back=0) is Thaw.THAWED
        expiring = asyncio.create_task(expire(pool, allowance, "expiry"))
        await until_blocked(connection)
    assert await expiring == Held()

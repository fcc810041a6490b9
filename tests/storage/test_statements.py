"""Statements: kept once, known by their reference, and a time in what a merchant writes (D6, D7)."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from pydantic import TypeAdapter, ValidationError

from activities.postgres import statements
from activities.postgres.pool import open_pool
from activities.postgres.statements import OtherTextUnderKey
from tests.storage.money import NOON, minutes
from tests.storage.own_keys import KEYS
from workflows.messages.actors import CLOCK, Actor, buyer, carrier, merchant, officer
from workflows.messages.message import Reference
from workflows.messages.statements import Statement, VagueStatement, WriteStatement

SECRET = "王小明 13800000000"
BUYER = buyer("b-1")
MERCHANT = merchant("m-1")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=10)
    yield pool
    await pool.close()


@pytest.fixture
def case_id() -> str:
    return f"dispute/{uuid4().hex}/k-1"


def wish(case_id: str, by: Actor, text: str, key: str = "k-1", **more: object) -> WriteStatement:
    return WriteStatement.model_validate({"case_id": case_id, "by": by, "text": text, "key": key, **more})


async def write(pool: asyncpg.Pool, statement: WriteStatement, *, at: int = 0) -> Statement | VagueStatement:
    async with pool.acquire() as connection, connection.transaction():
        return await statements.write(connection, KEYS, statement, "buyer/b-1", minutes(at))


async def kept(pool: asyncpg.Pool, statement: WriteStatement, *, at: int = 0) -> Statement:
    result = await write(pool, statement, at=at)
    assert isinstance(result, Statement)
    return result


async def check(pool: asyncpg.Pool, reference: str, case_id: str, by: Actor) -> bool:
    async with pool.acquire() as connection:
        return await statements.check(connection, reference, case_id, by)


async def read(pool: asyncpg.Pool, reference: str) -> Statement | None:
    async with pool.acquire() as connection:
        return await statements.read(connection, KEYS, reference)


async def test_a_statement_is_read_by_its_reference(pool: asyncpg.Pool, case_id: str) -> None:  # D6
    statement = await kept(pool, wish(case_id, BUYER, "尽快退款！\n盒子是空的"))

    assert statement.text
    assert statement.text.get_secret_value() == "尽快退款！\n盒子是空的", "vague words are forbidden to merchants only"
    assert (statement.case_id, statement.by, statement.at) == (case_id, BUYER, NOON)
    assert statement.reference.startswith("statement:")
    assert TypeAdapter(Reference).validate_python(statement.reference)
    assert await read(pool, statement.reference) == statement
    assert await read(pool, f"{statement.reference}0") is None


async def test_the_same_again_is_the_same_statement(pool: asyncpg.Pool, case_id: str) -> None:
    first, second = await asyncio.gather(*(kept(pool, wish(case_id, BUYER, "a"), at=each) for each in (1, 2)))
    assert first == second
    assert await pool.fetchval("SELECT count(*) FROM disputes.statements WHERE case_id = $1", case_id) == 1

    with pytest.raises(OtherTextUnderKey):
        await write(pool, wish(case_id, BUYER, "b"))
    assert await read(pool, first.reference) == first


async def test_a_key_is_its_writers_in_its_case(pool: asyncpg.Pool, case_id: str) -> None:
    written = [
        await kept(pool, each)
        for each in (
            wish(case_id, BUYER, "a"),
            wish(case_id, BUYER, "b", "k-2"),
            wish(case_id, buyer("b-2"), "c"),
            wish(case_id, officer("b-1"), "d"),
            wish(f"{case_id}-2", BUYER, "e"),
        )
    ]
    assert len({each.reference for each in written}) == 5


async def test_only_its_writer_can_refer_to_it_and_only_in_its_case(pool: asyncpg.Pool, case_id: str) -> None:  # D6
    reference = (await kept(pool, wish(case_id, BUYER, "a"))).reference

    assert await check(pool, reference, case_id, BUYER)
    assert not await check(pool, reference, f"{case_id}-2", BUYER)
    assert not await check(pool, reference, case_id, buyer("b-2"))
    assert not await check(pool, reference, case_id, merchant("b-1"))
    assert not await check(pool, "statement:0", case_id, BUYER)


@pytest.mark.parametrize(
    ("text", "words", "names_a_time"),
    [
        ("我们会尽快处理，一般都没问题", ("尽快", "一般"), False),
        ("一般48小时内退款", ("一般",), True),
        ("已收到您的反馈", (), False),
        ("We will refund you ＡＳＡＰ", ("asap",), False),
    ],
)
async def test_a_merchant_names_a_time(
    pool: asyncpg.Pool, case_id: str, text: str, words: tuple[str, ...], names_a_time: bool
) -> None:  # D7
    assert await write(pool, wish(case_id, MERCHANT, text)) == VagueStatement(words=words, names_a_time=names_a_time)
    assert await pool.fetchval("SELECT count(*) FROM disputes.statements WHERE case_id = $1", case_id) == 0

    better = await kept(pool, wish(case_id, MERCHANT, "11月28日18:00前退款"))
    assert await check(pool, better.reference, case_id, MERCHANT)
    await kept(pool, wish(case_id, officer("f-1"), text))


@pytest.mark.parametrize("text", ["48小時內退款", "三個工作日內退款", "3天內補發"])
async def test_a_time_is_one_in_traditional_characters(pool: asyncpg.Pool, case_id: str, text: str) -> None:  # D7
    await kept(pool, wish(case_id, MERCHANT, text))
    assert await write(pool, wish(case_id, MERCHANT, f"我們會盡快處理，{text}", "k-2")) == VagueStatement(
        words=("尽快",), names_a_time=True
    )


async def test_plain_evidence_needs_no_time(pool: asyncpg.Pool, case_id: str) -> None:  # D7
    await kept(pool, wish(case_id, MERCHANT, "签收照片见附件，一般包装完好", purpose="evidence"))


@pytest.mark.parametrize("by", [CLOCK, carrier("c-1")])
def test_who_writes_no_statements(by: Actor) -> None:  # D6
    with pytest.raises(ValidationError, match="D6"):
        wish("dispute/O-1/k-1", by, "a")


@pytest.mark.parametrize("text", ["", "\u3000\n", "x" * 2001, "a\0b", "a\udfffb"])
def test_what_is_no_statement(text: str) -> None:
    with pytest.raises(ValidationError):
        wish("dispute/O-1/k-1", BUYER, text)


async def test_nobody_reads_the_words_elsewhere(pool: asyncpg.Pool, case_id: str) -> None:  # P6
    statement = wish(case_id, BUYER, SECRET)
    found = await kept(pool, statement)
    with pytest.raises(OtherTextUnderKey) as used:
        await write(pool, wish(case_id, BUYER, f"{SECRET}!"))
    with pytest.raises(ValidationError) as wrong:
        wish(case_id, CLOCK, SECRET * 200)
    with pytest.raises(asyncpg.RestrictViolationError) as fixed:
        await pool.execute("UPDATE disputes.statements SET sealed = sealed || '!' WHERE case_id = $1", case_id)
    errors = (used.value, wrong.value, fixed.value)

    told = "".join("".join(traceback.format_exception(each)) for each in errors)
    told += "".join(f"{each!r}{each}{each.model_dump_json()}" for each in (statement, found))
    assert not [part for part in SECRET.split() if part in told]


@pytest.mark.parametrize("statement", ["DELETE FROM disputes.statements", "TRUNCATE disputes.statements"])
async def test_a_statement_stays(pool: asyncpg.Pool, statement: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute(statement)

"""Flags and remarks: shared by an order and its cases, seen by their merchant only (section 12)."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from pydantic import ValidationError

from activities.postgres import flags
from activities.postgres.flags import OtherMarkingUnderKey
from activities.postgres.limits import LimitReached
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, minutes
from tests.storage.own_keys import KEYS
from workflows.messages.actors import Actor, buyer, merchant, officer
from workflows.messages.flags import AddRemark, Colour, FlagChange, Remark, SetFlag

SECRET = "王小明 13800000000"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=10)
    yield pool
    await pool.close()


@pytest.fixture
def subject() -> str:
    return f"O-{uuid4().hex}"


def colour(
    subject: str, colour: Colour | None, key: str, *, merchant_id: str = "m-1", by: Actor | None = None
) -> SetFlag:
    return SetFlag(subject=subject, merchant_id=merchant_id, colour=colour, by=by or merchant(merchant_id), key=key)


def remark(subject: str, text: str, key: str, *, merchant_id: str = "m-1", by: Actor | None = None) -> AddRemark:
    return AddRemark.model_validate(
        {"subject": subject, "merchant_id": merchant_id, "text": text, "by": by or merchant(merchant_id), "key": key}
    )


async def put(pool: asyncpg.Pool, *wishes: SetFlag, at: int = 0) -> FlagChange:
    changes: list[FlagChange] = []
    for each in wishes:
        async with pool.acquire() as connection, connection.transaction():
            changes.append(await flags.set_flag(connection, each, minutes(at)))
    return changes[-1]


async def note(pool: asyncpg.Pool, wish: AddRemark, *, at: int = 0) -> Remark:
    async with pool.acquire() as connection, connection.transaction():
        return await flags.add_remark(connection, KEYS, wish, minutes(at))


async def flag(pool: asyncpg.Pool, subject: str, merchant_id: str = "m-1") -> Colour | None:
    async with pool.acquire() as connection:
        return await flags.flag_of(connection, merchant_id, subject)


async def history(pool: asyncpg.Pool, subject: str, merchant_id: str | None = "m-1") -> list[Colour | None]:
    async with pool.acquire() as connection:
        return [each.colour for each in await flags.flag_history(connection, merchant_id, subject)]


async def remarks(pool: asyncpg.Pool, subject: str, merchant_id: str | None = "m-1") -> list[str]:
    async with pool.acquire() as connection:
        found = await flags.remarks_of(connection, KEYS, merchant_id, subject)
    return [each.text.get_secret_value() for each in found if each.text]


@pytest.mark.parametrize("each", Colour)
async def test_a_flag_has_each_colour_of_either_marketplace(pool: asyncpg.Pool, subject: str, each: Colour) -> None:
    await put(pool, colour(subject, each, "1"))

    assert await flag(pool, subject) is each


async def test_a_flag_and_how_it_came_to_be(pool: asyncpg.Pool, subject: str) -> None:
    assert await flag(pool, subject) is None
    await put(pool, colour(subject, Colour.RED, "1"), colour(subject, Colour.GREY, "2"))
    assert await flag(pool, subject) is Colour.GREY

    cleared = await put(pool, colour(subject, None, "3"), at=5)

    assert cleared == FlagChange(
        subject=subject, merchant_id="m-1", colour=None, by=merchant("m-1"), key="3", at=minutes(5)
    )
    assert await flag(pool, subject) is None
    assert await history(pool, subject) == [Colour.RED, Colour.GREY, None]


async def test_a_change_repeated_late_does_not_come_back(pool: asyncpg.Pool, subject: str) -> None:
    first = await put(pool, colour(subject, Colour.RED, "1"))
    await put(pool, colour(subject, Colour.BLUE, "2"))

    assert await put(pool, colour(subject, Colour.RED, "1"), at=9) == first
    assert await flag(pool, subject) is Colour.BLUE
    assert await history(pool, subject) == [Colour.RED, Colour.BLUE]
    with pytest.raises(OtherMarkingUnderKey):
        await put(pool, colour(subject, Colour.GREEN, "1"))
    with pytest.raises(OtherMarkingUnderKey):
        await put(pool, colour(subject, Colour.RED, "1", by=officer("f-1")))
    assert await flag(pool, subject) is Colour.BLUE


async def test_the_flag_is_its_last_change_whatever_comes_at_once(pool: asyncpg.Pool, subject: str) -> None:
    wishes = [colour(subject, each, f"{each}-{number}") for each in Colour for number in range(3)]
    await asyncio.gather(*(put(pool, each) for each in [*wishes, *wishes]))

    changes = await history(pool, subject)
    assert len(changes) == len(wishes)
    assert await flag(pool, subject) is changes[-1]


async def test_changes_of_a_flag_come_one_after_the_other(pool: asyncpg.Pool, subject: str) -> None:
    await put(pool, colour(subject, Colour.RED, "1"))

    async with pool.acquire() as other:
        async with pool.acquire() as connection, connection.transaction():
            await flags.set_flag(connection, colour(subject, Colour.GREEN, "2"), NOON)
            later = asyncio.create_task(flags.set_flag(other, colour(subject, Colour.BLUE, "4"), NOON))
            while not await pool.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", other.get_server_pid()):
                pass
            await flags.set_flag(connection, colour(subject, Colour.GREY, "3"), NOON)
        await later

    assert await history(pool, subject) == [Colour.RED, Colour.GREEN, Colour.GREY, Colour.BLUE]
    assert await flag(pool, subject) is Colour.BLUE


async def test_a_list_can_be_filtered_by_flag(pool: asyncpg.Pool, subject: str) -> None:
    await put(pool, colour(subject, Colour.PURPLE, "1"))
    found = await pool.fetch(
        "SELECT merchant_id, subject FROM shop.flags WHERE subject = $1 AND colour = 'purple'", subject
    )
    assert [tuple(each) for each in found] == [("m-1", subject)]


async def test_remarks_stand_in_their_order(pool: asyncpg.Pool, subject: str) -> None:
    first = await note(pool, remark(subject, "买家要求改地址", "1"))
    await note(pool, remark(subject, SECRET, "2", by=officer("f-1")), at=3)

    assert first == Remark.model_validate({**first.model_dump(), "by": merchant("m-1"), "at": NOON})
    assert await remarks(pool, subject) == ["买家要求改地址", SECRET]


async def test_the_same_remark_again_is_the_same(pool: asyncpg.Pool, subject: str) -> None:
    first, second = await asyncio.gather(*(note(pool, remark(subject, "a", "1"), at=each) for each in (1, 2)))

    assert first == second
    assert await remarks(pool, subject) == ["a"]
    for other in (remark(subject, "b", "1"), remark(subject, "a", "1", by=officer("f-1"))):
        with pytest.raises(OtherMarkingUnderKey):
            await note(pool, other)


async def test_a_merchant_sees_its_own_and_the_platform_sees_all(pool: asyncpg.Pool, subject: str) -> None:
    """Section 12: also where two merchants use the same number."""
    for each in ("m-1", "m-2"):
        await put(pool, colour(subject, Colour.RED if each == "m-1" else Colour.BLUE, "1", merchant_id=each))
        await note(pool, remark(subject, f"of {each}", "1", merchant_id=each))

    assert (await flag(pool, subject), await flag(pool, subject, "m-2")) == (Colour.RED, Colour.BLUE)
    assert await flag(pool, subject, "m-3") is None
    assert await history(pool, subject) == [Colour.RED]
    assert await remarks(pool, subject, "m-2") == ["of m-2"]
    assert await remarks(pool, subject, None) == ["of m-1", "of m-2"]
    assert await history(pool, subject, None) == [Colour.RED, Colour.BLUE]


@pytest.mark.parametrize("by", [merchant("m-2"), buyer("m-1")])
def test_nobody_marks_what_is_another_merchants(by: Actor) -> None:  # section 12
    with pytest.raises(ValidationError, match="section 12"):
        colour("O-1", Colour.RED, "1", by=by)
    with pytest.raises(ValidationError, match="section 12"):
        remark("O-1", "a", "1", by=by)


@pytest.mark.parametrize("text", ["", " \n", "x" * 501, "a\0b", "a\ud800b"])
def test_what_is_no_remark(text: str) -> None:
    with pytest.raises(ValidationError):
        remark("O-1", text, "1")


async def test_no_error_tells_what_was_noted(pool: asyncpg.Pool, subject: str) -> None:  # P6
    secret = f"{SECRET} of this test"
    await note(pool, remark(subject, secret, "1"))

    errors: list[Exception] = []
    for text in (secret * 40, f"{secret}\0", f"{secret}\ud800"):
        with pytest.raises(ValidationError) as wrong:
            remark(subject, text, "2")
        errors.append(wrong.value)
    with pytest.raises(ValidationError) as wrong:
        remark(subject, secret, SECRET, by=merchant("m-2"))
    errors.append(wrong.value)
    with pytest.raises(OtherMarkingUnderKey) as used:
        await note(pool, remark(subject, f"{secret}, changed", "1"))
    errors.append(used.value)
    for statement in ("UPDATE shop.remarks SET sealed = sealed || '!'", "DELETE FROM shop.remarks"):
        with pytest.raises(asyncpg.RestrictViolationError) as kept:
            await pool.execute(f"{statement} WHERE subject = $1", subject)
        errors.append(kept.value)
    with pytest.raises(asyncpg.UniqueViolationError) as twice:
        await pool.execute(
            """
            INSERT INTO shop.remarks (merchant_id, subject, key, actor_role, actor_id, at, person, sealed)
            SELECT merchant_id, subject, key, actor_role, actor_id, at, person, sealed
            FROM shop.remarks WHERE subject = $1
            """,
            subject,
        )
    errors.append(twice.value)

    told = "".join("".join(traceback.format_exception(each)) + repr(each) for each in errors)
    assert not [part for part in SECRET.split() if part in told]


@pytest.mark.parametrize("table", ["shop.remarks", "disputes.statements"])
async def test_no_check_can_repeat_a_row_with_its_text(pool: asyncpg.Pool, table: str) -> None:  # P6
    """PostgreSQL's message of a check that fails has the whole row in it."""
    assert not await pool.fetch(
        "SELECT FROM pg_constraint WHERE contype = 'c' AND conrelid = $1::text::regclass", table
    )


async def test_words_are_stars_wherever_a_message_goes(pool: asyncpg.Pool, subject: str) -> None:  # P6
    wish = remark(subject, SECRET, "1")
    kept = await note(pool, wish)
    for each in (wish, kept):
        assert not [part for part in SECRET.split() if part in f"{each!r}{each}{each.model_dump_json()}"]


@pytest.mark.parametrize("table", ["flag_history", "remarks"])
@pytest.mark.parametrize("statement", ["UPDATE shop.{} SET at = now()", "DELETE FROM shop.{}", "TRUNCATE shop.{}"])
async def test_history_is_never_rewritten(pool: asyncpg.Pool, table: str, statement: str) -> None:  # section 12
    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute(statement.format(table))


async def test_a_colour_is_one_of_six(pool: asyncpg.Pool, subject: str) -> None:
    black: dict[str, Any] = {**colour(subject, None, "1").model_dump(), "colour": "black"}
    with pytest.raises(ValidationError):
        SetFlag.model_validate(black)
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("INSERT INTO shop.flags VALUES ('m-1', $1, 'black')", subject)


async def test_a_party_notes_down_so_much_and_no_more(pool: asyncpg.Pool, subject: str) -> None:  # R16
    async def noted(number: int, by: Actor | None = None) -> Remark | type[LimitReached]:
        try:
            async with pool.acquire() as connection, connection.transaction():
                wish = remark(subject, f"r {number}", f"k-{number}", by=by)
                return await flags.add_remark(connection, KEYS, wish, NOON, most=3)
        except LimitReached:
            return LimitReached

    at_once = await asyncio.gather(*(noted(number) for number in range(6)))
    officers = await noted(7, officer("f-1"))
    again = next(number for number, each in enumerate(at_once) if isinstance(each, Remark))

    assert at_once.count(LimitReached) == 3
    assert isinstance(officers, Remark), "each party has its own"
    assert await noted(again) == at_once[again], "what was noted before is no other remark"
    assert len(await remarks(pool, subject)) == 4

"""Evidence of both sides: drafts, what is final, what came late (D6)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from pydantic import ValidationError

from activities.postgres import evidence
from activities.postgres.evidence import FinalEvidenceGiven, OtherEvidenceUnderKey
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, minutes
from workflows.messages.actors import CLOCK, Actor, buyer, merchant, officer
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.statements import EvidenceGiven, EvidenceStanding, GivenEvidence

BUYER = buyer("b-1")
MERCHANT = merchant("m-1")
PICTURES = tuple(
    Evidence(uri=f"vault:e/{number}", media_type=MediaType.PNG, bytes=number + 1, sha256=f"{number + 1}" * 64)
    for number in range(3)
)
DRAFT, FINAL, LATE, REPLACED = (
    EvidenceStanding.DRAFT,
    EvidenceStanding.FINAL,
    EvidenceStanding.LATE,
    EvidenceStanding.REPLACED,
)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=10)
    yield pool
    await pool.close()


@pytest.fixture
def case_id() -> str:
    return f"dispute/{uuid4().hex}/k-1"


def given(by: Actor, key: str, **rest: Any) -> EvidenceGiven:
    return EvidenceGiven.model_validate({"by": by, "key": key, "attachments": PICTURES[:1], **rest})


async def give(pool: asyncpg.Pool, case_id: str, each: EvidenceGiven, *, at: int = 0) -> int:
    async with pool.acquire() as connection, connection.transaction():
        return await evidence.give(connection, case_id, each, minutes(at))


async def all_given(pool: asyncpg.Pool, case_id: str) -> tuple[GivenEvidence, ...]:
    async with pool.acquire() as connection:
        return await evidence.evidence_of(connection, case_id)


async def standings(pool: asyncpg.Pool, case_id: str) -> list[tuple[str, EvidenceStanding, int | None]]:
    return [(each.key, each.standing, each.replaced_by) for each in await all_given(pool, case_id)]


async def test_what_is_given_is_kept_whole(pool: asyncpg.Pool, case_id: str) -> None:  # D6
    whole = given(BUYER, "k", attachments=PICTURES, statement="statement:7f", amount=1_250, currency="CNY", final=True)
    assert await give(pool, case_id, whole, at=2) == 1

    (kept,) = await all_given(pool, case_id)
    assert kept == GivenEvidence(
        **{name: getattr(whole, name) for name in EvidenceGiven.model_fields}, seq=1, standing=FINAL, at=minutes(2)
    )
    assert await all_given(pool, f"{case_id}-2") == ()


async def test_a_draft_is_replaced_by_the_partys_next(pool: asyncpg.Pool, case_id: str) -> None:  # D6
    assert await give(pool, case_id, given(MERCHANT, "m-1")) == 1
    assert await give(pool, case_id, given(BUYER, "b-1")) == 2
    assert await give(pool, case_id, given(MERCHANT, "m-2", amount=0, currency="CNY")) == 3
    assert await give(pool, case_id, given(MERCHANT, "m-3", final=True)) == 4

    assert await standings(pool, case_id) == [
        ("m-1", REPLACED, 3),
        ("b-1", DRAFT, None),
        ("m-2", REPLACED, 4),
        ("m-3", FINAL, None),
    ]


async def test_what_is_late_replaces_nothing_and_is_not_replaced(pool: asyncpg.Pool, case_id: str) -> None:  # D6
    await give(pool, case_id, given(MERCHANT, "m-1"))
    await give(pool, case_id, given(MERCHANT, "m-2", late=True))
    await give(pool, case_id, given(MERCHANT, "m-3", late=True, final=True))
    await give(pool, case_id, given(BUYER, "b-1", late=True))
    await give(pool, case_id, given(BUYER, "b-2"))

    assert await standings(pool, case_id) == [
        ("m-1", DRAFT, None),
        ("m-2", LATE, None),
        ("m-3", LATE, None),
        ("b-1", LATE, None),
        ("b-2", DRAFT, None),
    ]


async def test_after_the_final_word_only_what_is_late_is_kept(pool: asyncpg.Pool, case_id: str) -> None:  # D6
    await give(pool, case_id, given(MERCHANT, "m-1", final=True))

    with pytest.raises(FinalEvidenceGiven):
        await give(pool, case_id, given(MERCHANT, "m-2"))
    assert await give(pool, case_id, given(MERCHANT, "m-3", late=True)) == 2
    assert await give(pool, case_id, given(BUYER, "b-1")) == 3
    assert await give(pool, case_id, given(officer("f-1"), "f-1")) == 4
    assert [standing for _, standing, _ in await standings(pool, case_id)] == [FINAL, LATE, DRAFT, DRAFT]


async def test_the_same_giving_again_is_the_same(pool: asyncpg.Pool, case_id: str) -> None:
    first = given(BUYER, "b-1", statement="statement:7f", amount=5, currency="CNY")
    await give(pool, case_id, first)
    await give(pool, case_id, given(BUYER, "b-2", final=True))

    assert await give(pool, case_id, first, at=9) == 1, "also after it was replaced, and after the final word"
    assert len(await all_given(pool, case_id)) == 2
    for change in ({"amount": 6}, {"attachments": PICTURES}, {"late": True}, {"by": buyer("b-2")}):
        with pytest.raises(OtherEvidenceUnderKey):
            await give(pool, case_id, first.model_copy(update=change))
    assert await give(pool, f"{case_id}-2", first) == 1


async def test_givings_at_once_are_counted_and_leave_one_draft(pool: asyncpg.Pool, case_id: str) -> None:
    wishes = [given(by, f"{by.role}-{number}") for by in (BUYER, MERCHANT) for number in range(5)]
    numbers = await asyncio.gather(*(give(pool, case_id, each) for each in [*wishes, *wishes]))

    assert sorted(numbers) == sorted([*range(1, 11), *range(1, 11)])
    kept = await all_given(pool, case_id)
    assert [each.seq for each in kept] == list(range(1, 11))
    assert sorted(each.by.role for each in kept if each.standing is DRAFT) == ["buyer", "merchant"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"attachments": ()}, "D6"),
        ({"amount": 5}, "currency"),
        ({"currency": "CNY"}, "currency"),
        ({"by": CLOCK}, "D6"),
        ({"amount": -1, "currency": "CNY"}, "amount"),
    ],
)
def test_what_is_no_evidence(wrong: dict[str, Any], reason: str) -> None:  # D6
    with pytest.raises(ValidationError, match=reason):
        given(BUYER, "b-1").model_validate({**given(BUYER, "b-1").model_dump(), **wrong})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE disputes.evidence SET late = false WHERE case_id = $1",
        "UPDATE disputes.evidence SET attachments = '[]' WHERE case_id = $1",
        "UPDATE disputes.evidence SET at = at + interval '1 second' WHERE case_id = $1",
        "UPDATE disputes.evidence SET replaced_by = NULL WHERE case_id = $1 AND seq = 1",
        "UPDATE disputes.evidence SET replaced_by = 3 WHERE case_id = $1 AND seq = 1",
        "DELETE FROM disputes.evidence WHERE case_id = $1",
        "TRUNCATE disputes.evidence",
    ],
)
async def test_nobody_rewrites_what_was_given(pool: asyncpg.Pool, case_id: str, statement: str) -> None:
    for each in (given(BUYER, "1"), given(BUYER, "2"), given(MERCHANT, "3", late=True)):
        await give(pool, case_id, each)

    with pytest.raises(asyncpg.RestrictViolationError):
        await pool.execute(statement, *([case_id] if "$1" in statement else []))


async def test_the_database_knows_what_can_be_replaced(pool: asyncpg.Pool, case_id: str) -> None:  # D6
    await give(pool, case_id, given(BUYER, "1", final=True))
    await give(pool, case_id, given(MERCHANT, "2", late=True))
    await give(pool, case_id, given(MERCHANT, "3"))

    for seq in (1, 2):
        with pytest.raises(asyncpg.CheckViolationError):
            await pool.execute(
                "UPDATE disputes.evidence SET replaced_by = 3 WHERE case_id = $1 AND seq = $2", case_id, seq
            )
    with pytest.raises(asyncpg.UniqueViolationError):
        await pool.execute(
            """
            INSERT INTO disputes.evidence (case_id, seq, key, party, actor_id, attachments, final, late, at)
            VALUES ($1, 4, '4', 'merchant', 'm-1', '[]', false, false, $2)
            """,
            case_id,
            NOON,
        )


async def test_what_adds_up_stands_beside_everything_else(pool: asyncpg.Pool, case_id: str) -> None:  # R10
    given_in_turn = [
        given(BUYER, "g1", adds=True, event="opened"),
        given(BUYER, "g2", adds=True, event="amended", attachments=PICTURES),
        given(BUYER, "g3", final=True),
        given(BUYER, "g4", adds=True, amount=5, currency="CNY"),
        given(MERCHANT, "g5", adds=True, event="rejected", final=True),
        given(MERCHANT, "g6"),
    ]
    for each in given_in_turn:
        await give(pool, case_id, each)
        await give(pool, case_id, each)

    kept = await all_given(pool, case_id)

    assert [(each.key, each.standing) for each in kept] == [
        ("g1", FINAL),
        ("g2", FINAL),
        ("g3", FINAL),
        ("g4", FINAL),
        ("g5", FINAL),
        ("g6", DRAFT),
    ]
    assert [each.event for each in kept[:2]] == ["opened", "amended"]
    assert kept[1].attachments == PICTURES

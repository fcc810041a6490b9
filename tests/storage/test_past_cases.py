"""The book's cases as stories, read page by page, and rules that are tried on them (G7)."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from activities.policies import Policies
from activities.postgres import closed_cases, past_cases
from activities.postgres.past_cases import PastStory, Scope
from activities.postgres.roles import DatabaseRole
from starter.database_roles import grant_roles
from starter.settings import Settings
from starter.vault import prepare_key_store
from starter.whatif import trying
from starter.whatif.telling import Rules
from starter.whatif.trying import NotForTheseCasesError, Trial, side_by_side, told_under_both, tried
from tests.benchmarks.whatif import BEGAN, stories, with_hours
from tests.databases import log_in_as
from tests.replay.paths import PATHS
from tests.whatif.remembered import past_of
from tests.whatif.worlds import world_of_path
from tests.whatif.written import write

_FOUND = Policies().get("douyin")
assert _FOUND
_DOUYIN = _FOUND
_UNTIL = BEGAN + timedelta(days=200)
_SCOPE = Scope(BEGAN, _UNTIL)
_PATHS = (
    "return_insured",
    "disputed_case_upheld",
    "dispute_proposed",
    "attention_retried",
    "settled_by_callback",
    "withdrawal_paid_out",
    "talk_amount_agreed",
    "exchange_confirmed",
    "unshipped_intercepted",
)


@pytest_asyncio.fixture(loop_scope="session")
async def connection(own_database: str) -> AsyncIterator[asyncpg.Connection]:
    """To a database with nothing in it."""
    opened = await asyncpg.connect(own_database)
    yield opened
    await opened.close()


def _trial(scope: Scope = _SCOPE, hours: int = 24) -> Trial:
    return Trial(scope, Rules(with_hours(_DOUYIN, hours)), told_until=_UNTIL)


@pytest.mark.parametrize("name", _PATHS)
async def test_what_is_read_is_what_happened(connection: asyncpg.Connection, name: str) -> None:
    assert name in PATHS
    happened = past_of(world_of_path(name))
    await write(connection, happened)

    found: list[PastStory] = []
    for column in ("order_no", "allowance_id"):
        ids = await past_cases.subjects(connection, Scope(BEGAN, _UNTIL), column, "", 100)
        found += await past_cases.stories(connection, column, ids)

    assert [story.subject for story in found] == [story.subject for story in happened]
    for mine, theirs in zip(found, happened, strict=True):
        assert mine.cases == theirs.cases
        assert {number: [each.says for each in said] for number, said in mine.legs.items()} == {
            number: [each.says for each in said] for number, said in theirs.legs.items()
        }
        assert {(each.parcel, each.purpose, each.case_id) for each in mine.parcels} == {
            (each.parcel, each.purpose, each.case_id) for each in theirs.parcels
        }
        assert {each.events for each in mine.parcels} == {each.events for each in theirs.parcels}


async def test_pages_and_processes_come_to_what_one_page_comes_to(
    own_database: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = [*stories(60, _DOUYIN)]
    await write(connection, happened)
    monkeypatch.setattr(trying, "_PAGE", 7)
    at_once = [case for story in told_under_both(_trial(), happened) for case in story.cases]
    done: list[int] = []

    report = await tried(own_database, _trial(), processes=2, examples=3, progress=done.append)

    assert done[-1] == 60
    assert report.cases == report.told == len(at_once)
    assert report.untold == ()
    assert report.otherwise == sum(each.otherwise for each in at_once) > 0
    assert sum(each.cases for each in report.changes) == report.otherwise
    assert len(report.examples) == min(3, report.otherwise)
    (money,) = report.money
    assert money.currency == "CNY"
    assert money.would_be - money.was == money.more_from_merchants + money.more_from_platform
    assert money.was == sum(each.paid.merchant + each.paid.platform for each in at_once)


async def test_whoever_serves_clients_may_try_rules_and_nothing_is_written(
    own_database: str, connection: asyncpg.Connection, settings: Settings
) -> None:
    await write(connection, [*stories(20, _DOUYIN)])
    await prepare_key_store(settings, own_database)
    await grant_roles(settings, own_database)
    as_client = await log_in_as(DatabaseRole.CLIENT, own_database)

    report = await tried(as_client, _trial(), processes=1, examples=0, progress=lambda done: None)

    assert report.told == report.cases > 0
    assert report.examples == ()


async def test_cases_that_have_left_for_their_months_are_told_again(
    own_database: str, connection: asyncpg.Connection
) -> None:
    """All but those that are in the archive alone: these are said to be away, and their order is not told."""
    happened = [*stories(30, _DOUYIN)]
    await write(connection, happened)
    cases = [case for story in happened for case in story.cases]
    before = await tried(own_database, _trial(), processes=1, examples=0, progress=lambda done: None)
    halfway = BEGAN + timedelta(days=45)

    moved = await closed_cases.move(connection, halfway, 1_000)

    assert 0 < moved.cases < len(cases)
    assert await tried(own_database, _trial(), processes=1, examples=0, progress=lambda done: None) == before
    (side,) = [await side_by_side(own_database, _trial(), cases[0].case_id)]
    assert side
    assert side.compared.cannot == ""
    await connection.execute("DROP TABLE casebook.closed_cases_2026_01, casebook.closed_log_2026_01")
    away = sum(case.closed_at is not None and case.closed_at.month == 1 for case in cases)
    after = await tried(own_database, _trial(), processes=1, examples=0, progress=lambda done: None)
    (untold,) = after.untold
    assert (untold.reason, untold.cases) == ("a case of the order is in the archive alone", away)
    assert after.told == before.told - away
    with pytest.raises(NotForTheseCasesError, match="restore its month"):
        await side_by_side(own_database, _trial(), cases[0].case_id)


async def test_narrower_scopes(own_database: str, connection: asyncpg.Connection) -> None:
    happened = [*stories(30, _DOUYIN)]
    await write(connection, happened)
    merchant = happened[0].cases[0].merchant_id
    halfway = happened[15].cases[0].opened_at

    async def told(scope: Scope) -> int:
        report = await tried(own_database, _trial(scope), processes=1, examples=0, progress=lambda done: None)
        return report.told

    assert await told(Scope(BEGAN, _UNTIL, merchant_id=merchant)) == sum(
        case.merchant_id == merchant for story in happened for case in story.cases
    )
    assert await told(Scope(halfway, _UNTIL)) + await told(Scope(BEGAN, halfway)) == await told(_SCOPE)


async def test_a_profile_that_no_case_goes_by_is_refused(own_database: str, connection: asyncpg.Connection) -> None:
    await write(connection, [*stories(3, _DOUYIN)])
    other = with_hours(_DOUYIN, 24).model_copy(update={"name": "jd-pop"})
    trial = Trial(_SCOPE, Rules(other), told_until=_UNTIL)

    with pytest.raises(NotForTheseCasesError, match=r"goes by the profile jd-pop: douyin/\d"):
        await tried(own_database, trial, processes=1, examples=0, progress=lambda done: None)
    nobody = Trial(Scope(BEGAN, _UNTIL, merchant_id="m-nobody"), trial.rules, _UNTIL)
    with pytest.raises(NotForTheseCasesError, match="there are no cases"):
        await tried(own_database, nobody, processes=1, examples=0, progress=lambda done: None)


async def test_a_version_with_other_numbers_is_refused(own_database: str, connection: asyncpg.Connection) -> None:
    """Section 2: a version never changes. With the same numbers it changes nothing."""
    await write(connection, [*stories(10, _DOUYIN)])
    forged = with_hours(_DOUYIN, 24).model_copy(update={"version": _DOUYIN.version})

    with pytest.raises(NotForTheseCasesError, match="with another refund, returns: a version never changes"):
        await tried(
            own_database,
            Trial(_SCOPE, Rules(forged), told_until=_UNTIL),
            processes=1,
            examples=0,
            progress=lambda done: None,
        )
    same = Trial(_SCOPE, Rules(_DOUYIN), told_until=_UNTIL)
    report = await tried(own_database, same, processes=1, examples=5, progress=lambda done: None)
    assert (report.otherwise, report.sooner, report.later, report.examples) == (0, 0, 0, ())
    assert report.same == report.told > 0


async def test_one_case_side_by_side(own_database: str, connection: asyncpg.Connection) -> None:
    happened = [*stories(40, _DOUYIN)]
    await write(connection, happened)
    (changed, *_) = [case for story in told_under_both(_trial(), happened) for case in story.cases if case.otherwise]

    side = await side_by_side(own_database, _trial(), changed.case_id)

    assert side
    assert side.compared.cannot == ""
    assert side.compared.cases == (changed,)
    assert side.would
    assert await side_by_side(own_database, _trial(), "refund/O-nobody/k") is None
    other = Trial(_SCOPE, Rules(with_hours(_DOUYIN, 24).model_copy(update={"name": "jd-pop"})), _UNTIL)
    with pytest.raises(NotForTheseCasesError, match="goes by douyin/"):
        await side_by_side(own_database, other, changed.case_id)


async def test_nothing_of_a_person_is_kept_of_commands(connection: asyncpg.Connection) -> None:
    """P6: of evidence its number, of words and accounts a reference at most."""
    happened = past_of(world_of_path("shipped_rejected_closed"))
    await write(connection, happened)

    kept = [json.loads(row["command"]) for row in await connection.fetch(_COMMANDS)]

    rejected = next(each["reject"] for each in kept if "reject" in each)
    assert isinstance(rejected["evidence"], int)


_COMMANDS = "SELECT command::text FROM casebook.log WHERE command IS NOT NULL"

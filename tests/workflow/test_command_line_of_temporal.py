"""What operators do with Temporal's command line: through the codec server, and to activities."""

import shlex
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from starter.client import Case
from starter.codec_server import running
from starter.settings import Settings
from starter.stack import Stack
from starter.vault import key_provider
from tests import pages
from tests.codec.serving import serving, token
from tests.temporals_command_line import typed
from tests.workflow.test_answers import begun_anew, held, pending
from tests.workflow.world import World, until
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind, StageName

THROUGH = pages.through_the_codec_server()


def words_of(line: str, world: World, case: Case, endpoint: str) -> list[str]:
    """A line of the page as it is typed for this case."""
    line = line.replace("CASE", case.id).replace("MERCHANT", world.merchant)
    program, *words = shlex.split(line.replace("ENDPOINT", endpoint).replace("TOKEN", token()))
    assert program == "temporal"
    return words


@pytest.mark.parametrize("line", THROUGH)
async def test_through_the_codec_server_a_line_is_understood(
    world: World, stack: Stack, settings: Settings, line: str
) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    async with running(serving(), key_provider(settings), world.pool, world.aftersales.vault) as endpoint:
        code, said = await typed(stack.temporal_address, *words_of(line, world, case, endpoint))

    assert code == 0, said
    if " query " in line:
        assert "merchant_review" in said
    else:
        assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
        assert await world.events(case) == ["opened", "approved", "refund_succeeded"]


async def test_without_it_an_update_is_obeyed_and_an_error_is_told(world: World, stack: Stack) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    (line,) = [each for each in THROUGH if " update execute " in each]

    code, _ = await typed(
        stack.temporal_address, *words_of(line.partition(" --codec-endpoint")[0], world, case, "none")
    )

    assert code != 0, "the page need not warn any more"
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


@asynccontextmanager
async def book_is_behind(world: World, case: Case) -> AsyncGenerator[None]:
    """The case's row lacks steps, so that each attempt at a step fails at once."""
    row = "UPDATE casebook.cases SET step = step + $2 WHERE case_id = $1"
    await world.pool.execute(row, case.id, -1)
    yield
    await world.pool.execute(row, case.id, 1)


def locked(world: World, case: Case) -> AbstractAsyncContextManager[None]:
    """Somebody holds the case's row, so that an attempt at a step waits."""
    return held(world.pool, "SELECT FROM casebook.cases WHERE case_id = $1", case.id)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (book_is_behind, ("complete", "--result", "{}")),
        (locked, ("fail", "--reason", "by_mistake")),  # which the server refuses between two attempts
        (book_is_behind, ("update-options", "--retry-maximum-attempts", "1")),
    ],
    ids=["complete", "fail", "update-options"],
)
async def test_an_activity_that_is_ended_by_hand_is_begun_anew(
    world: World,
    stack: Stack,
    kept: Callable[[World, Case], AbstractAsyncContextManager[None]],
    words: tuple[str, ...],
) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    async with kept(world, case):
        await case.tell(Approve(key="a-1", by=merchant(world.merchant)))
        (first,) = await until(lambda: pending(case, "record_step"), bool)
        which = ("--workflow-id", case.id, "--activity-id", first)
        code, said = await typed(stack.temporal_address, "activity", words[0], *which, *words[1:])
        assert code == 0, said
        await until(lambda: pending(case, "record_step"), lambda ids: bool(ids) and ids != [first])

    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert [activity for activity, _ in await begun_anew(case)] == ["record_step"]

"""What paths are made of: their registry, and the walking that keeps their histories the same every time."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowHandle

from starter.client import Case
from tests.workflow.world import World, until
from workflows.messages.actors import carrier, officer
from workflows.messages.commands import Command
from workflows.messages.stages import OutcomeKind, StageName

OFFICER = officer("officer-1")
CARRIER = carrier("carrier-1")
PROOF = "vault:proof/1"
HOUR = 3600
LARGE = 30_000
"""More than the platform agrees to at once when a merchant opens the refund (R9)."""


Handle = WorkflowHandle[Any, Any]
Walk = Callable[[World], Awaitable[Handle]]


@dataclass(frozen=True)
class Path:
    """One way from the opening to the end of a workflow, which ``walk`` waits for."""

    name: str
    title: str
    rule: str
    ends: OutcomeKind | None
    """How the case ends; None for a workflow that is no case."""
    walk: Walk
    counted: bool = True
    """Whether its cost is worth telling: not where it is the price of an outage."""


PATHS: dict[str, Path] = {}


def path(title: str, rule: str, ends: OutcomeKind | None, *, counted: bool = True) -> Callable[[Walk], Walk]:
    """Add a path under the name of the function that walks it."""

    def add(walk: Walk) -> Walk:
        name = getattr(walk, "__name__", "")
        PATHS[name] = Path(name, title, rule, ends, walk, counted)
        return walk

    return add


def merchant_of(name: str) -> str:
    """The merchant who walks the path of this name, where its history is kept."""
    return f"m-{name.replace('_', '-')}"


def _wall_clock() -> datetime:
    return datetime.now(UTC)


CLOCK: ContextVar[Callable[[], datetime]] = ContextVar("CLOCK", default=_wall_clock)
"""The clock of the world in which paths are walked: the wall's, but in memory."""


def _in_memory() -> bool:
    return CLOCK.get() is not _wall_clock


def now() -> datetime:
    """The time in the world, in UTC."""
    return CLOCK.get()()


async def quiet(case: Case) -> None:
    """Wait until nothing is under way in the case.

    The server is asked and not the case: a query that comes while a workflow task runs can end it early, and
    the history would have other events each time. In memory nothing is under way between two calls.
    """
    if _in_memory():
        return

    async def under_way() -> bool:
        raw = (await case.handle.describe()).raw_description
        return raw.HasField("pending_workflow_task") or bool(raw.pending_activities)

    await until(under_way, lambda busy: not busy)


async def at(world: World, case: Case, stage: StageName) -> None:
    """Wait until the case has come to this stage and waits there."""
    if _in_memory():
        assert await world.stage_of(case) == stage
        return
    await until(lambda: world.stage_of(case), lambda found: found == stage)
    await quiet(case)


async def forward(world: World, case: Case, **duration: float) -> None:
    """Move the case's clock, and wait until it has done what was due."""
    await world.forward(case, **duration)
    await quiet(case)


async def ended(case: Case) -> Handle:
    """The case, once it has ended."""
    await case.outcome()
    return case.handle


async def act(case: Case, command: Command) -> Handle:
    """The case, once it has ended after this command."""
    await case.act_and_wait(command)
    return case.handle

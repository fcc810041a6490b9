"""Open workflows of a namespace, replayed against the code at hand: a gate before a deploy (docs/running.md).

Nothing is changed: histories are fetched, decrypted by the keys at hand, and run through. What is told of one that
takes another way holds names of events and places in code, and nothing of what a case is about (P6).
"""

import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, WorkflowRunner

from starter.pace import Pace
from starter.running import Runs

_DIFFERS: Final = re.compile(r"Nondeterminism error: (?P<how>(?:[^\"\\]|\\.)*)")
_RAISED: Final = re.compile(r'r#type: "(?P<type>\w+)"')
_FRAME: Final = re.compile(r'File \\?"(?P<file>[^"\\]+\.py)\\?", line (?P<line>\d+)')
_LONGEST: Final = 300


@dataclass(frozen=True)
class Differing:
    """A workflow that the code at hand would not carry on."""

    workflow_id: str
    run_id: str
    workflow_type: str
    events: int
    """How many its history has."""
    why: str
    """Where both ways part, or what was raised and where."""


@dataclass
class LiveReplay:
    """What came of it."""

    namespace: str
    replayed: dict[str, int] = field(default_factory=dict[str, int])
    """How many of each kind of workflow."""
    not_looked_at: dict[str, int] = field(default_factory=dict[str, int])
    """How many more are open, beyond the limit."""
    differing: list[Differing] = field(default_factory=list[Differing])
    gone: int = 0
    """They have ended, or been deleted, since they were listed."""
    not_begun: int = 0
    """They are to start later, or nobody has taken them up: they have gone no way yet, and a replay would never end."""
    seconds: float = 0.0


async def replay_live(
    client: Client,
    workflows: Sequence[type[Any]],
    runner: WorkflowRunner,
    *,
    kinds: Sequence[str] = (),
    limit: int,
    rate: float,
    progress: Callable[[int], None] = lambda _: None,
) -> LiveReplay:
    """Replay what is open in the client's namespace.

    Args:
        client: Its namespace, and its keys, are meant.
        workflows: The code at hand.
        runner: With what a worker runs it.
        kinds: Only workflows of these names; all where none is named.
        limit: How many of each kind at most: the latest ones.
        rate: How many histories are fetched a second at most.
        progress: Told how many are done.

    Raises:
        RPCError: Temporal does not answer.
    """
    began, report = time.monotonic(), LiveReplay(client.namespace)
    fetching = _Fetching(client, await _listed(client, _names(workflows, kinds), limit, report), Pace(rate), report)
    replayer = Replayer(
        workflows=workflows,
        workflow_runner=runner,
        data_converter=client.data_converter,
        # What the SDK says of each by itself would stand between the lines of the answer.
        runtime=Runtime(telemetry=TelemetryConfig(logging=None)),
    )
    done = Counter[str]()
    async with replayer.workflow_replay_iterator(fetching.histories()) as results:
        async for result in results:
            kind = _kind(result.history)
            done[kind] += 1
            if failure := result.replay_failure:
                report.differing.append(_differing(result.history, kind, failure))
            progress(done.total())
    report.replayed = dict(sorted(done.items()))
    report.seconds = round(time.monotonic() - began, 1)
    return report


def names_of(workflows: Sequence[type[Any]]) -> tuple[str, ...]:
    """The names under which these workflows are known to Temporal."""
    # The SDK has no public way to ask a class for its name.
    return tuple(workflow._Definition.must_from_class(each).name or "" for each in workflows)


def _names(workflows: Sequence[type[Any]], kinds: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names_of(workflows) if not kinds or name in kinds)


async def _listed(client: Client, names: Sequence[str], limit: int, report: LiveReplay) -> list[str]:
    """The ids of what is open, kind by kind."""
    runs, found = Runs(client), list[str]()
    statuses = '"Running", "Paused"' if await runs.can_be_paused() else '"Running"'
    for name in names:
        query, ids = f'WorkflowType = "{name}" AND ExecutionStatus IN ({statuses})', list[str]()
        async for page in runs.pages(query):
            ids += page
            if len(ids) > limit:
                counted = await client.count_workflows(query)
                report.not_looked_at[name] = max(counted.count - limit, 1)
                break
        found += ids[:limit]
    return found


@dataclass
class _Fetching:
    """Gives one history after the other, no more a second than agreed."""

    client: Client
    ids: Sequence[str]
    pace: Pace
    report: LiveReplay

    async def histories(self) -> AsyncIterator[WorkflowHistory]:
        for each in self.ids:
            await self.pace.turn()
            if history := await self._fetched(each):
                yield history

    async def _fetched(self, workflow_id: str) -> WorkflowHistory | None:
        try:
            history = await self.client.get_workflow_handle(workflow_id).fetch_history()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            history = None
        if history is None or not history.events:
            self.report.gone += 1
            return None
        if not any(event.HasField("workflow_task_completed_event_attributes") for event in history.events):
            self.report.not_begun += 1
            return None
        return history


def _kind(history: WorkflowHistory) -> str:
    return history.events[0].workflow_execution_started_event_attributes.workflow_type.name


def _differing(history: WorkflowHistory, kind: str, failure: Exception) -> Differing:
    return Differing(history.workflow_id, history.run_id, kind, len(history.events), told_of(failure))


def told_of(failure: Exception) -> str:
    """Why a replay has failed, in words that hold nothing of the case."""
    text = str(failure)
    if isinstance(failure, workflow.NondeterminismError) and (found := _DIFFERS.search(text)):
        return found["how"].replace("\\'", "'")[:_LONGEST]
    raised, frames = _RAISED.search(text), list(_FRAME.finditer(text))
    where = f" at {_place(frames[-1])}" if frames else ""
    return f"{raised['type'] if raised else type(failure).__name__}{where}"


def _place(frame: re.Match[str]) -> str:
    return f"{'/'.join(frame['file'].split('/')[-3:])}:{frame['line']}"

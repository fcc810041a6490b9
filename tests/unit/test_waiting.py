"""A look at a workflow that gets lost is asked for again."""

from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from starter import waiting


class Lossy:
    """A workflow whose first answers get lost."""

    def __init__(self, *lost: RPCStatusCode) -> None:
        self.lost = list(lost)
        self.waited: list[timedelta] = []

    async def query(self, name: str, *, rpc_timeout: timedelta, **_: object) -> str:
        self.waited.append(rpc_timeout)
        if self.lost:
            raise RPCError("lost", self.lost.pop(0), b"")
        return name


async def looked(workflow: Lossy) -> str:
    return await waiting.look(cast("WorkflowHandle[Any, Any]", workflow), str)


@pytest.mark.parametrize("lost", [(), *([each] for each in waiting.NO_ANSWER), [*waiting.NO_ANSWER]])
async def test_a_lost_look_is_asked_for_again(lost: list[RPCStatusCode]) -> None:
    assert await looked(Lossy(*lost)) == "view"


async def test_nobody_waits_longer_than_for_one_answer() -> None:
    silent = Lossy(*[RPCStatusCode.DEADLINE_EXCEEDED] * 100)

    with pytest.raises(RPCError):
        await looked(silent)

    assert len(silent.waited) > 1
    assert max(silent.waited) <= timedelta(seconds=10)
    assert sum(silent.waited, timedelta(0)) == waiting.PATIENCE


async def test_what_temporal_refuses_is_not_asked_again() -> None:
    unknown = Lossy(RPCStatusCode.NOT_FOUND)

    with pytest.raises(RPCError):
        await looked(unknown)

    assert len(unknown.waited) == 1

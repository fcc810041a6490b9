"""A command that Temporal does not take while too many others are under way is sent again (section 11)."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from starter import waiting
from starter.errors import Unreachable
from starter.light.case import LightCase
from starter.light.reached import NoCaseBook, Reached
from starter.running import Runs
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve

UNDER_WAY = "limit on number of concurrent in-flight updates has been reached (10)"
TOO_FAST = "namespace rate limit exceeded"
APPROVE = Approve(key="a", by=merchant("m"))


class Crowded:
    """A case that others have sent too many commands: it takes the next one after so many refusals."""

    def __init__(self, refusals: int, why: str = UNDER_WAY) -> None:
        self.refusals, self._why = refusals, why
        self.ids = list[str]()

    async def execute_update(self, *_: object, id: str, **__: object) -> str:
        self.ids.append(id)
        if len(self.ids) <= self.refusals:
            raise RPCError(self._why, RPCStatusCode.RESOURCE_EXHAUSTED, b"")
        return "obeyed"


async def can_be_paused() -> bool:
    return False


def reached(case: Crowded) -> LightCase:
    temporal: Any = SimpleNamespace(get_workflow_handle=lambda *_, **__: case)  # pyright: ignore[reportUnknownLambdaType]
    runs: Any = SimpleNamespace(can_be_paused=can_be_paused)
    return LightCase(Reached(cast("Client", temporal), cast("Runs", runs), NoCaseBook()), "c")


async def test_it_is_sent_again_as_the_same_command() -> None:
    case = Crowded(2)

    assert await reached(case).act(APPROVE) == "obeyed"

    assert len(case.ids) == 3
    assert len({*case.ids}) == 1


async def test_who_waits_no_longer_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", timedelta(milliseconds=1))

    with pytest.raises(Unreachable, match="too many commands to this case are under way"):
        await reached(Crowded(1_000)).act(APPROVE)


async def test_another_limit_is_not_waited_for() -> None:
    case = Crowded(1, TOO_FAST)

    with pytest.raises(Unreachable, match=TOO_FAST):
        await reached(case).act(APPROVE)

    assert len(case.ids) == 1

"""A command that Temporal does not take while too many others are under way is sent again (section 11)."""

from collections.abc import Awaitable, Callable
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
from starter.virtual_numbers import VirtualNumbers, order
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.virtual_numbers import ObtainNumber

Send = Callable[["Crowded"], Awaitable[object]]

UNDER_WAY = "limit on number of concurrent in-flight updates has been reached (10)"
TOO_FAST = "namespace rate limit exceeded"
APPROVE = Approve(key="a", by=merchant("m"))
OBTAIN = ObtainNumber(key="n", by=merchant("m"), subject=order("O-1"))


class Crowded:
    """A case that others have sent too many commands: it takes the next one after so many refusals."""

    def __init__(self, refusals: int, why: str = UNDER_WAY) -> None:
        self.refusals, self._why = refusals, why
        self.ids = list[str]()

    async def execute_update(self, *_: object, id: str, **__: object) -> str:
        return self._taken(id)

    async def execute_update_with_start_workflow(self, _: str, command: ObtainNumber, **__: object) -> str:
        return self._taken(command.key)

    def _taken(self, identifier: str) -> str:
        self.ids.append(identifier)
        if len(self.ids) <= self.refusals:
            raise RPCError(self._why, RPCStatusCode.RESOURCE_EXHAUSTED, b"")
        return "obeyed"


async def can_be_paused() -> bool:
    return False


def reached(case: Crowded) -> LightCase:
    temporal: Any = SimpleNamespace(get_workflow_handle=lambda *_, **__: case)  # pyright: ignore[reportUnknownLambdaType]
    runs: Any = SimpleNamespace(can_be_paused=can_be_paused)
    return LightCase(Reached(cast("Client", temporal), cast("Runs", runs), NoCaseBook()), "c")


async def act(case: Crowded) -> object:
    return await reached(case).act(APPROVE)


async def obtain(number: Crowded) -> object:
    """P3: a number's workflow begins with the command, where it does not run."""
    return await VirtualNumbers(cast("Client", number), "q").obtain(OBTAIN)


EACH = pytest.mark.parametrize("send", [act, obtain])


@EACH
async def test_it_is_sent_again_as_the_same_command(send: Send) -> None:
    taker = Crowded(4)

    assert await send(taker) == "obeyed"

    assert len(taker.ids) == 5
    assert len({*taker.ids}) == 1


@EACH
async def test_who_waits_no_longer_is_told_why(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", timedelta(milliseconds=1))

    with pytest.raises(Unreachable, match="too many commands to this (case|number) are under way"):
        await send(Crowded(1_000))


@EACH
async def test_another_limit_is_not_waited_for(send: Send) -> None:
    taker = Crowded(1, TOO_FAST)

    with pytest.raises(Unreachable, match=r"Temporal (refuses: namespace rate limit exceeded|does not answer)"):
        await send(taker)

    assert len(taker.ids) == 1

"""Worlds in memory whose books remember, in which something happens every few seconds and never twice at one moment."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from starter.interpreter.interpreter import Interpreter
from starter.whatif.telling import Declared
from tests.processes.telling import Story
from tests.replay.in_memory import MemoryAftersales, MemoryCase, MemoryWorld, at_once
from tests.replay.paths import PATHS
from tests.replay.registry import CLOCK, merchant_of
from tests.whatif.remembered import RememberingBook
from workflows.messages.commands import Command
from workflows.messages.requests import Request

BEGAN: Final = datetime(2026, 3, 2, 2, tzinfo=UTC)
_SECONDS: Final = 7


@contextmanager
def remembering() -> Generator[None]:
    """Every interpreter that is made meanwhile has a book that remembers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("starter.interpreter.interpreter.MemoryBook", RememberingBook)
        yield


def world_of_story(said: str, turns: Sequence[str]) -> Interpreter:
    """What a story of `tests/processes` has come to."""
    with remembering():
        story = Story(said)
    for turn in turns:
        story.turn(turn)
        story.world.pass_time(seconds=_SECONDS)
    return story.world


def world_of_path(name: str) -> Interpreter:
    """What a path of `tests/replay` has come to."""
    with remembering():
        interpreter = Interpreter(BEGAN)
    before = CLOCK.set(lambda: interpreter.now)
    try:
        at_once(PATHS[name].walk(_World(interpreter, merchant_of(name))))  # type: ignore[arg-type]
    finally:
        CLOCK.reset(before)
    return interpreter


def declared_in(world: Interpreter) -> Declared:
    """What the platform has declared in a world."""
    return Declared(tuple(world.shop.pauses.values()), dict(world.shop.exemptions))


class _Case(MemoryCase):
    async def act(self, command: Command) -> Any:
        """See MemoryCase."""
        view = await super().act(command)
        self._interpreter.pass_time(seconds=_SECONDS)
        return view

    async def tell(self, fact: Command) -> None:
        """See MemoryCase."""
        await super().tell(fact)
        self._interpreter.pass_time(seconds=_SECONDS)


class _Aftersales(MemoryAftersales):
    def opened(self, request: Request) -> MemoryCase:
        """See MemoryAftersales."""
        opened = super().opened(request)
        self._interpreter.pass_time(seconds=_SECONDS)
        return opened

    def case(self, case: str) -> MemoryCase:
        """See MemoryAftersales."""
        return _Case(self._interpreter, case)


class _World(MemoryWorld):
    """Time passes for all cases at once, as in a book that servers have written."""

    def __init__(self, interpreter: Interpreter, merchant: str) -> None:
        super().__init__(interpreter, merchant)
        self.aftersales = _Aftersales(interpreter)

    async def forward(self, case: MemoryCase, **duration: float) -> None:
        """See MemoryWorld."""
        del case
        self.interpreter.pass_time(**duration)

"""Reaching the open cases whose clocks a pause window moves (section 9)."""

from typing import Annotated

from pydantic import Field

from workflows.messages.actors import Actor
from workflows.messages.message import Identifier, Message
from workflows.messages.stages import CaseKind


class ReachClocks(Message):
    """What the workflow is started with: which window was declared or lifted, and how far it has come."""

    window: Identifier
    change: Identifier
    """``declared`` or ``lifted``: part of the key under which each case is told once."""
    by: Actor
    """Who declared or lifted it."""
    kinds: tuple[CaseKind, ...]
    page: Annotated[int, Field(ge=1, le=100)] = 100
    """How many cases are told at once."""
    after: str = ""
    """The last case that was told."""
    wakes: bool = False
    """Whether late shipments are woken as well that have not opened yet, once all open cases are told (L1)."""
    asleep: bool = False
    """Whether these are told by now."""
    told: int = 0


class ClocksAsked(Message):
    """One page of cases: those of these kinds with a running clock, after the one named."""

    kinds: tuple[CaseKind, ...]
    after: str
    limit: int
    asleep: bool = False
    """Whether late shipments are asked for that wait for the end of a pause, and are in no book yet (L1)."""


class ClocksFound(Message):
    """The ids of open cases whose clock runs or stands still, in their order; fewer than asked for are the last."""

    cases: tuple[str, ...]


async def find_clocks(asked: ClocksAsked) -> ClocksFound:
    """Find open cases whose clocks a pause window can move."""
    raise NotImplementedError

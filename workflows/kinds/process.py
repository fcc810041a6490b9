"""What each stage of a kind of case takes, what is done then, and where that leads.

A kind's process is a table: for each of its stages, a line for each command, fact and silence, with the function that
decides and, as keywords, the arrows: the log line that tells of the move, and where it leads. What runs is looked up
here; the diagrams, the open commands and the contract are read off the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from workflows.kinds.events import DeadlinePassed, DisputeEnded, TimeToLook
from workflows.kinds.stage import CLOSED, OPENING, Stage
from workflows.messages.actors import Role
from workflows.messages.commands import Command
from workflows.messages.stages import OutcomeKind, StageName

if TYPE_CHECKING:
    from workflows.kinds.case import Case
    from workflows.kinds.decisions import Decision

Handler: TypeAlias = Callable[["Case", Any], "Decision"]
"""What an event does, from the case as it stands. Pure."""

Goal: TypeAlias = Stage | OutcomeKind
"""Where an arrow leads: to a stage, or to the end of the case and its outcome."""


Leads: TypeAlias = dict[str, Goal | tuple[Goal, ...]]
"""Log lines, and where the moves lead that they tell of."""


class Answered:
    """Stands in a table for the answers to what a stage itself has asked: of the book, the gateway, the carrier."""


@dataclass(frozen=True)
class Move:
    """One arrow: the log line that tells of it, and where it leads."""

    come_from: StageName
    event: str
    to: StageName
    end: OutcomeKind | None = None
    """How the case ends, where ``to`` is ``closed``."""


@dataclass(frozen=True)
class On:
    """One line of a stage's table."""

    event: type[Any]
    does: Handler
    by: frozenset[Role] = frozenset()
    """Who may send the command; of facts and silence nobody."""
    leads: tuple[tuple[str, Goal], ...] = ()

    def leading(self, **leads: Goal | tuple[Goal, ...]) -> On:
        """The same, with more arrows."""
        return replace(self, leads=(*self.leads, *_arrows(leads)))


Table: TypeAlias = Mapping[Stage, tuple[On, ...]]


def takes(command: type[Command], by: frozenset[Role], does: Handler, **leads: Goal | tuple[Goal, ...]) -> On:
    """A command that the stage takes, and from whom."""
    return On(command, does, by, _arrows(leads))


def hears(fact: type[Command], does: Handler, **leads: Goal | tuple[Goal, ...]) -> On:
    """A fact that the stage waits for; all others go to the log."""
    return On(fact, does, leads=_arrows(leads))


def silence(does: Callable[[Case], Decision], **leads: Goal | tuple[Goal, ...]) -> On:
    """What the stage's deadline does."""
    return On(DeadlinePassed, lambda case, _: does(case), leads=_arrows(leads))


def looks(does: Callable[[Case], Decision], **leads: Goal | tuple[Goal, ...]) -> On:
    """What is done when it is time to look again."""
    return On(TimeToLook, lambda case, _: does(case), leads=_arrows(leads))


def ruled(does: Handler, **leads: Goal | tuple[Goal, ...]) -> On:
    """What the end of a dispute about the case does."""
    return On(DisputeEnded, does, leads=_arrows(leads))


def answered(**leads: Goal | tuple[Goal, ...]) -> On:
    """Where answers lead to what the stage itself has asked."""
    return On(Answered, _never, leads=_arrows(leads))


@dataclass(frozen=True)
class Process:
    """How a kind of case goes."""

    title: str
    """In English and in Chinese, with its rules."""
    opens: tuple[Stage, ...]
    table: Table

    def __post_init__(self) -> None:
        """Check that silence is defined.

        Raises:
            ValueError: a stage does something at a deadline that it does not have, or has one and does nothing.
        """
        for stage, lines in self.table.items():
            events = [each.event for each in lines if each.event is not Answered]
            if len(events) != len(set(events)):
                raise ValueError(f"{stage.name} of {self.title} takes something twice")
            if (DeadlinePassed in events) != (stage.span is not None):
                raise ValueError(f"{stage.name} of {self.title}: silence is decided where there is a deadline")

    def on(self, stage: Stage, event: type[Any]) -> On | None:
        """What ``stage`` does with such an event; None where it does not wait for it."""
        return next((each for each in self.table.get(stage, ()) if each.event is event), None)

    def moves(self) -> frozenset[Move]:
        """Every move that a case of this kind may make."""
        return frozenset(_move(come_from, event, goal) for come_from, event, goal in self.arrows())

    def arrows(self) -> Iterator[tuple[Stage, str, Goal]]:
        """The same in the order of the table."""
        yield from ((OPENING, "opened", stage) for stage in self.opens)
        yield from arrows(self.table)


def arrows(table: Table) -> Iterator[tuple[Stage, str, Goal]]:
    """The arrows of a table, in its order, each once; what leaves a case in its stage is no move."""
    found = ((stage, event, goal) for stage, lines in table.items() for each in lines for event, goal in each.leads)
    yield from (arrow for arrow in dict.fromkeys(found) if arrow[0] is not arrow[2])


def _arrows(leads: Mapping[str, Goal | tuple[Goal, ...]]) -> tuple[tuple[str, Goal], ...]:
    return tuple(
        (event, goal) for event, goals in leads.items() for goal in (goals if isinstance(goals, tuple) else (goals,))
    )


def _move(come_from: Stage, event: str, goal: Goal) -> Move:
    if isinstance(goal, OutcomeKind):
        return Move(come_from.name, event, CLOSED.name, goal)
    return Move(come_from.name, event, goal.name)


def _never(case: Case, event: object) -> Decision:
    raise AssertionError(f"{event} does not happen to a case in {case.stage.name}")

"""Steps that come a second time: of a workflow task that was lost, or of a run that was reset to before them.

A run that was reset does again what its commands and deadlines come to. What is in the case book is not written again;
it is found there, by what its lines say: which event, because of which command. A run may find that the book has more
than it did itself, as where it was reset to before a notice whose moment is long past: what happened by the clock alone
is passed over. It may not do anything else than the book has: then nothing is written.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from activities.postgres.connection import Connection
from workflows.messages.cases import Step, Stepped
from workflows.messages.reading import read_own

Line: TypeAlias = tuple[str, str, str]
"""Event, role of who did it, and the key of the command behind it, empty for none."""

BY_THE_WAY: Final = frozenset(
    {
        "command_refused",
        "more_refused",
        "cancellation_ignored",
        "activity_begun_anew",
        "ruling_after_end",
        "book_behind",
    }
)
"""Lines that go along with whatever step comes next, and make none the same or another."""


class AnotherWay(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The run that writes has taken another way than the book has."""


@dataclass(frozen=True)
class Book:
    """What the book has of a case: its last step, and what each step gave."""

    last: int
    gave: dict[str, object]


async def place_of(connection: Connection, step: Step, book: Book) -> tuple[int, Stepped | None]:
    """The number under which ``step`` stands in the book, with what it gave; else the number to write it under.

    Raises:
        AnotherWay: the book has other steps there, which somebody has decided or which have moved the case.
    """
    if step.step > book.last:
        return step.step, None
    own = _without(tuple((each.event, each.by.role.value, each.command_key) for each in step.entries))
    written = await _steps_from(connection, step.case.case_id, step.step - 1)
    stood = written[step.step - 1].stage if step.step - 1 in written else None
    moved = False
    for number in range(step.step, book.last + 1):
        there = written.get(number, _WITHOUT_LINES)
        gave = read_own(Stepped, book.gave[str(number)])
        if there.lines == own and (own or (gave.reserved is None) == (step.reserve is None)):
            elsewhere = number if number != step.step else None
            return number, gave.model_copy(update={"step": step.step, "number": elsewhere})
        moved = moved or there.stage not in (None, stood)
        if any(command_key for _, _, command_key in there.lines):
            break
    else:
        if not moved:
            return book.last + 1, None
    if not own and step.reserve is None:  # lines by the way, which the book has elsewhere
        return step.step - 1, Stepped(step=step.step, number=step.step - 1)
    there = written.get(step.step, _WITHOUT_LINES)
    raise AnotherWay(
        f"{step.case.case_id} takes another way than its book: at step {step.step} it has {_said(own)}, "
        f"the book {_said(there.lines)}"
    )


@dataclass(frozen=True)
class _InBook:
    lines: tuple[Line, ...]
    stage: str | None


_WITHOUT_LINES: Final = _InBook((), None)


async def _steps_from(connection: Connection, case_id: str, first: int) -> dict[int, _InBook]:
    """Lines and stage of each step from this number on; steps without lines are left out."""
    rows = await connection.fetch(
        """
        SELECT step, event, actor_role, command_key, stage FROM casebook.log
        WHERE case_id = $1 AND step >= $2 ORDER BY position
        """,
        case_id,
        first,
    )
    found: dict[int, _InBook] = {}
    for row in rows:
        line = (row["event"], row["actor_role"], row["command_key"])
        before = found.get(row["step"], _WITHOUT_LINES).lines
        found[row["step"]] = _InBook(_without((*before, line)), row["stage"])
    return found


def _without(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(line for line in lines if line[0] not in BY_THE_WAY)


def _said(lines: tuple[Line, ...]) -> str:
    return ", ".join(event for event, _, _ in lines) or "nothing"

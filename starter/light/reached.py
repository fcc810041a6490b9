"""What a case is reached by: Temporal, and where there is one the case book."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar, Protocol

from temporalio.client import Client

from starter.running import Runs
from workflows.messages.cases import CaseView, LogEntry, Outcome, Refusal
from workflows.messages.commands import Command
from workflows.messages.stages import Stopped
from workflows.rules.admission import Parties, refused_party


class CaseBook(Protocol):
    """What a client looks up of cases that Temporal does not run, or has forgotten.

    All of it raises ``Unreachable`` where the database does not answer.
    """

    complete: ClassVar[bool]
    """Whether a case that is not in it is none."""

    async def parties(self, case_id: str) -> Parties | None:
        """Whose case it is; None where the book has no such case."""
        ...

    async def view(self, case_id: str, stopped: Stopped) -> CaseView | None:
        """How a case stood when it last wrote a step, ``stopped`` saying why it takes no command."""
        ...

    async def outcome(self, case_id: str) -> Outcome | None:
        """How it ended; None where it has not, or where the book has no such case."""
        ...

    async def log(self, case_id: str) -> list[LogEntry]:
        """The whole case log, oldest first."""
        ...


class NoCaseBook:
    """Of a client that reaches Temporal only: it knows what the workflow tells, for as long as Temporal keeps it."""

    complete: ClassVar[bool] = False

    async def parties(self, case_id: str) -> Parties | None:
        """See ``CaseBook``."""
        del case_id

    async def view(self, case_id: str, stopped: Stopped) -> CaseView | None:
        """See ``CaseBook``."""
        del case_id, stopped

    async def outcome(self, case_id: str) -> Outcome | None:
        """See ``CaseBook``."""
        del case_id

    async def log(self, case_id: str) -> list[LogEntry]:
        """See ``CaseBook``."""
        del case_id
        return []


def untraced(name: str) -> AbstractContextManager[None]:
    """No span around a call of this name."""
    del name
    return nullcontext()


def _no_fact(command: Command) -> bool:
    del command
    return False


@dataclass(frozen=True)
class Reached:
    """What is behind a client's cases."""

    temporal: Client
    runs: Runs
    book: CaseBook
    names_case: bool = False
    """Whether each command names its case: where what encrypts it does not know which workflow it is for (P6)."""
    span: Callable[[str], AbstractContextManager[None]] = untraced
    """The span of one call."""
    refused_stranger: Callable[[Command, Parties], Refusal | None] = refused_party
    """Why the sender of a command has nothing to say in a case of these parties."""
    told_as_fact: Callable[[Command], bool] = _no_fact
    """Whether it tells a fact that its sender may tell of any case."""

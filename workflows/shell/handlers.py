"""Commands as updates and as signals, under the same names, with the same check.

Whatever an update or a signal carries is taken and read here. What the SDK cannot decode into a type it answers with an
error of its own, and drops without a trace where it came as a signal; with more or fewer values than a signal's handler
expects it would fail the workflow task for ever. So handlers take any values, and only their declared type is narrow.

A command has one handler of each sort, whichever kinds take it: classes are made anew in the sandbox of each case.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import UpdateMethodMultiParam

from workflows.kinds.kind import OF_EVERY_CASE, Kind
from workflows.messages.cases import CaseView, Refusal
from workflows.messages.commands import Command
from workflows.messages.message import Message
from workflows.messages.sealed import why_refused
from workflows.messages.virtual_numbers import NumberView
from workflows.rules import admission
from workflows.shell.refusing import refused_command
from workflows.starts import reads_its_start
from workflows.unopened import KeyIsGone, unopened

if TYPE_CHECKING:
    from workflows.shell.workflow import CaseWorkflow

_NOT_SEALED: Final = "it was not encrypted, or for no case"
OTHER_SIGNALS_ARE_LOGGED: Final = "other-signals-are-logged"

Told = TypeVar("Told", bound=Command)
CaseType = TypeVar("CaseType", bound="type[CaseWorkflow]")


def takes(kind: Kind) -> Callable[[CaseType], CaseType]:
    """Bind a workflow to its kind: it has an update for each of the kind's commands, and gets the signals.

    The SDK finds one handler in each attribute of a class, so that an update and a signal of one name need two. Every
    workflow also reads its own start.

    Raises:
        TypeError: the class has other updates than its kind has commands.
    """

    def decorate(case: CaseType) -> CaseType:
        case.case_kind = kind
        case.commands = tuple(dict.fromkeys((*kind.commands, *OF_EVERY_CASE)))
        names = {command.command_name() for command in case.commands}
        # Not `isinstance`: to look for a protocol in each attribute takes milliseconds in the sandbox of every case.
        updates = {name for name in dir(case) if hasattr(getattr(case, name), "validator")}
        if updates - {"other_update"} != names:
            differs = ", ".join(sorted((updates - {"other_update"}) ^ names))
            raise TypeError(f"{case.__name__} and its kind do not take the same commands: {differs}")
        for command in case.commands:
            setattr(case, f"{command.command_name()}_signal", _signal(command))
        return reads_its_start(case)

    return decorate


def update(command_type: type[Told]) -> UpdateMethodMultiParam[[Any, Told], CaseView]:
    """The update of a command, under its name: ``handle.execute_update(Refund.approve, Approve(...))``."""
    return cast("UpdateMethodMultiParam[[Any, Told], CaseView]", _update(command_type, CaseView))


def number_update(command_type: type[Told]) -> UpdateMethodMultiParam[[Any, Told], NumberView]:
    """The same of a command about a virtual number."""
    return cast("UpdateMethodMultiParam[[Any, Told], NumberView]", _update(command_type, NumberView))


class TakesCommands(Protocol):
    """What a command meets in a workflow before it is carried out."""

    def refused_on_sight(self, command: Any, why: str | None = None, /) -> Refusal | None:
        """What stands against it, or against its envelope, before it is weighed (P6)."""
        ...

    def refusal_now(self, command: Any, /) -> Refusal | None:
        """Why it is refused as things stand, or None."""
        ...

    async def take(self, command: Any, /) -> Refusal | None:
        """Carry it out in its turn; None once that is done, else the refusal."""
        ...

    def view_for(self, command: Any, /) -> Message | None:
        """How things stand, for a refusal; None where the sender may not see it (section 12)."""
        ...

    def view(self) -> Message:
        """How things stand."""
        ...


class _Workflow(Protocol):
    unreadable: ApplicationError | None

    @property
    def intake(self) -> TakesCommands: ...


@cache
def _update(command_type: type[Command], gives: type[Message]) -> object:
    async def handle(self: _Workflow, *values: object) -> Message:
        if unopened(values):  # it was read when it was accepted
            raise KeyIsGone
        command = _read(self, values)
        if (refusal := await self.intake.take(command)) is not None:
            raise refused_command(refusal, self.intake.view_for(command))
        return self.intake.view()

    def validate(self: _Workflow, *values: object) -> None:
        command, intake = _read(self, values), self.intake
        if refused := intake.refused_on_sight(command, why_refused(values[0], workflow.info().workflow_id)):
            raise refused_command(refused, None)
        if (refusal := intake.refusal_now(command)) is not None:
            raise refused_command(refusal, intake.view_for(command))

    def _read(taker: _Workflow, values: tuple[object, ...]) -> Command:
        if taker.unreadable:
            raise taker.unreadable
        command = admission.read(values, command_type)
        if isinstance(command, Refusal):  # nobody knows who has sent it, and so nothing is told (section 12)
            raise refused_command(command, None)
        return command

    for handler in (handle, validate):
        _as_method(handler)
    handle.__annotations__["return"] = gives
    made = workflow.update(name=command_type.command_name(), description=command_type.__doc__)(handle)
    made.validator(validate)
    return made


@cache
def _signal(command_type: type[Command]) -> Any:
    name = command_type.command_name()

    async def handle(self: "CaseWorkflow", *values: object) -> None:
        if self.unreadable:
            return
        intake = self.carried.intake
        for digest in unopened(values):
            if not workflow.patched(self.carried.mailbox.heard.marker_of(digest)):
                raise KeyIsGone
        command = admission.read(values, command_type)
        if isinstance(command, Refusal):
            refusal: Refusal | None = command
        else:
            why = None if intake.for_another_case(command) else _refused_envelope(command, values)
            refusal = intake.refused_on_sight(command, why) or await intake.take(command)
        if refusal is not None:
            intake.note_refused(name, refusal)

    _as_method(handle)
    return workflow.signal(name=name, description=command_type.__doc__)(handle)


def _refused_envelope(command: Command, values: tuple[object, ...]) -> str | None:
    """Why a signal is refused for how it was sealed. A marker keeps the answer, for settings can change."""
    marker = f"not-sealed-{admission.fingerprint(command)}"
    if workflow.unsafe.is_replaying():
        return _NOT_SEALED if workflow.patched(marker) else None
    why = why_refused(values[0], workflow.info().workflow_id)
    return why if why and workflow.patched(marker) else None


def _as_method(function: Callable[..., Any]) -> None:
    """The SDK takes a first parameter for ``self`` only where it has no annotation."""
    del function.__annotations__["self"]

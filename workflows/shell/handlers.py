"""Commands as updates and as signals, under the same names, with the same check."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.common import RawValue

from workflows.kinds.kind import OF_EVERY_CASE, Kind
from workflows.messages.cases import CaseView, Refusal
from workflows.messages.commands import Command
from workflows.messages.sealed import why_refused
from workflows.rules import admission
from workflows.shell.case import CaseWorkflow, refused_command
from workflows.starts import reads_its_start
from workflows.unopened import KeyIsGone, unopened

_NOT_SEALED: Final = "it was not encrypted, or for no case"
_OTHER_SIGNALS_ARE_LOGGED: Final = "other-signals-are-logged"


CaseType = TypeVar("CaseType", bound=type[CaseWorkflow])


def takes(kind: Kind) -> Callable[[CaseType], CaseType]:
    """Give a workflow the updates, the signals and the ``view`` query of its kind's commands; it reads its own start.

    Every kind also takes the facts of the world, what the carrier and the gateway tell, and what the platform asks
    of all open cases.
    """

    def decorate(case: CaseType) -> CaseType:
        case.case_kind = kind
        case.commands = tuple(dict.fromkeys((*kind.commands, *OF_EVERY_CASE)))
        for command in case.commands:
            name = command.command_name()
            setattr(case, f"{name}_update", _update(name, command))
            setattr(case, f"{name}_signal", _signal(name, command))
        case.other_update = _other_update()  # type: ignore[attr-defined]
        case.other_signal = _other_signal()  # type: ignore[attr-defined]
        case.view_query = _view()  # type: ignore[attr-defined]
        return reads_its_start(case)

    return decorate


# Whatever an update or a signal carries is taken and read here. What the SDK cannot decode into a type it answers with
# an error of its own, and drops without a trace where it came as a signal; with more or fewer values than a signal's
# handler expects it would fail the workflow task for ever.


def _update(name: str, command_type: type[Command]) -> Any:
    async def handle(self: CaseWorkflow, *values: object) -> CaseView:
        if unopened(values):  # it was read when it was accepted
            raise KeyIsGone
        command = _read(self, values)
        if (refusal := await self.take(command)) is not None:
            raise refused_command(refusal, self.view_for(command))
        return self.view()

    def validate(self: CaseWorkflow, *values: object) -> None:
        command = _read(self, values)
        if refused := _refused_on_sight(self, command, why_refused(values[0], workflow.info().workflow_id)):
            raise refused_command(refused, None)
        if (refusal := self.refusal_now(command)) is not None:
            raise refused_command(refusal, self.view_for(command))

    def _read(case: CaseWorkflow, values: tuple[object, ...]) -> Command:
        if case.unreadable:
            raise case.unreadable
        command = admission.read(values, command_type)
        if isinstance(command, Refusal):  # nobody knows who has sent it, and so nothing is told (section 12)
            raise refused_command(command, None)
        return command

    for handler in (handle, validate):
        _as_method(handler)
    update = workflow.update(name=name, description=command_type.__doc__)(handle)
    update.validator(validate)
    return update


def _signal(name: str, command_type: type[Command]) -> Any:
    async def handle(self: CaseWorkflow, *values: object) -> None:
        if self.unreadable:
            return
        for digest in unopened(values):
            if not workflow.patched(self.mailbox.heard.marker_of(digest)):
                raise KeyIsGone
        command = admission.read(values, command_type)
        if isinstance(command, Refusal):
            refusal: Refusal | None = command
        else:
            why = None if _for_another_case(command) else _refused_envelope(command, values)
            refusal = _refused_on_sight(self, command, why) or await self.take(command)
        if refusal is not None:
            self.note_refused(name, refusal)

    _as_method(handle)
    return workflow.signal(name=name, description=command_type.__doc__)(handle)


# What the kind does not take is answered and written down like all that does not fit. Without these two an update gets
# an error of the SDK's, and a signal waits unseen until the case ends.


def _other_update() -> Any:
    async def handle(self: CaseWorkflow, name: str, values: Sequence[RawValue]) -> CaseView:
        del self, values
        raise refused_command(admission.not_taken(name), None)  # nobody knows who asks

    def validate(self: CaseWorkflow, name: str, values: Sequence[RawValue]) -> None:
        del self, values
        raise refused_command(admission.not_taken(name), None)  # nobody knows who asks

    for handler in (handle, validate):
        _as_method(handler)
    update = workflow.update(dynamic=True)(handle)
    update.validator(validate)
    return update


def _other_signal() -> Any:
    async def handle(self: CaseWorkflow, name: str, values: Sequence[RawValue]) -> None:
        del values
        if self.unreadable:
            return
        if workflow.patched(_OTHER_SIGNALS_ARE_LOGGED):  # a case that was sent one before has left it where it was
            self.note_refused(admission.known_name(name), admission.not_taken(name))

    _as_method(handle)
    return workflow.signal(dynamic=True)(handle)


def _refused_on_sight(case: CaseWorkflow, command: Command, why: str | None) -> Refusal | None:
    """What stands against a command before it is weighed: who sends it, and then for which case it was sealed (P6).

    ``why`` is what is to be said against its envelope. A stranger is not told where its command belongs (section 12).
    """
    not_sealed = admission.not_sealed(why) if why else None
    return case.stranger(command) or _for_another_case(command) or not_sealed


def _for_another_case(command: Command) -> Refusal | None:
    return admission.for_another_case(command, workflow.info().workflow_id)


def _refused_envelope(command: Command, values: tuple[object, ...]) -> str | None:
    """Why a signal is refused for how it was sealed. A marker keeps the answer, for settings can change."""
    marker = f"not-sealed-{admission.fingerprint(command)}"
    if workflow.unsafe.is_replaying():
        return _NOT_SEALED if workflow.patched(marker) else None
    why = why_refused(values[0], workflow.info().workflow_id)
    return why if why and workflow.patched(marker) else None


def _view() -> Any:
    def view_query(self: CaseWorkflow) -> CaseView:
        if self.unreadable:
            raise self.unreadable
        return self.view()

    _as_method(view_query)
    return workflow.query(name="view", description="The case as it stands.")(view_query)


def _as_method(function: Callable[..., Any]) -> None:
    """The SDK takes a first parameter for ``self`` only where it has no annotation."""
    del function.__annotations__["self"]

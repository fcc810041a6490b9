"""Commands as updates and as signals, under the same names, with the same check."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio import workflow

from workflows.case import CaseWorkflow, refused_command
from workflows.messages.cases import CaseView, Refusal
from workflows.messages.commands import (
    Command,
    GatewayCallback,
    MoveDeadline,
    MovePolicy,
    PausesChanged,
    ReportParcel,
)

OF_EVERY_CASE = (MovePolicy, MoveDeadline, ReportParcel, GatewayCallback, PausesChanged)
"""What the platform may ask of each case, and what the world tells."""

CaseType = TypeVar("CaseType", bound=type[CaseWorkflow])


def takes(*commands: type[Command]) -> Callable[[CaseType], CaseType]:
    """Give a kind of case the updates, the signals and the ``view`` query of its commands.

    Every kind also takes the facts of the world, what the carrier and the gateway tell, and what the platform asks
    of all open cases.
    """

    def decorate(case: CaseType) -> CaseType:
        for command in dict.fromkeys((*commands, *OF_EVERY_CASE)):
            name = command.command_name()
            setattr(case, f"{name}_update", _update(name, command))
            setattr(case, f"{name}_signal", _signal(name, command))
        case.view_query = _view()  # type: ignore[attr-defined]
        return case

    return decorate


def _update(name: str, command_type: type[Command]) -> Any:
    async def handle(self: CaseWorkflow, command: Command) -> CaseView:
        if (refusal := await self.take(command)) is not None:
            raise refused_command(refusal, self.view())
        return self.view()

    def validate(self: CaseWorkflow, command: Command) -> None:
        if not isinstance(command, command_type):  # null fits every type
            raise refused_command(_malformed(), self.view())
        if (refusal := self.refusal_now(command)) is not None:
            raise refused_command(refusal, self.view())

    for handler in (handle, validate):
        handler.__annotations__["command"] = command_type
        _as_method(handler)
    update = workflow.update(name=name, description=command_type.__doc__)(handle)
    update.validator(validate)
    return update


def _signal(name: str, command_type: type[Command]) -> Any:
    async def handle(self: CaseWorkflow, *values: object) -> None:
        # Whatever it carries is taken: what the SDK cannot decode into a type it would drop without a trace,
        # and with more or fewer values than expected it would fail the workflow task for ever.
        command = _decoded(values, command_type)
        if command is None:
            self.note_refused(name, _malformed())
            return
        if (refusal := await self.take(command)) is not None:
            self.note_refused(name, refusal)

    _as_method(handle)
    return workflow.signal(name=name, description=command_type.__doc__)(handle)


def _malformed() -> Refusal:
    return Refusal(code="malformed", field="command", rule="section 11", explanation="this is not such a command")


def _decoded(values: tuple[object, ...], command_type: type[Command]) -> Command | None:
    if len(values) != 1:
        return None
    try:
        return command_type.model_validate_json(json.dumps(values[0]))
    except (ValidationError, TypeError, ValueError):
        return None


def _view() -> Any:
    def view_query(self: CaseWorkflow) -> CaseView:
        return self.view()

    _as_method(view_query)
    return workflow.query(name="view", description="The case as it stands.")(view_query)


def _as_method(function: Callable[..., Any]) -> None:
    """The SDK takes a first parameter for ``self`` only where it has no annotation."""
    del function.__annotations__["self"]

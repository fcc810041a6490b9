"""What services in other languages may start and send, read off the workflows' own definitions."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from temporalio import workflow

from workflows.definitions.every_kind import CASES
from workflows.messages.requests import CompensationCause, CompensationRequest, DisputeRequest, Request, ReturnRequest
from workflows.messages.virtual_numbers import NumberStart, NumberSubject, Scope
from workflows.rules.identity import case_id
from workflows.shell.workflow import CaseWorkflow
from workflows.virtual_number import VirtualNumberEntity

WORKFLOWS: Final[tuple[type[CaseWorkflow | VirtualNumberEntity], ...]] = (
    *CASES,
    VirtualNumberEntity,
)
"""Those that others start or send commands to."""

OPENS_AT: Final = {"LateShipment": "ships_until", "AllowanceExpiry": "valid_until"}
"""The field of the request until which the start is delayed."""

STARTED_BY_CASES: Final = frozenset({"Compensation"})
"""A case starts these itself; others only send commands to them."""


@dataclass(frozen=True)
class Taken:
    """What an update, a signal or a query takes and gives."""

    takes: type[BaseModel] | None
    gives: type[BaseModel] | None


@dataclass(frozen=True)
class Contract:
    """One workflow as its callers see it."""

    name: str
    summary: str
    ids: Mapping[str, str]
    """Patterns of its id, with fields of the request in braces, and when each holds; empty for always."""
    request: type[BaseModel]
    result: type[BaseModel]
    updates: Mapping[str, Taken]
    signals: Mapping[str, Taken]
    queries: Mapping[str, Taken]


def contracts() -> tuple[Contract, ...]:
    """All of them, in the order of ``WORKFLOWS``."""
    return tuple(_contract(each) for each in WORKFLOWS)


def ids(request: type[BaseModel]) -> dict[str, str]:
    """The patterns of the workflow ids that requests of this type may open, and when each holds."""
    named = {name: f"{{{name}}}" for name in request.model_fields}
    if request is NumberStart:
        scopes: dict[str, list[str]] = {}
        for scope in Scope:
            subject = NumberSubject.model_construct(scope=scope, id="{subject.id}")
            scopes.setdefault(subject.workflow_id, []).append(f"`{scope}`")
        return {pattern: f"`subject.scope` is {' or '.join(names)}" for pattern, names in scopes.items()}
    variants: dict[str, dict[str, Any]] = {"": {}}
    if request is ReturnRequest:
        variants = {"`exchange` is false": {"exchange": False}, "`exchange` is true": {"exchange": True}}
    elif request is DisputeRequest:
        variants = {"`about` is given": {}, "`about` is null": {"about": None}}
    elif request is CompensationRequest:
        variants = {f"`cause` is `{cause}`": {"cause": cause} for cause in CompensationCause}
    return {_case_id(request, {**named, **values}): when for when, values in variants.items()}


def _case_id(request: type[Any], values: dict[str, Any]) -> str:
    made: Request = request.model_construct(**values)
    return case_id(made)


def _contract(kind: type[CaseWorkflow | VirtualNumberEntity]) -> Contract:
    # The SDK has no public way to ask a class what it takes.
    definition: Any = workflow._Definition.must_from_class(kind)
    # Start and handlers take in whatever comes, to answer what is wrong with it; the class says what it is to be.
    commands = {each.command_name(): each for each in kind.commands}
    # The handler without a name answers whatever is none of these.
    named = {name: each for name, each in definition.updates.items() if name}
    named_signals = [name for name in definition.signals if name in commands]  # the rest are our own
    updates = {name: Taken(commands[name], each.ret_type) for name, each in sorted(named.items())}
    return Contract(
        name=definition.name,
        summary=inspect.cleandoc(inspect.getdoc(kind) or ""),
        ids=ids(kind.started_with),
        request=kind.started_with,
        result=definition.ret_type,
        updates=updates,
        signals={name: Taken(commands[name], None) for name in sorted(named_signals)},
        queries={name: Taken(None, each.ret_type) for name, each in sorted(definition.queries.items())},
    )

"""Whether a command may be obeyed: who sends it, whose case it is, what the stage takes (section 12).

What a stage takes is read off the kinds' processes. Who may send a command is the same in every kind that has the
stage; a kind may take fewer commands in it than others do.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

from workflows.kinds.kind import PROCESSES
from workflows.kinds.stage import CLOSED, PASSING, PLATFORM, STAGES, Stage
from workflows.messages.actors import Role
from workflows.messages.cases import OpenCommand, Refusal
from workflows.messages.commands import (
    CaseSettled,
    Command,
    DisputeIntervened,
    GatewayCallback,
    LookAtBook,
    MoveDeadline,
    MovePolicy,
    PausesChanged,
    Reject,
    RejectReason,
    ReportParcel,
    RulingTold,
)
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.admission import Parties, may_see, refused_party

Accepts: TypeAlias = Mapping[type[Command], frozenset[Role]]

FACTS: Final[Accepts] = {
    GatewayCallback: frozenset({Role.GATEWAY}),
    ReportParcel: frozenset({Role.CARRIER, Role.PLATFORM}),
    PausesChanged: PLATFORM,
    DisputeIntervened: frozenset({Role.CLOCK}),
    RulingTold: frozenset({Role.CLOCK}),
    LookAtBook: PLATFORM,
    CaseSettled: frozenset({Role.CLOCK}),
}
"""What is taken in every stage, because it has happened; and who may tell it."""

ANYWHERE: Final[Accepts] = {MovePolicy: PLATFORM}
"""What an officer may ask of every case that waits (section 2)."""

WITH_DEADLINE: Final[Accepts] = {MoveDeadline: PLATFORM}
"""What an officer may ask where silence has a moment (section 12); not where it is the gateway that is waited for."""


def _declared() -> dict[StageName, dict[type[Command], frozenset[Role]]]:
    found: dict[StageName, dict[type[Command], frozenset[Role]]] = {name: {} for name in StageName}
    for process in PROCESSES.values():
        for stage, lines in process.table.items():
            for each in lines:
                if each.by and found[stage.name].setdefault(each.event, each.by) != each.by:
                    raise ValueError(f"{stage.name} takes {each.event.__name__} from others in another kind")
    return found


DECLARED: Final[Mapping[StageName, Accepts]] = _declared()
"""What each stage takes of its own, and from whom."""


def _accepted(stage: Stage) -> Accepts:
    own = DECLARED[stage.name]
    if stage.name in PASSING or stage is CLOSED:
        return own
    return {**own, **(WITH_DEADLINE if stage.span and stage.name is not StageName.SETTLING else {}), **ANYWHERE}


_ACCEPTED: Final[Mapping[StageName, Accepts]] = {name: _accepted(stage) for name, stage in STAGES.items()}


def _accepted_by(kind: CaseKind, stage: Stage) -> Accepts:
    taken = {each.event for each in PROCESSES[kind].table[stage]}
    every_case = {*ANYWHERE, *WITH_DEADLINE}
    return {each: roles for each, roles in _ACCEPTED[stage.name].items() if each in taken or each in every_case}


_ACCEPTED_BY: Final[Mapping[tuple[CaseKind, StageName], Accepts]] = {
    (kind, stage.name): _accepted_by(kind, stage) for kind, process in PROCESSES.items() for stage in process.table
}


def accepted(stage: Stage, kind: CaseKind | None = None) -> Accepts:
    """What ``stage`` takes, and from whom, facts aside: in any kind of case, or in one."""
    return _ACCEPTED[stage.name] if kind is None else _ACCEPTED_BY.get((kind, stage.name), _ACCEPTED[stage.name])


_WHO_ASKS: Final[Mapping[type[Command], frozenset[Role]]] = {
    kind: frozenset[Role]().union(*(accepted(stage).get(kind, ()) for stage in STAGES.values()))
    for kind in {each for stage in STAGES.values() for each in accepted(stage)}
}
"""Who may send a command in one stage or another."""


def open_commands(stage: Stage, kind: CaseKind | None = None) -> tuple[OpenCommand, ...]:
    """The commands that a stage takes, and from whom: in any kind of case, or in one."""
    return tuple(
        OpenCommand(name=each.command_name(), roles=tuple(sorted(roles)))
        for each, roles in accepted(stage, kind).items()
    )


def refused_stranger(command: Command, parties: Parties) -> Refusal | None:
    """Why the sender of ``command`` has nothing to say in this case, or None (section 12).

    Asked before anything else is looked at, and above all before the command's key: what is refused here is told
    nothing of the case. Carriers, the gateway and the clock tell facts, each their own, and ask for nothing.
    """
    if command.by.role in (Role.MERCHANT, Role.BUYER) or may_see(command.by, parties):
        return refused_party(command, parties)
    roles = FACTS[type(command)] if command.fact else _WHO_ASKS.get(type(command), frozenset[Role]())
    return refused_party(command, parties) if command.by.role in roles else _wrong_actor(command, roles)


def refused_in_stage(
    command: Command, *, stage: Stage, parties: Parties, now: datetime, kind: CaseKind | None = None
) -> Refusal | None:
    """Why ``command`` is not obeyed in ``stage`` of a case of this ``kind``, or None.

    ``now`` is the case's own time, in UTC.
    """
    name = command.command_name()
    if stranger := refused_stranger(command, parties):
        return stranger
    if command.fact:
        return None if command.by.role in FACTS[type(command)] else _wrong_actor(command, FACTS[type(command)])
    roles = accepted(stage, kind).get(type(command), frozenset[Role]())
    if not roles:
        return Refusal(
            code="not_open",
            field="command",
            rule=stage.rule,
            explanation=_why_not_open(name, stage, kind),
        )
    if command.by.role not in roles:
        return _wrong_actor(command, roles)
    match command:
        case Reject() if stage.name is StageName.MERCHANT_REVIEW:
            return _unshipped_rejection(command)
        case MoveDeadline() if command.until <= now:
            return Refusal(
                code="deadline_past",
                field="until",
                rule="section 12",
                explanation="a deadline cannot be set to a moment that has passed",
            )
        case _:
            return None


def _why_not_open(name: str, stage: Stage, kind: CaseKind | None) -> str:
    if stage.name is StageName.CLOSED:
        return f"{name} comes too late: the case has ended"
    names = ", ".join(each.command_name() for each in accepted(stage, kind)) or "none"
    return f"{name} is not open in stage {stage.name}; open are: {names}"


def _wrong_actor(command: Command, roles: frozenset[Role]) -> Refusal:
    allowed = " or ".join(sorted(roles))
    return Refusal(
        code="wrong_actor",
        field="by.role",
        rule="section 1",
        explanation=f"{command.command_name()} is for {allowed}, not for {command.by.role}",
    )


def _unshipped_rejection(command: Reject) -> Refusal | None:
    """R1: an unshipped refund is refused only with proof that the goods have shipped."""
    if command.reason is not RejectReason.GOODS_SHIPPED:
        return Refusal(
            code="reason_not_allowed",
            field="reason",
            rule="R1",
            explanation="an unshipped refund can be rejected only because the goods have shipped",
        )
    if command.shipping is None:
        return Refusal(
            code="proof_missing",
            field="shipping",
            rule="R1",
            explanation="rejecting an unshipped refund needs the parcel: carrier, tracking_no, shipped_at",
        )
    return None

"""Whether a command may be obeyed: who sends it, whose case it is, what the stage accepts (section 12)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from pydantic import ValidationError

from workflows.messages.actors import Actor, Role
from workflows.messages.cases import OpenCommand, Refusal
from workflows.messages.commands import Command, MoveDeadline, Reject, RejectReason
from workflows.messages.problems import problems
from workflows.messages.reading import read_json, read_own_json
from workflows.messages.stages import StageName
from workflows.messages.unreadable import Unreadable
from workflows.rules.stages import FACTS, STAGES, Stage, accepted

Given = TypeVar("Given", bound=Command)


_WHO_ASKS: Final[Mapping[type[Command], frozenset[Role]]] = {
    kind: frozenset[Role]().union(*(accepted(stage).get(kind, ()) for stage in STAGES.values()))
    for kind in {each for stage in STAGES.values() for each in accepted(stage)}
}
"""Who may send a command in one stage or another."""


@dataclass(frozen=True)
class Parties:
    """Whose case it is. ``buyer_id`` is None until an order has told it."""

    merchant_id: str
    buyer_id: str | None


def read(values: Sequence[object], kind: type[Given]) -> Given | Refusal:
    """The command that an update or a signal carries, decoded from JSON; or what is wrong with it, and where."""
    if len(values) != 1:
        return _malformed("command", f"{kind.command_name()} takes one value, and {len(values)} were sent")
    if isinstance(values[0], Unreadable):
        return _malformed("command", values[0].why)
    try:
        return (read_own_json if kind.ours else read_json)(kind, json.dumps(values[0]))
    except ValidationError as error:
        first = problems(error)[0]
        return _malformed(first.field or "command", first.reason)
    except (TypeError, ValueError):
        return _malformed("command", f"this is no {kind.command_name()}")


def known_name(name: str) -> str:
    """The name of a command of any kind, as it may be repeated; of anything else only that it is none (P6)."""
    return name if name in {kind.command_name() for kind in Command.__subclasses__()} else "unknown"


def not_taken(name: str) -> Refusal:
    """The answer to a command that this kind of case never takes, or that is none at all."""
    return Refusal(
        code="not_taken",
        field="command",
        rule="section 11",
        explanation=f"this kind of case takes no command {known_name(name)}",
    )


def for_another_case(command: Command, case_id: str) -> Refusal | None:
    """Why a command that names its case is not for this one, or None (P6, section 11)."""
    if command.case in (None, case_id):
        return None
    return Refusal(code="wrong_case", field="case", rule="section 11", explanation="it is meant for another case")


def not_sealed(why: str) -> Refusal:
    """The answer to a command that anybody could have written, or taken from another case (P6)."""
    return Refusal(code="not_sealed", field="command", rule="P6", explanation=why)


def _malformed(field: str, explanation: str) -> Refusal:
    return Refusal(code="malformed", field=field, rule="section 11", explanation=explanation)


def fingerprint(command: Command) -> str:
    """The same for the same command, another for another body under the same key.

    What a command leaves out does not count: a field that a later release adds changes no fingerprint.
    """
    said = command.model_dump(mode="json", exclude={"case"}, exclude_defaults=True)
    content = f"{command.command_name()} {json.dumps(said, sort_keys=True)}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def open_commands(stage: Stage) -> tuple[OpenCommand, ...]:
    """The commands that a stage takes, and from whom."""
    return tuple(
        OpenCommand(name=kind.command_name(), roles=tuple(sorted(roles))) for kind, roles in accepted(stage).items()
    )


def may_see(by: Actor, parties: Parties) -> bool:
    """Whether the case may be shown to ``by``: its merchant, its buyer, or the platform (section 12)."""
    match by.role:
        case Role.MERCHANT:
            return by.id == parties.merchant_id
        case Role.BUYER:
            return by.id == parties.buyer_id
        case Role.PLATFORM:
            return True
        case Role.CARRIER | Role.GATEWAY | Role.CLOCK:
            return False


def refused_stranger(command: Command, parties: Parties) -> Refusal | None:
    """Why the sender of ``command`` has nothing to say in this case, or None (section 12).

    Asked before anything else is looked at, and above all before the command's key: what is refused here is told
    nothing of the case. Carriers, the gateway and the clock tell facts, each their own, and ask for nothing.
    """
    if may_see(command.by, parties):
        return None
    match command.by.role:
        case Role.MERCHANT:
            explanation = "the case is another merchant's"
        case Role.BUYER:
            explanation = "the case is another buyer's"
        case _:
            roles = FACTS[type(command)] if command.fact else _WHO_ASKS.get(type(command), frozenset[Role]())
            return None if command.by.role in roles else _wrong_actor(command, roles)
    return Refusal(code="not_yours", field="by.id", rule="section 12", explanation=explanation)


def refusal(command: Command, *, stage: Stage, parties: Parties, now: datetime) -> Refusal | None:
    """Why ``command`` is not obeyed in ``stage``, or None. ``now`` is the case's own time, in UTC."""
    name = command.command_name()
    if stranger := refused_stranger(command, parties):
        return stranger
    if command.fact:
        return None if command.by.role in FACTS[type(command)] else _wrong_actor(command, FACTS[type(command)])
    roles = accepted(stage).get(type(command), frozenset[Role]())
    if not roles:
        return Refusal(
            code="not_open",
            field="command",
            rule=stage.rule,
            explanation=_why_not_open(name, stage),
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


def _why_not_open(name: str, stage: Stage) -> str:
    if stage.name is StageName.CLOSED:
        return f"{name} comes too late: the case has ended"
    names = ", ".join(kind.command_name() for kind in accepted(stage)) or "none"
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

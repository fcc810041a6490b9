"""Commands as they come in: read, told apart, and whose case they are about (section 12)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.commands import Command, EnterTracking
from workflows.messages.problems import problems
from workflows.messages.reading import read_json, read_own_json
from workflows.messages.unreadable import Unreadable

Given = TypeVar("Given", bound=Command)

_SORTED: Final = json.JSONEncoder(sort_keys=True)


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


def between_runs() -> Refusal:
    """The answer to what comes while a run that has grown long waits for what it has in hand: nothing is wrong."""
    return Refusal(
        code="between_runs",
        field="command",
        rule="section 11",
        explanation="the case goes on in another run of its workflow in a moment: send it again",
    )


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
    content = f"{command.command_name()} {_SORTED.encode(said)}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def refused_party(command: Command, parties: Parties) -> Refusal | None:
    """Why a party or a carrier has nothing to say in a case that is another's, or None (section 12, T13)."""
    if isinstance(command, EnterTracking) and command.by.role is Role.CARRIER:
        if command.by.id.lower() == command.parcel.carrier:
            return None
        explanation = "a carrier enters the numbers of its own parcels"
        return Refusal(code="not_yours", field="parcel.carrier", rule="T13", explanation=explanation)
    if command.by.role not in (Role.MERCHANT, Role.BUYER) or may_see(command.by, parties):
        return None
    explanation = f"the case is another {command.by.role}'s"
    return Refusal(code="not_yours", field="by.id", rule="section 12", explanation=explanation)


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

"""How a message has reached us: encrypted and bound to its case, encrypted alone, or in clear.

In production a command that anybody could have written, or have taken from another case, moves nothing.
"""

from enum import StrEnum
from typing import Any


class Sealed(StrEnum):
    """How a payload was encrypted."""

    BOUND = "bound"
    """For this workflow only."""
    UNBOUND = "unbound"
    """By somebody with the key, for whichever workflow: the codec server, or a client in another language."""
    IN_CLEAR = "in_clear"


class Told(dict[str, Any]):
    """A JSON object as a workflow takes it in, and how it came."""

    sealed: Sealed = Sealed.IN_CLEAR


_required = False


def require_sealed(required: bool) -> None:
    """Set whether this process refuses commands in clear, and those that are bound to no case.

    It is asked once for each command, when it comes: what was taken before stays taken when a history is replayed.
    """
    global _required  # noqa: PLW0603 -- one process, one setting
    _required = required


def why_refused(value: object, case_id: str) -> str | None:
    """What is to be said against a command's envelope here, or None."""
    if not _required or not isinstance(value, Told):  # what is no object is refused for that
        return None
    match value.sealed:
        case Sealed.BOUND:
            return None
        case Sealed.UNBOUND if value.get("case") == case_id:
            return None
        case Sealed.UNBOUND:
            return "it is sealed for no case: name it in the field case"
        case Sealed.IN_CLEAR:
            return "it is not encrypted"

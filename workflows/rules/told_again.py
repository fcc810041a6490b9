"""What the log keeps of a command, and the command that is made of it again (G7)."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from workflows.messages.cases import LogEntry
from workflows.messages.commands import Command
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import OWN

_BESIDE: Final = frozenset({"key", "by", "case"})
"""What stands in the line already, or is the line's case."""

_EVIDENCE: Final = "evidence"
_ACCOUNTS: Final = frozenset({"account", "refund_account"})

_STAND_IN: Final = {
    "uri": "vault:evidence/not-kept",
    "media_type": MediaType.JPEG.value,
    "bytes": 1,
    "sha256": "0" * 64,
}
"""In the place of each attachment: of evidence, only how much there was decides anything."""

_SOME_ACCOUNT: Final = "vault:account/not-kept"
"""In the place of where money is to go to, which the log keeps from whoever reads it (T4)."""


def content(command: Command) -> dict[str, dict[str, Any]]:
    """A command's content under its name: ids, codes, references, amounts; nothing of a person (P6)."""
    stated = {
        name
        for name, field in type(command).model_fields.items()
        if name not in _BESIDE and getattr(command, name) != field.default
    }
    said = command.model_dump(mode="json", include=stated - _ACCOUNTS - {_EVIDENCE}) if stated else {}
    if _EVIDENCE in stated:
        said[_EVIDENCE] = len(getattr(command, _EVIDENCE))
    said |= dict.fromkeys(stated & _ACCOUNTS, True)
    return {command.command_name(): said}


def command_of(line: LogEntry, kept: Mapping[str, Mapping[str, Any]]) -> Command | None:
    """The command that a line tells of; None for one of a kind that is not known here.

    Raises:
        ValidationError: what was kept fits that command no more.
    """
    ((name, said),) = kept.items()
    kind = _kinds().get(name)
    if kind is None:
        return None
    attachments = [Evidence.model_validate(_STAND_IN, context=OWN)] * said.get(_EVIDENCE, 0)
    accounts = dict.fromkeys(_ACCOUNTS & said.keys(), _SOME_ACCOUNT)
    stated = {**said, **accounts, **({_EVIDENCE: attachments} if attachments else {})}
    return kind.model_validate({**stated, "key": line.command_key, "by": line.by}, extra="ignore", context=OWN)


@cache
def _kinds() -> Mapping[str, type[Command]]:
    return {kind.command_name(): kind for kind in Command.__subclasses__()}

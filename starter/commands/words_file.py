"""``--words-file``: what a command is sent with in words, kept in the vault before it is sent (N5, R10, D8)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from starter.client import Aftersales
from starter.commands import wording
from starter.commands.failures import UsageError
from workflows.messages.commands import Command, DeclineProposal, Propose, Say
from workflows.messages.statements import Purpose, WriteStatement

_FIELDS: Final = ("words", "wanted")
"""Fields of commands that name what was written."""
_TO_THE_OTHER_SIDE: Final = (Propose, DeclineProposal, Say)
_NOT_YET_WRITTEN: Final = "statement:not-yet-written"


class WordsToKeep:
    """What stands in a file, and the command that names it once it is kept."""

    def __init__(self, file: Path, model: type[Command], body: Mapping[str, Any], case_id: str) -> None:
        """Read the file.

        Raises:
            UsageError: the command takes no words, has them already, or the file cannot be read or is no such text.
        """
        field = next((each for each in _FIELDS if each in model.model_fields), None)
        if field is None:
            raise UsageError(
                f"{model.command_name()} takes no words; `aftersales statements write` keeps what a statement says",
                "--words-file",
            )
        if field in body:
            raise UsageError(f"either this or --{field}", "--words-file")
        self._field = field
        self._body = body
        purpose = Purpose.REPLY if model in _TO_THE_OTHER_SIDE else Purpose.EVIDENCE
        text = wording.text(file, "--words-file")
        wish = {"case_id": case_id, "by": body["by"], "text": text, "key": body["key"], "purpose": purpose}
        self._wish = wording.built(WriteStatement, wish)

    @property
    def body(self) -> dict[str, Any]:
        """The command with something in the place of the words: to see whether all else is right."""
        return {**self._body, self._field: _NOT_YET_WRITTEN}

    async def kept(self, aftersales: Aftersales, body: Mapping[str, Any]) -> dict[str, Any]:
        """``body`` with the reference of the words, which are kept now; the same key is the same statement."""
        written = await aftersales.desk.write_statement(self._wish)
        return {**body, self._field: written.reference}

"""Bank accounts: which may be paid to (R17), and how their numbers are shown (P1)."""

import re
from typing import Final

from workflows.messages.cases import Refusal
from workflows.rules.refusals import refused
from workflows.rules.typed_text import in_one_width

_STARS: Final = "****"
_ACCOUNT = re.compile("[0-9]{9,}")
_MASKED = re.compile(r"\*{4}[0-9]{4}")


def refused_account(field: str) -> Refusal:
    """Money goes to an account of the buyer's only; the answer is the same for an unknown and another person's one."""
    return refused("unknown_account", field, "R17", "the vault has no such account of the buyer whose order it is")


def masked_account(number: str) -> str:
    """``****1234``: the last four digits, after stars that do not tell how many more there are (P1).

    What is not made of digits, or has fewer than nine, comes out as stars alone.
    """
    digits = re.sub("[ -]", "", in_one_width(number))
    if _MASKED.fullmatch(digits):
        return digits
    return f"{_STARS}{digits[-4:]}" if _ACCOUNT.fullmatch(digits) else _STARS

"""What is wrong with a message that was sent to us, said without repeating anything of it (P6).

Whatever a sender writes may be personal, the name of an unknown field and the tag of a union included. So fields are
named by our own names only, and of pydantic's texts those are replaced that quote what was sent. Every error text about
a message that leaves us is made here.
"""

import difflib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from workflows.messages.message import PATTERNS_IN_WORDS

UNKNOWN: Final = "?"
"""Stands for a field's name that is not ours."""

UNREADABLE: Final = "ValidationError"
"""The type of the error that a start ends with which cannot be read."""

_LIKE: Final = 0.7
"""How much a name must be like one of ours (``difflib``) to be taken for a misspelling of it."""

MOST_TOLD: Final = 40
"""How many findings are told. A message may hold 100,000, and is read within a workflow task, which has two seconds."""

_LONGEST_LIKE: Final = 64
"""A longer name is no misspelling of one of ours."""

_OURS: Final = ("workflows.", "activities.", "starter.")

_UNKNOWN_FIELD: Final = "extra_forbidden"


@dataclass(frozen=True)
class Problem:
    """One field that is wrong, as a path such as ``lines.0.amount`` (empty for the whole message), and why."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field or 'the message'}: {self.reason}"


def problems(error: ValidationError) -> tuple[Problem, ...]:
    """Each field that is wrong, in the order of the fields; unknown ones each for itself.

    A list is not blamed for what is wrong inside it, and what fits neither of two types is one problem. Of more than
    ``MOST_TOLD`` findings the rest is counted, in the last problem.
    """
    found = error.errors(include_url=False, include_input=False)
    around = {each["loc"][:length] for each in found for length in range(len(each["loc"]))}
    ours = _our_names(len(sys.modules))
    reasons: dict[tuple[str, str], list[str]] = {}
    wrong = [each for each in found if each["loc"] not in around]
    for each in wrong[:MOST_TOLD]:
        field, reason = _path(each["loc"], each["type"], ours), _reason(each, ours)
        of_the_field = reasons.setdefault((field, reason if field.endswith(UNKNOWN) else ""), [])
        if reason not in of_the_field:
            of_the_field.append(reason)
    told = tuple(Problem(field, " or ".join(each)) for (field, _), each in reasons.items())
    more = len(wrong) - MOST_TOLD
    return (*told, Problem("", f"{more} more findings")) if more > 0 else told


def said(found: Sequence[Problem]) -> str:
    """All of them in one line."""
    return "; ".join(map(str, found))


@lru_cache(maxsize=1)
def _our_names(modules: int) -> frozenset[str]:
    """The names of all our fields, found once: a module that is loaded later may bring others."""
    del modules
    return frozenset(_names(BaseModel))


def _names(kind: type[BaseModel]) -> Iterator[str]:
    for each in kind.__subclasses__():
        if each.__module__.startswith(_OURS):
            yield from each.model_fields
        yield from _names(each)


def _path(location: tuple[int | str, ...], kind: str, ours: frozenset[str]) -> str:
    """Our own names and the places in lists; pydantic also puts in the members of unions, which are no fields."""
    *way, last = location or ("",)
    steps = [str(step) for step in way if isinstance(step, int) or step in ours]
    if isinstance(last, int) or last in ours:
        steps.append(str(last))
    elif kind == _UNKNOWN_FIELD:
        steps.append(UNKNOWN)
    return ".".join(steps)


def _reason(problem: Any, ours: frozenset[str]) -> str:
    match problem["type"]:
        case str(kind) if kind == _UNKNOWN_FIELD:
            name = str(problem["loc"][-1])
            if name in ours:
                return "this field does not belong here"
            like = sorted(ours) if len(name) <= _LONGEST_LIKE else ()
            near = difflib.get_close_matches(name, like, n=1, cutoff=_LIKE)
            return f"there is no field of this name{f'; perhaps {near[0]} is meant' if near else ''}"
        case "union_tag_invalid":
            return f"{problem['ctx']['discriminator']} must be one of {problem['ctx']['expected_tags']}"
        case "string_pattern_mismatch" if meant := PATTERNS_IN_WORDS.get(problem["ctx"]["pattern"]):
            return f"must be {meant}"
        case _:
            return str(problem["msg"]).removeprefix("Value error, ")

"""What a push is answered with: one answer for each order or event, and the sums of many (X2)."""

from typing import Final, Literal, Required, TypeAlias

from typing_extensions import TypedDict

from activities.postgres.order_changes import Outcome

REFUSED: Final = "refused"
"""Nothing was changed: ``problems`` say why."""
NOT_KEPT: Final = "not_kept"
"""The database does not answer: this one was not written, and those after it were not looked at."""
TAKEN: Final = "taken"
REPEATED: Final = "repeated"
"""An event of a parcel that was told before."""

Came: TypeAlias = Outcome | Literal["refused", "not_kept", "taken", "repeated"]


class Problem(TypedDict):
    """One field that is wrong, under which rule, and why: nothing of what was sent is repeated."""

    code: str
    field: str
    rule: str
    reason: str


class PushAnswer(TypedDict, total=False):
    """What came of one order or event: ``line`` is its number among many, from 1."""

    line: int
    order_no: str
    version: int
    key: str
    outcome: Required[Came]
    problems: list[Problem]


class PushSums(TypedDict, total=False):
    """The last answer to many: whether all was read, how many lines that were, and how many came to which outcome."""

    read: Required[str]
    """``all``; ``not_all`` behind an answer ``not_kept``; else why nothing more was read."""
    lines: Required[int]
    new: int
    changed: int
    unchanged: int
    outdated: int
    taken: int
    repeated: int
    refused: int
    not_kept: int

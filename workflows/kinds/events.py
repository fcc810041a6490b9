"""What a case is woken by: a command, a fact, its deadline, the time to look again, the end of its dispute."""

from dataclasses import dataclass
from typing import TypeAlias

from workflows.messages.commands import Command
from workflows.messages.message import CaseId
from workflows.messages.rulings import Ruling


@dataclass(frozen=True)
class DeadlinePassed:
    """The stage's deadline passed before anybody decided: silence."""


@dataclass(frozen=True)
class TimeToLook:
    """It is time to look again at what nobody tells; the stage goes on."""


@dataclass(frozen=True)
class DisputeEnded:
    """The dispute about the case has ended (D8)."""

    ruling: Ruling | None
    """None where its workflow was stopped from outside, or nothing was opened."""
    refused: bool = False
    """Nothing was opened: another dispute was quicker (D10)."""
    dispute: CaseId | None = None
    """Which one; None where it has told the case itself."""


Event: TypeAlias = Command | DeadlinePassed | TimeToLook | DisputeEnded

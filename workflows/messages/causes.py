"""What has woken a case and is being carried out: for traces, which follow a cause and not a workflow's days."""

from dataclasses import dataclass

from workflows.messages.stages import StageName


@dataclass(frozen=True)
class Cause:
    """One waking."""

    number: int
    """Counts a case's wakings; 0 is its opening."""
    what: str
    """A command's name, or ``silence``, ``poll``, ``reminder``, ``log``, ``ruling``."""
    stage: StageName
    command_key: str | None = None
    """Of the command, whose sender's trace goes on."""

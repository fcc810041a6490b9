"""How a refused command is answered on Temporal."""

from temporalio.exceptions import ApplicationError

from workflows.messages.cases import Refusal
from workflows.messages.message import Message


def refused_command(refusal: Refusal, view: Message | None) -> ApplicationError:
    """The failure of an update that is refused: the refusal, and how things stand (section 11).

    Without ``view`` for a stranger, who is told nothing else (section 12).
    """
    why = f"{refusal.explanation} ({refusal.field}; {refusal.rule})"
    details = (refusal,) if view is None else (refusal, view)
    return ApplicationError(why, *details, type=f"Refused.{refusal.code}", non_retryable=True)

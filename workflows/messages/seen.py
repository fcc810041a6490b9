"""What somebody who decides has seen of the case (R11)."""

from typing import Annotated

from pydantic import Field

from workflows.messages.message import Input
from workflows.messages.money import Minor


class Seen(Input):
    """The application as whoever decides was shown it: a case that has moved on refuses the decision (R11)."""

    version: Annotated[int, Field(strict=True, ge=1)]
    """Of the application, as in the view; 1 where nothing is applied for, as for an allowance."""
    amount: Minor
    """All that is asked for, as in the view (``asked``), in minor units."""


class Deciding(Input):
    """What every command that decides on what is asked for may name besides (R11)."""

    expects: Seen | None = None
    """What the decision is about; a profile can demand it. Without it, the case is decided on as it stands."""

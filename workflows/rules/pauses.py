"""What a case is told of a pause window: each change once, whoever tells it (section 9)."""

import hashlib

from workflows.messages.actors import Actor
from workflows.messages.commands import PausesChanged
from workflows.messages.pauses import PauseWindow


def told_of(window: str, change: str, by: Actor) -> PausesChanged:
    """That a window was ``declared`` or ``lifted``; under one key, so that it counts once."""
    key = hashlib.sha256(f"{window}/{change}".encode()).hexdigest()[:32]
    return PausesChanged(key=f"pause-{key}", by=by, window=window)


def last_told_of(window: PauseWindow) -> PausesChanged:
    """The last change of a window; whoever works out a deadline anew after it needs no earlier one."""
    if window.lifted_by:
        return told_of(window.id, "lifted", window.lifted_by)
    return told_of(window.id, "declared", window.declared_by)

"""Whose turn it is where a task queue has a backlog; where it has none, nothing of this is noticed.

Cases carry their merchant as fairness key, so that a merchant with ten thousand cases at once delays its own cases and
not those of others. Activities and cases that a case starts inherit it. The server must have fairness switched on
(docs/running.md); otherwise it passes the key over.
"""

from typing import Final

from temporalio.common import Priority

from workflows.messages.actors import Actor, Role

BEHIND_CASES: Final = Priority(priority_key=4)
"""For rounds over many cases: whoever waits for a single case goes first (its priority is 3, the server's default)."""


def of_merchant(merchant_id: str) -> Priority:
    """For what is done for this merchant. An identifier is 64 bytes at most, as a fairness key must be."""
    return Priority(fairness_key=merchant_id)


def of_actor(actor: Actor) -> Priority:
    """For what this actor asks for."""
    return of_merchant(actor.id) if actor.role is Role.MERCHANT else Priority.default

"""Which kind of worker carries out which activity, and on which task queue.

What goes outside has queues of its own: a payment gateway or a carrier that is down fills up those, and no case waits
behind it that only wants to write down its next step.
"""

from enum import StrEnum


class WorkerRole(StrEnum):
    """What a worker process can do; a process may do several."""

    WORKFLOWS = "workflows"
    """The cases themselves, and their steps in the case book. Speaks to Temporal and our databases only."""
    MONEY = "money"
    """What speaks to the payment gateway, or enters what it said."""
    NOTIFICATIONS = "notifications"
    """What else goes outside: notices by their channels, carriers, the provider of virtual numbers."""


_ELSEWHERE = {
    "settle": WorkerRole.MONEY,
    "settle_manually": WorkerRole.MONEY,
    "enter_callback": WorkerRole.MONEY,
    "reconcile": WorkerRole.MONEY,
    "resend_notices": WorkerRole.NOTIFICATIONS,
    "ask_carrier": WorkerRole.NOTIFICATIONS,
    "bind_number": WorkerRole.NOTIFICATIONS,
    "extend_number": WorkerRole.NOTIFICATIONS,
    "unbind_number": WorkerRole.NOTIFICATIONS,
}


def role_of(activity: str) -> WorkerRole:
    """Who carries out the activity of this name."""
    return _ELSEWHERE.get(activity, WorkerRole.WORKFLOWS)


def queue_of(role: WorkerRole, cases: str) -> str:
    """The task queue that workers of ``role`` serve, where ``cases`` is the queue of the cases."""
    return cases if role is WorkerRole.WORKFLOWS else f"{cases}-{role}"

"""How often a case looks again at what it cannot be told of (R8, section 10)."""

from collections.abc import Iterator
from datetime import timedelta

from workflows.messages.policy import PaymentPolicy, Policy, RefundPolicy


def gateway_polls(payment: PaymentPolicy) -> Iterator[timedelta]:
    """The waits before the gateway is asked about a refund that it has not reported (section 10)."""
    return _trebling(timedelta(minutes=payment.first_poll_minutes), timedelta(hours=payment.longest_poll_hours))


def room_polls(refund: RefundPolicy) -> Iterator[timedelta]:
    """The waits before a case looks again whether a leg in flight has given back its room (R8)."""
    return _trebling(
        timedelta(seconds=refund.first_room_poll_seconds), timedelta(minutes=refund.longest_room_poll_minutes)
    )


def overdue_room_polls(policy: Policy) -> Iterator[timedelta]:
    """The waits once a person has been called: seldom, so that a case may wait for years (R8)."""
    longest = timedelta(hours=policy.payment.longest_poll_hours)
    return _trebling(timedelta(minutes=policy.refund.longest_room_poll_minutes), longest)


def _trebling(first: timedelta, longest: timedelta) -> Iterator[timedelta]:
    wait = first
    while True:
        yield min(wait, longest)
        wait = min(wait * 3, longest)

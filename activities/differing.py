"""What differs between our ledger and the payment gateway's book, in one refund (section 10). Pure."""

from collections.abc import Iterator
from datetime import timedelta

from activities.gateways.payment import StatementLine
from activities.postgres.whole_ledger import BookedLeg
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.reconciliation import DifferenceKind, ReconcileRequest
from workflows.rules.legs import in_flight


def differing(
    request: ReconcileRequest, ours: BookedLeg | None, theirs: StatementLine | None
) -> Iterator[DifferenceKind]:
    """In what they differ; None for the book that does not have it."""
    if ours is None:
        yield DifferenceKind.UNKNOWN_TO_US
        return
    opened_before = request.at - timedelta(hours=request.comparison.open_hours)
    if in_flight(ours.state) and ours.reserved_at <= opened_before:
        yield DifferenceKind.LEG_OVERDUE
    by_gateway = ours.paid_by is PaidBy.GATEWAY
    if theirs is None:
        if by_gateway:
            yield DifferenceKind.OURS_PAID_GATEWAY_NOT
        elif ours.state is LegState.PROCESSING:
            yield DifferenceKind.UNKNOWN_TO_GATEWAY
        return
    if (ours.amount, ours.currency) != (theirs.amount, theirs.currency):
        yield DifferenceKind.AMOUNT_DIFFERS
    match ours.state, theirs.result:
        case LegState.SUCCEEDED, GatewayResult.SUCCEEDED:
            if not by_gateway:
                yield DifferenceKind.PAID_TWICE
        case LegState.SUCCEEDED, _:
            if by_gateway:
                yield DifferenceKind.OURS_PAID_GATEWAY_NOT
        case _, GatewayResult.SUCCEEDED:
            told_by = request.at - timedelta(minutes=request.comparison.grace_minutes)
            if theirs.settled_at is None or theirs.settled_at <= told_by:
                yield DifferenceKind.GATEWAY_PAID_OURS_NOT
        case LegState.FAILED, GatewayResult.PROCESSING:
            yield DifferenceKind.OURS_FAILED_GATEWAY_OPEN
        case _:
            pass

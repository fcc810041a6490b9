"""What differs between our ledger and the payment gateway's book, in one refund (section 10, X5). Pure.

A provider knows each attempt at a refund by a number of its own, and a line that names an attempt speaks of that one
alone. Our ledger has a leg at one attempt: the one that has paid, or else the last one. Any other has come to nothing,
says our ledger: what the gateway has paid under it is paid besides.
"""

from collections.abc import Iterator
from datetime import timedelta

from activities.gateways.payment import StatementLine
from activities.postgres.whole_ledger import BookedLeg, SeenUnderNumber
from workflows.messages.commands import CAME_TO_NOTHING, GatewayResult
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
    if theirs is None:
        if ours.paid_by is PaidBy.GATEWAY:
            yield DifferenceKind.OURS_PAID_GATEWAY_NOT
        elif ours.state is LegState.PROCESSING:
            yield DifferenceKind.UNKNOWN_TO_GATEWAY
        return
    if theirs.result in CAME_TO_NOTHING and not same_attempt(ours, theirs):
        return
    if of_another_refund(ours, theirs):
        return
    if (ours.amount, ours.currency) != (theirs.amount, theirs.currency):
        yield DifferenceKind.AMOUNT_DIFFERS
    match _at_the_gateway(ours, theirs), theirs.result:
        case LegState.SUCCEEDED, GatewayResult.SUCCEEDED:
            pass
        case LegState.SUCCEEDED, _:
            yield DifferenceKind.OURS_PAID_GATEWAY_NOT
        case _, GatewayResult.SUCCEEDED if ours.state is LegState.SUCCEEDED:
            yield DifferenceKind.PAID_TWICE
        case _, GatewayResult.SUCCEEDED:
            told_by = request.at - timedelta(minutes=request.comparison.grace_minutes)
            if theirs.settled_at is None or theirs.settled_at <= told_by:
                yield DifferenceKind.GATEWAY_PAID_OURS_NOT
        case LegState.FAILED, GatewayResult.PROCESSING:
            yield DifferenceKind.OURS_FAILED_GATEWAY_OPEN
        case _:
            pass


def same_attempt(ours: BookedLeg, theirs: StatementLine) -> bool:
    """Whether a line speaks of the attempt that our leg is at; one that names none is of the refund as a whole."""
    return theirs.attempt is None or theirs.attempt == ours.attempt


def of_another_refund(ours: BookedLeg, theirs: StatementLine) -> bool:
    """Whether a line speaks of what an officer has seen under the number before paying ours by hand (section 10).

    Of the same content as ours, or not told, that is so only as long as ours was not sent again: then the number was
    free, and the line may be ours.
    """
    stated = (theirs.amount, theirs.currency)

    def is_stated(seen: SeenUnderNumber) -> bool:
        if seen.other and (seen.other.amount, seen.other.currency) != stated:
            return False
        told_apart = seen.other is not None and stated != (ours.amount, ours.currency)
        return seen.since_sent or told_apart

    return same_attempt(ours, theirs) and any(map(is_stated, ours.seen))


def bears_out(ours: BookedLeg, theirs: StatementLine) -> bool:
    """Whether a line shows that the gateway has what our leg says was paid, or is about to be."""
    return same_attempt(ours, theirs) and theirs.result not in CAME_TO_NOTHING


def _at_the_gateway(ours: BookedLeg, theirs: StatementLine) -> LegState:
    """How what the line speaks of stands with the gateway, by our ledger; what was paid otherwise is not paid there."""
    by_hand = ours.state is LegState.SUCCEEDED and ours.paid_by is not PaidBy.GATEWAY
    return ours.state if same_attempt(ours, theirs) and not by_hand else LegState.FAILED

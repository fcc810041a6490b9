"""When what has not succeeded may be paid by hand, and what is booked of it (section 10).

By an officer, or by the platform in advance (先行赔付). The gateway is asked about each leg first, because what it pays
must not be paid a second time. An officer tells of money that was transferred already: where it may not be booked, its
proof is kept with an alert, so that a person finds it.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

from workflows.messages.cases import Refusal
from workflows.messages.payouts import LegState, LegStatus, PaidBy
from workflows.messages.settlements import SettleManually
from workflows.rules.allocation import Again
from workflows.rules.legs import AlertKind, LegEvent, officer_source
from workflows.rules.number_conflicts import OtherRefund, had_before, refused_for_number
from workflows.rules.paying import amount_of, is_paid, is_stranded
from workflows.rules.refusals import refused


@dataclass(frozen=True)
class NotByHand:
    """Why nothing is paid by hand."""

    refusal: Refusal
    alert: AlertKind | None = None
    """What a person must look at, where money was transferred all the same."""
    about: tuple[LegStatus, ...] = ()
    """The legs that the proof is kept with."""


def refused_by_hand(
    settling: SettleManually,
    legs: Sequence[LegStatus],
    asked: Container[str],
    certain: Container[str],
    others: Mapping[str, OtherRefund],
) -> NotByHand | None:
    """Why the legs that are not paid cannot be paid by hand; None where they can.

    ``asked`` are the refund numbers that were not paid before the gateway was asked, ``certain`` those that the
    gateway will surely not pay by itself; ``others`` what it has under numbers that are in use.
    """
    left = [leg for leg in legs if not is_paid(leg)]
    paid_meanwhile = [leg for leg in legs if is_paid(leg) and leg.refund_no in asked]
    transferred = settling.paid_by is PaidBy.OFFICER
    if not left or (paid_meanwhile and transferred):
        refusal = refused("already_paid", "command", "section 10", "the gateway or another officer has paid meanwhile")
        alert = AlertKind.PAID_TWICE if transferred else None
        return NotByHand(refusal, alert, tuple(paid_meanwhile or legs))
    if any(map(is_stranded, left)):
        explanation = "the gateway holds the money: retry_payment with an account sends it on"
        return NotByHand(refused("money_stranded", "command", "section 10", explanation))
    if not all(leg.refund_no in certain for leg in left):
        explanation = "the gateway may still pay: ask it again before paying by hand"
        return NotByHand(refused("outcome_open", "command", "section 10", explanation))
    refusal = refused_for_number(settling.number_holds, left, others, settling.payout.currency)
    return NotByHand(refusal) if refusal else None


def refused_for_room(
    settling: SettleManually, again: Again, unpaid: Sequence[LegStatus], before: Sequence[LegStatus]
) -> NotByHand | None:
    """Why there is no room for what is to be paid by hand, or another amount than was transferred; None where it fits.

    ``again`` is how the room of failed legs was taken anew, and ``unpaid`` what is to be paid since then; ``before``
    was to be paid before. What the buyer has had under a number of ours counts. Whoever gets this back gives the room
    back as well.
    """
    beyond = True
    due = max(amount_of(unpaid) - had_before(settling.number_holds), 0)
    if again.held:
        refusal = refused("no_room", "command", "R8", "payments in flight hold what is left")
    elif not unpaid:
        explanation = "others have been paid all of it meanwhile: retry_payment or close_case ends the case"
        refusal = refused("no_room", "command", "R14", explanation)
    elif settling.amount is not None and settling.amount != due:
        refusal = refused("amount_differs", "amount", "R14", f"{due} minor units are left to pay")
        beyond = settling.amount > due
    else:
        return None
    alert = AlertKind.PAID_BEYOND_CAP if beyond and settling.paid_by is PaidBy.OFFICER else None
    return NotByHand(refusal, alert, tuple(before))


def paid_by_hand(settling: SettleManually) -> tuple[LegEvent, LegEvent]:
    """What is booked of each leg that is paid so; what is told of the moment is booked as told (R18)."""
    taken = LegEvent(
        says=LegState.MANUAL,
        source=officer_source(settling.officer.id),
        at=settling.at,
        as_of=settling.at,
        reason=settling.reason,
        proof=settling.proof,
    )
    sent_at = settling.transferred_at or settling.at
    return taken, replace(taken, says=LegState.SUCCEEDED, as_of=sent_at, paid_by=settling.paid_by)


def perhaps_paid_beyond(settling: SettleManually, again: Again, unpaid: Sequence[LegStatus]) -> tuple[LegStatus, ...]:
    """Legs that pay less than those that had failed, of which more may have been transferred.

    The officer's page showed what had failed; who has named the amount has transferred what is booked. And legs of
    which the buyer had had more under a number of ours, before anything was transferred.
    """
    if had_before(settling.number_holds) > amount_of(unpaid):
        return tuple(unpaid)
    if settling.amount is not None or settling.paid_by is not PaidBy.OFFICER or not again.retired:
        return ()
    instead = {leg.refund_no for leg in again.instead}
    return tuple(leg for leg in unpaid if leg.refund_no in instead)

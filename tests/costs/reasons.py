"""Why each billable action on the main paths is there, in the order in which it comes."""

from tests.costs.counting import Action

Reasons = tuple[tuple[Action, str], ...]

START = (Action.START, "the case itself; its first search attributes are given here, where they are free")
OPEN = (Action.LOCAL_BATCH, "step 0: request checked, policy taken, written to the case book, in one transaction")
REMINDER = (Action.TIMER, "the wait for the merchant, up to the notice near the deadline")
REMIND = (Action.ACTIVITY, "the step that queues the notice near the deadline")
DEADLINE = (Action.TIMER, "the rest of the wait, up to the deadline")
DECIDE = (Action.ACTIVITY, "the step that writes the decision down and reserves the money, in one transaction")
SETTLE = (Action.ACTIVITY, "the payment; the closing step is written in the transaction of its success")
CLOSED = (Action.UPSERT, "stage and outcome for the operators' lists, all keys in one command")

REASONS: dict[str, Reasons] = {
    "unshipped_approved": (
        START,
        OPEN,
        REMINDER,
        (Action.UPDATE, "the merchant's approval, answered with the case's new view"),
        DECIDE,
        SETTLE,
        CLOSED,
    ),
    "unshipped_by_silence": (START, OPEN, REMINDER, REMIND, DEADLINE, DECIDE, SETTLE, CLOSED),
    "merchant_refund_at_once": (
        START,
        (Action.LOCAL_BATCH, "step 0 and the decision: both in the first workflow task, so one action"),
        SETTLE,
        CLOSED,
    ),
    "withdrawal_unspent": (
        START,
        (Action.LOCAL_BATCH, "step 0 and the decision: both in the first workflow task, so one action"),
        SETTLE,
        CLOSED,
    ),
    "withdrawal_by_silence": (START, OPEN, REMINDER, REMIND, DEADLINE, DECIDE, SETTLE, CLOSED),
    "return_confirmed": (
        START,
        OPEN,
        (Action.TIMER, "the wait for the merchant's decision, up to the notice near the deadline"),
        (Action.UPDATE, "the merchant agrees to the return"),
        (Action.ACTIVITY, "the step that picks the address and tells the buyer"),
        (Action.UPSERT, "stage and due date for the operators' lists"),
        (Action.TIMER, "the wait for the buyer's parcel"),
        (Action.UPDATE, "the buyer enters the tracking number"),
        (Action.ACTIVITY, "the step that watches the parcel; what was told of it before comes back with it"),
        (Action.UPSERT, "stage and due date"),
        (Action.TIMER, "the wait for the sign-off, up to the offer of an extension"),
        (Action.SIGNAL, "the carrier's sign-off; what does not change the case is not told to it"),
        (Action.ACTIVITY, "the step that asks the merchant to inspect"),
        (Action.UPSERT, "stage and due date"),
        (Action.TIMER, "the wait for the merchant's inspection"),
        (Action.UPDATE, "the merchant confirms the receipt"),
        DECIDE,
        SETTLE,
        CLOSED,
    ),
    "dispute_resolved": (
        START,
        OPEN,
        (Action.UPSERT, "what the case that started it could not foresee: stage, due date, kind, policy"),
        (Action.TIMER, "the negotiation"),
        (Action.UPDATE, "the buyer marks it resolved"),
        (Action.ACTIVITY, "the closing step"),
        CLOSED,
    ),
    "late_shipment_in_time": (
        START,
        (Action.LOCAL_BATCH, "the look whether the order has shipped, when it must have: nothing is written"),
        CLOSED,
    ),
    "freight_insurance_paid": (
        START,
        (Action.LOCAL_BATCH, "step 0 and the decision: both in the first workflow task, so one action"),
        SETTLE,
        CLOSED,
    ),
    "expiry_paid": (
        START,
        (Action.LOCAL_BATCH, "step 0 and the decision: both in the first workflow task, so one action"),
        SETTLE,
        CLOSED,
    ),
}

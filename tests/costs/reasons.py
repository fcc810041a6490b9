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
    "expiry_paid": (
        START,
        (Action.LOCAL_BATCH, "step 0 and the decision: both in the first workflow task, so one action"),
        SETTLE,
        CLOSED,
    ),
}

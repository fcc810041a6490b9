"""A request that the merchant has not decided in time: what its silence does by the profile (G3).

Where that is the buyer's right to intervention, the case goes on open: the merchant may still decide, the buyer may
have the platform decide, and when the buyer lets the right go by, the case closes undecided.
"""

from collections.abc import Callable

from workflows.kinds import disputed, every_case, rejecting
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import DISPUTED
from workflows.kinds.process import Goal, On, silence, takes
from workflows.kinds.rejecting import REJECTED
from workflows.kinds.stage import BUYER, MERCHANT, Stage, days
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import OpenDispute, Reject, Withdraw
from workflows.messages.stages import OutcomeKind, Silence, StageName, WorkList

MERCHANT_OVERDUE = Stage(
    StageName.MERCHANT_OVERDUE,
    "G3",
    "商家超时未处理，买家可申请平台介入 · the merchant has not decided in time: the buyer may ask for intervention",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_UNDECIDED,
    span=lambda policy: days(policy.silence.right_days),
    work_list=WorkList.AWAITING_BUYER,
)


def unless_silent(otherwise: Callable[[Case], Decision], **leads: Goal | tuple[Goal, ...]) -> On:
    """What silence does in a stage in which the merchant decides: by the profile, or ``otherwise``, which ``leads`` on.

    The case may close, or the buyer may gain the right to intervention.
    """
    return silence(
        lambda case: _silent(case, otherwise),
        closed_as_rejected=OutcomeKind.REJECTED,
        merchant_overdue=MERCHANT_OVERDUE,
        **leads,
    )


def closing_unless(otherwise: Callable[[Case], Decision], **leads: Goal | tuple[Goal, ...]) -> On:
    """The same where the platform cannot be asked while the case is open."""
    return silence(lambda case: _silent(case, otherwise), closed_as_rejected=OutcomeKind.REJECTED, **leads)


def table(*decides: On) -> tuple[On, ...]:
    """What the stage takes besides what the merchant ``decides``, and facts."""
    return (
        *decides,
        takes(Reject, MERCHANT, rejecting.reject, rejected=REJECTED),
        takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN),  # R6
        takes(OpenDispute, BUYER, disputed.stand_still_and_dispute, dispute_opened=DISPUTED),  # D1
        silence(_close_undecided, undecided=OutcomeKind.UNDECIDED),
    )


def _silent(case: Case, otherwise: Callable[[Case], Decision]) -> Decision:
    match case.on_silence:
        case Silence.RIGHT_TO_INTERVENTION:
            notices = case.notice_to_both(NoticeTemplate.MERCHANT_OVERDUE, days=case.policy.silence.right_days)
            return case.enter(MERCHANT_OVERDUE, case.entry("merchant_overdue", CLOCK, "G3"), notices=notices)
        case Silence.CLOSE_AS_REJECTED:
            return rejecting.close_as_rejected(case)
        case _:
            return otherwise(case)


def _close_undecided(case: Case) -> Decision:
    outcome = OutcomeKind.UNDECIDED
    notices = case.closed_notices(outcome)
    return case.close(outcome, case.silent("undecided"), rule="G3", by=CLOCK, notices=notices)

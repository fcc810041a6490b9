"""Whether an answer can have come from the book, and not from somebody who ends an activity by hand (section 11)."""

from collections.abc import Callable

from workflows.messages.cases import Step, Stepped
from workflows.messages.openings import Opened
from workflows.messages.payouts import LegState
from workflows.messages.settlements import Settled
from workflows.rules.allocation import refund_numbers_of


def found_by_opening(opened: Opened) -> bool:
    """Whether opening has come to anything."""
    return bool(opened.refusal or opened.stage or opened.postponed_until or opened.nothing_owed)


def written_as(step: Step) -> Callable[[Stepped], bool]:
    """Whether an answer is about this step: the book says which one it has written, or has refused to write.

    A book of before it said so wrote every field out, which nobody does who makes an answer up.
    """

    def fits(stepped: Stepped) -> bool:
        about = stepped.step == step.step or (stepped.step is None and stepped.model_fields_set >= {"refusal", "due"})
        elsewhere = bool(stepped.ahead or stepped.fenced)
        return about and (step.reserve is None or elsewhere or bool(stepped.reserved or stepped.refusal))

    return fits


def settled_for(case_id: str | None) -> Callable[[Settled], bool]:
    """Whether an answer is about this case's money, None for any case's, and does not contradict itself."""
    numbers = refund_numbers_of(case_id) if case_id else ""

    def fits(settled: Settled) -> bool:
        own = all(leg.refund_no.startswith(numbers) for leg in settled.legs)
        paid = settled.legs and all(leg.state is LegState.SUCCEEDED for leg in settled.legs)
        return own and (not settled.closed or bool(paid))

    return fits

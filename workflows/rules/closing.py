"""The last step of a payout, as it was paid: what is paid is known for certain only when it has been (R14)."""

from collections.abc import Mapping

from workflows.messages.cases import Step


def as_paid(step: Step, paid: int) -> Step:
    """The closing ``step`` where ``paid`` minor units were paid in all.

    Amounts that it states are put right, and where less was paid than both sides have been told, it says so.
    """
    reduction = step.reduction
    if reduction is None and paid == step.refunded + step.compensated:
        return step
    entries, notices = step.entries, step.notices
    if reduction and paid < reduction.told:
        entries += (reduction.entry.model_copy(update={"facts": {**reduction.entry.facts, "paid": paid}}),)
        notices += tuple(
            each.model_copy(update={"fields": {**each.fields, "amount": paid}}) for each in reduction.notices
        )
    if paid == step.refunded + step.compensated:
        return step.model_copy(update={"entries": entries, "notices": notices, "reduction": None})
    return step.model_copy(
        update={
            "refunded": paid if step.refunded else 0,
            "compensated": paid if step.compensated else 0,
            "entries": tuple(each.model_copy(update={"facts": _amount(each.facts, paid)}) for each in entries),
            "notices": tuple(each.model_copy(update={"fields": _amount(each.fields, paid)}) for each in notices),
            "reduction": None,
        }
    )


def _amount(stated: Mapping[str, str | int], paid: int) -> dict[str, str | int]:
    return {**stated, "amount": paid} if "amount" in stated else dict(stated)

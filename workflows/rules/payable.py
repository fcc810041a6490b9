"""Amounts that the payment provider can pay: no case promises another one, whoever names it (X6)."""

from workflows.messages.cases import Refusal
from workflows.messages.openings import Payable
from workflows.rules.refusals import refused

NOT_PAYABLE = "not_payable"


def refused_amount(payable: Payable | None, amount: int, field: str) -> Refusal | None:
    """Why the provider would not pay this amount, in minor units; None where it would, or for nothing."""
    if payable is None or not amount:
        return None
    if amount % payable.step:
        why = f"the payment provider pays in steps of {payable.step} minor units"
    elif amount < payable.least:
        why = f"the payment provider pays {payable.least} minor units or more"
    else:
        return None
    return refused(NOT_PAYABLE, field, "X6", why)

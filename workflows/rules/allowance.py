"""What of an allowance is principal and what is bonus, at any point of its spending (A1)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Split:
    """How the spendings and the rest divide into principal and bonus, in minor units (A1)."""

    principal_spent: int
    bonus_spent: int
    withdrawable: int
    """The principal that is left: what a withdrawal or the end of validity pays back."""
    bonus_lost: int
    """The bonus that is left, and void once the principal is paid back."""


def split(principal: int, bonus: int, spent: int) -> Split:
    """Divide what is spent of an allowance in the proportion of principal and bonus (A1).

    It is worked out from the total spent, so the order and size of the single spendings do not matter and the
    last one empties both exactly. Half a minor unit counts as principal spent. All amounts are minor units.

    Raises:
        ValueError: there is no principal, an amount is negative, or more is spent than there was.
    """
    total = principal + bonus
    if principal <= 0 or bonus < 0 or not 0 <= spent <= total:
        raise ValueError("an allowance has a principal, and what is spent is between nothing and all of it")
    principal_spent = (2 * spent * principal + total) // (2 * total)
    bonus_spent = spent - principal_spent
    return Split(
        principal_spent=principal_spent,
        bonus_spent=bonus_spent,
        withdrawable=principal - principal_spent,
        bonus_lost=bonus - bonus_spent,
    )

"""Where a refund of what was paid with an allowance goes: back to it, or as money once it has been paid out (A7).

What of an allowance is principal follows at any moment from the total spent (A1). So a refund of ``r`` gives back what
that total's principal falls by when ``r`` less is spent: all refunds together give back exactly what was spent, and
never more principal goes out than was paid in, in whatever order things happen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from workflows.messages.message import CaseId
from workflows.messages.payouts import Part
from workflows.messages.quotes import QuotedAllowance, Way
from workflows.rules.allowance import split
from workflows.rules.balances import Account


@dataclass(frozen=True)
class Purse:
    """An allowance as a refund of what was paid with it finds it. Minor units."""

    account: Account
    returned: int = 0
    """What refunds have taken as money of the sum spent, or as bonus that is lost; those that failed are left out."""
    principal_returned: int = 0
    """The principal in it."""

    @property
    def way(self) -> Way:
        """Where a refund goes now; what has ended its validity is never a balance again (A6)."""
        if self.account.voided_at or self.account.validity_ended_at:
            return "as_money"
        return "withdrawal_open" if self.account.frozen_by else "allowance"

    @property
    def held_by(self) -> CaseId | None:
        """A5: the open withdrawal or expiry. It pays what its decider was shown, so nothing is added before it ends."""
        return self.account.frozen_by if self.way == "withdrawal_open" else None

    def with_principal(self, amount: int) -> "Purse":
        """The same, once ``amount`` minor units of principal have been taken as money."""
        return replace(self, returned=self.returned + amount, principal_returned=self.principal_returned + amount)


@dataclass(frozen=True)
class Shares:
    """A refund's principal and bonus, in minor units."""

    principal: int
    bonus: int


def shares(purse: Purse, amount: int) -> Shares:
    """What of ``amount`` minor units of what was spent is principal and what is bonus, if it is given back now.

    Where earlier refunds have failed meanwhile, this one makes up for the rounding.

    Raises:
        ValueError: more would be given back than was spent.
    """
    facts = purse.account.facts
    returned = purse.returned + amount

    def principal_spent(spent: int) -> int:
        return split(facts.principal, facts.bonus, spent).principal_spent

    due = principal_spent(facts.spent) - principal_spent(facts.spent - returned)
    principal = min(max(due - purse.principal_returned, 0), amount)
    return Shares(principal, amount - principal)


def quoted(purse: Purse, left: int) -> QuotedAllowance:
    """Where ``left`` minor units of what was spent would go if they were refunded now (G5)."""
    left = min(left, purse.account.facts.spent - purse.returned)
    divided = shares(purse, left)
    return QuotedAllowance(
        allowance_id=purse.account.facts.allowance_id,
        left=left,
        way=purse.way,
        principal=divided.principal,
        bonus=divided.bonus,
        held_by=purse.held_by,
    )


def given_back(account: Account, amount: int) -> Account:
    """The allowance once ``amount`` minor units are back in it; what it holds of either kind follows (A1).

    Raises:
        ValueError: more would be given back than was spent.
    """
    if amount > account.facts.spent:
        raise ValueError("more goes back to an allowance than was spent of it")
    return replace(account, facts=account.facts.model_copy(update={"spent": account.facts.spent - amount}))


def divided_parts(parts: Iterable[Part], first: int) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts that make up the ``first`` minor units, and the rest of them."""
    before: list[Part] = []
    after: list[Part] = []
    for part in parts:
        share = min(part.amount, first)
        first -= share
        if share:
            before.append(Part.made_of(name=part.name, amount=share))
        if share < part.amount:
            after.append(Part.made_of(name=part.name, amount=part.amount - share))
    return tuple(before), tuple(after)

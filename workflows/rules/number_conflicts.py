"""The provider has another refund under a number of ours: what it has, and what an officer may say of it (section 10).

A provider takes a number once. So it is certain that ours will not be paid under it; whose the other refund is, is not:
another installation's at the same account, or an earlier payment of this very case, which a restored book has
forgotten. A number is made of the case, and so of the order: what went back to the same payment is this buyer's. Of
anything else an officer says whose it is, bound to what was seen (R11): what the buyer has must not be paid once more.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from workflows.messages.cases import Refusal
from workflows.messages.commands import CAME_TO_NOTHING, GatewayResult, NumberHolds, Whose
from workflows.messages.money import in_print
from workflows.messages.payouts import LegState, LegStatus
from workflows.rules.legs import GATEWAY, AlertKind, LegEvent
from workflows.rules.refusals import refused

SECTION: Final = "section 10"
_IN_WORDS: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ([A-Z]{3}) ([a-z_]+), (this|another) payment(?:, (.+))?")
_NOT_PRINTABLE: Final = re.compile(r"[^ -~]")


@dataclass(frozen=True, kw_only=True)
class OtherRefund:
    """What the provider has under a number that we gave to a refund of another content."""

    amount: int
    """In minor units."""
    currency: str
    result: GatewayResult
    """How it stands."""
    same_payment: bool
    """Whether it went back to the payment that ours is of."""
    gateway_ref: str | None = None
    """The provider's id of it."""

    @property
    def in_words(self) -> str:
        """As it stands behind the refund number and in the alert: ``50.00 CNY succeeded, this payment, re_1``."""
        payment = "this" if self.same_payment else "another"
        told = f"{in_print(self.amount, self.currency)} {self.currency} {self.result}, {payment} payment"
        told = f"{told}, {self.gateway_ref}" if self.gateway_ref else told
        return _NOT_PRINTABLE.sub("", told)[:120]  # a `ProviderCode`

    @property
    def is_the_buyers(self) -> bool:
        """Whether this buyer surely has it, or will."""
        return self.same_payment and self.result not in CAME_TO_NOTHING


def read(in_words: str | None) -> OtherRefund | None:
    """What ``in_words`` has told; None for anything else."""
    found = _IN_WORDS.fullmatch(in_words or "")
    if found is None:
        return None
    amount, currency, result, payment, ref = found.groups()
    return OtherRefund(
        amount=int(amount.replace(".", "")),
        currency=currency,
        result=GatewayResult(result),
        same_payment=payment == "this",
        gateway_ref=ref,
    )


def number_in_use(at: datetime, other: OtherRefund | None) -> LegEvent:
    """The number is another refund's, so neither trying again nor a new one is right: a person must look."""
    raw = other.in_words if other else None
    return LegEvent(says=LegState.ABNORMAL, source=GATEWAY, at=at, as_of=at, failure=AlertKind.NUMBER_CONFLICT, raw=raw)


def is_in_conflict(leg: LegStatus) -> bool:
    """Whether the provider is known to have another refund under the leg's number."""
    return leg.state is LegState.ABNORMAL and leg.failure == AlertKind.NUMBER_CONFLICT


def refused_for_number(
    said: NumberHolds | None, left: Iterable[LegStatus], found: Mapping[str, OtherRefund], currency: str
) -> Refusal | None:
    """Why ``left`` may not be paid by hand, by what the provider has under their numbers; None where it may.

    ``found`` is that, by refund number, as it was told just now.
    """
    others = [found[leg.refund_no] for leg in left if leg.refund_no in found]
    if not others:
        if said is None:
            return None
        explanation = "the provider has no other refund under this number, or does not tell it: look again"
        return refused("number_free", "number_holds", "R11", explanation)
    shown = f"under this number the provider has {'; '.join(each.in_words for each in others)}"
    if said is None:
        explanation = f"{shown}: look whose that is, then record_manual_transfer with number_holds"
        return refused("number_in_use", "number_holds", SECTION, explanation)
    if said.amount != _amount(others):
        return refused("number_in_use", "number_holds.amount", "R11", f"{shown}: {_amount(others)} minor units")
    if said.whose is Whose.ANOTHERS and any(each.is_the_buyers for each in others):
        explanation = f"{shown}: what goes back to this payment is the buyer's"
        return refused("number_in_use", "number_holds.whose", SECTION, explanation)
    if said.whose is Whose.BUYERS and not all(
        each.result is GatewayResult.SUCCEEDED and each.currency == currency for each in others
    ):
        explanation = f"{shown}: only what has arrived, in the order's currency, is counted"
        return refused("outcome_open", "number_holds.whose", SECTION, explanation)
    return None


def had_before(said: NumberHolds | None) -> int:
    """What the buyer has had already of what is paid by hand, by the officer's word, in minor units."""
    return said.amount if said and said.whose is Whose.BUYERS else 0


def _amount(others: Sequence[OtherRefund]) -> int:
    return sum(each.amount for each in others)

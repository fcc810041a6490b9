"""Whether a merchant's standing order decides what is asked for (G4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Refusal
from workflows.messages.place import Place
from workflows.messages.policy import Policy
from workflows.messages.stages import CaseKind
from workflows.messages.standing_orders import ByStandingOrder, Does, StandingOrder, StandingOrderVersion
from workflows.rules.reasons import catalogue
from workflows.rules.refusals import refused

NOT_THE_BUYERS: Final = frozenset(
    {
        CaseKind.MERCHANT_REFUND,
        CaseKind.EXPIRY,
        CaseKind.LATE_SHIPMENT,
        CaseKind.FREIGHT_INSURANCE,
        CaseKind.RETURN_FREIGHT,
    }
)
"""Kinds of case that no buyer opens: they do not count against it."""


@dataclass(frozen=True)
class Known:
    """What has been decided today, and what is known of the buyer."""

    by_number: Mapping[int, int]
    """How much each standing order has decided on today, in minor units."""
    cases: Mapping[int, int]
    """How many other cases the buyer has opened with the merchant within so many days."""


def refused_terms(terms: StandingOrder, policy: Policy) -> Refusal | None:
    """Why a merchant cannot give such an order: the profile does not allow it, or knows no such reason."""
    allows = policy.standing_orders
    if others := [each for each in terms.kinds if each not in allows.kinds]:
        allowed = f"allows them for {', '.join(allows.kinds)}" if allows.kinds else "allows none"
        return _refused("kinds", f"{policy.name} {allowed}, not for {', '.join(others)}")
    codes = [each.code for each in catalogue(policy)]
    if unknown := [each for each in terms.reasons if each not in codes]:
        return _refused("reasons", f"{policy.name} has no reason {', '.join(unknown)}: {', '.join(codes)}")
    if terms.up_to > (most := _most(terms.does, policy)):
        return _refused("up_to", f"{policy.name} allows up to {most} minor units")
    if terms.most_a_day > allows.most_a_day:
        return _refused("most_a_day", f"{policy.name} allows up to {allows.most_a_day} minor units a day")
    return None


def _refused(field: str, explanation: str) -> Refusal:
    return refused("not_allowed", field, "G4", explanation)


def _most(does: Does, policy: Policy) -> int:
    allows = policy.standing_orders
    return allows.without_return_up_to if does == "refund_without_return" else allows.up_to


def may_decide(policy: Policy, kind: CaseKind) -> bool:
    """Whether standing orders may decide such a case at all: where not, none has to be looked for."""
    return kind in policy.standing_orders.kinds


def may_still_decide(by: ByStandingOrder, policy: Policy, kind: CaseKind, version: ApplicationVersion) -> bool:
    """Whether ``policy`` allows what a standing order has decided under another one (G7)."""
    most = min(_most(by.does, policy), policy.standing_orders.most_a_day)
    return may_decide(policy, kind) and version.amount <= most


def fitting(
    orders: Iterable[StandingOrderVersion], policy: Policy, kind: CaseKind, version: ApplicationVersion
) -> tuple[StandingOrderVersion, ...]:
    """The orders whose kind, reason and amount fit, by their numbers. What the profile allows now goes first.

    What both sides have agreed on, and what nothing is asked for, is none of theirs.
    """
    if not may_decide(policy, kind) or version.proposal is not None or not version.amount:
        return ()
    return tuple(
        each
        for each in sorted(orders, key=lambda order: order.number)
        if not each.ended
        and kind in each.terms.kinds
        and (not each.terms.reasons or version.reason in each.terms.reasons)
        and version.amount <= min(each.terms.up_to, _most(each.terms.does, policy))
    )


def deciding(
    orders: Iterable[StandingOrderVersion], policy: Policy, amount: int, known: Known
) -> ByStandingOrder | None:
    """The first of fitting orders that the buyer's record and what was decided today leave room for."""
    left = policy.standing_orders.most_a_day - sum(known.by_number.values())
    for each in orders:
        terms = each.terms
        record_fits = terms.most_cases is None or known.cases.get(terms.days, 0) <= terms.most_cases
        today = known.by_number.get(each.number, 0) + amount
        if record_fits and amount <= left and today <= terms.most_a_day:
            return ByStandingOrder.made_of(number=each.number, version=each.version, does=terms.does)
    return None


def day_began(at: datetime, place: Place) -> datetime:
    """When the profile's own day began in which ``at`` lies, in UTC."""
    zone = ZoneInfo(place.time_zone)
    return datetime.combine(at.astimezone(zone).date(), time(), zone).astimezone(UTC)

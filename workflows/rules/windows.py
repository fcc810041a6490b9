"""Until when an order may be asked about, and which lines cannot come back (G2)."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts
from workflows.messages.place import Place
from workflows.messages.policy import Policy, Window
from workflows.messages.reasons import Reason
from workflows.messages.requests import Application, DisputeRequest, MerchantRefundRequest, PriceProtectionRequest
from workflows.messages.stages import CaseKind
from workflows.rules.reasons import reason_of, refused_reason
from workflows.rules.refusals import refused

_WINDOWS: Final[Mapping[CaseKind, str]] = MappingProxyType(
    {
        CaseKind.UNSHIPPED_REFUND: "unshipped_refund",
        CaseKind.CANCELLATION: "unshipped_refund",
        CaseKind.SHIPPED_REFUND: "refund_only",
        CaseKind.RETURN: "returns",
        CaseKind.EXCHANGE: "exchange",
        CaseKind.RESEND: "resend",
        CaseKind.REPAIR: "repair",
    }
)
_SATURDAY: Final = 5

Works: TypeAlias = Callable[[date], bool]
"""Whether a day is a working day."""

_COME_BACK: Final = frozenset({CaseKind.RETURN, CaseKind.EXCHANGE})


def weekday(day: date) -> bool:
    """Whether it is none of a weekend: for who does not know of holidays."""
    return day.weekday() < _SATURDAY


def window_ends(
    kind: CaseKind, reason: Reason | None, order: OrderFacts, policy: Policy, works: Works = weekday
) -> datetime | None:
    """Until when this can be asked for, in UTC; None where it has no end, or none yet. ``works``: working days."""
    name = _WINDOWS.get(kind)
    window: Window | None = getattr(policy.windows, name) if name else None
    if window is None:
        return None
    since = {"payment": order.paid_at, "sign_off": order.signed_at, "completion": order.completed_at}[window.since]
    own = reason.window_days if reason and kind is not CaseKind.REPAIR else None  # M1: of a guarantee, not of a return
    days = own or window.days
    if since is None:
        return None
    return _end_of_day(since, days, policy.place, works) if window.whole_days else since + timedelta(days=days)


def _end_of_day(since: datetime, days: int, place: Place, works: Works) -> datetime:
    zone = ZoneInfo(place.time_zone)
    day = since.astimezone(zone).date() + timedelta(days=days)
    while not works(day):
        day += timedelta(days=1)
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)


def comes_back(sku: str, reason: Reason | None, policy: Policy) -> bool:
    """Whether goods can be sent back; what is at fault always can."""
    if reason is not None and reason.goods_are_at_fault():
        return True
    return not any(fnmatchcase(sku, pattern) for pattern in policy.windows.not_returnable_skus)


def refused_for_good(order: OrderFacts, at: datetime) -> Refusal | None:
    """G2: why nothing at all can be asked for on an order any more, by the word of the order system; None where it can.

    Such an order's money leaves the ledger; a case that is open by then is carried on.
    """
    until = order.refundable_until
    if until is None or at < until:
        return None
    explanation = f"by the order system, nothing of this order is paid back from {until.isoformat()} on"
    return refused("refunds_over", "order_no", "G2", explanation)


def refused_by_profile(
    application: Application,
    kind: CaseKind,
    order: OrderFacts,
    policy: Policy,
    at: datetime,
    works: Works = weekday,
) -> Refusal | None:
    """Why what fits the order cannot be asked for by the profile, or None: its reason, its time, its goods (G1, G2)."""
    if refusal := refused_reason(application, kind, policy):
        return refusal
    if isinstance(application, DisputeRequest | MerchantRefundRequest | PriceProtectionRequest):
        return None
    reason = reason_of(application.reason, policy)
    until = window_ends(kind, reason, order, policy, works)
    if until is not None and at > until:
        return refused("window_over", "order_no", "G2", f"this could be asked for until {until.isoformat()}")
    return refused_goods(application, kind, order, policy)


def refused_goods(application: Application, kind: CaseKind, order: OrderFacts, policy: Policy) -> Refusal | None:
    """Why these goods cannot be sent back for that reason, or None; what is to be mended comes to the buyer again."""
    if kind not in _COME_BACK:
        return None
    reason = reason_of(application.reason, policy)
    skus = {line.line: line.sku for line in order.lines}
    for number, each in enumerate(application.lines):
        if not comes_back(skus[each.line], reason, policy):
            explanation = f"the goods of line {each.line} cannot come back unless they are at fault"
            return refused("line_excluded", f"lines.{number}.line", "G2", explanation)
    return None

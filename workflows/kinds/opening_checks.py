"""What is found when a case opens: where it opens and about how much, or why nothing is opened.

Each function looks at one kind of request, and at what was read for it. Its answer has no deadline yet: that is worked
out with pause windows (``opening_span``).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from workflows.kinds.first_stage import first_stage
from workflows.kinds.late_shipment import CLAIMABLE
from workflows.kinds.payment_stages import PAYING
from workflows.kinds.stage import STAGES, Stage
from workflows.kinds.withdrawal import RETENTION
from workflows.messages.cases import Span
from workflows.messages.money import Money
from workflows.messages.openings import Opened
from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.pieces import CasePieces, PieceUse
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    CompensationCause,
    CompensationRequest,
    DisputeRequest,
    ExpiryRequest,
    OrderApplication,
    OrderRequest,
    PriceFall,
    PriceProtectionRequest,
    RepairRequest,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules import price_protection
from workflows.rules.allowance import split
from workflows.rules.compensation import late_shipment_owed
from workflows.rules.dispute import DISPUTABLE, refused_dispute, refused_matter
from workflows.rules.evidence import refused_evidence
from workflows.rules.matters import Matter, approved_at_once, refused_dispute_of_case, refused_dispute_of_order
from workflows.rules.opening import not_opened, not_theirs, refused_beside_others, window_over
from workflows.rules.pieces import Holder, not_to_ship, unsent_of
from workflows.rules.refund import refused_application, refused_worthless
from workflows.rules.shipping import refused_unsent, shipped_by
from workflows.rules.windows import Works, refused_by_profile, refused_for_good, weekday

OF_WHAT_WAS_SENT: Final[Mapping[type[OrderApplication], str]] = {
    ReturnRequest: "T1",
    ResendRequest: "C1",
    RepairRequest: "M1",
}
"""Requests that are about goods which have shipped, and the rule that says so."""

PolicyNow = Callable[[str], Policy | None]
"""The profile of a marketplace as it is in force; None where there is none."""


def policy_for(request: OrderRequest, order: OrderFacts | None, policy_now: PolicyNow) -> Policy | Opened:
    """The profile by which a request about an order goes, or why it is refused whatever it asks for (section 12)."""
    if order is None:
        return not_opened("unknown_order", "order_no", "R4", f"there is no order {request.order_no}")
    if stranger := not_theirs(request, order.merchant_id, order.buyer_id):
        return Opened(refusal=stranger)
    policy = policy_now(order.marketplace)
    if policy is None:
        return not_opened("unknown_policy", "order_no", "section 2", f"no profile {order.marketplace}")
    if refusal := refused_evidence(getattr(request, "evidence", ()), policy.dispute):
        return Opened(refusal=refusal)
    if policy.place.currency not in (None, order.currency):  # G6
        explanation = f"orders of {policy.name} are paid in {policy.place.currency}"
        return not_opened("wrong_currency", "order_no", "G6", explanation)
    return policy


def look_at_application(
    request: OrderApplication,
    order: OrderFacts,
    policy: Policy,
    at: datetime,
    *,
    settled: Mapping[str, int],
    holders: Sequence[Holder],
    others: tuple[Matter, ...],
    works: Works = weekday,
) -> Opened:
    """A refund, a merchant's refund, a return, or price protection (R1 to R4, R9, R13, R16, T1, B1, B2, G1, G2).

    ``settled``: what was paid back of each part of the order for good, in minor units. ``holders``: the cases that name
    pieces of the order. ``others``: what its other cases are about. ``works``: which days are working days (G6).
    """
    if refusal := refused_for_good(order, at) or refused_application(request, order, policy, settled, holders):
        return Opened(refusal=refusal)
    if (rule := OF_WHAT_WAS_SENT.get(type(request))) and (refusal := refused_unsent(request.lines, order, rule)):
        return Opened(refusal=refusal)
    prices = policy.price_protection
    if isinstance(request, PriceProtectionRequest) and (
        refusal := price_protection.refused_protection(request, order, holders, prices)
    ):
        return Opened(refusal=refusal)
    if refusal := refused_beside_others(request, order, policy, others):
        return Opened(refusal=refusal)
    kind, stage = first_stage(request, order, policy, unsent_of(holders), at_once=approved_at_once(others))
    if refusal := refused_by_profile(request, kind, order, policy, at, works):
        return Opened(refusal=refusal)
    if refusal := refused_worthless(request, kind):
        return Opened(refusal=refusal)
    return _opens(kind, stage, policy, request.amount, order)


class Disputed(Protocol):
    """A case that is disputed, as the case book has it."""

    @property
    def kind(self) -> CaseKind: ...  # noqa: D102
    @property
    def stage(self) -> StageName: ...  # noqa: D102
    @property
    def order_no(self) -> str | None: ...  # noqa: D102
    @property
    def closed_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def return_freight(self) -> int: ...  # noqa: D102
    @property
    def outcome(self) -> OutcomeKind | None: ...  # noqa: D102
    @property
    def asked(self) -> int: ...  # noqa: D102
    @property
    def pieces(self) -> CasePieces | None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class About:
    """The case that a dispute is about."""

    case: Disputed
    carries_out: bool = False
    """Whether it has opened the dispute itself, and carries the ruling out (D8)."""
    disputes: Iterable[OutcomeKind | None] = ()
    """The outcomes of other disputes about it, None for an open one."""
    insured: bool = False
    """Whether the freight insurance pays for it (T10)."""
    falls: tuple[PriceFall, ...] = ()
    """The prices that have fallen, where it is about these (B2)."""


def look_at_dispute(
    request: DisputeRequest,
    order: OrderFacts,
    policy: Policy,
    at: datetime,
    *,
    holders: Sequence[Holder],
    others: tuple[Matter, ...],
    about: About | None,
) -> Opened:
    """D1: on an ended case within its window, on one whose money is under way, or on an order without a case.

    ``holders`` and ``others`` are the other cases of the order, without the one that the dispute is about.
    """
    carries_out = about is not None and about.carries_out
    if not carries_out and (refusal := refused_for_good(order, at)):
        return Opened(refusal=refusal)
    # R13: what an open case asks for was looked at when it asked, and it holds its pieces.
    beside = () if carries_out else holders
    adjusts = about is not None and _adjusts(about.case)
    use = PieceUse.PRICE_ADJUSTMENT if adjusts else PieceUse.REFUND
    if refusal := refused_application(request, order, policy, {}, beside, use=use):
        return Opened(refusal=refusal)
    kind, stage = first_stage(request, order, policy)
    if refusal := refused_by_profile(request, kind, order, policy, at):
        return Opened(refusal=refusal)
    if refusal := refused_worthless(request, kind):
        return Opened(refusal=refusal)
    opened = _opens(kind, stage, policy, request.amount, order)
    if request.about is None:
        if at > order.paid_at + timedelta(days=policy.dispute.order_window_days):
            return window_over("order_no", policy.dispute.order_window_days)
        refusal = refused_matter(request, None, None, 0) or refused_dispute_of_order(request, others)  # D10
        return Opened(refusal=refusal) if refusal else opened
    if about is None or about.case.order_no != order.order_no or about.case.kind not in DISPUTABLE:
        return not_opened("unknown_case", "about", "D1", f"{request.about} is no case of this order to dispute")
    disputed = about.case
    if refusal := refused_matter(request, disputed.kind, disputed.outcome, disputed.asked):
        return Opened(refusal=refusal)
    if not about.carries_out and (
        refusal := refused_dispute(disputed.stage, disputed.closed_at, about.disputes, at, policy.dispute)
    ):
        return Opened(refusal=refusal)
    if refusal := refused_dispute_of_case(request, request.about, order, others):  # D10
        return Opened(refusal=refusal)
    if refusal := price_protection.refused_dispute(request.lines, about.falls, order, beside):  # B2
        return Opened(refusal=refusal)
    return opened.model_copy(
        update={
            "counts": request.about,
            "return_freight": disputed.return_freight,
            "insurance_paid": order.freight_insured if about.insured else 0,
            "adjusts": adjusts,
        }
    )


def _adjusts(disputed: Disputed) -> bool:
    """R13, C6: whether money for it leaves the pieces bought, unless it comes to all of their price."""
    use = disputed.pieces.use if disputed.pieces else None
    return use in (PieceUse.PRICE_ADJUSTMENT, PieceUse.RESEND_PART)


def time_to_ship(order: OrderFacts, policy: Policy) -> Span:
    """L1: 48 hours after payment."""
    return Span(minutes=policy.late_shipment.ship_hours * 60, since=order.paid_at)


def look_at_shipment(
    order: OrderFacts,
    policy: Policy,
    at: datetime,
    *,
    ships_until: datetime,
    settled: Mapping[str, int],
    holders: Sequence[Holder],
) -> Opened:
    """L1: 48 hours after payment, pauses aside (``ships_until``), the order must have shipped.

    Goods that have been paid back by now need not ship any more.
    """
    late = policy.late_shipment
    if shipped_by(order, ships_until, not_to_ship(order, settled, holders)):  # R15: all of its lines
        return Opened(nothing_owed=True)
    if at < ships_until:
        return Opened(postponed_until=ships_until)
    paid_back = sum(amount for part, amount in settled.items() if part.startswith("line:"))
    left = max(order.goods_paid - paid_back, 0)  # a gateway that pays after it has declined may pay too much
    owed = late_shipment_owed(left, late.percent, late.fixed)
    if not owed or not left:
        return Opened(nothing_owed=True)
    opened = _opens(CaseKind.LATE_SHIPMENT, CLAIMABLE, policy, owed, order)
    return opened.model_copy(update={"ships_until": ships_until})


def look_at_compensation(
    request: CompensationRequest,
    order: OrderFacts,
    policy: Policy,
    *,
    about_order: str | None,
    policies: Iterable[Policy],
    owed: int,
) -> Opened:
    """T10: for a case of this order, and no more than is insured or the policy lets the merchant owe.

    ``about_order`` is the order of the case that it is about, None where there is none; ``policies`` are those that the
    case has gone by, since the debt was worked out under one of them (section 2). ``owed`` is what is left of it once
    what is owed once is paid once (R16).
    """
    if about_order != order.order_no:
        return not_opened("unknown_case", "about", "T10", f"{request.about} is no case of this order")
    match request.cause:
        case CompensationCause.FREIGHT_INSURANCE:
            kind, most = CaseKind.FREIGHT_INSURANCE, order.freight_insured
        case CompensationCause.RETURN_FREIGHT:
            kind = CaseKind.RETURN_FREIGHT
            most = max(each.returns.most_return_freight for each in (policy, *policies))
    if request.amount > most:
        return not_opened("amount_too_high", "amount", "T10", f"at most {most} is owed")
    if not owed:
        explanation = "it is paid for another return of the order, or in the parcel"
        return not_opened("owed_once", "cause", "R16", explanation)
    return _opens(kind, PAYING, policy, owed, order)


def look_at_allowance(
    request: WithdrawalRequest | ExpiryRequest, allowance: AllowanceFacts | None, policy_now: PolicyNow
) -> Opened:
    """A2, A4, A6: what is left of the principal is paid back."""
    if allowance is None:
        explanation = f"there is no allowance {request.allowance_id}"
        return not_opened("unknown_allowance", "allowance_id", "A4", explanation)
    if stranger := not_theirs(request, allowance.merchant_id, allowance.buyer_id):
        return Opened(refusal=stranger)
    policy = policy_now(allowance.marketplace)
    if policy is None:
        return not_opened("unknown_policy", "allowance_id", "section 2", f"no profile {allowance.marketplace}")
    match request:
        case WithdrawalRequest():
            kind, stage = CaseKind.WITHDRAWAL, RETENTION if allowance.spent else PAYING  # A2, A3
        case ExpiryRequest():
            kind, stage = CaseKind.EXPIRY, PAYING  # A6
    left = split(allowance.principal, allowance.bonus, allowance.spent).withdrawable
    asked = Money.made_of(amount=left, currency=allowance.currency)
    return Opened.made_of(kind=kind, stage=stage.name, policy=policy, asked=asked, allowance=allowance)


def opening_span(opened: Opened) -> tuple[CaseKind, Stage, Span] | None:
    """How long the stage lasts in which a case opens, with its kind; None where it has no deadline, or none opens."""
    if opened.kind is None or opened.stage is None or opened.policy is None:
        return None
    stage = STAGES[opened.stage]
    return (opened.kind, stage, stage.span(opened.policy)) if stage.span else None


def _opens(kind: CaseKind, stage: Stage, policy: Policy, amount: int, order: OrderFacts) -> Opened:
    asked = Money.made_of(amount=amount, currency=order.currency)
    return Opened.made_of(kind=kind, stage=stage.name, policy=policy, asked=asked, order=order)

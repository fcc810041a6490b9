"""What may be asked back on an order, and where a request goes first (R1, R2, R3, R4, R8, R9, R13)."""

from collections.abc import Iterable, Mapping

from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts
from workflows.messages.payouts import Part
from workflows.messages.pieces import PieceUse
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    Application,
    DisputeRequest,
    LineAmount,
    MerchantRefundRequest,
)
from workflows.messages.rulings import Ruling
from workflows.messages.stages import CaseKind
from workflows.rules.pieces import Holder, pieces_of, refused_pieces, use_of
from workflows.rules.reasons import bears_freight, refused_code
from workflows.rules.refusals import refused
from workflows.rules.shipping import is_shipped


def freight_is_refundable(application: Application, order: OrderFacts, policy: Policy) -> bool:
    """R4: once shipped, freight is the buyer's unless the goods were at fault."""
    return (
        isinstance(application, MerchantRefundRequest | DisputeRequest)
        or not is_shipped(order, application, policy)
        or bears_freight(application, policy)
    )


def refused_application(
    application: Application,
    order: OrderFacts,
    policy: Policy,
    refunded: Mapping[str, int],
    holders: Iterable[Holder] = (),
    *,
    use: PieceUse | None = None,
) -> Refusal | None:
    """Why ``application`` cannot be asked on ``order``, or None (R4, R8, R13).

    ``refunded`` is what has been paid back for good, by part, in minor units; ``holders`` are the other cases of the
    order; ``use`` is what happens to the pieces of an application that does not say so itself: one that is amended, or
    disputed.
    """
    if refusal := refused_code(application, policy):  # G1: whose freight it is depends on it
        return refusal
    lines = {line.line: line for line in order.lines}
    for number, asked in enumerate(application.lines):
        line = lines.get(asked.line)
        if line is None:
            return refused("unknown_line", f"lines.{number}.line", "R8", f"the order has no line {asked.line}")
        if asked.quantity > line.quantity:
            return refused(
                "quantity_too_high",
                f"lines.{number}.quantity",
                "R8",
                f"line {line.line} has {line.quantity} in all",
            )
        left = line.paid - refunded.get(f"line:{line.line}", 0)
        if asked.amount > left:
            return refused(
                "amount_too_high",
                f"lines.{number}.amount",
                "R8",
                f"line {line.line} has {left} minor units left to refund"
                if left > 0
                else f"nothing of line {line.line} is left to refund",
            )
    named = pieces_of(application, use or use_of(application))
    refusal = refused_pieces(
        named.lines,
        named.use,
        order,
        holders,
        of_merchant=isinstance(application, MerchantRefundRequest),
        by_platform=isinstance(application, DisputeRequest),
        by_pieces=policy.refund.by_pieces,
    )
    if refusal:
        return refusal
    if application.freight and not freight_is_refundable(application, order, policy):
        return refused(
            "freight_not_refundable", "freight", "R4", "freight is the buyer's unless the goods were at fault"
        )
    left = order.freight - refunded.get("freight", 0)
    if application.freight > left:
        return refused("amount_too_high", "freight", "R8", f"the freight has {left} minor units left to refund")
    return None


def refused_worthless(application: Application, kind: CaseKind) -> Refusal | None:
    """Goods that cost nothing can be cancelled, returned and exchanged; money for nothing is no wish (R13)."""
    pays_only = kind in (CaseKind.SHIPPED_REFUND, CaseKind.MERCHANT_REFUND)
    about_order = isinstance(application, DisputeRequest) and application.about is None
    if application.amount or not (pays_only or about_order):
        return None
    return refused("nothing_asked", "lines", "R13", "what is asked for cost nothing: there is nothing to pay back")


def wanted_parts(application: Application) -> tuple[Part, ...]:
    """What a refund uses up of its order (R8); nothing of what cost nothing (R13)."""
    return _parts(application.lines, application.freight)


def ruled_parts(ruling: Ruling) -> tuple[Part, ...]:
    """What a ruling lets the buyer have of the order, in all (D8)."""
    return _parts(ruling.lines, ruling.freight)


def _parts(lines: Iterable[LineAmount], freight: int) -> tuple[Part, ...]:
    of_lines = tuple(Part.made_of(name=f"line:{each.line}", amount=each.amount) for each in lines if each.amount)
    return of_lines + ((Part.made_of(name="freight", amount=freight),) if freight else ())

"""What a case that opens has to do with its order or allowance, with other cases, and whom it tells."""

from workflows.messages.actors import Actor, Role, buyer, merchant
from workflows.messages.cases import Notice, NoticeTemplate, Refusal
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.orders import OrderFacts
from workflows.messages.pieces import CasePieces, PieceUse
from workflows.messages.place import Language
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    Application,
    CompensationRequest,
    DisputeRequest,
    LateShipmentRequest,
    MerchantRefundRequest,
    OrderApplication,
    Request,
)
from workflows.rules.compensation import late_shipment_fund
from workflows.rules.identity import compensation_fund, subject
from workflows.rules.matters import Matter, refused_application_again, refused_beside_dispute
from workflows.rules.pieces import pieces_of, use_of
from workflows.rules.reasons import reason_of


def refused_beside_others(
    request: OrderApplication,
    order: OrderFacts,
    policy: Policy,
    others: tuple[Matter, ...],
) -> Refusal | None:
    """D10, R16: what other cases of the order have to do with what a buyer asks; a merchant may always pay back."""
    if isinstance(request, MerchantRefundRequest):
        return None
    most = policy.refund.most_applications
    return refused_beside_dispute(request, order, others) or refused_application_again(request, 1, others, most)


def pieces_named(opening: OpenCase, opened: Opened) -> CasePieces | None:
    """R13: a dispute that is a case's own leaves the pieces to the case, which carries the ruling out."""
    request = opening.request
    if not isinstance(request, Application):
        return None
    if isinstance(request, DisputeRequest) and opening.carried_out_by:
        return None
    return pieces_of(request, PieceUse.PRICE_ADJUSTMENT if opened.adjusts else use_of(request))


def compensates(request: Request) -> str | None:
    """L3, T10: the fund that a payment beside refunds is booked on; None for a request that is about no such thing."""
    match request:
        case LateShipmentRequest():
            return late_shipment_fund(request.order_no)
        case CompensationRequest():
            return compensation_fund(request)
        case _:
            return None


def window_over(field: str, days: int) -> Opened:
    """D1: it is too late for a dispute; ``field`` says of what."""
    return not_opened("window_over", field, "D1", f"the {days} days in which it could be disputed are over")


def opened_notices(opening: OpenCase, opened: Opened) -> tuple[Notice, ...]:
    """Whoever is waited for is told, with the deadline (R1, D2, L2)."""
    if opened.due is None or opened.asked is None:
        return ()
    request = opening.request
    fields: dict[str, str | int] = {
        "subject": subject(request),
        "amount": opened.asked.amount,
        "currency": opened.asked.currency,
        "due": opened.due.at.isoformat(),
    }
    match request:
        case DisputeRequest() if opened.policy and not opened.policy.dispute.negotiation_hours:
            return ()  # D2: the platform steps in, and says so, in the next step
        case DisputeRequest():
            template, to = NoticeTemplate.DISPUTE_OPENED, merchant(request.merchant_id)
        case LateShipmentRequest():
            template, to = NoticeTemplate.COMPENSATION_CLAIMABLE, buyer(request.buyer_id)
        case _:
            template, to = NoticeTemplate.REQUEST_OPENED, merchant(request.merchant_id)
    told = (Notice.made_of(template=template, to=to, fields={**fields, **told_as(opened.policy, opened.order, to)}),)
    if opened.policy and opened.policy.confirms_receipt and (asked_by := getattr(request, "buyer_id", None)):  # G6
        to = buyer(asked_by)
        confirmed = {
            **fields,
            **told_as(opened.policy, opened.order, to),
            **_reason(opened, request),
            "due": opening.at.isoformat(),
        }
        told += (Notice.made_of(template=NoticeTemplate.REQUEST_CONFIRMED, to=to, fields=confirmed),)
    return told


def _reason(opened: Opened, request: Request) -> dict[str, str | int]:
    """G1: why it is asked for, as the buyer reads it."""
    policy = opened.policy
    reason = reason_of(request.reason, policy) if policy and isinstance(request, Application) else None
    return {"reason": reason.label.read_in(_language_of(policy, opened.order, Role.BUYER))} if reason else {}


def told_as(policy: Policy | None, order: OrderFacts | None, to: Actor) -> dict[str, str | int]:
    """In which zone and language a notice is put into words, where that is known (G6)."""
    zone, language = policy and policy.time_zone, _language_of(policy, order, to.role)
    return {**({"time_zone": zone} if zone else {}), **({"language": language} if language else {})}


def _language_of(policy: Policy | None, order: OrderFacts | None, role: Role) -> Language | None:
    """The buyer's own, by its order; else the profile's; None for the service's."""
    own = order.language if order and role is Role.BUYER else None
    return own or (policy.place.language if policy else None)


def not_theirs(request: Request, merchant_id: str, buyer_id: str) -> Refusal | None:
    """A request names the merchant and the buyer that the order or allowance belongs to (section 12)."""
    if request.merchant_id != merchant_id:
        return Refusal(
            code="not_yours", field="merchant_id", rule="section 12", explanation="it belongs to another merchant"
        )
    if not isinstance(request, MerchantRefundRequest) and request.buyer_id != buyer_id:
        return Refusal(code="not_yours", field="buyer_id", rule="section 12", explanation="it belongs to another buyer")
    return None


def not_opened(code: str, field: str, rule: str, explanation: str) -> Opened:
    """Nothing is opened, for this reason."""
    return Opened(refusal=Refusal(code=code, field=field, rule=rule, explanation=explanation))

"""A story to begin with: an order that has not shipped, and its refund, which the merchant approves (R1)."""

from datetime import datetime, timedelta

from starter.interpreter.interpreter import Interpreter
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.message import CaseId
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.payouts import TenderKind
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest


def order(number: str, paid_at: datetime, amount: int = 10_000) -> OrderFacts:
    """An order of one line, paid from a wallet, that has not shipped; the amount is in minor units."""
    return OrderFacts(
        order_no=number,
        marketplace="douyin",
        merchant_id="M-1",
        buyer_id="B-1",
        currency="CNY",
        lines=(OrderLine(line="1", sku="boots-42", quantity=1, paid=amount),),
        freight=0,
        tenders=(Tender(tender="t1", kind=TenderKind.WALLET, paid=amount),),
        paid_at=paid_at,
    )


def refund_of(order_no: str, amount: int = 10_000) -> RefundRequest:
    """The request for all of it."""
    return RefundRequest(
        request_key=f"k-{order_no}",
        order_no=order_no,
        merchant_id="M-1",
        buyer_id="B-1",
        lines=(LineAmount(line="1", quantity=1, amount=amount),),
        reason=RefundReason.NO_LONGER_WANTED,
    )


def approved_refund(now: datetime) -> tuple[Interpreter, CaseId]:
    """An interpreter in which order ``O-1`` has been paid back, and the case."""
    interpreter = Interpreter(now)
    interpreter.shop.orders["O-1"] = order("O-1", now - timedelta(days=1))
    case = interpreter.open(refund_of("O-1"))
    interpreter.act(case, Approve(key="c-1", by=merchant("M-1")))
    return interpreter, case

"""What opens a case."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator

from workflows.messages.actors import CLOCK, Actor, buyer, merchant
from workflows.messages.evidence import EvidenceList
from workflows.messages.message import Identifier, Input, Instant, Quantity, Reference
from workflows.messages.money import Minor, PositiveMinor


class RefundReason(StrEnum):
    """Why money is asked back (R4). A quality fault moves the freight to the merchant."""

    NO_LONGER_WANTED = "no_longer_wanted"
    WRONG_ADDRESS = "wrong_address"
    LATE_SHIPMENT = "late_shipment"
    OUT_OF_STOCK = "out_of_stock"
    NOT_RECEIVED = "not_received"
    QUALITY_FAULT = "quality_fault"
    DAMAGED = "damaged"
    NOT_AS_DESCRIBED = "not_as_described"
    WRONG_GOODS = "wrong_goods"
    PRICE_ADJUSTMENT = "price_adjustment"
    OTHER = "other"


class OriginalRoute(Input):
    """原路退回: back to each tender that was paid with (R4, the default)."""

    route: Literal["original"] = "original"


class BankTransfer(Input):
    """Bank transfer to an account that is kept elsewhere under this reference (R4)."""

    route: Literal["bank_transfer"] = "bank_transfer"
    account: Reference


Method = Annotated[OriginalRoute | BankTransfer, Field(discriminator="route")]


class LineAmount(Input):
    """How much is asked back on one order line, in minor units, for how many pieces."""

    line: Identifier
    quantity: Quantity
    amount: PositiveMinor


Lines = Annotated[tuple[LineAmount, ...], Field(min_length=1, max_length=200)]


class Application(Input):
    """What is asked back on an order: lines, freight, why, and by which route (R4)."""

    lines: Lines
    freight: Minor = 0
    reason: RefundReason
    method: Method = OriginalRoute()

    @field_validator("lines")
    @classmethod
    def _each_line_once(cls, lines: Lines) -> Lines:
        if len({each.line for each in lines}) != len(lines):
            raise ValueError("a line stands more than once in the request (R8)")
        return lines

    @property
    def amount(self) -> int:
        """All that is asked for, freight included, in minor units."""
        return sum(each.amount for each in self.lines) + self.freight


class RefundRequest(Application):
    """A buyer asks for money back, goods not being sent back (R1 to R8).

    Whether it is an unshipped refund, a refund only, or a cancellation follows from the order. The same
    ``request_key`` on the same order is the same case.
    """

    request_key: Identifier
    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    evidence: EvidenceList = ()


class MerchantRefundRequest(Application):
    """A merchant pays back of its own accord; the platform reviews it (R9)."""

    request_key: Identifier
    order_no: Identifier
    merchant_id: Identifier


class WithdrawalRequest(Input):
    """A buyer asks for the unspent principal of an allowance (A1 to A5)."""

    request_key: Identifier
    allowance_id: Identifier
    merchant_id: Identifier
    buyer_id: Identifier


class ExpiryRequest(Input):
    """The end of an allowance's validity pays back what is left (A6). Started when it is granted."""

    allowance_id: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    valid_until: Instant


Request = RefundRequest | MerchantRefundRequest | WithdrawalRequest | ExpiryRequest


def opener(request: Request) -> Actor:
    """Who opened a case with this request."""
    match request:
        case RefundRequest() | WithdrawalRequest():
            return buyer(request.buyer_id)
        case MerchantRefundRequest():
            return merchant(request.merchant_id)
        case ExpiryRequest():
            return CLOCK

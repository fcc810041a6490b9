"""What opens a case."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from workflows.messages.actors import CLOCK, Actor, buyer, merchant
from workflows.messages.evidence import EvidenceList
from workflows.messages.message import CaseId, Code, Identifier, Input, Moment, Quantity, Reference
from workflows.messages.money import Minor, PositiveMinor
from workflows.messages.words import Word


class RefundReason(Word):
    """The usual reasons why money is asked back (R4); a profile may have others (G1)."""

    NO_LONGER_WANTED = "no_longer_wanted"
    WRONG_ADDRESS = "wrong_address"
    LATE_SHIPMENT = "late_shipment"
    OUT_OF_STOCK = "out_of_stock"
    NOT_RECEIVED = "not_received"
    QUALITY_FAULT = "quality_fault"
    DAMAGED = "damaged"
    NOT_AS_DESCRIBED = "not_as_described"
    WRONG_GOODS = "wrong_goods"
    BROKEN_IN_USE = "broken_in_use"
    MISSING_PARTS = "missing_parts"
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
    amount: Minor
    """0 for what cost nothing, which can be cancelled and sent back (R13)."""


Lines = Annotated[tuple[LineAmount, ...], Field(max_length=200)]


def _each_line_once(lines: Lines) -> Lines:
    if len({each.line for each in lines}) != len(lines):
        raise ValueError("a line stands more than once in the request (R8)")
    return lines


class Application(Input):
    """What is asked back on an order: lines, freight, why, and by which route (R4).

    Freight can be asked for alone (R13).
    """

    freight: Minor = 0
    lines: Annotated[Lines, Field(validate_default=True)] = ()
    reason: Code
    """A code of the profile's catalogue (G1), such as ``damaged``: see `RefundReason`."""
    method: Method = OriginalRoute()
    goods_received: bool | None = None
    """未收到货 / 已收到货: whether the buyer says that it has the goods (G1); None where it does not say."""
    words: Reference | None = None
    """申请说明: what was written about it in words, kept in the vault under this reference (R10)."""

    @field_validator("lines")
    @classmethod
    def _something_and_each_line_once(cls, lines: Lines, info: ValidationInfo) -> Lines:
        if not lines and info.data.get("freight") == 0:
            raise ValueError("lines or freight must be asked for (R13)")
        return _each_line_once(lines)

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


class PriceFall(Input):
    """What a piece of an order line costs now, in minor units, and since when (B1)."""

    line: Identifier
    price: Minor
    fell_at: Moment


class PriceProtectionRequest(Application):
    """A buyer wants back what the price of bought goods has fallen by (保价, B1 to B3). The goods stay bought."""

    request_key: Identifier
    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    falls: Annotated[tuple[PriceFall, ...], Field(min_length=1, max_length=200)]
    """One for each line."""
    reason: Code = RefundReason.PRICE_ADJUSTMENT
    evidence: EvidenceList = ()

    @field_validator("freight")
    @classmethod
    def _no_freight(cls, freight: int) -> int:
        if freight:
            raise ValueError("the price of the freight is not protected (B1)")
        return freight

    @field_validator("reason")
    @classmethod
    def _of_the_price(cls, reason: str) -> str:
        if reason != RefundReason.PRICE_ADJUSTMENT:
            raise ValueError("the reason is price_adjustment (B1)")
        return reason

    @field_validator("falls")
    @classmethod
    def _one_for_each_line(cls, falls: tuple[PriceFall, ...], info: ValidationInfo) -> tuple[PriceFall, ...]:
        lines = info.data.get("lines")
        if lines is not None and sorted(each.line for each in falls) != sorted(each.line for each in lines):
            raise ValueError("each line that is asked about needs its price, and no other does (B1)")
        return falls


class Replacement(Input):
    """What an exchange is to bring for a line; the same goods where it is not named (T8)."""

    line: Identifier
    sku: Identifier


class ReturnRequest(Application):
    """A buyer sends goods back, for money or for other goods (T1 to T11).

    The amounts of an exchange are what it becomes worth when it is converted to a refund (T9).
    """

    request_key: Identifier
    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    evidence: EvidenceList = ()
    exchange: bool = False
    replacements: Annotated[tuple[Replacement, ...], Field(max_length=200)] = ()

    @field_validator("lines")
    @classmethod
    def _goods_come_back(cls, lines: Lines) -> Lines:
        if not lines:
            raise ValueError("what is sent back must be named (T1)")
        return lines

    @field_validator("replacements")
    @classmethod
    def _for_lines_of_an_exchange(
        cls, replacements: tuple[Replacement, ...], info: ValidationInfo
    ) -> tuple[Replacement, ...]:
        if replacements and not info.data.get("exchange", True):
            raise ValueError("only an exchange brings other goods (T8)")
        lines = info.data.get("lines")
        if lines is not None and not {each.line for each in replacements} <= {each.line for each in lines}:
            raise ValueError("a replacement is for a line that is sent back (T8)")
        return replacements


class PartOfPiece(Input):
    """A part of the goods of a line that is missing or damaged, such as a charger (C1)."""

    line: Identifier
    sku: Identifier
    """What is to be sent again, by the merchant's own code."""


class ResendRequest(Application):
    """A buyer has not got all that was bought, or has got it damaged, and wants it sent again (补寄, C1 to C5).

    Nothing comes back, and no money moves. The amounts are what it becomes worth when it is converted to a refund (C5).
    """

    request_key: Identifier
    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    evidence: EvidenceList = ()
    parts: Annotated[tuple[PartOfPiece, ...], Field(max_length=200)] = ()
    """The part of each line that is to be sent; none where whole pieces are."""

    @field_validator("freight")
    @classmethod
    def _no_freight(cls, freight: int) -> int:
        if freight:
            raise ValueError("who asks for goods asks for no freight (C1)")
        return freight

    @field_validator("lines")
    @classmethod
    def _goods_are_sent(cls, lines: Lines) -> Lines:
        if not lines:
            raise ValueError("what is to be sent again must be named (C1)")
        return lines

    @field_validator("parts")
    @classmethod
    def _of_all_lines_or_none(cls, parts: tuple[PartOfPiece, ...], info: ValidationInfo) -> tuple[PartOfPiece, ...]:
        lines = info.data.get("lines")
        if parts and lines is not None and {each.line for each in parts} != {each.line for each in lines}:
            raise ValueError("each line needs its part, or none does: ask for whole pieces apart (C1)")
        if len(set(parts)) != len(parts):
            raise ValueError("a part stands more than once (C1)")
        return parts


class RepairRequest(Application):
    """A buyer sends goods in to have them mended, and wants the same goods back (维修, M1 to M5).

    No money moves. The amounts are what it becomes worth when it is converted to a refund (M5).
    """

    request_key: Identifier
    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    evidence: EvidenceList = ()
    wants: Literal["repair"] = "repair"
    """Tells it from a refund, whose fields are the same."""

    @field_validator("freight")
    @classmethod
    def _no_freight(cls, freight: int) -> int:
        if freight:
            raise ValueError("who wants goods mended asks for no freight (M1)")
        return freight

    @field_validator("lines")
    @classmethod
    def _goods_are_mended(cls, lines: Lines) -> Lines:
        if not lines:
            raise ValueError("what is to be mended must be named (M1)")
        return lines


class DisputeReason(Word):
    """Why the buyer asks the platform to decide (D1)."""

    REFUND_REJECTED = "refund_rejected"
    RETURN_REJECTED = "return_rejected"
    EXCHANGE_NOT_RESHIPPED = "exchange_not_reshipped"
    SERVICE_ORDER_OVERDUE = "service_order_overdue"
    REFUND_OVERDUE = "refund_overdue"
    COMPENSATION_REFUSED = "compensation_refused"
    """A claim for late shipment was answered as exempt or disproved (L5)."""
    AMOUNT_TOO_LOW = "amount_too_low"
    GOODS_AT_FAULT = "goods_at_fault"
    OTHER = "other"


class DisputeRequest(Application):
    """A buyer asks the platform to decide on an ended case, or on an order without one (D1).

    On an open case the command ``open_dispute`` starts it. Amounts are what the buyer claims to have in all.
    """

    request_key: Identifier
    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    about: CaseId | None = None
    """The case that is disputed."""
    dispute_reason: DisputeReason
    evidence: EvidenceList = ()
    compensation: Minor = 0
    """Of a dispute about late shipment: what is claimed, in minor units, and nothing else (L5)."""

    @field_validator("lines")
    @classmethod
    def _something_and_each_line_once(cls, lines: Lines, info: ValidationInfo) -> Lines:
        del info
        return _each_line_once(lines)

    @model_validator(mode="after")
    def _money_of_one_kind(self) -> Self:
        if bool(self.compensation) == bool(self.lines or self.freight):
            raise ValueError("lines or freight must be claimed (R13), or else compensation alone (L5)")
        return self

    @property
    def amount(self) -> int:
        """All that is claimed, in minor units."""
        return super().amount + self.compensation


class LateShipmentRequest(Input):
    """An order has been paid: should it not ship in time, the buyer may claim compensation (L1). One per order."""

    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    ships_until: Moment
    """When the merchant must have shipped, as the policy says; the case opens then."""


class CompensationCause(Word):
    """What a return owes the buyer beside the refund (T10)."""

    FREIGHT_INSURANCE = "freight_insurance"
    """运费险: a fixed sum, when the return is signed for."""
    RETURN_FREIGHT = "return_freight"
    """What sending the goods back has cost, where the merchant bears it."""


class CompensationRequest(Input):
    """A return pays the buyer beside the refund (T10). Started by the return, once for each cause."""

    about: CaseId
    order_no: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    cause: CompensationCause
    amount: PositiveMinor
    insured: Minor = 0
    """What the freight insurance pays of it, in minor units, should this return's parcel be the order's insured one."""


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
    valid_until: Moment


OrderApplication = (
    RefundRequest | MerchantRefundRequest | ReturnRequest | PriceProtectionRequest | ResendRequest | RepairRequest
)
"""What is applied for on an order, disputes aside."""

OrderRequest = OrderApplication | DisputeRequest | LateShipmentRequest | CompensationRequest
"""What opens a case about an order."""

Request = OrderRequest | WithdrawalRequest | ExpiryRequest


def opener(request: Request) -> Actor:
    """Who opened a case with this request."""
    match request:
        case MerchantRefundRequest():
            return merchant(request.merchant_id)
        case ExpiryRequest() | LateShipmentRequest() | CompensationRequest():
            return CLOCK
        case _:
            return buyer(request.buyer_id)

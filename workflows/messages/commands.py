"""What an actor asks of an open case.

Each command is sent as an update (the caller gets the new view, or a refusal) or as a signal (fire and
forget), under the same name. ``key`` makes it one command however often it is sent.
"""

import re
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from workflows.messages.actors import Actor
from workflows.messages.evidence import EvidenceList, SomeEvidence
from workflows.messages.message import Code, Identifier, Input, Instant, Reference
from workflows.messages.requests import Application


class Command(Input):
    """What every command says: its key, and who sends it."""

    fact: ClassVar[bool] = False
    """True for what has happened in the world: it is taken whenever it comes, and never refused for coming late."""

    key: Identifier
    by: Actor

    @classmethod
    def command_name(cls) -> str:
        """The name of the update and of the signal: ``PayInAdvance`` is ``pay_in_advance``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class Approve(Command):
    """同意: agree to what is asked; the money goes back (R1, R2, R3, R9)."""


class ShippingProof(Input):
    """Which parcel carries the goods (R1)."""

    carrier: Identifier
    tracking_no: Identifier
    shipped_at: Instant


class RejectReason(StrEnum):
    """Why a merchant or a reviewing officer refuses (R1, R2, R9)."""

    GOODS_SHIPPED = "goods_shipped"
    GOODS_RECEIVED_AS_DESCRIBED = "goods_received_as_described"
    NO_FAULT_SHOWN = "no_fault_shown"
    AMOUNT_TOO_HIGH = "amount_too_high"
    OUT_OF_TERMS = "out_of_terms"
    OTHER = "other"


class Reject(Command):
    """拒绝: refuse, with a reason code and evidence, both required (R2).

    An unshipped refund can be refused only with proof that the goods have shipped (R1).
    """

    reason: RejectReason
    evidence: SomeEvidence
    shipping: ShippingProof | None = None


class Withdraw(Command):
    """撤销: the buyer takes the request back while it is undecided (R6, A5)."""


class Amend(Command, Application):
    """The buyer changes a rejected request and applies again (R6)."""

    evidence: EvidenceList = ()


class SubmitEvidence(Command):
    """举证: add attachments to the case for the other side to see (R2)."""

    evidence: SomeEvidence


class Retain(Command):
    """挽留: the merchant has talked to the buyer and asks to keep the allowance (A3).

    The request is the buyer's to take back: it ends when the buyer withdraws it, and the clock runs on.
    """


class PayOut(Command):
    """The merchant pays the principal out at once, without waiting for the deadline (A3)."""


class ParcelEvent(StrEnum):
    """What can happen to the parcel of an order (R3, R7)."""

    OUTBOUND = "outbound"
    SHIPPED = "shipped"
    ON_DELIVERY_RUN = "on_delivery_run"
    REFUSED = "refused"
    RETURNED_TO_WAREHOUSE = "returned_to_warehouse"


class ReportParcel(Command):
    """The carrier or the warehouse tells what happened to the goods (R3, R7). Never refused for coming late."""

    fact = True
    event: ParcelEvent
    carrier: Identifier
    tracking_no: Identifier
    happened_at: Instant


class RetryPayment(Command):
    """Ask the gateway again, with the same refund number (section 10)."""

    reason: Code


class PayInAdvance(Command):
    """先行赔付: the platform pays in the merchant's place and recovers it later (section 10)."""

    reason: Code
    proof: Reference


class RecordManualTransfer(Command):
    """An officer has paid by hand and shows the proof (section 10)."""

    reason: Code
    proof: Reference
    transferred_at: Instant


class CloseCase(Command):
    """An officer ends a case that waits for attention without paying, for a stated reason."""

    reason: Code
    proof: Reference


class GatewayResult(StrEnum):
    """What a gateway says of a refund."""

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    FAILED = "failed"
    """A confirmed failure: no money has moved."""
    ABNORMAL = "abnormal"
    """Not done and not refused for good: the merchant's account is short, say."""
    UNKNOWN = "unknown"
    """Nothing can be said: no answer, or one that makes no sense."""


class GatewayCallback(Command):
    """The payment gateway tells how a refund ended. It may come late, twice, or never (section 10)."""

    fact = True
    refund_no: Identifier
    result: GatewayResult
    gateway_ref: Identifier | None = None
    failure: Code | None = None
    settled_at: Instant = Field(description="when the gateway says that it happened")

"""The operations of the Nexus service, each with what carries it out."""

from nexusrpc.handler import OperationHandler, operation_handler, service_handler
from temporalio.common import RawValue

from starter.nexus.operations import Acts, Door, Opens, Views
from workflows.messages.cases import Outcome
from workflows.messages.nexus import CaseTold
from workflows.messages.requests import (
    DisputeRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundRequest,
    RepairRequest,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)


@service_handler(name="Aftersales")
class AftersalesHandlers:
    """Carries out ``AftersalesNexus``. Inputs are read here and not by the SDK, so that errors name the field."""

    def __init__(self, door: Door) -> None:
        self._door = door

    @operation_handler
    def open_refund(self) -> OperationHandler[RawValue, Outcome]:
        """A buyer asks for a refund (R1 to R8)."""
        return Opens(self._door, RefundRequest)

    @operation_handler
    def open_merchant_refund(self) -> OperationHandler[RawValue, Outcome]:
        """A merchant pays back of its own accord (R9)."""
        return Opens(self._door, MerchantRefundRequest)

    @operation_handler
    def open_return(self) -> OperationHandler[RawValue, Outcome]:
        """A buyer sends goods back, for money or in exchange (T1 to T11)."""
        return Opens(self._door, ReturnRequest)

    @operation_handler
    def open_price_protection(self) -> OperationHandler[RawValue, Outcome]:
        """A buyer wants back what the price has fallen by (B1 to B3)."""
        return Opens(self._door, PriceProtectionRequest)

    @operation_handler
    def open_resend(self) -> OperationHandler[RawValue, Outcome]:
        """A buyer wants goods, or a part of them, sent again (C1 to C6)."""
        return Opens(self._door, ResendRequest)

    @operation_handler
    def open_repair(self) -> OperationHandler[RawValue, Outcome]:
        """A buyer sends goods in to be mended (M1 to M5)."""
        return Opens(self._door, RepairRequest)

    @operation_handler
    def open_dispute(self) -> OperationHandler[RawValue, Outcome]:
        """A buyer disputes an ended case, or an order without one (D1)."""
        return Opens(self._door, DisputeRequest)

    @operation_handler
    def open_withdrawal(self) -> OperationHandler[RawValue, Outcome]:
        """A buyer asks for the unspent principal of an allowance (A1 to A5)."""
        return Opens(self._door, WithdrawalRequest)

    @operation_handler
    def act(self) -> OperationHandler[RawValue, CaseTold]:
        """Send a command to a case, and get how it stands once that is written down."""
        return Acts(self._door)

    @operation_handler
    def view(self) -> OperationHandler[RawValue, CaseTold]:
        """How a case stands."""
        return Views(self._door)

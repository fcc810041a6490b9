"""The workflows of the kinds of case: their names, and what starts them. What they do is in ``workflows.kinds``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.requests import (
    CompensationRequest,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    MerchantRefundRequest,
    RefundRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.shell.case import CaseWorkflow
from workflows.shell.handlers import takes
from workflows.shell.sleeping import SleepingCase
from workflows.versions import LASTS_WEEKS


@workflow.defn(name="Refund", versioning_behavior=LASTS_WEEKS)
@takes(kind.REFUND)
class Refund(CaseWorkflow):
    """One refund that a buyer asked for, without goods coming back."""

    @workflow.init
    def __init__(self, request: RefundRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: RefundRequest) -> Outcome:
        """Carry the refund from its opening to its outcome."""
        del request
        return await self.conduct()


@workflow.defn(name="Return", versioning_behavior=LASTS_WEEKS)
@takes(kind.RETURN)
class Return(CaseWorkflow):
    """One return or exchange that a buyer asked for."""

    @workflow.init
    def __init__(self, request: ReturnRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: ReturnRequest) -> Outcome:
        """Carry the return from its opening to its outcome."""
        del request
        return await self.conduct()


@workflow.defn(name="MerchantRefund", versioning_behavior=LASTS_WEEKS)
@takes(kind.MERCHANT_REFUND)
class MerchantRefund(CaseWorkflow):
    """One refund that a merchant opened of its own accord."""

    @workflow.init
    def __init__(self, request: MerchantRefundRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: MerchantRefundRequest) -> Outcome:
        """Carry the refund from its opening to its outcome."""
        del request
        return await self.conduct()


@workflow.defn(name="Dispute", versioning_behavior=LASTS_WEEKS)
@takes(kind.DISPUTE)
class Dispute(CaseWorkflow):
    """One dispute, from the negotiation to its end."""

    @workflow.init
    def __init__(self, request: DisputeRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: DisputeRequest) -> Outcome:
        """Carry the dispute from its opening to its ruling, and the ruling out where no case does."""
        del request
        return await self.conduct()


@workflow.defn(name="LateShipment", versioning_behavior=LASTS_WEEKS)
@takes(kind.LATE_SHIPMENT)
class LateShipment(SleepingCase):
    """One order that may ship late: started with its payment, delayed until it must have shipped (L1)."""

    opens_by_rule = "L1"

    @workflow.init
    def __init__(self, request: LateShipmentRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request, request.ships_until)

    @workflow.run
    async def run(self, request: LateShipmentRequest) -> Outcome:
        """Let the buyer claim what is owed, unless the order has shipped in time."""
        del request
        return await self.conduct()


@workflow.defn(name="Compensation", versioning_behavior=LASTS_WEEKS)
@takes(kind.COMPENSATION)
class Compensation(CaseWorkflow):
    """One payment beside a refund, once for each return and cause."""

    @workflow.init
    def __init__(self, request: CompensationRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: CompensationRequest) -> Outcome:
        """Pay what is owed."""
        del request
        return await self.conduct()


@workflow.defn(name="AllowanceWithdrawal", versioning_behavior=LASTS_WEEKS)
@takes(kind.WITHDRAWAL)
class AllowanceWithdrawal(CaseWorkflow):
    """One request for the unspent principal of an allowance."""

    @workflow.init
    def __init__(self, request: WithdrawalRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: WithdrawalRequest) -> Outcome:
        """Carry the withdrawal from its opening to its outcome."""
        del request
        return await self.conduct()


@workflow.defn(name="AllowanceExpiry", versioning_behavior=LASTS_WEEKS)
@takes(kind.EXPIRY)
class AllowanceExpiry(SleepingCase):
    """The end of an allowance's validity: started when it is granted, delayed until then (A6)."""

    opens_by_rule = "A6"

    @workflow.init
    def __init__(self, request: ExpiryRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request, request.valid_until)

    @workflow.run
    async def run(self, request: ExpiryRequest) -> Outcome:
        """Pay back what is left when the validity has ended."""
        del request
        return await self.conduct()

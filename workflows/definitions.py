"""The workflows of the kinds of case: their names, and what starts them. What they do is in ``workflows.kinds``."""

from typing import Final

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.commands import (
    AcceptProposal,
    AcceptSettlement,
    AgreeReturn,
    Amend,
    Approve,
    CaseSettled,
    ClaimCompensation,
    ConfirmExchange,
    ConfirmProposal,
    ConfirmReceipt,
    ConvertToRefund,
    DeclineProposal,
    DemandEvidence,
    DisputeIntervened,
    EnterTracking,
    ExtendReceipt,
    GiveRefundAccount,
    OfferSettlement,
    OpenDispute,
    PayOut,
    Propose,
    ProveExemption,
    ProveShipment,
    RefundDirectly,
    Reject,
    Reship,
    Resolve,
    Retain,
    Rule,
    RulingTold,
    Say,
    SendBack,
    SubmitEvidence,
    Withdraw,
    WithdrawProposal,
)
from workflows.messages.requests import (
    CompensationRequest,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.shell.handlers import takes, update
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


@workflow.defn(name="Refund", versioning_behavior=LASTS_WEEKS)
@takes(kind.REFUND)
class Refund(CaseWorkflow):
    """One refund that a buyer asked for, without goods coming back."""

    propose = update(Propose)
    accept_proposal = update(AcceptProposal)
    decline_proposal = update(DeclineProposal)
    withdraw_proposal = update(WithdrawProposal)
    say = update(Say)
    agree_return = update(AgreeReturn)
    refund_directly = update(RefundDirectly)
    reject = update(Reject)
    withdraw = update(Withdraw)
    amend = update(Amend)
    approve = update(Approve)
    submit_evidence = update(SubmitEvidence)
    enter_tracking = update(EnterTracking)
    give_refund_account = update(GiveRefundAccount)
    confirm_receipt = update(ConfirmReceipt)
    extend_receipt = update(ExtendReceipt)
    reship = update(Reship)
    send_back = update(SendBack)
    confirm_exchange = update(ConfirmExchange)
    convert_to_refund = update(ConvertToRefund)
    open_dispute = update(OpenDispute)
    dispute_intervened = update(DisputeIntervened)
    ruling_told = update(RulingTold)

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

    propose = update(Propose)
    accept_proposal = update(AcceptProposal)
    decline_proposal = update(DeclineProposal)
    withdraw_proposal = update(WithdrawProposal)
    say = update(Say)
    agree_return = update(AgreeReturn)
    refund_directly = update(RefundDirectly)
    reject = update(Reject)
    withdraw = update(Withdraw)
    amend = update(Amend)
    approve = update(Approve)
    submit_evidence = update(SubmitEvidence)
    enter_tracking = update(EnterTracking)
    give_refund_account = update(GiveRefundAccount)
    confirm_receipt = update(ConfirmReceipt)
    extend_receipt = update(ExtendReceipt)
    reship = update(Reship)
    send_back = update(SendBack)
    confirm_exchange = update(ConfirmExchange)
    convert_to_refund = update(ConvertToRefund)
    open_dispute = update(OpenDispute)
    dispute_intervened = update(DisputeIntervened)
    ruling_told = update(RulingTold)

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

    approve = update(Approve)
    reject = update(Reject)
    give_refund_account = update(GiveRefundAccount)

    @workflow.init
    def __init__(self, request: MerchantRefundRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: MerchantRefundRequest) -> Outcome:
        """Carry the refund from its opening to its outcome."""
        del request
        return await self.conduct()


@workflow.defn(name="PriceProtection", versioning_behavior=LASTS_WEEKS)
@takes(kind.PRICE_PROTECTION)
class PriceProtection(CaseWorkflow):
    """One fall of the price of what a buyer has bought."""

    approve = update(Approve)
    reject = update(Reject)
    withdraw = update(Withdraw)
    submit_evidence = update(SubmitEvidence)
    open_dispute = update(OpenDispute)
    confirm_receipt = update(ConfirmReceipt)
    give_refund_account = update(GiveRefundAccount)
    dispute_intervened = update(DisputeIntervened)
    ruling_told = update(RulingTold)

    @workflow.init
    def __init__(self, request: PriceProtectionRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: PriceProtectionRequest) -> Outcome:
        """Carry the request from its opening to its outcome."""
        del request
        return await self.conduct()


@workflow.defn(name="Dispute", versioning_behavior=LASTS_WEEKS)
@takes(kind.DISPUTE)
class Dispute(CaseWorkflow):
    """One dispute, from the negotiation to its end."""

    propose = update(Propose)
    accept_proposal = update(AcceptProposal)
    decline_proposal = update(DeclineProposal)
    withdraw_proposal = update(WithdrawProposal)
    say = update(Say)
    resolve = update(Resolve)
    offer_settlement = update(OfferSettlement)
    accept_settlement = update(AcceptSettlement)
    submit_evidence = update(SubmitEvidence)
    demand_evidence = update(DemandEvidence)
    rule = update(Rule)
    confirm_proposal = update(ConfirmProposal)
    give_refund_account = update(GiveRefundAccount)
    case_settled = update(CaseSettled)

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
class LateShipment(CaseWorkflow):
    """One order that may ship late: started with its payment, delayed until it must have shipped (L1)."""

    propose = update(Propose)
    accept_proposal = update(AcceptProposal)
    decline_proposal = update(DeclineProposal)
    withdraw_proposal = update(WithdrawProposal)
    say = update(Say)
    claim_compensation = update(ClaimCompensation)
    prove_shipment = update(ProveShipment)
    prove_exemption = update(ProveExemption)
    approve = update(Approve)
    withdraw = update(Withdraw)

    @workflow.init
    def __init__(self, request: LateShipmentRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

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

    retain = update(Retain)
    pay_out = update(PayOut)
    withdraw = update(Withdraw)

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
class AllowanceExpiry(CaseWorkflow):
    """The end of an allowance's validity: started when it is granted, delayed until then (A6)."""

    @workflow.init
    def __init__(self, request: ExpiryRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: ExpiryRequest) -> Outcome:
        """Pay back what is left when the validity has ended."""
        del request
        return await self.conduct()


CASES: Final[tuple[type[CaseWorkflow], ...]] = (
    Refund,
    MerchantRefund,
    Return,
    PriceProtection,
    Dispute,
    LateShipment,
    Compensation,
    AllowanceWithdrawal,
    AllowanceExpiry,
)
"""The workflow of each kind of case."""

"""The workflow ``Refund``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.commands import (
    AcceptProposal,
    AgreeReturn,
    Amend,
    Approve,
    ConfirmExchange,
    ConfirmReceipt,
    ConvertToRefund,
    DeclineProposal,
    DisputeIntervened,
    EnterTracking,
    ExtendReceipt,
    GiveRefundAccount,
    OpenDispute,
    Propose,
    RefundDirectly,
    Reject,
    Reship,
    RulingTold,
    Say,
    SendBack,
    SubmitEvidence,
    Withdraw,
    WithdrawProposal,
)
from workflows.messages.requests import RefundRequest
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

"""The workflow ``Resend``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.commands import (
    AcceptProposal,
    Amend,
    Approve,
    ConfirmExchange,
    ConfirmReceipt,
    ConvertToRefund,
    DeclineProposal,
    DisputeIntervened,
    GiveRefundAccount,
    OpenDispute,
    Propose,
    RefundDirectly,
    Reject,
    Reship,
    RulingTold,
    Say,
    SubmitEvidence,
    Withdraw,
    WithdrawProposal,
)
from workflows.messages.requests import ResendRequest
from workflows.shell.handlers import takes, update
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


@workflow.defn(name="Resend", versioning_behavior=LASTS_WEEKS)
@takes(kind.RESEND)
class Resend(CaseWorkflow):
    """Goods, or a part of them, that a buyer wants sent again."""

    propose = update(Propose)
    accept_proposal = update(AcceptProposal)
    decline_proposal = update(DeclineProposal)
    withdraw_proposal = update(WithdrawProposal)
    say = update(Say)
    approve = update(Approve)
    refund_directly = update(RefundDirectly)
    reject = update(Reject)
    withdraw = update(Withdraw)
    amend = update(Amend)
    submit_evidence = update(SubmitEvidence)
    reship = update(Reship)
    confirm_exchange = update(ConfirmExchange)
    convert_to_refund = update(ConvertToRefund)
    open_dispute = update(OpenDispute)
    confirm_receipt = update(ConfirmReceipt)
    give_refund_account = update(GiveRefundAccount)
    dispute_intervened = update(DisputeIntervened)
    ruling_told = update(RulingTold)

    @workflow.init
    def __init__(self, request: ResendRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: ResendRequest) -> Outcome:
        """Carry the re-send from its opening to its outcome."""
        del request
        return await self.conduct()

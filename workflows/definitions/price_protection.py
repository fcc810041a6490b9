"""The workflow ``PriceProtection``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.commands import (
    Approve,
    ConfirmReceipt,
    DisputeIntervened,
    GiveRefundAccount,
    OpenDispute,
    Reject,
    RulingTold,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.requests import PriceProtectionRequest
from workflows.shell.handlers import takes, update
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


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

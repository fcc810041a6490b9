"""The workflow ``MerchantRefund``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.commands import Approve, GiveRefundAccount, Reject
from workflows.messages.requests import MerchantRefundRequest
from workflows.shell.handlers import takes, update
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


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

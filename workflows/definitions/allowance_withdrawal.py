"""The workflow ``AllowanceWithdrawal``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.commands import PayOut, Retain, Withdraw
from workflows.messages.requests import WithdrawalRequest
from workflows.shell.handlers import takes, update
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


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

"""The workflow ``AllowanceExpiry``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.requests import ExpiryRequest
from workflows.shell.handlers import takes
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


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

"""The workflow ``Compensation``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.requests import CompensationRequest
from workflows.shell.handlers import takes
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


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

"""Returns for money and exchanges, as a buyer asks for them (T1 to T11)."""

from temporalio import workflow

from workflows.handlers import takes
from workflows.messages.cases import Outcome
from workflows.messages.commands import DisputeIntervened, PayInAdvance, RecordManualTransfer, RetryPayment
from workflows.messages.requests import ReturnRequest
from workflows.returning import RETURN_COMMANDS, ReturningCase
from workflows.versions import LASTS_WEEKS


@workflow.defn(name="Return", versioning_behavior=LASTS_WEEKS)
@takes(*RETURN_COMMANDS, RetryPayment, PayInAdvance, RecordManualTransfer, DisputeIntervened)
class Return(ReturningCase):
    """One return or exchange that a buyer asked for."""

    @workflow.init
    def __init__(self, request: ReturnRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request, exchange=request.exchange)

    @workflow.run
    async def run(self, request: ReturnRequest) -> Outcome:
        """Carry the return from its opening to its outcome."""
        del request
        return await self.conduct(self._return())

    async def _return(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        return await self.returning()

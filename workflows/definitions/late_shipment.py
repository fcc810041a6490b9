"""The workflow ``LateShipment``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.commands import (
    AcceptProposal,
    Approve,
    ClaimCompensation,
    DeclineProposal,
    Propose,
    ProveExemption,
    ProveShipment,
    Say,
    Withdraw,
    WithdrawProposal,
)
from workflows.messages.requests import LateShipmentRequest
from workflows.shell.handlers import takes, update
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


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

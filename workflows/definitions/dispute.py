"""The workflow ``Dispute``."""

from temporalio import workflow

from workflows.kinds import kind
from workflows.messages.cases import Outcome
from workflows.messages.commands import (
    AcceptProposal,
    AcceptSettlement,
    CaseSettled,
    ConfirmProposal,
    DeclineProposal,
    DemandEvidence,
    GiveRefundAccount,
    OfferSettlement,
    Propose,
    Resolve,
    Rule,
    Say,
    SubmitEvidence,
    WithdrawProposal,
)
from workflows.messages.requests import DisputeRequest
from workflows.shell.handlers import takes, update
from workflows.shell.workflow import CaseWorkflow
from workflows.versions import LASTS_WEEKS


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

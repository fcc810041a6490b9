"""What a return owes the buyer beside the refund: freight insurance and return freight (T10).

A case of its own, booked apart: trouble with it does not hold up the refund, nor the other way round.
"""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.children import start_case
from workflows.handlers import takes
from workflows.messages.actors import CLOCK
from workflows.messages.cases import Outcome
from workflows.messages.commands import CloseCase, PayInAdvance, RecordManualTransfer, RetryPayment
from workflows.messages.orders import OrderFacts
from workflows.messages.payouts import Part, Payer
from workflows.messages.requests import CompensationCause, CompensationRequest, OriginalRoute
from workflows.payable import PayableCase
from workflows.rules.allocation import COMPENSATION
from workflows.rules.identity import compensation_fund
from workflows.versions import LASTS_WEEKS

PAYERS = {
    CompensationCause.FREIGHT_INSURANCE: Payer.PLATFORM,
    CompensationCause.RETURN_FREIGHT: Payer.MERCHANT,
}


@workflow.defn(name="Compensation", versioning_behavior=LASTS_WEEKS)
@takes(CloseCase, RetryPayment, PayInAdvance, RecordManualTransfer)
class Compensation(PayableCase):
    """One payment beside a refund, once for each return and cause."""

    @workflow.init
    def __init__(self, request: CompensationRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._owed = request

    @workflow.run
    async def run(self, request: CompensationRequest) -> Outcome:
        """Pay what is owed."""
        del request
        return await self.conduct(self._compensation())

    async def _compensation(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        owed, amount = self._owed, self.asked.amount
        return await self.pay(
            self.entry("compensation_owed", CLOCK, "T10", cause=owed.cause, amount=amount),
            fund=compensation_fund(owed),
            wanted=(Part(name=COMPENSATION, amount=amount),),
            method=OriginalRoute(),
            by=CLOCK,
            rule="T10",
            payer=PAYERS[owed.cause],
            compensates=True,
        )


async def owe(order: OrderFacts, about: str, cause: CompensationCause, amount: int, insured: int = 0) -> None:
    """Start the payment of what the case ``about`` owes beside its refund, in minor units; it goes on by itself.

    What it comes to is settled when it opens: insurance is paid once an order, freight once a parcel (R16), less what
    is ``insured`` if that is paid for this parcel.
    """
    request = CompensationRequest(
        about=about,
        order_no=order.order_no,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        cause=cause,
        amount=amount,
        insured=insured,
    )
    with suppress(WorkflowAlreadyStartedError):  # it is owed once
        await start_case(request)

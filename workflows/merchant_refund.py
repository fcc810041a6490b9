"""Refunds that the merchant opens and the platform reviews (R9)."""

from temporalio import workflow

from workflows.case import ClosingRefusedError
from workflows.handlers import takes
from workflows.messages.actors import CLOCK, officer
from workflows.messages.cases import NoticeTemplate, Outcome
from workflows.messages.commands import (
    Approve,
    CloseCase,
    GiveRefundAccount,
    PayInAdvance,
    RecordManualTransfer,
    Reject,
    RetryPayment,
)
from workflows.messages.requests import MerchantRefundRequest
from workflows.messages.stages import OutcomeKind, StageName
from workflows.payable import OrderCase
from workflows.rules.evidence import evidence_facts
from workflows.versions import LASTS_WEEKS

BY_POLICY = officer("policy")
"""Small amounts are agreed to by the policy's number, not by a person."""


@workflow.defn(name="MerchantRefund", versioning_behavior=LASTS_WEEKS)
@takes(Approve, Reject, GiveRefundAccount, CloseCase, RetryPayment, PayInAdvance, RecordManualTransfer)
class MerchantRefund(OrderCase):
    """One refund that a merchant opened of its own accord."""

    @workflow.init
    def __init__(self, request: MerchantRefundRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)

    @workflow.run
    async def run(self, request: MerchantRefundRequest) -> Outcome:
        """Carry the refund from its opening to its outcome."""
        del request
        return await self.conduct(self._merchant_refund())

    async def _merchant_refund(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        if opened.stage is StageName.PAYING:  # up to the policy's amount, at once
            return await self.refund(self.entry("approved_by_policy", BY_POLICY, "R9"), by=BY_POLICY, rule="R9")
        while True:
            event = await self.next()
            match event:
                case Approve():
                    return await self.refund(self.obeyed(event, "approved"), by=event.by, rule="R9")
                case Reject():
                    if ended := await self._rejected(event):
                        return ended
                case _:  # silence
                    return await self.refund(self.silent("approved_by_silence"), by=CLOCK, rule="R9")

    async def _rejected(self, command: Reject) -> Outcome | None:
        """R9: with what the officer has found; evidence that is nobody's decides nothing (D6)."""
        self.bring(command, "rejected")
        try:
            return await self._close_rejected(command)
        except ClosingRefusedError as error:
            self.answer(command, error.refusal)
            return None

    async def _close_rejected(self, command: Reject) -> Outcome:
        return await self.close(
            OutcomeKind.REJECTED,
            self.obeyed(command, "rejected", reason=command.reason, **evidence_facts(command.evidence)),
            rule="R9",
            by=command.by,
            notices=self.notice(NoticeTemplate.CASE_CLOSED, self.merchant, outcome=OutcomeKind.REJECTED),
        )

"""A case that is started long before it opens: it waits for a moment, and the command check knows that."""

from datetime import datetime

from temporalio import workflow

from workflows.messages.cases import Opened, Refusal
from workflows.messages.commands import Command
from workflows.messages.requests import ExpiryRequest, LateShipmentRequest
from workflows.shell.case import CaseWorkflow


class SleepingCase(CaseWorkflow):
    """A case that opens at a moment which may be moved meanwhile (A6, L1)."""

    opens_by_rule = "section 1"

    def __init__(self, request: ExpiryRequest | LateShipmentRequest, opens_at: datetime) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._opens_at = opens_at
        self._asleep = False

    async def open(self) -> Opened:
        """As CaseWorkflow.open, at the moment for it; the start delay has usually brought us there already."""
        while True:
            wait = self._opens_at - workflow.now()
            if wait.total_seconds() > 0:
                self._asleep = True
                await workflow.sleep(wait, summary=f"until the case opens ({self.opens_by_rule})")
                self._asleep = False
                self.opened_at = workflow.now()
            opened = await super().open()
            if opened.refusal or opened.postponed_until is None:
                return opened
            self._opens_at = opened.postponed_until

    def _busy(self) -> bool:
        """Asleep it may be for months: a command is answered at once instead of waiting for the opening."""
        return not self._asleep and super()._busy()

    def _refusal(self, command: Command) -> Refusal | None:
        if not self._asleep:
            return super()._refusal(command)
        return Refusal(
            code="not_open",
            field="command",
            rule=self.opens_by_rule,
            explanation=f"the case opens at {self._opens_at.isoformat()}, and not before",
        )

"""A case that can end with a payout: what refunds, cancellations and withdrawals share."""

from workflows.case import CaseWorkflow
from workflows.messages.actors import Actor
from workflows.messages.cases import BalanceChange, LogEntry, Outcome
from workflows.messages.commands import CloseCase, Command, GatewayCallback, ReportParcel, Withdraw
from workflows.messages.evidence import Evidence
from workflows.messages.money import Money
from workflows.messages.orders import OrderFacts
from workflows.messages.payouts import Part
from workflows.messages.requests import Application, MerchantRefundRequest, Method, RefundRequest, Request
from workflows.messages.stages import OutcomeKind
from workflows.rules.identity import order_fund
from workflows.rules.refund import wanted_parts
from workflows.settlement import Settlement


class PayableCase(CaseWorkflow):
    """A case with at most one payout."""

    def __init__(self, request: Request) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._settlement: Settlement | None = None

    async def pay(
        self,
        *decided: LogEntry,
        fund: str,
        wanted: tuple[Part, ...],
        method: Method,
        by: Actor,
        rule: str,
        balance: BalanceChange | None = None,
        bonus_voided: Money | None = None,
    ) -> Outcome:
        """Pay ``wanted`` out of ``fund`` and end the case; ``by`` decided it under ``rule``."""
        self._settlement = Settlement(
            self,
            fund=fund,
            wanted=wanted,
            method=method,
            by=by,
            rule=rule,
            balance=balance,
            bonus_voided=bonus_voided,
        )
        return await self._settlement.pay(*decided)

    async def withdrawn(self, command: Withdraw, rule: str) -> Outcome:
        """The buyer has taken the request back."""
        return await self.close(
            OutcomeKind.WITHDRAWN,
            self.obeyed(command, "withdrawn"),
            rule=rule,
            by=command.by,
            notices=self.closed_notices(OutcomeKind.WITHDRAWN),
        )

    async def closed_by_officer(self, command: CloseCase) -> Outcome:
        """An officer ends the case unpaid, for a reason and with proof."""
        return await self.close(
            OutcomeKind.CLOSED_BY_OFFICER,
            self.obeyed(command, "closed_by_officer", reason=command.reason, proof=command.proof),
            rule=self.stage.rule,
            by=command.by,
            notices=self.closed_notices(OutcomeKind.CLOSED_BY_OFFICER),
        )

    async def fact_outside_its_stage(self, fact: Command) -> None:
        """A callback that comes when nobody waits for it still goes into the ledger (section 10)."""
        if isinstance(fact, GatewayCallback) and self._settlement:
            await self._settlement.enter_callback(fact)
        else:
            await super().fact_outside_its_stage(fact)


class OrderCase(PayableCase):
    """A case about an order: what it asks for can change, and so can where the goods are."""

    def __init__(self, request: RefundRequest | MerchantRefundRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self.application: Application = request
        self._order_no = request.order_no

    async def refund(self, decided: LogEntry, by: Actor) -> Outcome:
        """Pay back what is asked for; ``decided`` names the rule."""
        return await self.pay(
            decided,
            fund=order_fund(self._order_no),
            wanted=wanted_parts(self.application),
            method=self.application.method,
            by=by,
            rule=decided.rule,
        )

    def parcel(self, report: ReportParcel) -> LogEntry:
        """The log line of what happened to the goods."""
        return self.obeyed(report, f"goods_{report.event}", carrier=report.carrier, tracking_no=report.tracking_no)

    @property
    def order(self) -> OrderFacts:
        """The order as it was when the case opened, and what has been reported since."""
        if self.opened is None or self.opened.order is None:
            raise ValueError("the case has no order")
        return self.opened.order

    @order.setter
    def order(self, order: OrderFacts) -> None:
        if self.opened:
            self.opened = self.opened.model_copy(update={"order": order})


def evidence_facts(evidence: tuple[Evidence, ...]) -> dict[str, str | int]:
    """Attachments as facts of a log line: where each is kept."""
    return {f"evidence_{number}": each.uri for number, each in enumerate(evidence, start=1)}

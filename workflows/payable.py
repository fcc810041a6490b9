"""A case that can end with a payout: what refunds, cancellations and withdrawals share."""

from workflows.case import CaseWorkflow, Happening
from workflows.messages.actors import CLOCK, Actor
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import (
    BalanceChange,
    LogEntry,
    NamedAccount,
    Notice,
    NoticeTemplate,
    Outcome,
    Refusal,
    Step,
)
from workflows.messages.commands import (
    CloseCase,
    Command,
    GatewayCallback,
    GiveRefundAccount,
    ReportParcel,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.message import Reference
from workflows.messages.money import Money
from workflows.messages.orders import OrderFacts
from workflows.messages.payouts import Part, Payer, Remainder
from workflows.messages.requests import (
    Application,
    BankTransfer,
    DisputeRequest,
    MerchantRefundRequest,
    Method,
    OriginalRoute,
    RefundRequest,
    Request,
    ReturnRequest,
)
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, OutcomeKind
from workflows.rules.applications import version_of
from workflows.rules.evidence import evidence_facts, submitted_facts
from workflows.rules.identity import order_fund
from workflows.rules.refund import wanted_parts
from workflows.rules.stages import AWAITING_ACCOUNT
from workflows.settlement import AccountRefusedError, Settlement


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
        payer: Payer = Payer.MERCHANT,
        remainder: Remainder | None = None,
        compensates: bool = False,
        charges: tuple[ScoreChange, ...] = (),
        notices: tuple[Notice, ...] = (),
    ) -> Outcome:
        """Pay what is left of ``wanted`` out of ``fund`` and end the case (R14); ``by`` decided it under ``rule``.

        With ``remainder`` only what is missing of it (D8); ``compensates`` where it is no refund (L3). ``charges`` and
        ``notices`` go with the decision (D9).
        """
        self._settlement = Settlement(
            self,
            fund=fund,
            wanted=wanted,
            method=method,
            by=by,
            rule=rule,
            balance=balance,
            bonus_voided=bonus_voided,
            payer=payer,
            remainder=remainder,
            compensates=compensates,
        )
        return await self._settlement.pay(*decided, charges=charges, notices=notices)

    def parcel(self, report: ReportParcel) -> LogEntry:
        """The log line of what happened to the goods."""
        return self.obeyed(report, f"goods_{report.event}", carrier=report.carrier, tracking_no=report.tracking_no)

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

    def __init__(self, request: RefundRequest | MerchantRefundRequest | ReturnRequest | DisputeRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self.application: Application = request
        self._applied = version_of(request, self.opened_at)
        self.account: Reference | None = None
        """Where a cash-on-delivery order is paid back to. Shown to nobody (T4)."""
        self._order_no = request.order_no

    async def refund(
        self,
        *decided: LogEntry,
        by: Actor,
        rule: str,
        wanted: tuple[Part, ...] | None = None,
        remainder: Remainder | None = None,
        charges: tuple[ScoreChange, ...] = (),
        notices: tuple[Notice, ...] = (),
    ) -> Outcome:
        """Pay back what is asked for, or ``wanted`` of it; ``by`` decided it under ``rule``.

        A cash-on-delivery order is paid back in advance by the platform, to the account that the buyer names.
        Where it is missing, or is somebody else's (R17), the case waits and asks; it does not fail (T4).
        """
        method = self.application.method
        wanted = wanted if wanted is not None else wanted_parts(self.application)
        if wanted and self.order.cash_on_delivery and self.account is None and isinstance(method, OriginalRoute):
            given = await self._ask_for_account(*decided)
            if isinstance(given, Outcome):
                return given
            decided = (given,)
        while True:
            try:
                return await self.pay(
                    *decided,
                    fund=order_fund(self._order_no),
                    wanted=wanted,
                    method=BankTransfer(account=self.account) if self.account else method,
                    by=by,
                    rule=rule,
                    payer=Payer.PLATFORM if self.order.cash_on_delivery else Payer.MERCHANT,
                    remainder=remainder,
                    charges=charges,
                    notices=notices,
                )
            except AccountRefusedError as error:
                given = await self._ask_for_another(error.refusal, *decided)
            if isinstance(given, Outcome):
                return given
            decided = (given,)

    async def _ask_for_account(self, *decided: LogEntry) -> LogEntry | Outcome:
        """T4: until the buyer has named an account; the outcome where an officer has ended the case instead."""
        await self._want_account(*decided, self.entry("account_asked", CLOCK, "T4"))
        return await self._account_named()

    async def _ask_for_another(self, refusal: Refusal, *decided: LogEntry) -> LogEntry | Outcome:
        """R17: the account is not the buyer's. Whoever named it just now is told; else the buyer and staff are."""
        self.account = None
        if self.stage is AWAITING_ACCOUNT:
            self.answer_in_hand(refusal)
        else:
            told = self.entry("account_refused", CLOCK, refusal.rule, code=refusal.code)
            await self._want_account(*decided, told, attention=Attention.ACCOUNT_MISSING)
        return await self._account_named()

    async def _want_account(self, *asked: LogEntry, attention: Attention | None = None) -> None:
        notices = self.notice(NoticeTemplate.ACCOUNT_WANTED, self.buyer)
        await self.enter(AWAITING_ACCOUNT, *asked, notices=notices, attention=attention)

    async def _account_named(self) -> LogEntry | Outcome:
        while True:
            match await self.next(ReportParcel):
                case GiveRefundAccount() as given:
                    self.account = given.account
                    return self.obeyed(given, "refund_account_given")
                case CloseCase() as command:
                    return await self.closed_by_officer(command)
                case ReportParcel() as report:
                    await self.note(self.parcel(report))
                case Happening.SILENCE:
                    await self._want_account(self.silent("account_asked"), attention=Attention.ACCOUNT_MISSING)
                case event:
                    raise AssertionError(f"{event} does not belong to {self.stage.name}")

    async def take_evidence(self, command: SubmitEvidence) -> None:
        """R2, R10, R16: kept for whoever decides, beside what was given before."""
        given = self.given(command, "evidence_submitted")
        facts = {**(submitted_facts(given) if given else {}), **evidence_facts(command.evidence)}
        entry = self.obeyed(command, "evidence_submitted", **facts)
        stepped = await self.enter(self.stage, entry, evidence=given, keep_deadline=True, attention=self.attention)
        if stepped.refusal:
            self.answer(command, stepped.refusal)
        else:
            self.count_evidence(command)

    async def take_account(self, command: GiveRefundAccount) -> None:
        """T4: the account goes into the payment only, never into the log or a view, which the merchant sees."""
        stepped = await self.enter(
            self.stage,
            self.obeyed(command, "refund_account_given"),
            keep_deadline=True,
            attention=self.attention,
            account=NamedAccount(account=command.account),
        )
        if stepped.refusal:  # R17
            self.answer(command, stepped.refusal)
        else:
            self.account = command.account

    async def fact_outside_its_stage(self, fact: Command) -> None:
        """What happened to the goods is told by its name, whenever it comes (R7)."""
        if isinstance(fact, ReportParcel):
            await self.note(self.parcel(fact))
            self.answer(fact)
        else:
            await super().fact_outside_its_stage(fact)

    @property
    def applied(self) -> ApplicationVersion:
        """The current version of what is applied for (R10)."""
        return self._applied

    @property
    def asked(self) -> Money:
        """All that is asked for, by the current version (R10)."""
        return super().asked.model_copy(update={"amount": self._applied.amount})

    def _written(self, step: Step, number: int | None = None) -> None:
        super()._written(step, number)
        self._applied = step.application or self._applied

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

    def content_refusal(self, command: Command) -> Refusal | None:
        """T4: only cash on delivery needs an account, and whoever is asked for another one (R17)."""
        asked_for = self.order.cash_on_delivery or self.stage is AWAITING_ACCOUNT
        if isinstance(command, GiveRefundAccount) and not asked_for:
            return Refusal(
                code="not_cash_on_delivery",
                field="account",
                rule="T4",
                explanation="the order was paid in advance, and goes back the way it was paid",
            )
        return super().content_refusal(command)

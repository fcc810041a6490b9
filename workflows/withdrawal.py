"""Allowance withdrawal 膨胀金提现, asked for by the buyer (A1 to A5) or by the end of validity (A6)."""

from temporalio import workflow

from workflows.case import Happening
from workflows.handlers import takes
from workflows.messages.actors import CLOCK, Actor
from workflows.messages.cases import BalanceChange, LogEntry, Outcome, Thaw
from workflows.messages.commands import (
    CloseCase,
    PayInAdvance,
    PayOut,
    RecordManualTransfer,
    Retain,
    RetryPayment,
    Withdraw,
)
from workflows.messages.money import Money
from workflows.messages.orders import AllowanceFacts
from workflows.messages.payouts import Part, Remainder
from workflows.messages.requests import ExpiryRequest, OriginalRoute, WithdrawalRequest
from workflows.messages.stages import OutcomeKind, StageName
from workflows.payable import PayableCase
from workflows.rules.allowance import split
from workflows.rules.identity import allowance_fund
from workflows.sleeping import SleepingCase
from workflows.versions import LASTS_WEEKS


class AllowanceCase(PayableCase):
    """What both ways to an allowance's principal share."""

    async def pay_principal(self, decided: LogEntry, by: Actor, rule: str) -> Outcome:
        """A1: the unspent principal goes back, the unspent bonus is void."""
        allowance = self.allowance
        shares = split(allowance.principal, allowance.bonus, allowance.spent)
        return await self.pay(
            decided,
            fund=allowance_fund(allowance.allowance_id),
            wanted=(Part(name="principal", amount=shares.withdrawable),) if shares.withdrawable else (),
            remainder=Remainder(counts=None),  # A6: what another case has paid back of it is not paid twice
            method=OriginalRoute(),
            by=by,
            rule=rule,
            balance=BalanceChange.VOID,
            bonus_voided=Money(amount=shares.bonus_lost, currency=allowance.currency),
        )

    @property
    def allowance(self) -> AllowanceFacts:
        """The allowance as it was frozen: nothing is spent while a request is open (A5)."""
        if self.opened is None or self.opened.allowance is None:
            raise ValueError("the case has no allowance")
        return self.opened.allowance


@workflow.defn(name="AllowanceWithdrawal", versioning_behavior=LASTS_WEEKS)
@takes(Retain, PayOut, Withdraw, CloseCase, RetryPayment, PayInAdvance, RecordManualTransfer)
class AllowanceWithdrawal(AllowanceCase):
    """One request for the unspent principal of an allowance."""

    @workflow.init
    def __init__(self, request: WithdrawalRequest) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._retained = False

    @workflow.run
    async def run(self, request: WithdrawalRequest) -> Outcome:
        """Carry the withdrawal from its opening to its outcome."""
        del request
        return await self.conduct(self._withdrawal())

    async def _withdrawal(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        if opened.stage is StageName.PAYING:  # A2: nothing spent
            return await self.pay_principal(self.entry("nothing_spent", CLOCK, "A2"), CLOCK, "A2")
        while True:
            event = await self.next()
            match event:
                case PayOut():  # A3
                    return await self.pay_principal(self.obeyed(event, "paid_out"), event.by, "A3")
                case Happening.SILENCE:  # A3
                    return await self.pay_principal(self.silent("paid_out_by_silence"), CLOCK, "A3")
                case Retain():  # A3: the clock runs on until the buyer withdraws
                    self._retained = True
                    await self.note(self.obeyed(event, "retention_offered"))
                case Withdraw():  # A3, A5
                    return await self._given_back(event)
                case _:
                    raise AssertionError(f"{event} does not belong to {self.stage.name}")

    async def _given_back(self, command: Withdraw) -> Outcome:
        """A5: the balance thaws; unless its validity has ended meanwhile, for then the principal is due (A6)."""
        thawed = await self.enter(
            self.stage,
            self.obeyed(command, "withdrawn"),
            keep_deadline=True,
            balance=BalanceChange.THAW,
        )
        if thawed.thaw is Thaw.VALIDITY_ENDED:
            return await self.pay_principal(self.entry("validity_ended", CLOCK, "A6"), CLOCK, "A6")
        outcome = OutcomeKind.RETAINED if self._retained else OutcomeKind.WITHDRAWN
        return await self.close(
            outcome,
            self.entry("balance_thawed", command.by, "A5", allowance=self.allowance.allowance_id),
            rule="A3" if self._retained else "A5",
            by=command.by,
            notices=self.closed_notices(outcome),
        )


@workflow.defn(name="AllowanceExpiry", versioning_behavior=LASTS_WEEKS)
@takes(CloseCase, RetryPayment, PayInAdvance, RecordManualTransfer)
class AllowanceExpiry(AllowanceCase, SleepingCase):
    """The end of an allowance's validity: started when it is granted, delayed until then (A6)."""

    opens_by_rule = "A6"

    @workflow.init
    def __init__(self, request: ExpiryRequest) -> None:
        """See CaseWorkflow."""
        SleepingCase.__init__(self, request, request.valid_until)

    @workflow.run
    async def run(self, request: ExpiryRequest) -> Outcome:
        """Pay back what is left when the validity has ended."""
        del request
        return await self.conduct(self._expiry())

    async def _expiry(self) -> Outcome:
        opened = await self.open()
        if opened.refusal:
            return self.refused(opened.refusal)
        if opened.handed_over_to:
            return await self.close(
                OutcomeKind.HANDED_OVER,
                self.entry("handed_over", CLOCK, "A6", case=opened.handed_over_to),
                rule="A6",
                by=CLOCK,
            )
        return await self.pay_principal(self.entry("validity_ended", CLOCK, "A6"), CLOCK, "A6")

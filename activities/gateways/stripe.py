"""Stripe as payment gateway (section 10, X1, X3, X5, X6). docs/adapters-stripe.md tells how it is set up.

Stripe keeps an idempotency key for a day: within it a request is answered as it was the first time, and after it the
same request pays once more. So our number is the key **and** is written on the refund, in its metadata, and whoever is
to send looks for it on the charge first. Two that look and send at the same moment have the same key.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar, Final, Self

from activities.gateways.callbacks import CallbackRequest, ReadCallback
from activities.gateways.limits import Limits
from activities.gateways.payment import (
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotPublished,
    NotSent,
    NumberConflict,
    PaymentGateway,
    RefundInstruction,
    StatementLine,
)
from activities.gateways.stripe_answers import NUMBER, StripeRefund, answer_of, moment, number_of
from activities.gateways.stripe_callbacks import read
from activities.gateways.stripe_calls import Declined, StripeCalls, Transaction
from activities.gateways.stripe_settings import StripeSettings
from activities.gateways.stripe_units import LIMITS, our_amount, stripe_amount
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import Payer
from workflows.rules.number_conflicts import OtherRefund

_BOOKED_AS: Final = ("refund", "payment_refund", "refund_failure", "payment_failure_refund")
"""The types of balance transactions that are of refunds: of cards and of other means, and what came back of them."""


class StripeRefunds(PaymentGateway):
    """A `PaymentGateway` that pays through Stripe; to be entered as an asynchronous context manager.

    Args:
        settings: Without them, those of the environment.
        now: Real time, in UTC.
    """

    settings: ClassVar[type[StripeSettings]] = StripeSettings
    limits: Limits = LIMITS

    def __init__(
        self, settings: StripeSettings | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._told = settings or StripeSettings()  # pyright: ignore[reportCallIssue] -- from the environment
        self._calls = StripeCalls(self._told)
        self._now = now

    async def __aenter__(self) -> Self:
        await self._calls.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._calls.__aexit__(*error)

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Look for the refund, and send it where there is none."""
        charge = instruction.charge
        if charge is None:
            raise NotSent("charge_unknown", unasked=True)
        if charge.currency != instruction.currency:
            # Stripe would take the number for one of the charge's currency.
            raise NotSent("currency_differs", unasked=True)
        try:
            amount = stripe_amount(instruction.amount, instruction.currency)
        except ValueError:
            raise NotSent("amount_not_payable", unasked=True) from None
        try:
            found = await self._found(instruction)
        except Declined as declined:
            return _declined(instruction, declined)
        except NotSent:
            raise
        except Exception as error:
            raise NotSent("not_asked", retry_after=getattr(error, "retry_after", None)) from None
        if found is None:
            try:
                made = await self._calls.refund(
                    charge,
                    amount,
                    instruction.number,
                    {NUMBER: instruction.number},
                    reverse=self._told.reverse_transfers and instruction.payer is Payer.MERCHANT,
                )
            except Declined as declined:
                return _declined(instruction, declined)
            found = StripeRefund.model_validate(made)
            if not found.is_of(instruction) or found.number != instruction.number:
                raise GatewayUnreachable("other_refund")
        elif not found.is_of(instruction):
            raise _conflict(found)
        return answer_of(found, instruction.refund_no, instruction.attempt)

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        """Look for the refund among those of the charge.

        That Stripe does not know the charge says nothing of the refund: the key may be another account's. Another
        refund of the charge under our number is a conflict.
        """
        if instruction.charge is None:
            raise GatewayUnreachable("charge_unknown")
        try:
            found = await self._found(instruction)
        except Declined as declined:
            raise GatewayUnreachable(declined.failure) from None
        if found is None:
            return NotFound(refund_no=instruction.refund_no)
        if not found.is_of(instruction):
            raise _conflict(found)
        return answer_of(found, instruction.refund_no, instruction.attempt)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """The refunds on the account's balance on a day in UTC, and those that came back on it.

        A line of the balance is in the currency of the account; the refund itself says what the buyer gets.
        """
        begins = datetime.combine(day, time(), UTC)
        ends = begins + timedelta(days=1)
        if self._now() < ends:
            raise NotPublished
        for account in self._told.stated_accounts:
            for kind in _BOOKED_AS:
                lines = self._calls.transactions(kind, account, int(begins.timestamp()), int(ends.timestamp()))
                async for line in lines:
                    yield _line(line)

    async def read_callback(self, request: CallbackRequest) -> ReadCallback:
        """See ``stripe_callbacks``."""
        tolerance = timedelta(seconds=self._told.webhook_tolerance_seconds)
        return read(request, self._told.signing_secrets, tolerance)

    async def ping(self) -> str:
        """Read the balance: nothing else is sure to be allowed to a restricted key."""
        await self._calls.balance()
        account = self._told.account or "the key's own account"
        return f"Stripe, {account}, {'live' if self._told.live else 'a sandbox: no money moves'}"

    async def _found(self, instruction: RefundInstruction) -> StripeRefund | None:
        """The refund of the charge that bears our number; one that pays what we say before any other."""
        assert instruction.charge is not None
        other: StripeRefund | None = None
        async for refund in self._calls.refunds_of(instruction.charge):
            if refund.number == instruction.number:
                if refund.is_of(instruction):
                    return refund
                other = other or refund
        return other


def _conflict(other: StripeRefund) -> NumberConflict:
    currency = other.currency.upper()
    return NumberConflict(
        found=OtherRefund(
            amount=our_amount(other.amount, currency),
            currency=currency,
            result=other.result,
            same_payment=True,  # it was found among those of the charge
            gateway_ref=other.id,
        )
    )


def _declined(instruction: RefundInstruction, declined: Declined) -> GatewayAnswer:
    return GatewayAnswer(
        refund_no=instruction.refund_no,
        result=GatewayResult.FAILED,
        attempt=instruction.attempt,
        failure=declined.failure,
        raw=declined.raw,
    )


def _line(line: Transaction) -> StatementLine:
    refund = line.source
    currency = refund.currency.upper()
    ours = number_of(refund)
    return StatementLine(
        refund_no=ours[0] if ours else refund.id,
        attempt=ours[1] if ours else None,
        amount=our_amount(refund.amount, currency),
        currency=currency,
        result=refund.result,
        gateway_ref=refund.id,
        settled_at=moment(line.created) if refund.result is GatewayResult.SUCCEEDED else None,
    )

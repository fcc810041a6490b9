"""The port to payment providers (section 10, X1, X3, X5, X6): what an adapter is given, and what it may answer.

``docs/adapters.md`` shows how an adapter is written and tried.
"""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Annotated, Final, Protocol

from pydantic import Field

from activities.gateways.callbacks import (
    REFUSAL,
    CallbackRefused,
    CallbackReply,
    CallbackRequest,
    ReadCallback,
    Refused,
)
from activities.gateways.limits import NO_LIMITS, Limits
from activities.gateways.refund_numbers import provider_number
from workflows.messages.commands import GatewayResult
from workflows.messages.message import Code, Identifier, Instant, Message, ProviderCode, ProviderId, Reference
from workflows.messages.money import Currency, Minor, PositiveMinor
from workflows.messages.payouts import Payer
from workflows.messages.persons import BankAccount
from workflows.rules.number_conflicts import OtherRefund

GIVE_UP_AFTER: Final = timedelta(seconds=5)
"""A call of the gateway is given up after this, and its outcome is then unknown. An SDK's own timeout is shorter."""


class NotSent(Exception):  # noqa: N818 -- it says what is known
    """Surely nothing was sent, or the provider has surely turned it away unread: no money moves under this call.

    The only exception that means this. A refused connection, a rate limit (429), a provider's "try again later" that
    its reference says is never carried out. A timeout, a broken connection, an answer that cannot be verified, a 5xx
    or an exception from the depths of an SDK are no ``NotSent``: the request may have arrived.
    """

    def __init__(self, code: str = "not_sent", *, retry_after: timedelta | None = None, unasked: bool = False) -> None:
        super().__init__(code)
        self.code = code
        """Why, in the provider's word (`ProviderCode`)."""
        self.retry_after = retry_after
        """Not to be sent again before."""
        self.unasked = unasked
        """The instruction itself lacks something, and the provider was not called: it says nothing of the provider."""


class NumberConflict(NotSent):
    """Not sent, because the provider has another refund under this number: sending again cannot help.

    Of an inquiry it is the answer: then ``found`` says what the provider has. Without it no officer can pay by hand,
    for it may be an earlier payment of the same case.
    """

    def __init__(self, code: str = "number_conflict", *, found: OtherRefund | None = None) -> None:
        super().__init__(code)
        self.found = found


class GatewayUnreachable(Exception):  # noqa: N818 -- it says what is known: nothing
    """Nothing is known. Any other exception means the same; this one may say when asking again makes sense."""

    def __init__(self, code: str = "unreachable", *, retry_after: timedelta | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after


class Charge(Message):
    """The payment that a refund is of (X6)."""

    transaction: ProviderId
    """The provider's own id of it: Stripe's ``ch_`` or ``pi_``, WeChat's ``transaction_id``, Alipay's ``trade_no``."""
    total: PositiveMinor
    """All that was charged, in minor units. May be more than this order: one charge can pay several."""
    currency: Currency
    paid_at: Instant | None = None
    account: Identifier | None = None
    """Whose account at the provider took it: a sub-merchant, a connected account; None for the platform's only one."""
    refunded: Minor = 0
    """What of it was paid back before, or is on its way, by our ledger; without this refund."""
    refunds: Annotated[int, Field(ge=0)] = 0
    """How many other refunds of it there were, those on their way included."""


class RefundInstruction(Message):
    """What the gateway is to pay back, and to where. The same for every attempt but for ``attempt`` and ``charge``."""

    refund_no: Identifier
    """Ours, for the life of the refund."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """Rises by one when the refund is sent again after a **confirmed** failure, and never otherwise.

    A provider that keeps a failed number (WeChat's CLOSED, Stripe's idempotency keys) is given ``number``, which
    changes with it. One that wants the same number for ever (Alipay) is given ``lasting_number``.
    """
    merchant_id: Identifier
    fund: str
    """What it is paid out of: ``order/<order_no>``, ``allowance/<allowance_id>``, or a fund of compensation (L3)."""
    tender: Identifier | None
    """Back to this tender; None for a bank transfer."""
    charge: Charge | None = None
    """What was paid by that tender; None for a bank transfer, or where the order does not tell it."""
    buyer_id: Identifier | None = None
    """Whose case it is, and whose the account of a bank transfer must be (R17)."""
    account: Reference | None
    """Where the account of a bank transfer is kept; None for the original route."""
    bank_account: BankAccount | None = None
    """The account itself, where it is kept by us."""
    amount: PositiveMinor
    """In our minor units, as ISO 4217 counts; the provider may count otherwise (`Limits`)."""
    currency: Currency
    payer: Payer = Payer.MERCHANT
    """Whose account it is taken from."""

    @property
    def number(self) -> str:
        """The number of this attempt for the provider: 26 to 40 of A-Z a-z 0-9 and _, which all known ones take."""
        return provider_number(self.refund_no, self.attempt)

    @property
    def lasting_number(self) -> str:
        """The number of the refund for the provider, the same for every attempt; of the same letters."""
        return provider_number(self.refund_no, 1)


class GatewayAnswer(Message):
    """How a refund stands at the gateway."""

    refund_no: Identifier
    """Ours, as in the instruction."""
    result: GatewayResult
    attempt: Annotated[int, Field(ge=1)] | None = None
    """Of which attempt; None where the gateway does not tell attempts apart."""
    gateway_ref: Identifier | None = None
    """The provider's id of the refund."""
    failure: Code | None = None
    """Why it has not succeeded, in a word of ours, such as ``merchant_account_short``."""
    raw: ProviderCode | None = None
    """The provider's own code for that, kept beside ours."""
    settled_at: Instant | None = None
    """When the money moved, or came back; only with ``succeeded`` and ``returned``. One that cannot be is passed over
    (R18)."""
    retry_after: timedelta | None = None
    """Asking again makes no sense before."""


class NotFound(Message):
    """The gateway has never seen this number: no money has moved under it."""

    refund_no: Identifier


class StatementLine(Message):
    """One refund on the gateway's book; where the provider has a number for each attempt, one attempt at it."""

    refund_no: Identifier
    """Ours where the provider's line carries it (`refund_numbers.read_number`); else the provider's number as it is."""
    amount: PositiveMinor
    currency: Currency
    result: GatewayResult
    attempt: Annotated[int, Field(ge=1)] | None = None
    """Of which attempt alone; None where the gateway does not tell them apart, and it is of the refund as a whole."""
    gateway_ref: Identifier | None = None
    settled_at: Instant | None = None


class PaymentGateway(Protocol):
    """What pays refunds: the whole port. An adapter derives from it, and leaves what its provider does not have.

    A refund attempt is known by its number. Submitting the same attempt again while it is under way or paid does
    nothing and answers how it stands; so it is with two at the same moment. Each call ends within ``GIVE_UP_AFTER``.
    Moments in answers are the provider's. An adapter sends no text that a person wrote.
    """

    limits: Limits = NO_LIMITS
    """What the provider takes; known without asking anybody, and best an attribute of the class (X6)."""

    refusal: CallbackReply = REFUSAL
    """What a callback is answered that is not taken, so that it is sent again; its status is chosen by who answers."""

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Pay back what the instruction says.

        Raises:
            NumberConflict: the number is another refund's. A person is called.
            NotSent: surely nothing was sent. It will be sent again under the same number.
            Exception: any other: the outcome is unknown, and is asked for.
        """
        ...

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        """How the attempt that the instruction names stands; nothing is moved.

        Raises:
            NumberConflict: the provider has another refund under its number: another amount, or of another payment.
            Exception: nothing can be said, and nothing is concluded.
        """
        ...

    async def redirect(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Send money on that is ``stranded`` with the provider, to the instruction's ``bank_account``.

        Another account may be named when this one came to nothing; the provider's own state keeps it from paying twice.

        Raises:
            NotSent: surely nothing was sent; always so of a provider that knows no such state.
            Exception: any other: the outcome is unknown, and is asked for.
        """
        raise NotSent("cannot_redirect", unasked=True)

    def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """The refunds that the provider books on this day of its own calendar, as a stream, in any order (X5).

        Of one that stands there twice, under one attempt, the last line counts.

        Raises:
            NotPublished: the provider has not published this day yet.
            Exception: nothing can be said.
        """
        ...

    async def read_callback(self, request: CallbackRequest) -> ReadCallback:
        """What a callback says, once its signature has been verified; nothing is written (X3).

        Raises:
            CallbackRefused: it is forged, stale or cannot be read; all are, of a provider that sends none.
        """
        raise CallbackRefused(Refused.FORGED, "this adapter takes no callbacks")

    async def ping(self) -> str:
        """A sign of life that moves nothing, in a few words for an operator: which account, in which mode.

        Raises:
            Exception: the provider does not answer, or does not know us.
        """
        ...


class NotPublished(Exception):  # noqa: N818 -- it is an answer
    """The provider has not published the statement of this day yet; ask later."""


class OpenBook(Protocol):
    """A book that can be read as a whole in the order of the refunds' numbers, as it stands at a moment: a stand-in's.

    Real providers publish statements by day.
    """

    async def page(self, after: str, limit: int, as_of: Instant) -> tuple[StatementLine, ...]:
        """Up to ``limit`` refunds as they stand at ``as_of``, from the first number after ``after`` on (by code point).

        Each once, as a whole: a line names no attempt. Fewer than ``limit`` mean that there are no more.

        Raises:
            GatewayUnreachable: nothing can be said.
        """
        ...

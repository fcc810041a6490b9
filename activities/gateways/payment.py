"""The payment gateway as we know it (section 10)."""

from typing import Protocol

from workflows.messages.commands import GatewayResult
from workflows.messages.message import Code, Identifier, Instant, Message, Reference
from workflows.messages.money import Currency, PositiveMinor
from workflows.messages.payouts import Payer
from workflows.messages.persons import BankAccount


class GatewayUnreachable(Exception):  # noqa: N818 -- it says what is known: nothing
    """No answer came: a timeout, or a connection that broke. What became of the refund is unknown."""


class NumberConflict(Exception):  # noqa: N818
    """The gateway has another refund under this number. Nothing was done, and a person must look."""


class RefundInstruction(Message):
    """What the gateway is to pay back, and to where."""

    refund_no: Identifier
    merchant_id: Identifier
    fund: str
    """What it is paid out of: ``order/<order_no>``, ``allowance/<allowance_id>``, or a fund of compensation (L3)."""
    tender: Identifier | None
    """Back to this tender; None for a bank transfer."""
    buyer_id: Identifier | None = None
    """Whose case it is, and whose the account of a bank transfer must be (R17)."""
    account: Reference | None
    """Where the account of a bank transfer is kept; None for the original route."""
    bank_account: BankAccount | None = None
    """The account itself, where it is kept by us."""
    amount: PositiveMinor
    currency: Currency
    payer: Payer = Payer.MERCHANT
    """Whose account it is taken from."""
    requested_at: Instant
    """Business time, in UTC."""


class GatewayAnswer(Message):
    """How a refund stands at the gateway."""

    refund_no: Identifier
    result: GatewayResult
    gateway_ref: Identifier | None = None
    failure: Code | None = None
    settled_at: Instant | None = None
    """When the money moved; only with ``succeeded``. One that cannot be is passed over (R18)."""


class NotFound(Message):
    """The gateway has never seen this number: no money has moved under it."""

    refund_no: Identifier


class StatementLine(Message):
    """One refund on the gateway's book."""

    refund_no: Identifier
    amount: PositiveMinor
    currency: Currency
    result: GatewayResult
    settled_at: Instant | None = None


class PaymentGateway(Protocol):
    """What pays refunds.

    A refund is known by its number. Submitting the same number again while it is under way or paid does
    nothing and answers how it stands; after a failure or an abnormal answer it tries again.
    """

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Pay back what the instruction says.

        Raises:
            GatewayUnreachable: the outcome is unknown; ask for it with the same number.
            NumberConflict: the number is another refund's.
        """
        ...

    async def inquire(self, refund_no: str, asked_at: Instant) -> GatewayAnswer | NotFound:
        """How a refund stands at this moment of business time.

        Raises:
            GatewayUnreachable: nothing can be said.
        """
        ...

    async def statement(self, after: str, limit: int, as_of: Instant) -> tuple[StatementLine, ...]:
        """A page of the gateway's book: up to ``limit`` refunds as they stand at ``as_of``.

        They come in the order of their numbers (by code point), from the first one after ``after`` on; fewer
        than ``limit`` mean that there are no more.

        Raises:
            GatewayUnreachable: nothing can be said.
        """
        ...

"""Bank transfers: the account behind a reference is looked up when it is paid to, and not before (R4, R17, T4, P6)."""

from datetime import datetime
from typing import Final, Protocol

from activities.gateways.payment import GatewayAnswer, NotFound, PaymentGateway, RefundInstruction, StatementLine
from workflows.messages.commands import GatewayResult
from workflows.messages.persons import BankAccount

OURS: Final = "vault:account/"
ACCOUNT_UNKNOWN: Final = "account_unknown"


class BankAccounts(Protocol):
    """Where accounts are kept."""

    async def bank_account(self, reference: str, buyer_id: str | None) -> BankAccount | None:
        """The account; None where this buyer has none such (R17), or was forgotten."""
        ...


class TransfersToAccounts:
    """A `PaymentGateway` that gives another one the account itself beside its reference.

    An account of ours that is not there, or is not the buyer's whose case pays (R17), is a confirmed failure: nothing
    was sent, and an officer must find another way. References of other stores are passed on as they are.
    """

    def __init__(self, gateway: PaymentGateway, accounts: BankAccounts) -> None:
        self._gateway = gateway
        self._accounts = accounts

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Pay, with the account looked up."""
        if instruction.account is None or not instruction.account.startswith(OURS):
            return await self._gateway.submit(instruction)
        account = await self._accounts.bank_account(instruction.account, instruction.buyer_id)
        if account is None:
            return GatewayAnswer(refund_no=instruction.refund_no, result=GatewayResult.FAILED, failure=ACCOUNT_UNKNOWN)
        return await self._gateway.submit(instruction.model_copy(update={"bank_account": account}))

    async def inquire(self, refund_no: str, asked_at: datetime) -> GatewayAnswer | NotFound:
        """As the other gateway answers."""
        return await self._gateway.inquire(refund_no, asked_at)

    async def statement(self, after: str, limit: int, as_of: datetime) -> tuple[StatementLine, ...]:
        """As the other gateway answers."""
        return await self._gateway.statement(after, limit, as_of)

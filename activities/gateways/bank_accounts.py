"""Bank transfers: the account behind a reference is looked up when it is paid to, and not before (R4, R17, T4, P6)."""

from typing import Final, Protocol

from activities.gateways.passing_on import PassingOn
from activities.gateways.payment import GatewayAnswer, NotSent, PaymentGateway, RefundInstruction
from workflows.messages.commands import GatewayResult
from workflows.messages.persons import BankAccount

OURS: Final = "vault:account/"
ACCOUNT_UNKNOWN: Final = "account_unknown"


class BankAccounts(Protocol):
    """Where accounts are kept."""

    async def bank_account(self, reference: str, buyer_id: str | None) -> BankAccount | None:
        """The account; None where this buyer has none such (R17), or was forgotten."""
        ...


class TransfersToAccounts(PassingOn):
    """A `PaymentGateway` that gives another one the account itself beside its reference.

    An account of ours that is not there, or is not the buyer's whose case pays (R17), is a confirmed failure: nothing
    was sent, and an officer must find another way. References of other stores are passed on as they are.
    """

    def __init__(self, gateway: PaymentGateway, accounts: BankAccounts) -> None:
        super().__init__(gateway)
        self._accounts = accounts

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Pay, with the account looked up."""
        found = await self._with_account(instruction)
        if found is None:
            return GatewayAnswer(refund_no=instruction.refund_no, result=GatewayResult.FAILED, failure=ACCOUNT_UNKNOWN)
        return await self._gateway.submit(found)

    async def redirect(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Send stranded money on, with the account looked up.

        Raises:
            NotSent: the account is not there, or is not the buyer's.
        """
        found = await self._with_account(instruction)
        if found is None:
            raise NotSent(ACCOUNT_UNKNOWN, unasked=True)
        return await self._gateway.redirect(found)

    async def _with_account(self, instruction: RefundInstruction) -> RefundInstruction | None:
        if instruction.account is None or not instruction.account.startswith(OURS):
            return instruction
        account = await self._accounts.bank_account(instruction.account, instruction.buyer_id)
        return instruction.model_copy(update={"bank_account": account}) if account else None

"""Bank transfers: the account is looked up at the moment of paying, and one that is gone is never guessed (R4, T4)."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from activities.gateways.bank_accounts import ACCOUNT_UNKNOWN, TransfersToAccounts
from activities.gateways.payment import (
    GatewayAnswer,
    NotFound,
    NotPublished,
    PaymentGateway,
    RefundInstruction,
    StatementLine,
)
from tests.storage.money import NOON
from tests.storage.test_vault import ACCOUNT
from workflows.messages.commands import GatewayResult
from workflows.messages.persons import BankAccount

OURS = "vault:account/0123"


class Gateway(PaymentGateway):
    """Pays everything, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[RefundInstruction] = []

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        self.told.append(instruction)
        return GatewayAnswer(refund_no=instruction.refund_no, result=GatewayResult.SUCCEEDED, settled_at=NOON)

    async def inquire(self, instruction: RefundInstruction) -> NotFound:
        return NotFound(refund_no=instruction.refund_no)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        raise NotPublished(str(day))
        yield

    async def ping(self) -> str:
        return "always there"


class Accounts:
    """One account of one buyer; every question for another one would be a mistake."""

    async def bank_account(self, reference: str, buyer_id: str | None) -> BankAccount | None:
        return ACCOUNT if (reference, buyer_id) == (OURS, "b-1") else None


def instruction(account: str | None, buyer_id: str | None = "b-1") -> RefundInstruction:
    return RefundInstruction(
        refund_no="R-1",
        merchant_id="m-1",
        fund="order/O-1",
        tender=None if account else "w",
        account=account,
        buyer_id=buyer_id,
        amount=100,
        currency="CNY",
    )


@pytest.mark.parametrize(
    ("account", "given"), [(OURS, ACCOUNT), ("bank:elsewhere/1", None), ("vault:accounts/1", None), (None, None)]
)
async def test_the_gateway_is_given_the_account_that_is_ours(account: str | None, given: BankAccount | None) -> None:
    gateway = Gateway()
    answer = await TransfersToAccounts(gateway, Accounts()).submit(instruction(account))
    assert answer.result is GatewayResult.SUCCEEDED
    assert [each.bank_account for each in gateway.told] == [given]


async def test_a_forgotten_account_is_a_failure_that_was_never_sent() -> None:
    gateway = Gateway()
    answer = await TransfersToAccounts(gateway, Accounts()).submit(instruction("vault:account/forgotten"))
    assert (answer.result, answer.failure) == (GatewayResult.FAILED, ACCOUNT_UNKNOWN)
    assert gateway.told == []


@pytest.mark.parametrize("buyer_id", ["b-2", None])
async def test_another_persons_account_is_a_failure_that_was_never_sent(buyer_id: str | None) -> None:  # R17
    gateway = Gateway()
    answer = await TransfersToAccounts(gateway, Accounts()).submit(instruction(OURS, buyer_id))
    assert (answer.result, answer.failure) == (GatewayResult.FAILED, ACCOUNT_UNKNOWN)
    assert gateway.told == []


def test_an_instruction_does_not_show_the_account() -> None:
    shown = instruction(OURS).model_copy(update={"bank_account": ACCOUNT})
    for text in (repr(shown), str(shown), shown.model_dump_json()):
        assert "6222020000000001234" not in text

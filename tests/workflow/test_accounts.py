"""R17: a vault account that money goes to is the own of the order's buyer, whoever names it, and whenever."""

from typing import Any

import pytest
from pydantic import SecretStr

from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.disputes import entry, paid, refusal, rejected_refund, request
from tests.workflow.goods import agreed, receipt, signed_for, tracking
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.commands import Amend, Approve, CloseCase, GiveRefundAccount
from workflows.messages.persons import BankAccount
from workflows.messages.requests import BankTransfer, LineAmount, MerchantRefundRequest, RefundReason, Request
from workflows.messages.stages import Attention, OutcomeKind, StageName


async def account_of(world: World, person: str, key: str = "k") -> str:
    plain = {"holder": "石某人", "number": "6222000011112222", "bank": "某银行"}
    account = BankAccount(**{name: SecretStr(value) for name, value in plain.items()})
    return await world.aftersales.privacy.keep_bank_account(person, key, account)


async def cash_order(world: World) -> str:
    return await world.shipped_order(tenders=[("t1", "cash", 10_000)])


def named(world: World, account: str, key: str = "account") -> GiveRefundAccount:
    return GiveRefundAccount(key=key, by=buyer(world.buyer), account=account)


def of_merchant(world: World, order_no: str, **changes: Any) -> MerchantRefundRequest:
    fields = {"request_key": world.fresh("k"), "order_no": order_no, "merchant_id": world.merchant}
    lines = (LineAmount(line="1", quantity=1, amount=5_000),)
    return MerchantRefundRequest(**fields, lines=lines, reason=RefundReason.PRICE_ADJUSTMENT, **changes)


@pytest.mark.parametrize("kind", ["refund", "merchant", "return", "dispute"])
async def test_no_case_opens_that_would_pay_somebody_else(world: World, kind: str) -> None:
    order_no = await cash_order(world)
    method = BankTransfer(account=await account_of(world, world.fresh("b")))
    wanted: dict[str, Request] = {
        "refund": world.refund_request(order_no, method=method),
        "merchant": of_merchant(world, order_no, method=method),
        "return": world.return_request(order_no, method=method),
        "dispute": request(world, order_no, method=method),
    }

    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open(wanted[kind])

    refused = caught.value.refusal
    assert (refused.code, refused.field, refused.rule) == ("unknown_account", "method.account", "R17")


async def test_a_command_names_the_buyers_own_account_or_nothing_happens(world: World) -> None:
    order_no = await cash_order(world)
    others, own = await account_of(world, world.fresh("b")), await account_of(world, world.buyer)
    case = await agreed(world, order_no=order_no)
    before = await case.view()

    given = await refusal(case, named(world, others))
    entered = await refusal(case, tracking(world, world.parcel(), "other", refund_account=others))
    after = await case.view()
    await case.act(tracking(world, world.parcel(), refund_account=own))
    outcome = await case.act_and_wait(receipt(world))

    assert (given.code, given.field) == (entered.code, "account") == ("unknown_account", "account")
    assert entered.field == "refund_account"
    assert (after.stage, after.steps) == (before.stage, before.steps)
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await accounts_paid(world, case) == [own]


async def test_an_amendment_does_not_turn_the_money_elsewhere(world: World) -> None:
    case = await rejected_refund(world)
    method = BankTransfer(account=await account_of(world, world.fresh("b")))
    lines = (LineAmount(line="1", quantity=1, amount=10_000),)
    amended = Amend(key="amend", by=buyer(world.buyer), lines=lines, reason=RefundReason.DAMAGED, method=method)

    refused = await refusal(case, amended)

    assert (refused.code, refused.field) == ("unknown_account", "method.account")
    assert (await case.view()).stage is StageName.REJECTED


async def test_who_is_asked_for_an_account_names_its_own(world: World) -> None:  # T4
    order_no = await cash_order(world)
    case, _ = await signed_for(world, order_no=order_no)
    await case.act(receipt(world))

    refused = await refusal(case, named(world, await account_of(world, world.fresh("b")), "others"))
    view = await case.view()
    outcome = await case.act_and_wait(named(world, await account_of(world, world.buyer)))

    assert refused.code == "unknown_account"
    assert (view.stage, view.legs) == (StageName.AWAITING_ACCOUNT, ())
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000


async def got_in(world: World) -> Case:
    """A refund of an order that was paid in advance, whose account turns out to be another person's."""
    account = await account_of(world, world.buyer)
    case = await world.refund(method=BankTransfer(account=account))
    await world.at(case, StageName.MERCHANT_REVIEW)
    await world.pool.execute("UPDATE vault.items SET person = 'buyer/other' WHERE reference = $1", account)
    await case.act(Approve(key="approve", by=merchant(world.merchant)))
    await world.at(case, StageName.AWAITING_ACCOUNT)
    return case


async def test_a_case_with_such_an_account_pays_nothing_calls_staff_and_takes_another(world: World) -> None:
    case = await got_in(world)

    view = await case.view()
    why = await entry(case, "account_refused")
    outcome = await case.act_and_wait(named(world, await account_of(world, world.buyer, "another")))

    assert (view.stage, view.attention, view.legs) == (StageName.AWAITING_ACCOUNT, Attention.ACCOUNT_MISSING, ())
    assert (why.rule, why.facts) == ("R17", {"code": "unknown_account"})
    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "R1")
    assert await paid(world, view.order_no) == 10_000


async def test_an_officer_can_end_a_case_with_such_an_account(world: World) -> None:
    case = await got_in(world)

    outcome = await case.act_and_wait(CloseCase(key="c", by=officer("f-1"), reason="fraud", proof="ticket:7"))

    assert outcome.outcome is OutcomeKind.CLOSED_BY_OFFICER


async def accounts_paid(world: World, case: Case) -> list[str]:
    rows = await world.pool.fetch("SELECT account_ref FROM ledger.legs WHERE case_id = $1", case.id)
    return [row["account_ref"] for row in rows]

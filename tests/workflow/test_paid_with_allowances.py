"""A7: orders that were paid with an allowance, and where what is refunded of that goes: on servers and in memory."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.in_memory import WorldInMemory
from tests.workflow.test_accounts import account_of
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.cases import NoticeTemplate, Outcome
from workflows.messages.commands import Approve, GiveRefundAccount, PayOut, Retain, RetryPayment, Withdraw
from workflows.messages.payouts import LegState, PaidBy, TenderKind
from workflows.messages.quotes import QuotedAllowance
from workflows.messages.requests import ExpiryRequest, MerchantRefundRequest
from workflows.messages.stages import OutcomeKind, StageName


@pytest.fixture(params=["on_servers", "in_memory"])
def world(request: pytest.FixtureRequest) -> World:
    """The same stories on servers and in memory."""
    if request.param == "in_memory":
        return cast("World", WorldInMemory())
    return request.getfixturevalue("served_world")


async def approved(world: World, order_no: str, amount: int = 1_000) -> Case:
    """A refund that the merchant has approved."""
    case = await world.refund(amount, order_no=order_no)
    await case.act(Approve(key=world.fresh("c"), by=merchant(world.merchant)))
    return case


async def legs(case: Case) -> list[tuple[int, TenderKind | None, PaidBy | None]]:
    """What a case has paid, leg by leg: how much, to what, and who."""
    return [(leg.amount, leg.tender_kind, leg.paid_by) for leg in (await case.view()).legs]


def amounts(outcome: Outcome) -> tuple[int, int]:
    """What the buyer has got, and the bonus that it has lost, in minor units."""
    assert outcome.refunded is not None
    return outcome.refunded.amount, outcome.bonus_voided.amount if outcome.bonus_voided else 0


async def paid_out(world: World, allowance_id: str) -> Outcome:
    """Have the buyer ask for the withdrawal and the merchant pay it out now (A3)."""
    case = await world.withdrawal(allowance_id)
    return await case.act_and_wait(PayOut(key=world.fresh("c"), by=merchant(world.merchant)))


async def quoted(world: World, order_no: str) -> QuotedAllowance:
    """Where a refund of what was paid with the order's one allowance would go (G5)."""
    if isinstance(world, WorldInMemory):
        quote = world.interpreter.quote(order_no)
    else:
        quote = await world.aftersales.quote(order_no)
    (one,) = quote.allowances
    return one


async def test_a_refund_goes_back_to_the_allowance_as_it_was_spent(world: World) -> None:  # A7
    allowance_id = await world.allowance(principal=8_000, bonus=2_000)
    order_no = await world.order(lines={"1": 1_000}, spent={allowance_id: 1_000})
    spent, before = await world.left_of(allowance_id), await quoted(world, order_no)

    first = await (await approved(world, order_no, 300)).outcome()
    partly = await world.left_of(allowance_id)
    case = await approved(world, order_no, 700)
    last = await case.outcome()

    assert (before.way, before.left, before.principal, before.bonus) == ("allowance", 1_000, 800, 200)
    assert (await quoted(world, order_no)).left == 0
    assert (spent, partly, await world.left_of(allowance_id)) == ((7_200, 1_800), (7_440, 1_860), (8_000, 2_000))
    assert (amounts(first), amounts(last)) == ((300, 0), (700, 0))
    assert (await world.paid_by_gateway(order_no), await world.refunded(order_no)) == (0, 1_000)
    (leg,) = (await case.view()).legs
    assert (leg.tender_kind, leg.paid_by, leg.principal) == (TenderKind.ALLOWANCE, PaidBy.ALLOWANCE, 560)
    assert (await case.log())[-1].facts == {"amount": 700, "principal": 560, "bonus": 140}
    assert (await world.events(case))[-2:] == ["refund_succeeded", "allowance_refunded"]
    assert await world.notices(case, NoticeTemplate.ALLOWANCE_REFUNDED) == 1


async def test_the_rest_of_an_order_goes_back_as_it_was_paid(world: World) -> None:  # A7, R4
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 1_000}, spent={allowance_id: 400})

    case = await approved(world, order_no, 700)
    outcome = await case.outcome()

    assert await legs(case) == [
        (600, TenderKind.WALLET, PaidBy.GATEWAY),
        (100, TenderKind.ALLOWANCE, PaidBy.ALLOWANCE),
    ]
    assert amounts(outcome) == (700, 0)
    assert await world.paid_by_gateway(order_no) == 600
    assert await world.left_of(allowance_id) == (7_760, 1_940)


async def test_of_an_allowance_that_was_paid_out_the_principal_goes_as_money(world: World) -> None:  # A7
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 1_000}, spent={allowance_id: 1_000})
    withdrawn = await paid_out(world, allowance_id)
    before = await quoted(world, order_no)

    case = await approved(world, order_no)
    outcome = await case.outcome()

    assert (before.way, before.principal, before.bonus) == ("as_money", 800, 200)
    assert (amounts(withdrawn), amounts(outcome)) == ((7_200, 1_800), (800, 200))
    assert await legs(case) == [
        (800, TenderKind.WALLET, PaidBy.GATEWAY),
        (200, TenderKind.ALLOWANCE, PaidBy.LOST_BONUS),
    ]
    assert await world.paid_from(f"order/{order_no}", f"allowance/{allowance_id}") == 8_000
    assert await world.left_of(allowance_id) == (0, 0)
    assert (await case.log())[-1].facts == {"amount": 1_000, "principal": 800, "bonus": 200}
    assert await world.notices(case, NoticeTemplate.ALLOWANCE_PAID_OUT) == 1
    assert await world.notices(case, NoticeTemplate.PAYMENT_REDUCED) == 0
    with pytest.raises(RefusedRequest):  # R8: lost bonus is done with
        await (await world.refund(200, order_no=order_no)).outcome()


async def test_of_an_allowance_that_has_expired_the_principal_goes_as_money(world: World) -> None:  # A6, A7
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 10_000}, spent={allowance_id: 10_000})
    await expire(world, allowance_id)

    first = await (await approved(world, order_no, 3_333)).outcome()
    last = await (await approved(world, order_no, 6_667)).outcome()

    assert (amounts(first), amounts(last)) == ((2_666, 667), (5_334, 1_333))
    assert await world.paid_from(f"order/{order_no}", f"allowance/{allowance_id}") == 8_000


async def test_a_refund_waits_for_an_open_withdrawal_and_goes_back_once_it_is_revoked(world: World) -> None:  # A5, A7
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 1_000}, spent={allowance_id: 1_000})
    withdrawal = await world.withdrawal(allowance_id)
    await world.at(withdrawal, StageName.RETENTION)

    case = await approved(world, order_no)
    waiting = await world.at(case, StageName.AWAITING_ROOM)
    frozen, meanwhile = await world.left_of(allowance_id), await quoted(world, order_no)
    await withdrawal.act(Retain(key="w1", by=merchant(world.merchant)))
    retained = await withdrawal.act_and_wait(Withdraw(key="w2", by=buyer(world.buyer)))
    await world.forward(case, hours=2)
    outcome = await case.outcome()

    assert waiting.log[-1].facts == {"held_by": withdrawal.id}
    assert await world.notices(case, NoticeTemplate.STAGE_CHANGED) == 2  # N6: the buyer can revoke what is waited for
    assert frozen == (7_200, 1_800)
    assert (meanwhile.way, meanwhile.held_by) == ("withdrawal_open", withdrawal.id)
    assert (retained.outcome, amounts(outcome)) == (OutcomeKind.RETAINED, (1_000, 0))
    assert await world.left_of(allowance_id) == (8_000, 2_000)
    assert await world.paid_from(f"order/{order_no}", f"allowance/{allowance_id}") == 0


async def test_a_withdrawal_pays_what_its_decider_saw_and_a_refund_the_rest(world: World) -> None:  # A5, A7
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 1_000}, spent={allowance_id: 1_000})
    withdrawal = await world.withdrawal(allowance_id)
    seen = await world.at(withdrawal, StageName.RETENTION)
    case = await approved(world, order_no)
    await world.at(case, StageName.AWAITING_ROOM)

    await world.forward(withdrawal, hours=48, minutes=1)
    withdrawn = await withdrawal.outcome()
    await world.forward(case, hours=2)
    outcome = await case.outcome()

    assert seen.asked is not None
    assert seen.asked.amount == 7_200
    assert (amounts(withdrawn), amounts(outcome)) == ((7_200, 1_800), (800, 200))
    assert await world.paid_from(f"order/{order_no}", f"allowance/{allowance_id}") == 8_000


async def test_an_officer_lets_a_refund_pay_what_no_withdrawal_holds(world: World) -> None:  # R14, A7
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 1_000}, spent={allowance_id: 400})
    await world.at(await world.withdrawal(allowance_id), StageName.RETENTION)
    case = await approved(world, order_no)
    await world.at(case, StageName.AWAITING_ROOM)

    partly = RetryPayment(key="o1", by=officer("o-1"), reason="buyer_waits", partly=True)
    outcome = await case.act_and_wait(partly)

    assert amounts(outcome) == (600, 0)
    assert await legs(case) == [(600, TenderKind.WALLET, PaidBy.GATEWAY)]
    assert await world.left_of(allowance_id) == (7_680, 1_920)
    assert await world.notices(case, NoticeTemplate.PAYMENT_REDUCED) == 2


async def test_cash_goes_to_an_account_and_the_allowance_never_does(world: World) -> None:  # T4, A7
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 1_000}, tenders=[("t1", "cash", 600)], spent={allowance_id: 400})
    case = await approved(world, order_no)
    await world.at(case, StageName.AWAITING_ACCOUNT)
    in_memory = isinstance(world, WorldInMemory)
    account = "vault:bank_account/1" if in_memory else await account_of(world, world.buyer)

    outcome = await case.act_and_wait(GiveRefundAccount(key="b1", by=buyer(world.buyer), account=account))

    assert amounts(outcome) == (1_000, 0)
    assert sorted(await legs(case)) == [
        (400, TenderKind.ALLOWANCE, PaidBy.ALLOWANCE),
        (600, None, PaidBy.GATEWAY),
    ]


async def test_principal_that_was_declined_is_sent_again(world: World) -> None:  # A7, section 10
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 1_000}, spent={allowance_id: 1_000})
    await paid_out(world, allowance_id)
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no, uses_left=1))
    case = await approved(world, order_no)
    declined = await world.at(case, StageName.PAYMENT_ATTENTION)

    outcome = await case.act_and_wait(RetryPayment(key="o1", by=officer("o-1"), reason="tried_again"))

    assert [leg.state for leg in declined.legs] == [LegState.FAILED, LegState.SUCCEEDED]
    assert amounts(outcome) == (800, 200)
    assert await world.paid_from(f"order/{order_no}", f"allowance/{allowance_id}") == 8_000


async def test_what_a_merchant_refunds_goes_back_to_the_allowance(world: World) -> None:  # R9, A7
    allowance_id = await world.allowance()
    order_no = await world.order(lines={"1": 1_000}, spent={allowance_id: 1_000})
    fields = world.refund_request(order_no, 500).model_dump(include={"request_key", "order_no", "merchant_id", "lines"})
    request = MerchantRefundRequest.model_validate({**fields, "reason": "price_adjustment"})

    outcome = await (await world.aftersales.open_merchant_refund(request)).outcome()

    assert amounts(outcome) == (500, 0)
    assert await world.left_of(allowance_id) == (7_600, 1_900)


async def expire(world: World, allowance_id: str) -> None:
    """Let an allowance's validity end."""
    if isinstance(world, WorldInMemory):
        accounts = world.interpreter.shop.accounts
        facts = accounts[allowance_id].facts.model_copy(update={"valid_until": world.interpreter.now})
        accounts[allowance_id] = type(accounts[allowance_id])(facts)
    else:
        await world.pool.execute("UPDATE shop.allowances SET valid_until = now() WHERE allowance_id = $1", allowance_id)
    request = ExpiryRequest(
        allowance_id=allowance_id,
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        valid_until=datetime.now(UTC) - timedelta(seconds=1),
    )
    with pytest.raises(RefusedRequest):  # A2: nothing is left to pay back, and the rest of the bonus is void
        await (await world.aftersales.schedule_expiry(request)).outcome()

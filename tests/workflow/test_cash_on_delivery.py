"""T4: a cash-on-delivery order is paid back by the platform, to an account that nobody sees."""

import json
from datetime import timedelta
from typing import Any

import pytest

from activities.postgres.work_lists import WorkQuery
from starter.client import Case
from tests.workflow.disputes import entry, in_list, paid, refusal
from tests.workflow.goods import (
    accepting,
    agreed,
    agreement,
    direct_refund,
    on_its_way,
    receipt,
    report,
    signed_for,
    tracking,
)
from tests.workflow.world import World, until
from workflows.messages.actors import Role, buyer, merchant, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import CloseCase, GiveRefundAccount, Withdraw
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import BankTransfer
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName, WorkList

ACCOUNT = "vault:accounts/cod-7391"
OFFICER = officer("f-1")


async def cash_order(world: World, **changes: Any) -> str:
    """An order that was paid to the courier."""
    return await world.shipped_order(tenders=[("t1", "cash", 10_000)], **changes)


def account(world: World, key: str = "account") -> GiveRefundAccount:
    return GiveRefundAccount(key=key, by=buyer(world.buyer), account=ACCOUNT)


async def asked_for_account(world: World, order_no: str) -> Case:
    """A return whose refund is decided and that waits for an account (T4)."""
    case, _ = await signed_for(world, order_no=order_no)
    await case.act(receipt(world))
    await world.at(case, StageName.AWAITING_ACCOUNT)
    return case


async def legs(world: World, case: Case) -> list[tuple[str, str, str, int]]:
    """Who paid by which route to which account, and how much, by our ledger."""
    rows = await world.pool.fetch(
        "SELECT payer, route, account_ref, amount FROM ledger.legs WHERE case_id = $1 ORDER BY leg", case.id
    )
    return [(row["payer"], row["route"], row["account_ref"], row["amount"]) for row in rows]


async def test_the_case_waits_and_asks_for_the_account(world: World) -> None:  # T4
    order_no = await cash_order(world)
    case, _ = await signed_for(world, order_no=order_no)

    view = await case.act(receipt(world))

    assert (view.stage, view.on_silence, view.attention) == (StageName.AWAITING_ACCOUNT, Silence.ASK_AGAIN, None)
    assert view.due == (await entry(case, "account_asked")).at + timedelta(days=7)
    assert await world.notices(case, NoticeTemplate.ACCOUNT_WANTED) == 1
    assert await in_list(world, WorkList.AWAITING_BUYER) == [case.id]
    assert await legs(world, case) == []
    assert await paid(world, order_no) == 0


async def test_the_platform_pays_to_the_account_that_the_buyer_names(world: World) -> None:  # T4
    order_no = await cash_order(world)
    case = await asked_for_account(world, order_no)

    outcome = await case.act_and_wait(account(world))

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.MERCHANT, "T6")
    assert await legs(world, case) == [("platform", "bank_transfer", ACCOUNT, 10_000)]
    gateway = await world.pool.fetchrow(
        "SELECT payer, account FROM gateway.refunds WHERE fund = $1", f"order/{order_no}"
    )
    assert gateway
    assert (gateway["payer"], gateway["account"]) == ("platform", ACCOUNT)
    assert await paid(world, order_no) == 10_000


async def test_the_buyer_is_asked_again_every_7_days_and_staff_called_once(world: World) -> None:  # T4
    order_no = await cash_order(world)
    case = await asked_for_account(world, order_no)

    await world.forward(case, days=6, hours=23)
    early = await case.view()
    asked_early = await world.notices(case, NoticeTemplate.ACCOUNT_WANTED)
    await world.forward(case, hours=2)
    view = await until(case.view, lambda view: view.attention is not None)
    await world.forward(case, days=7)
    await until(lambda: world.notices(case, NoticeTemplate.ACCOUNT_WANTED), lambda count: count == 3)
    outcome = await case.act_and_wait(account(world))

    assert (early.attention, asked_early) == (None, 1)
    assert (view.stage, view.attention) == (StageName.AWAITING_ACCOUNT, Attention.ACCOUNT_MISSING)
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000


@pytest.mark.parametrize("with_tracking", [True, False])
async def test_an_account_that_was_named_before_is_not_asked_for(world: World, with_tracking: bool) -> None:  # T4
    order_no = await cash_order(world)
    case = await agreed(world, order_no=order_no)
    if not with_tracking:
        await case.act(account(world))
    await case.act(tracking(world, world.parcel(), refund_account=ACCOUNT if with_tracking else None))

    outcome = await case.act_and_wait(receipt(world))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.notices(case, NoticeTemplate.ACCOUNT_WANTED) == 0
    assert await legs(world, case) == [("platform", "bank_transfer", ACCOUNT, 10_000)]


async def test_a_corrected_tracking_number_does_not_take_the_account_away(world: World) -> None:  # T3, T4
    case = await agreed(world, order_no=await cash_order(world))
    await case.act(tracking(world, world.parcel(), refund_account=ACCOUNT))
    await case.act(tracking(world, world.parcel(), "again"))

    outcome = await case.act_and_wait(receipt(world))

    assert outcome.outcome is OutcomeKind.REFUNDED


async def test_the_last_account_that_the_buyer_names_is_paid_to(world: World) -> None:  # T4
    case = await agreed(world, order_no=await cash_order(world))
    first = GiveRefundAccount(key="a1", by=buyer(world.buyer), account="vault:accounts/mistyped")
    await case.act(first)
    await case.act(account(world, "a2"))

    await case.act_and_wait(receipt(world))

    assert await legs(world, case) == [("platform", "bank_transfer", ACCOUNT, 10_000)]


async def test_a_request_that_names_its_account_is_not_asked(world: World) -> None:  # R4, T4
    case = await world.returned(order_no=await cash_order(world), method=BankTransfer(account=ACCOUNT))

    await case.act_and_wait(direct_refund(world))

    assert await legs(world, case) == [("platform", "bank_transfer", ACCOUNT, 10_000)]


async def test_silence_after_sign_off_asks_for_the_account_too(world: World) -> None:  # T4, T6
    order_no = await cash_order(world)
    case, _ = await signed_for(world, order_no=order_no)

    await world.forward(case, days=10, minutes=1)
    await world.at(case, StageName.AWAITING_ACCOUNT)
    outcome = await case.act_and_wait(account(world))

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.CLOCK)


async def test_what_was_accepted_is_what_is_paid_once_the_account_is_there(world: World) -> None:  # T4, T11
    order_no = await cash_order(world, pieces=4)
    case, _ = await signed_for(world, order_no=order_no, quantity=4)
    await case.act(accepting(world, line_1=3))

    await case.act_and_wait(account(world))

    assert await paid(world, order_no) == 7_500


async def test_while_the_account_is_missing_the_decision_stands(world: World) -> None:  # T4
    order_no = await cash_order(world)
    case = await asked_for_account(world, order_no)

    withdrawal = await refusal(case, Withdraw(key="w", by=buyer(world.buyer)))
    by_merchant = await refusal(case, GiveRefundAccount(key="m", by=merchant(world.merchant), account=ACCOUNT))
    told = await case.act(report(world.parcel(), ParcelEvent.SIGNED, await world.now(case), "p1"))

    assert (withdrawal.code, by_merchant.code) == ("not_open", "wrong_actor")
    assert (told.stage, told.log[-1].event) == (StageName.AWAITING_ACCOUNT, "goods_signed")


async def test_an_officer_can_end_what_no_account_is_named_for(world: World) -> None:  # T4
    order_no = await cash_order(world)
    case = await asked_for_account(world, order_no)

    outcome = await case.act_and_wait(CloseCase(key="c1", by=OFFICER, reason="paid_in_shop", proof="ticket:7"))

    assert outcome.outcome is OutcomeKind.CLOSED_BY_OFFICER
    assert await paid(world, order_no) == 0


async def test_an_order_that_was_paid_in_advance_needs_no_account(world: World) -> None:  # T4
    order_no = await world.shipped_order()
    case = await agreed(world, order_no=order_no)

    given = await refusal(case, account(world))
    entered = await refusal(case, tracking(world, world.parcel(), refund_account=ACCOUNT))
    outcome = await case.act_and_wait(receipt(world))

    assert (given.code, given.field, given.rule) == ("not_cash_on_delivery", "account", "T4")
    assert (entered.code, entered.field, entered.rule) == ("not_cash_on_delivery", "refund_account", "T4")
    assert outcome.outcome is OutcomeKind.REFUNDED
    rows = await world.pool.fetch("SELECT payer, route FROM ledger.legs WHERE case_id = $1", case.id)
    assert [(row["payer"], row["route"]) for row in rows] == [("merchant", "original")]


async def test_nobody_sees_the_account(world: World) -> None:  # T4, P6
    """A case's state has its reference, for the run that goes on with it; no role of a client may read that column."""
    order_no = await cash_order(world, freight_insured=500)
    await world.address()
    case = await world.returned(order_no=order_no)
    await case.act(account(world, "a1"))
    await case.act(agreement(world))
    await case.act(tracking(world, world.parcel(), refund_account=ACCOUNT))
    open_view = await case.view()
    listed = await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant))
    why = await refusal(case, account(world, "agree"))  # a used key
    outcome = await case.act_and_wait(receipt(world))
    closed_view = await case.view()

    book = await world.pool.fetch(
        """
        SELECT (to_jsonb(cases) - 'state')::text FROM casebook.cases WHERE order_no = $1
        UNION ALL SELECT to_jsonb(log)::text FROM casebook.log JOIN casebook.cases USING (case_id) WHERE order_no = $1
        UNION ALL SELECT to_jsonb(outbox)::text FROM notices.outbox JOIN casebook.cases USING (case_id)
                  WHERE order_no = $1
        UNION ALL SELECT to_jsonb(sent)::text FROM channels.sent WHERE recipient_id = ANY ($2)
        UNION ALL SELECT to_jsonb(leg_events)::text FROM ledger.leg_events JOIN ledger.legs USING (refund_no)
                  WHERE fund = $3
        """,
        order_no,
        [world.merchant, world.buyer],
        f"order/{order_no}",
    )
    described = await case.handle.describe()
    told = [
        *(row[0] for row in book),
        *(view.model_dump_json() for view in (open_view, closed_view)),
        *(item.model_dump_json() for item in listed.items),
        *(line.model_dump_json() for line in await case.log()),
        why.model_dump_json(),
        outcome.model_dump_json(),
        json.dumps(dict(await described.memo()), default=str),
        str(described.typed_search_attributes),
    ]
    assert len(listed.items) == 1
    assert len(book) > 10
    assert [each for each in told if ACCOUNT in each] == []
    assert await legs(world, case) == [("platform", "bank_transfer", ACCOUNT, 10_000)]


async def test_the_account_is_named_on_the_way_as_well(world: World) -> None:  # T4
    case, _ = await on_its_way(world, order_no=await cash_order(world))

    view = await case.act(account(world))

    assert view.stage is StageName.RETURN_IN_TRANSIT
    assert (view.log[-1].event, view.log[-1].facts) == ("refund_account_given", {})

"""A buyer who is forgotten: cases end all the same, and money still finds its way (section 8)."""

import secrets
from datetime import UTC, datetime

from pydantic import SecretStr

from activities.postgres.lookup import phone_lookup
from activities.postgres.work_lists import WorkQuery
from tests.workflow.world import World
from workflows.messages.actors import merchant, officer
from workflows.messages.addresses import Region
from workflows.messages.commands import Approve, RecordManualTransfer
from workflows.messages.persons import BankAccount, Recipient
from workflows.messages.requests import BankTransfer
from workflows.messages.search_attributes import CUSTOMER
from workflows.messages.stages import Attention, OutcomeKind, StageName

ACCOUNT = BankAccount.model_validate({"holder": "欧阳小明", "number": "6222020000000001234", "bank": "ICBC"})
BY = officer("f-1")


async def test_a_bank_transfer_is_paid_to_the_account_of_the_vault(world: World) -> None:  # R4
    reference = await world.aftersales.privacy.keep_bank_account(world.buyer, "k", ACCOUNT)
    case = await world.refund(10_000, method=BankTransfer(account=reference))

    outcome = await case.act_and_wait(Approve(key="a", by=merchant(world.merchant)))

    assert outcome.outcome is OutcomeKind.REFUNDED
    row = await world.pool.fetchrow(
        "SELECT account, account_ends FROM gateway.refunds WHERE refund_no = $1", outcome.legs[0].refund_no
    )
    assert row
    assert tuple(row) == (reference, "1234")


async def test_an_open_case_of_a_forgotten_buyer_still_ends(world: World) -> None:  # R4, P6
    reference = await world.aftersales.privacy.keep_bank_account(world.buyer, "k", ACCOUNT)
    case = await world.refund(10_000, method=BankTransfer(account=reference))
    await world.at(case, StageName.MERCHANT_REVIEW)
    done = await world.aftersales.privacy.forget(f"buyer/{world.buyer}", by=BY, reason="asked")
    assert case.id in done.open_cases

    await case.act(Approve(key="a", by=merchant(world.merchant)))
    await world.at(case, StageName.PAYMENT_ATTENTION)
    assert (await case.view()).attention is Attention.REFUND_DECLINED
    assert not await world.pool.fetch("SELECT FROM gateway.refunds WHERE account = $1", reference), "nothing was sent"

    outcome = await case.act_and_wait(
        RecordManualTransfer(
            key="m", by=BY, reason="account_forgotten", proof="bank:slip/1", transferred_at=datetime.now(UTC)
        )
    )
    assert outcome.outcome is OutcomeKind.PAID_MANUALLY


async def test_a_case_is_found_by_the_customers_phone_until_that_is_forgotten(world: World) -> None:  # section 12
    phone = f"139{secrets.randbelow(10**8):08}"
    region = Region(province="广东省", city="广州市", district="天河区")
    recipient = Recipient(name=SecretStr("欧阳小明"), phone=SecretStr(phone), region=region, street=SecretStr("1号"))
    case = await world.refund(10_000, order_no=await world.order(recipient=recipient))
    hashed = phone_lookup(world.aftersales.vault.lookup_key, f"+86 {phone[:3]} {phone[3:]}")
    query = WorkQuery(merchant_id=world.merchant, customer=hashed)

    await world.at(case, StageName.MERCHANT_REVIEW)
    assert [each.case_id for each in (await world.aftersales.work_list(query)).items] == [case.id]
    attributes = (await case.handle.describe()).typed_search_attributes
    assert hashed in (attributes.get(CUSTOMER) or ())

    await world.aftersales.privacy.forget(f"buyer/{world.buyer}", by=BY, reason="asked")
    assert (await world.aftersales.work_list(query)).items == ()

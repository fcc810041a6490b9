"""An operator's day in Temporal's Web UI, with the pages alone (section 12).

``make pictures`` keeps what these tests look at in ``docs/images``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest_asyncio

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.codec_server import CodecServerSettings
from starter.stack import Stack
from tests.browser.web_ui import PATIENCE, Picture, WorkflowPage
from tests.workflow.world import World
from workflows.messages.actors import merchant, officer
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind, StageName

if TYPE_CHECKING:
    from playwright.async_api import Page

STUCK = '`CaseAttention` = "merchant_account_short" AND `MerchantId` = "m-laurel"'
WAITING = '`CaseStage` = "merchant_review" AND `MerchantId` = "m-laurel"'


@pytest_asyncio.fixture(loop_scope="session")
async def shop(world: World, codec_server: CodecServerSettings) -> World:
    """A shop with a name that can be shown; what its cases hold is decoded for the pages."""
    del codec_server
    return replace(world, merchant="m-laurel", buyer="b-1001")


def listed(stack: Stack, query: str) -> str:
    """The address of the list of what `query` finds."""
    return f"{stack.ui_address}/namespaces/default/workflows?query={quote(query)}"


async def opened(page: Page, stack: Stack, case: Case) -> WorkflowPage:
    assert stack.ui_address
    return await WorkflowPage.of(page, stack.ui_address, case.handle)


async def test_a_stuck_payment_is_found_and_settled_with_the_page_alone(
    browser_page: Page, stack: Stack, shop: World, picture: Picture
) -> None:
    from playwright.async_api import expect

    order_no = await shop.order()
    await shop.behave(Behaviour(mode=Mode.ACCOUNT_SHORT, order_no=order_no))
    case = await shop.refund(order_no=order_no)
    await case.act(Approve(key="a-1", by=merchant(shop.merchant)))
    await shop.at(case, StageName.PAYMENT_ATTENTION)

    await browser_page.goto(listed(stack, STUCK))
    found = browser_page.get_by_role("link", name=case.id)
    await expect(found.first).to_be_visible(timeout=PATIENCE)
    await picture(browser_page, "attention-list")
    await found.first.click()
    await expect(browser_page.get_by_role("button", name="More Actions").first).to_be_visible(timeout=PATIENCE)

    page = await opened(browser_page, stack, case)
    await page.open("user-metadata")
    details = page.metadata("current-details")
    await expect(details).to_contain_text("needs attention: merchant_account_short", timeout=PATIENCE)
    await expect(details).to_contain_text("retry_payment once it is filled, or pay_in_advance")
    await expect(details).to_contain_text("asked 100.00")
    await picture(browser_page, "attention")

    pasted = await page.example("record_manual_transfer").inner_text()
    await page.send_in_vain("record_manual_transfer", json.loads(pasted), "placeholder")
    by_hand = pasted.replace('"id": "replace-me"', '"id": "o-7"').replace("replace_me", "paid_at_the_bank")
    await page.send("Update", "record_manual_transfer", json.loads(by_hand.replace("replace-me", "81")))

    outcome = await case.outcome()
    assert outcome.outcome is OutcomeKind.PAID_MANUALLY
    (entry,) = [each for each in await case.log() if each.event == "paid_manually"]
    assert (entry.by, entry.facts["reason"]) == (officer("o-7"), "paid_at_the_bank")


async def test_cases_are_listed_and_filtered_and_an_update_is_refused_and_accepted(
    browser_page: Page, stack: Stack, shop: World, picture: Picture
) -> None:
    from playwright.async_api import expect

    case = await shop.refund()
    await shop.at(case, StageName.MERCHANT_REVIEW)
    shipped = await shop.refund(order_no=await shop.shipped_order())
    await shop.at(shipped, StageName.SHIPPED_REVIEW)

    await browser_page.goto(listed(stack, WAITING))
    await expect(browser_page.get_by_role("link", name=case.id).first).to_be_visible(timeout=PATIENCE)
    await expect(browser_page.get_by_role("link", name=shipped.id)).to_have_count(0)
    await picture(browser_page, "waiting-list")

    page = await opened(browser_page, stack, case)
    await page.open("user-metadata")
    await expect(page.metadata("summary")).to_contain_text("unshipped refund o-", timeout=PATIENCE)
    await expect(page.metadata("current-details")).to_contain_text("version 1 ")
    await expect(page.metadata("current-details")).to_contain_text(
        "100.00 CNY, 不想要了 · no longer wanted (no_longer_wanted), original"
    )
    await expect(page.metadata("current-details")).to_contain_text("on silence: 自动退款 · the refund is paid")
    await picture(browser_page, "case")

    pasted = json.loads(await page.example("approve").inner_text())
    await page.send_in_vain("approve", pasted, "placeholder")
    approve = pasted | {"by": {"role": "merchant", "id": shop.merchant}}
    stranger = approve | {"by": {"role": "merchant", "id": "m-other"}}
    await page.send_in_vain("approve", stranger, "the case is another merchant's (by.id; section 12)")
    await page.send_in_vain("approve", approve | {"reson": "x"}, "perhaps reason is meant (?; section 11)")
    assert (await case.view()).stage is StageName.MERCHANT_REVIEW

    await page.send("Update", "approve", approve)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED

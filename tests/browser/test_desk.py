"""What operators and officers see of a case before they decide, on its page in Temporal's Web UI (R10 to R12, D4, D8).

``make pictures`` keeps what these tests look at in ``docs/images``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest_asyncio
from playwright.async_api import expect

from starter.client import Case
from starter.codec_server import CodecServerSettings
from starter.stack import Stack
from tests.browser.web_ui import PATIENCE, Picture, WorkflowPage
from tests.workflow import disputes, repairs, resends
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.commands import Approve, Propose, Say, Withdraw
from workflows.messages.flags import AddRemark, Colour, SetFlag
from workflows.messages.proposals import KeepGoods
from workflows.messages.requests import LineAmount, RefundReason
from workflows.messages.stages import OutcomeKind, StageName

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page


@pytest_asyncio.fixture(loop_scope="session")
async def shop(world: World, codec_server: CodecServerSettings) -> World:
    """A shop of its own, with a name that can be shown; what its cases hold is decoded for the pages."""
    del codec_server
    juniper = replace(world, merchant="m-juniper")
    return replace(juniper, buyer=juniper.fresh("b"))


async def details(page: Page, stack: Stack, case: Case) -> tuple[WorkflowPage, Locator]:
    """A case's page, and what it says of how the case stands."""
    assert stack.ui_address
    opened = await WorkflowPage.of(page, stack.ui_address, case.handle)
    await opened.open("user-metadata")
    shown = opened.metadata("current-details")
    await expect(shown).to_contain_text("open commands" if not await case_ended(case) else "case log", timeout=PATIENCE)
    return opened, shown


async def case_ended(case: Case) -> bool:
    return (await case.view()).outcome is not None


async def says(shown: Locator, *texts: str) -> None:
    """The page says all of it."""
    for text in texts:
        await expect(shown).to_contain_text(text)


async def test_both_sides_talk_and_what_is_proposed_is_accepted_from_the_page(
    browser_page: Page, stack: Stack, shop: World, picture: Picture
) -> None:  # N1, N2, N3, N5, R10
    order_no = await shop.shipped_order(lines={"1": 10_000, "2": 2_500}, pieces=2)
    asked = (LineAmount(line="1", quantity=2, amount=10_000), LineAmount(line="2", quantity=1, amount=1_250))
    case = await shop.refund(order_no=order_no, lines=asked, reason=RefundReason.DAMAGED, evidence=EVIDENCE)
    await shop.at(case, StageName.SHIPPED_REVIEW)
    words = await shop.written(case, merchant(shop.merchant), "灯罩可以留下吗？")
    await case.act(Say(key="s-1", by=merchant(shop.merchant), words=words, evidence=EVIDENCE))
    terms = KeepGoods(lines=(LineAmount(line="1", quantity=2, amount=2_000),))
    await case.act(Propose(key="p-1", by=merchant(shop.merchant), terms=terms))

    page, shown = await details(browser_page, stack, case)
    await says(
        shown,
        "version 1",
        "112.50 CNY, 商品破损 · damaged (damaged), original",
        "1 × 2: 100.00, 2 × 1: 12.50",
        f"{EVIDENCE[0].uri} (image/jpeg, 1024 B",
        "keep the goods for a part of the money (keep_goods), 20.00 CNY; ",
        "then it lapses",
        "1 d 23 h 59 min left",
        "on silence: 自动退款 · the refund is paid",
        "留言 · thread: ",
        words,
        "proposed, version 1, number 1, terms keep_goods, proposed_amount 20.00 CNY, lines 1 × 2: 20.00, until 2",
    )
    await expect(shown).not_to_contain_text("since version")  # what is proposed is no version of what is asked for
    await picture(browser_page, "negotiation", 1_900)

    pasted = json.loads(await page.example("accept_proposal").inner_text())
    await page.send_in_vain("accept_proposal", pasted, "placeholder")
    await page.send("Update", "accept_proposal", pasted | {"by": {"role": "buyer", "id": shop.buyer}})
    outcome = await case.outcome()
    assert outcome.refunded
    assert (outcome.outcome, outcome.refunded.amount) == (OutcomeKind.REFUNDED, 2_000)


async def test_a_decision_is_about_the_version_that_the_page_has_shown(
    browser_page: Page, stack: Stack, shop: World, picture: Picture
) -> None:  # R10, R11, R12
    case = await disputes.rejected_refund(shop)
    await case.act(disputes.amendment(shop, 6_000))
    page, shown = await details(browser_page, stack, case)
    await says(
        shown,
        "version 2",
        "since version 1: amount 100.00 CNY → 60.00 CNY; lines 1 × 1: 100.00 → 1 × 1: 60.00",
        "asked 60.00",
        "拒绝 · rejected",
        "reason goods_received_as_described",
    )
    await picture(browser_page, "amended", 1_500)
    approve = json.loads(await page.example("approve").inner_text()) | {"by": {"role": "merchant", "id": shop.merchant}}
    assert approve["expects"] == {"version": 2, "amount": 6_000}
    await case.act(disputes.rejection(shop, key="r-2"))
    await case.act(disputes.amendment(shop, 7_000, key="a-2"))

    await page.send_in_vain("approve", approve, "the application is at version 3 now, not at 2 (expects.version; R11)")
    assert (await case.view()).stage is StageName.SHIPPED_REVIEW
    page, shown = await details(browser_page, stack, case)
    await says(shown, "version 3", "since version 2: amount 60.00 CNY → 70.00 CNY")
    pasted = json.loads(await page.example("approve").inner_text())
    await page.send("Update", "approve", pasted | {"by": approve["by"]})
    outcome = await case.outcome()
    assert outcome.refunded
    assert outcome.refunded.amount == 7_000


async def test_each_kind_says_what_is_asked_for(browser_page: Page, stack: Stack, shop: World) -> None:  # M1, C1, A7
    mended = await repairs.asked(shop, evidence=EVIDENCE)
    again = await resends.asked(shop, parts=resends.CHARGER, evidence=EVIDENCE)
    allowance = await shop.allowance()
    paid_with_it = await shop.refund(1_000, order_no=await shop.order(lines={"1": 1_000}, spent={allowance: 400}))
    await paid_with_it.act(Approve(key="a-1", by=merchant(shop.merchant)))
    await paid_with_it.outcome()

    _, shown = await details(browser_page, stack, mended)
    await says(
        shown, "维修 · repair", "质量问题 · quality fault", "on silence: 自动同意维修", "agree_return (merchant)"
    )
    _, shown = await details(browser_page, stack, again)
    await says(shown, "补寄 · re-send", "parts to send: 1: charger", "on silence: 自动同意补寄", "approve (merchant)")
    _, shown = await details(browser_page, stack, paid_with_it)
    await says(shown, "outcome: 已退款 · refunded", "paid back 10.00", "4.00", "已退回膨胀金 · back in the allowance")


async def test_an_officer_sees_all_that_a_ruling_is_about_and_demands_evidence_from_the_page(
    browser_page: Page, stack: Stack, shop: World, picture: Picture
) -> None:  # D4, D8, R10, section 12
    order_no = await shop.shipped_order(lines={"1": 10_000, "2": 5_000})
    before = await shop.refund(1_000)
    await before.act_and_wait(Withdraw(key="w", by=buyer(shop.buyer)))
    beside = await shop.returned(order_no=order_no, lines=(LineAmount(line="2", quantity=1, amount=5_000),))
    case = await disputes.rejected_refund(shop, order_no=order_no, evidence=EVIDENCE)
    words = await shop.written(case, buyer(shop.buyer), "灯罩碎了")
    await case.act(Say(key="s-1", by=buyer(shop.buyer), words=words))
    mark = {"merchant_id": shop.merchant, "subject": order_no, "by": merchant(shop.merchant), "key": "k"}
    await shop.aftersales.desk.set_flag(SetFlag.model_validate({**mark, "colour": Colour.PURPLE}))
    await shop.aftersales.desk.add_remark(AddRemark.model_validate({**mark, "text": "买家已来电"}))
    view = await case.act(disputes.opening(shop))
    assert view.dispute
    dispute = shop.aftersales.case(view.dispute)
    await shop.at(dispute, StageName.EVIDENCE)
    await dispute.act(disputes.evidence(merchant(shop.merchant), final=True))
    await shop.at(dispute, StageName.RULING)

    page, shown = await details(browser_page, stack, dispute)
    await says(
        shown,
        "remarks: remarks:" + dispute.id,
        f"〔{order_no}: 5 characters〕",
        "disputed because: refund_rejected",
        f"asked for before: {case.id}: 第 1 版 · version 1: 100.00 CNY, 商品破损 · damaged (damaged)",
        "reason goods_received_as_described, evidence_1 " + EVIDENCE[0].uri,
        words,
        "evidence submitted, final, " + EVIDENCE[0].uri,
        "flag: purple",
        f"other cases of the order: {beside.id} (退货退款 · return, 50.00 CNY, return_review)",
        "1 × 未发货退款 · unshipped refund 买家撤销 · withdrawn by the buyer",
        "1 × 退货退款 · return 处理中 · open",
    )
    for other in (case, beside, before):
        await expect(shown.get_by_role("link", name=other.id).first).to_have_attribute(
            "href", f"../../{other.id.replace('/', '%2F')}"
        )
    assert "买家已来电" not in await shown.inner_text()
    await picture(browser_page, "dispute", 2_300)

    wanted = await shop.written(dispute, disputes.OFFICER, "请上传开箱视频")
    pasted = json.loads(await page.example("demand_evidence").inner_text())
    demand = {"by": {"role": "platform", "id": "f-1"}, "of": [Role.MERCHANT], "wanted": wanted}
    await page.send("Update", "demand_evidence", pasted | demand)
    _, shown = await details(browser_page, stack, dispute)
    await says(
        shown, "23 h 59 min left", "on silence: 支持买家诉求", f"of=merchant, statement={wanted}", "submit_evidence ("
    )

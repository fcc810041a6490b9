"""Whoever decides sees what is asked for now, wherever it is shown, and is told when that changes (R10, R12)."""

import json
from datetime import UTC, datetime, timedelta

from rich.console import Console
from temporalio.api.sdk.v1 import WorkflowMetadata

from activities.postgres.book_views import view_in_book
from activities.postgres.work_lists import WorkQuery
from starter.client import Case
from starter.commands import viewing
from starter.commands.work_rows import amount_of_version
from tests.workflow import disputes
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Amend, Approve
from workflows.messages.disclosures import ExportKind, StartExport
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.requests import LineAmount, RefundReason
from workflows.messages.stages import Stopped

FIRST = Evidence(uri="shop:pictures/first", media_type=MediaType.JPEG, bytes=1024, sha256="a" * 64)
SECOND = Evidence(uri="shop:pictures/second", media_type=MediaType.PNG, bytes=2048, sha256="b" * 64)
LINES = (LineAmount(line="1", quantity=1, amount=9_000), LineAmount(line="2", quantity=1, amount=1_000))


async def rejected(world: World, **request: object) -> Case:
    """A refund of 10.00 on line 1 that the merchant has rejected."""
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 10_000}, freight=500)
    return await disputes.rejected_refund(world, order_no=order_no, amount=1_000, **request)


def amendment(world: World, key: str = "amend") -> Amend:
    """To 105.00 in all."""
    return Amend(
        key=key,
        by=buyer(world.buyer),
        lines=LINES,
        freight=500,
        reason=RefundReason.WRONG_GOODS,
        evidence=(SECOND,),
    )


async def test_what_is_asked_for_is_shown_as_it_stands_wherever_it_is_shown(world: World) -> None:  # R10
    case = await rejected(world, evidence=(FIRST,))
    before = await case.view()
    assert before.application
    assert (before.application.version, before.application.amount) == (1, 1_000)
    assert before.application.evidence == (FIRST,)

    view = await case.act(amendment(world))

    assert view.asked
    assert view.application
    assert (view.asked.amount, view.application.amount, view.application.version) == (10_500, 10_500, 2)
    assert (view.application.lines, view.application.freight) == (LINES, 500)
    assert (view.application.reason, view.application.evidence) == (RefundReason.WRONG_GOODS, (SECOND,))
    (row,) = (await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant))).items
    assert (row.asked, row.version, row.reason) == (10_500, 2, RefundReason.WRONG_GOODS)
    assert amount_of_version(row) == "105.00 CNY v2"
    wish = StartExport(
        key="e", merchant_id=world.merchant, by=merchant(world.merchant), kind=ExportKind.WITHOUT_CONTACT
    )
    (exported,) = [each async for each in world.aftersales.disclosures.export(wish)]
    assert (exported.asked, exported.version, exported.reason) == (10_500, 2, RefundReason.WRONG_GOODS)
    async with world.pool.acquire() as connection:
        booked = await view_in_book(connection, case.id, Stopped.FORGOTTEN)
    assert booked
    assert (booked.asked, booked.application) == (view.asked, view.application)
    console = Console(width=200)
    with console.capture() as printed:
        console.print(viewing.case_facts(view, datetime.now(UTC)))
    for said in ("105.00 CNY", "version 2, wrong_goods, original", "2 × 1: 10.00", "freight: 5.00", SECOND.sha256):
        assert said in printed.get()
    metadata = await case.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert "version 2" in metadata.current_details
    assert f"`{SECOND.uri}` (image/png, 2048 B" in metadata.current_details
    assert "asked 105.00" in metadata.current_details
    await case.act(Approve(key="a", by=merchant(world.merchant)))
    assert (await case.outcome()).refunded == view.asked


async def test_the_log_has_every_version(world: World) -> None:  # R10
    case = await rejected(world, evidence=(FIRST,))
    await case.act(amendment(world))

    first, second = await disputes.entry(case, "opened"), await disputes.entry(case, "amended")

    assert first.facts == {
        "version": 1,
        "amount": 1_000,
        "lines": "1:1:1000",
        "reason": "damaged",
        "method": "original",
        "evidence_1": FIRST.uri,
    }
    assert second.facts == {
        "version": 2,
        "amount": 10_500,
        "lines": "1:1:9000 2:1:1000",
        "freight": 500,
        "reason": "wrong_goods",
        "method": "original",
        "evidence_1": SECOND.uri,
    }


async def test_the_merchant_is_told_of_the_amendment_and_of_its_new_clock(world: World) -> None:  # R12
    case = await rejected(world)

    view = await case.act(amendment(world))

    assert view.due
    assert view.due - view.log[-1].at == timedelta(hours=48)
    told = await world.pool.fetchval(
        """
        SELECT fields FROM notices.outbox
        WHERE case_id = $1 AND template = $2 AND recipient_role = 'merchant' AND recipient_id = $3 LIMIT 1
        """,
        case.id,
        NoticeTemplate.REQUEST_AMENDED,
        world.merchant,
    )
    fields = json.loads(told)
    assert (fields["version"], fields["amount"], fields["on_silence"]) == (2, 10_500, "refund")
    assert datetime.fromisoformat(fields["due"]) == view.due


async def test_a_refused_amendment_changes_nothing_that_is_shown(world: World) -> None:  # R10, R17
    case = await rejected(world)
    before = await case.view()
    foreign = {"route": "bank_transfer", "account": "vault:account/of-somebody-else"}

    refused = await disputes.refusal(case, Amend.model_validate(amendment(world).model_dump() | {"method": foreign}))

    assert refused.field == "method.account"
    assert await case.view() == before
    again = await case.act(amendment(world, key="amend-2"))
    assert again.application
    assert again.application.version == 2


async def test_the_buyer_is_told_of_an_offer(world: World) -> None:  # D2
    dispute = await disputes.disputed(world, await disputes.rejected_refund(world))

    await dispute.act(disputes.offer(world, 4_000))

    assert await world.notices(dispute, NoticeTemplate.SETTLEMENT_OFFERED) == 1


async def test_a_client_looks_ahead_though_a_newer_release_has_written_of_the_order(world: World) -> None:
    case = await rejected(world)
    order_no = (await case.view()).order_no
    assert order_no
    newer = "UPDATE casebook.cases SET kind = 'of_tomorrow' WHERE case_id = $1"
    await world.pool.execute(newer, case.id)
    try:
        await world.aftersales.check(world.refund_request(order_no, 500))
    finally:
        await world.pool.execute("UPDATE casebook.cases SET kind = 'shipped_refund' WHERE case_id = $1", case.id)

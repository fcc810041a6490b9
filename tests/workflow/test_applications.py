"""Whoever decides sees what is asked for now, wherever it is shown, and is told when that changes (R10, R12)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from rich.console import Console
from temporalio.api.sdk.v1 import WorkflowMetadata

from activities.postgres.book_views import view_in_book
from activities.postgres.statements import OtherTextUnderKey
from activities.postgres.work_lists import WorkQuery
from starter.client import Case
from starter.commands import viewing
from starter.commands.work_rows import amount_of_version
from starter.errors import RefusedRequest, RefusedStatement, UnknownOrder
from tests.workflow import disputes
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Amend, Approve
from workflows.messages.disclosures import ExportKind, StartExport
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest
from workflows.messages.stages import StageName, Stopped
from workflows.messages.statements import WriteStatement

FIRST = Evidence(uri="shop:pictures/first", media_type=MediaType.JPEG, bytes=1024, sha256="a" * 64)
SECOND = Evidence(uri="shop:pictures/second", media_type=MediaType.PNG, bytes=2048, sha256="b" * 64)
LINES = (LineAmount(line="1", quantity=1, amount=9_000), LineAmount(line="2", quantity=1, amount=1_000))


async def rejected(world: World, **request: object) -> Case:
    """A refund of 10.00 on line 1 that the merchant has rejected."""
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 10_000}, freight=500)
    return await disputes.rejected_refund(world, order_no=order_no, amount=1_000, **request)


def amendment(world: World, key: str = "amend", **changes: object) -> Amend:
    """To 105.00 in all."""
    fields = {"lines": LINES, "freight": 500, "reason": RefundReason.WRONG_GOODS, "evidence": (SECOND,)}
    return Amend.model_validate({"key": key, "by": buyer(world.buyer), **fields, **changes})


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
    assert exported.application == row.application == view.application
    async with world.pool.acquire() as connection:
        booked = await view_in_book(connection, case.id, Stopped.FORGOTTEN)
    assert booked
    assert (booked.asked, booked.application) == (view.asked, view.application)
    console = Console(width=200)
    with console.capture() as printed:
        console.print(viewing.case_facts(view, datetime.now(UTC)))
    for said in (
        "105.00 CNY",
        "version 2, wrong_goods (发错货 · wrong goods), original",
        "2 × 1: 10.00",
        "freight: 5.00",
        SECOND.sha256,
    ):
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


async def test_the_buyer_s_own_words_are_read_by_those_who_may_and_stand_nowhere_in_clear(world: World) -> None:
    """R10, P2, P6: of the request, of an amendment, and in the dispute about it."""
    first, second = SecretStr("锅盖刮花了，王芳"), SecretStr("还少了一个把手")
    order_no = await world.shipped_order()
    lines = (LineAmount(line="1", quantity=1, amount=1_000),)
    plain = world.refund_request(order_no=order_no, lines=lines, reason=RefundReason.DAMAGED)

    request = await world.aftersales.desk.in_words(plain, first)
    again = await world.aftersales.desk.in_words(plain, first)
    case = await world.aftersales.open_refund(request)
    await world.at(case, StageName.SHIPPED_REVIEW)
    opened = await case.view()

    assert again == request
    assert opened.application
    assert opened.application.words == request.words
    assert request.words
    readers = (merchant(world.merchant), buyer(world.buyer), officer("o-1"))
    read = [await world.aftersales.desk.read_statement(request.words, each, why="to_decide") for each in readers]
    assert [each.text if each else None for each in read] == [first] * 3
    assert await world.aftersales.desk.read_statement(request.words, merchant("m-other")) is None
    looks = await world.aftersales.disclosures.looks(officer("o-1"), subject=case.id)
    assert [(each.by, each.field, each.reason) for each in looks] == [(by, "statement", "to_decide") for by in readers]

    await case.act(disputes.rejection(world))
    own = WriteStatement(case_id=case.id, by=buyer(world.buyer), text=second, key="amend")
    reference = (await world.aftersales.desk.write_statement(own)).reference
    for key, foreign in (("a", "statement:0"), ("b", (await written_elsewhere(world)).words)):
        refused = await disputes.refusal(case, amendment(world, key, lines=lines, freight=0, words=foreign))
        assert (refused.code, refused.field) == ("unknown_statement", "words")
    amended = await case.act(amendment(world, "amend-2", lines=lines, freight=0, words=reference))
    assert amended.application
    assert (amended.application.version, amended.application.words) == (2, reference)
    (item,) = (await world.aftersales.work_list(WorkQuery(order_no=order_no))).items
    assert item.application == amended.application
    await case.act(disputes.rejection(world, "reject-2"))
    dispute = await disputes.disputed(world, case)
    disputed = (await dispute.view()).application
    assert disputed
    assert disputed.words == reference
    assert "王芳" not in repr(await case.log()) + repr(amended)


async def test_an_application_in_other_words_than_its_own_opens_nothing(world: World) -> None:  # R10, section 12
    order_no = await world.shipped_order()
    elsewhere = await written_elsewhere(world)
    request = world.refund_request(order_no=order_no, words=elsewhere.words)

    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.open_refund(request)
    with pytest.raises(RefusedStatement):
        await world.aftersales.desk.in_words(request.model_copy(update={"buyer_id": "b-other"}), SecretStr("x"))
    with pytest.raises(OtherTextUnderKey):
        await world.aftersales.desk.in_words(elsewhere, SecretStr("other"))
    with pytest.raises(UnknownOrder):
        await world.aftersales.desk.in_words(request.model_copy(update={"order_no": "o-none"}), SecretStr("x"))

    assert (refused.value.refusal.code, refused.value.refusal.field) == ("unknown_statement", "words")


async def written_elsewhere(world: World) -> RefundRequest:
    """The same buyer's words about another order."""
    request = world.refund_request(order_no=await world.shipped_order())
    return await world.aftersales.desk.in_words(request, SecretStr("another matter"))

"""Section 12: what operators and merchants see of a case."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata

from activities.gateways.payment_stub import Behaviour, Mode
from activities.postgres import allowances, lookup
from activities.postgres.work_lists import WorkQuery
from starter.client import Case
from tests.workflow.world import EVIDENCE, World, until
from workflows.at_start import whole_minute
from workflows.messages import search_attributes as attributes
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve, Reject, RejectReason, Withdraw
from workflows.messages.converter import AWAITED_OUTSIDE
from workflows.messages.requests import RefundReason
from workflows.messages.stages import Attention, StageName, WorkList
from workflows.shell.temporal import IS_FOLLOWED


async def listed(world: World, query: str) -> list[str]:
    cases = world.aftersales.temporal.list_workflows(f"MerchantId = '{world.merchant}' AND {query}")
    return [each.id async for each in cases]


async def upserts(case: Case) -> int:
    kind = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
    return len([event async for event in case.handle.fetch_history_events() if event.event_type == kind])


async def metadata(case: Case) -> WorkflowMetadata:
    return await case.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)


async def test_a_case_is_found_by_stage_and_due_date_from_the_start(world: World) -> None:
    case = await world.refund()
    view = await world.at(case, StageName.MERCHANT_REVIEW)
    assert view.due is not None
    soon = whole_minute(view.due + timedelta(minutes=1)).isoformat()

    found = await until(
        lambda: listed(
            world, f"CaseStage = 'merchant_review' AND CaseKind = 'unshipped_refund' AND CaseDue < '{soon}'"
        ),
        lambda found: found == [case.id],
    )

    assert found == [case.id]
    assert await upserts(case) <= 1  # none, unless a minute ended between the client's clock and the server's


async def test_a_case_that_was_started_without_the_client_is_found_as_well(world: World) -> None:
    request = world.refund_request(await world.order())
    case = world.aftersales.case(f"refund/{request.order_no}/{request.request_key}")
    await world.aftersales.temporal.start_workflow("Refund", request, id=case.id, task_queue="aftersales")
    view = await world.at(case, StageName.MERCHANT_REVIEW)

    found = (await case.handle.describe()).typed_search_attributes

    assert view.due is not None
    assert found[attributes.STAGE] == "merchant_review"
    assert found[attributes.MERCHANT] == world.merchant
    assert found[attributes.ORDER] == request.order_no
    assert found[attributes.POLICY] == f"{world.marketplace}/1"
    assert found[attributes.DUE] == whole_minute(view.due)


async def test_a_case_in_need_of_attention_is_found_by_its_reason(world: World) -> None:
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.ACCOUNT_SHORT, order_no=order_no))
    case = await world.refund(order_no=order_no)
    await case.act(Approve(key="c1", by=merchant(world.merchant)))
    await world.at(case, StageName.PAYMENT_ATTENTION)

    found = await until(lambda: listed(world, f"CaseAttention = '{Attention.MERCHANT_ACCOUNT_SHORT}'"), bool)

    assert found == [case.id]
    page = await world.aftersales.work_list(WorkQuery(work_list=WorkList.ATTENTION, merchant_id=world.merchant))
    (item,) = page.items
    assert (item.case_id, item.attention) == (case.id, Attention.MERCHANT_ACCOUNT_SHORT)


async def test_a_closed_case_has_its_outcome_and_no_deadline(world: World) -> None:
    case = await world.refund()
    await case.act_and_wait(Withdraw(key="c1", by=buyer(world.buyer)))

    found = (await case.handle.describe()).typed_search_attributes

    assert (found[attributes.STAGE], found[attributes.OUTCOME]) == ("closed", "withdrawn")
    assert attributes.DUE not in found


async def test_the_page_of_a_case_abroad_tells_the_time_there(world: World) -> None:  # G6
    order_no = await world.order(marketplace="eu", currency="EUR")
    case = await world.refund(order_no=order_no, reason="withdrawal")
    view = await world.at(case, StageName.MERCHANT_REVIEW)
    assert view.due is not None

    page = (await metadata(case)).current_details

    assert f"**{view.due.astimezone(ZoneInfo('Europe/Berlin')):%Y-%m-%d %H:%M} Europe/Berlin**" in page
    assert "北京时间" not in page
    found = (await case.handle.describe()).typed_search_attributes
    assert found[attributes.DUE] == whole_minute(view.due), "the same moment, in UTC"
    assert (await world.aftersales.quote(order_no)).time_zone == view.time_zone == "Europe/Berlin"


async def test_the_page_of_a_case_says_where_it_stands_and_what_can_be_done(world: World) -> None:
    case = await world.refund()
    view = await world.at(case, StageName.MERCHANT_REVIEW)
    assert view.due is not None

    page = (await metadata(case)).current_details

    shanghai = (view.due + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M")
    for part in (
        "asked 100.00",
        "R1",
        shanghai,
        "the refund is paid",
        "**approve** (merchant)",
        "**withdraw** (buyer)",
        "48 h",
    ):
        assert part in page


async def test_commands_are_named_and_described_as_updates_and_as_signals(world: World) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    definition = (await metadata(case)).definition

    # The one without a name takes in whatever has another one.
    updates = {each.name: each.description for each in definition.update_definitions if each.name}
    signals = {each.name: each.description for each in definition.signal_definitions if each.name}
    assert signals.pop(AWAITED_OUTSIDE)  # no command: Nexus says so
    assert signals.pop(IS_FOLLOWED)  # nor this one: a case asks so whether its dispute runs
    assert {"approve", "reject", "withdraw", "amend", "submit_evidence", "gateway_callback"} <= updates.keys()
    assert updates == signals
    assert all(updates.values())


async def test_requests_are_found_by_account_name(world: World) -> None:  # A4
    allowance_id = await world.allowance(spent=1_000, account_name="欧阳 小明")
    other = await world.allowance(spent=1_000, account_name="somebody else")
    case, _ = await world.withdrawal(allowance_id), await world.withdrawal(other)
    await world.at(case, StageName.RETENTION)

    name = lookup.account_lookup(world.aftersales.vault.lookup_key, "欧阳小明")
    found = await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant, customer=name))

    assert [item.case_id for item in found.items] == [case.id]


async def test_work_lists_are_counted(world: World) -> None:
    refunds = [await world.refund() for _ in range(2)]
    withdrawal = await world.withdrawal(await world.allowance(spent=1_000))
    for case in refunds:
        await world.at(case, StageName.MERCHANT_REVIEW)
    await world.at(withdrawal, StageName.RETENTION)

    counts = await world.aftersales.work_counts(WorkQuery(merchant_id=world.merchant))

    assert counts.lists == {WorkList.UNSHIPPED_REFUNDS: 2, WorkList.WITHDRAWALS: 1}


async def test_spending_during_a_pending_withdrawal_is_refused(world: World) -> None:  # A5, section 11
    allowance_id = await world.allowance(spent=1_000)
    case = await world.withdrawal(allowance_id)
    await world.at(case, StageName.RETENTION)

    assert await world.spend(allowance_id, 1) is allowances.Spending.FROZEN


async def test_work_lists_are_right_as_soon_as_a_command_returns(world: World) -> None:  # section 12
    order_no = await world.order()
    await world.behave(Behaviour(mode=Mode.ACCOUNT_SHORT, order_no=order_no))
    approved = await world.refund(order_no=order_no)
    rejected, withdrawn = [
        await world.refund(order_no=await world.shipped_order(), reason=RefundReason.DAMAGED, evidence=EVIDENCE)
        for _ in range(2)
    ]
    await world.at(approved, StageName.MERCHANT_REVIEW)
    for case in (rejected, withdrawn):
        await world.at(case, StageName.SHIPPED_REVIEW)

    async def lists() -> dict[str, set[str]]:
        """Which case is in which list, a page for each case; the counts must say the same."""
        found: dict[str, set[str]] = {}
        query = mine = WorkQuery(merchant_id=world.merchant, limit=1)
        while True:
            page = await world.aftersales.work_list(query)
            for item in page.items:
                found.setdefault(item.work_list or "", set()).add(item.case_id)
            if page.next is None:
                break
            query = mine.model_copy(update={"after": page.next})
        assert (await world.aftersales.work_counts(mine)).lists == {name: len(cases) for name, cases in found.items()}
        return found

    at_first = await lists()
    reason = RejectReason.NO_FAULT_SHOWN
    rejection = await rejected.act(Reject(key="c1", by=merchant(world.merchant), reason=reason, evidence=EVIDENCE))
    after_rejection = await lists()
    (item,) = (await world.aftersales.work_list(WorkQuery(order_no=rejection.order_no))).items
    await withdrawn.act(Withdraw(key="c1", by=buyer(world.buyer)))
    after_withdrawal = await lists()
    approval = await approved.act(Approve(key="c1", by=merchant(world.merchant)))
    after_approval = await lists()

    to_decide, buyers = WorkList.REFUND_ONLY, WorkList.AWAITING_BUYER
    unshipped = {WorkList.UNSHIPPED_REFUNDS: {approved.id}}
    assert at_first == {to_decide: {rejected.id, withdrawn.id}, **unshipped}
    assert after_rejection == {to_decide: {withdrawn.id}, buyers: {rejected.id}, **unshipped}
    assert (item.case_id, item.stage, item.due_at) == (rejected.id, StageName.REJECTED, rejection.due)
    assert after_withdrawal == {buyers: {rejected.id}, **unshipped}
    # The payment goes on by itself, from the list of payments to that of cases in need of attention.
    assert approval.stage is not StageName.MERCHANT_REVIEW
    assert after_approval in (
        {buyers: {rejected.id}, WorkList.PAYMENTS: {approved.id}},
        {buyers: {rejected.id}, WorkList.ATTENTION: {approved.id}},
    )

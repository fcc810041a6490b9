"""T1, T2, T5, T6 and T11: what a merchant decides on a return, before the goods come and after."""

from datetime import timedelta

import pytest

from starter.errors import NotYours
from tests.workflow.disputes import amendment, entry, in_list, paid, refusal, rejection
from tests.workflow.goods import (
    accepting,
    agreed,
    agreement,
    direct_refund,
    on_its_way,
    receipt,
    refused,
    sent_text,
    signed_for,
    tracking,
)
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import Role, buyer, merchant, officer
from workflows.messages.addresses import Region, ReturnClause, SaveAddress
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import (
    AgreeReturn,
    CloseCase,
    ConfirmReceipt,
    LineQuantity,
    RejectReason,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import LineAmount
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, WorkList

pytestmark = pytest.mark.in_memory


OFFICER = officer("f-1")

# T1: three ways to decide, and silence -------------------------------------------------------------------


@pytest.mark.on_servers
async def test_only_what_has_shipped_can_come_back(world: World) -> None:  # T1
    order_no = await world.order()

    why = await refused(world, world.return_request(order_no))

    assert (why.code, why.field, why.rule) == ("not_shipped", "order_no", "T1")


@pytest.mark.on_servers
async def test_the_merchant_agrees_and_nothing_is_paid_yet(world: World) -> None:  # T1
    await world.address()
    case = await world.returned()
    waiting = await in_list(world, WorkList.RETURNS_TO_DECIDE)

    view = await case.act(agreement(world))

    assert waiting == [case.id]
    assert (view.stage, view.kind) == (StageName.AWAITING_RETURN, CaseKind.RETURN)
    assert await in_list(world, WorkList.RETURNS_TO_DECIDE) == []
    assert await in_list(world, WorkList.AWAITING_RETURN) == [case.id]
    assert await paid(world, view.order_no) == 0


async def test_the_merchant_refunds_directly_without_the_goods(world: World) -> None:  # T1
    order_no = await world.shipped_order()
    case = await world.returned(order_no=order_no)

    outcome = await case.act_and_wait(direct_refund(world))

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.MERCHANT, "T1")
    assert await paid(world, order_no) == 10_000
    assert await world.events(case) == ["opened", "refunded_directly", "refund_succeeded"]


async def test_the_merchant_rejects_and_the_buyer_lets_it_be(world: World) -> None:  # T1, R6
    order_no = await world.shipped_order()
    case = await world.returned(order_no=order_no)

    view = await case.act(rejection(world))
    await world.forward(case, days=6, hours=23)
    before = await case.view()
    await world.forward(case, hours=2)
    outcome = await case.outcome()

    assert (view.stage, before.stage) == (StageName.REJECTED, StageName.REJECTED)
    assert (await entry(case, "rejected")).facts == {
        "reason": RejectReason.GOODS_RECEIVED_AS_DESCRIBED,
        "evidence_1": EVIDENCE[0].uri,
    }
    assert await world.notices(case, NoticeTemplate.REQUEST_REJECTED) == 1
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REJECTED, Role.CLOCK, "R6")
    assert await paid(world, order_no) == 0


async def test_a_rejected_return_that_is_amended_is_decided_on_anew(world: World) -> None:  # T1, R6
    order_no = await world.shipped_order()
    case = await world.returned(order_no=order_no)
    await case.act(rejection(world))
    await world.forward(case, days=1)

    view = await case.act(amendment(world, 4_000))
    amended_at = (await entry(case, "amended")).at
    outcome = await case.act_and_wait(direct_refund(world))

    assert (view.stage, view.on_silence) == (StageName.RETURN_REVIEW, Silence.AGREE_TO_RETURN)
    assert view.due == amended_at + timedelta(hours=48)
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 4_000


async def test_silence_agrees_to_the_return_and_refunds_nothing(world: World) -> None:  # T1, T2
    await world.address()
    case = await world.returned()

    await world.forward(case, hours=47, minutes=59)
    before = await case.view()
    await world.forward(case, minutes=2)
    view = await world.at(case, StageName.AWAITING_RETURN)

    assert before.stage is StageName.RETURN_REVIEW
    line = await entry(case, "return_agreed_by_silence")
    assert (line.by.role, line.rule, line.facts["address"]) == (Role.CLOCK, "T1", "a-1")
    assert view.return_address
    assert view.return_address.address_id == "a-1"
    assert await paid(world, view.order_no) == 0
    assert await world.notices(case, NoticeTemplate.RETURN_AGREED) == 1


@pytest.mark.on_servers
async def test_the_merchant_is_reminded_once_when_12_hours_are_left(world: World) -> None:  # T1
    await world.address()
    case = await world.returned()

    await world.forward(case, hours=35, minutes=59)
    early = await world.notices(case, NoticeTemplate.DEADLINE_NEAR)
    await world.forward(case, minutes=2)
    await until(lambda: world.notices(case, NoticeTemplate.DEADLINE_NEAR), lambda count: count == 1)
    await world.forward(case, hours=12)
    await world.at(case, StageName.AWAITING_RETURN)

    assert early == 0
    assert await world.notices(case, NoticeTemplate.DEADLINE_NEAR) == 1
    assert (await entry(case, "deadline_near")).rule == "T1"
    assert "自动同意退货" in await sent_text(world, NoticeTemplate.DEADLINE_NEAR, world.merchant)


async def test_evidence_leaves_the_deadline_as_it_is(world: World) -> None:  # T1
    case = await world.returned()
    before = await case.view()
    await world.forward(case, hours=1)

    after = await case.act(SubmitEvidence(key="e1", by=buyer(world.buyer), evidence=EVIDENCE))

    assert (after.stage, after.due) == (StageName.RETURN_REVIEW, before.due)
    assert after.log[-1].facts == {"evidence_1": EVIDENCE[0].uri}


async def test_the_buyer_may_withdraw_until_the_goods_are_sent(world: World) -> None:  # R6
    case = await agreed(world)
    sent, _ = await on_its_way(world)

    outcome = await case.act_and_wait(Withdraw(key="withdraw", by=buyer(world.buyer)))
    why = await refusal(sent, Withdraw(key="withdraw", by=buyer(world.buyer)))

    assert outcome.outcome is OutcomeKind.WITHDRAWN
    assert (why.code, why.field) == ("not_open", "command")
    assert (await sent.view()).stage is StageName.RETURN_IN_TRANSIT


async def test_nobody_else_decides(world: World) -> None:  # T1, section 12
    await world.address()
    case = await world.returned()

    with pytest.raises(NotYours):
        await case.act(AgreeReturn(key="x1", by=merchant("m-somebody")))
    why = await refusal(case, AgreeReturn(key="x2", by=buyer(world.buyer)))

    assert why.code == "wrong_actor"
    assert (await case.view()).stage is StageName.RETURN_REVIEW


# T2: addresses and clauses -------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_an_address_that_the_merchant_does_not_have_is_refused(world: World) -> None:  # T2
    other = World(world.aftersales, world.skipper, world.pool)
    await other.address("theirs")
    await world.address("ours")
    case = await world.returned()
    before = await case.view()

    unknown = await refusal(case, agreement(world, "nowhere", "c1"))
    theirs = await refusal(case, agreement(world, "theirs", "c2"))

    for why in (unknown, theirs):
        assert (why.code, why.field, why.rule) == ("unknown_address", "address_id", "T2")
    assert await case.view() == before
    assert await world.events(case) == ["opened"]
    assert await world.notices(case, NoticeTemplate.RETURN_AGREED) == 0


async def test_after_a_refused_address_the_merchant_may_pick_another(world: World) -> None:  # T2
    await world.address()
    case = await world.returned()
    await refusal(case, agreement(world, "nowhere", "c1"))

    view = await case.act(agreement(world, "a-1", "c2"))

    assert view.stage is StageName.AWAITING_RETURN


async def test_the_clock_runs_on_after_a_refused_address(world: World) -> None:  # T1, T2
    await world.address()
    case = await world.returned()
    await world.forward(case, hours=47)
    await refusal(case, agreement(world, "nowhere"))

    await world.forward(case, hours=1, minutes=1)

    assert (await world.at(case, StageName.AWAITING_RETURN)).return_address


@pytest.mark.on_servers
async def test_the_merchant_picks_an_address_else_the_default_is_taken(world: World) -> None:  # T2
    await world.address("first", is_default=False)
    await world.address("usual")
    await world.address("third", is_default=False)
    picked, left = await world.returned(), await world.returned()

    with_choice = await picked.act(agreement(world, "third"))
    without = await left.act(agreement(world))

    assert with_choice.return_address
    assert without.return_address
    assert (with_choice.return_address.address_id, without.return_address.address_id) == ("third", "usual")
    assert (await entry(picked, "return_agreed")).facts == {"address": "third", "address_version": 1}


@pytest.mark.on_servers
async def test_a_case_keeps_the_address_that_it_was_given(world: World) -> None:  # T2
    await world.address()
    case = await world.returned()
    given = (await case.act(agreement(world))).return_address
    moved = Region(province="浙江省", city="杭州市", district="西湖区")
    await world.aftersales.desk.save_address(
        SaveAddress(merchant_id=world.merchant, address_id="a-1", region=moved, details="vault:addresses/new")
    )

    kept = (await case.view()).return_address
    later = (await (await world.returned()).act(agreement(world))).return_address

    assert given
    assert later
    assert kept == given
    assert (later.version, later.region) == (2, moved)


async def test_without_an_address_silence_calls_merchant_and_staff_and_waits(world: World) -> None:  # T2
    case = await world.returned()

    await world.forward(case, hours=48, minutes=1)
    view = await world.at(case, StageName.ADDRESS_MISSING)

    assert (view.attention, view.due, view.on_silence) == (Attention.ADDRESS_MISSING, None, Silence.NOTHING)
    assert view.no_deadline_because
    assert await world.notices(case, NoticeTemplate.ADDRESS_WANTED) == 1
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1
    assert await world.notices(case, NoticeTemplate.RETURN_AGREED) == 0
    assert await in_list(world, WorkList.ATTENTION) == [case.id]
    assert await world.events(case) == ["opened", "deadline_near", "return_agreed_by_silence"]


@pytest.mark.parametrize("by_merchant", [True, False])
async def test_an_address_that_is_given_later_carries_the_case_on(world: World, by_merchant: bool) -> None:  # T2
    case = await world.returned()
    await world.forward(case, hours=48, minutes=1)
    await world.at(case, StageName.ADDRESS_MISSING)
    by = merchant(world.merchant) if by_merchant else OFFICER

    why = await refusal(case, AgreeReturn(key="c1", by=by))
    missing = await case.view()
    await world.address()
    view = await case.act(AgreeReturn(key="c2", by=by))
    agreed_at = (await entry(case, "return_agreed")).at

    assert (why.code, why.field) == ("unknown_address", "address_id")
    assert (missing.stage, missing.attention) == (StageName.ADDRESS_MISSING, Attention.ADDRESS_MISSING)
    assert (view.stage, view.attention) == (StageName.AWAITING_RETURN, None)
    assert view.due == agreed_at + timedelta(days=7)
    assert await world.notices(case, NoticeTemplate.RETURN_AGREED) == 1


async def test_an_officer_can_end_what_no_address_is_found_for(world: World) -> None:  # T2
    case = await world.returned()
    await world.forward(case, hours=48, minutes=1)
    view = await world.at(case, StageName.ADDRESS_MISSING)

    outcome = await case.act_and_wait(CloseCase(key="c1", by=OFFICER, reason="merchant_gone", proof="ticket:7"))

    assert outcome.outcome is OutcomeKind.CLOSED_BY_OFFICER
    assert await paid(world, view.order_no) == 0


@pytest.mark.on_servers
async def test_clauses_reach_the_buyer_word_for_word(world: World) -> None:  # T2
    await world.address()
    case = await world.returned()
    ticked = (ReturnClause.NO_FREIGHT_COLLECT, ReturnClause.NO_EMS, ReturnClause.NO_FREIGHT_COLLECT)

    await case.act(agreement(world, clauses=ticked))
    text = await sent_text(world, NoticeTemplate.RETURN_AGREED, world.buyer)

    assert text.endswith("拒收到付 拒收EMS")
    assert "7 天" in text
    assert "a-1" in text
    assert (await entry(case, "return_agreed")).facts == {
        "no_freight_collect": 1,
        "no_ems": 1,
        "address": "a-1",
        "address_version": 1,
    }


# T5, T6: receipt -----------------------------------------------------------------------------------------


async def test_receipt_can_be_confirmed_before_tracking_is_entered(world: World) -> None:  # T5
    order_no = await world.shipped_order()
    case = await agreed(world, order_no=order_no)

    outcome = await case.act_and_wait(receipt(world))

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.MERCHANT, "T5")
    assert await paid(world, order_no) == 10_000
    assert await world.events(case) == ["opened", "return_agreed", "receipt_confirmed", "refund_succeeded"]


async def test_receipt_can_be_confirmed_before_the_carrier_says_so(world: World) -> None:  # T5
    case, _ = await on_its_way(world)

    outcome = await case.act_and_wait(receipt(world))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "T5")


async def test_receipt_cannot_be_confirmed_before_the_return_is_agreed(world: World) -> None:  # T5
    case = await world.returned()

    why = await refusal(case, receipt(world))

    assert (why.code, why.field) == ("not_open", "command")


@pytest.mark.on_servers
async def test_after_sign_off_the_merchant_refunds(world: World) -> None:  # T6
    order_no = await world.shipped_order()
    case, _ = await signed_for(world, order_no=order_no)
    waiting = await in_list(world, WorkList.AWAITING_RECEIPT)

    outcome = await case.act_and_wait(receipt(world))

    assert waiting == [case.id]
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.MERCHANT, "T6")
    assert await paid(world, order_no) == 10_000


async def test_silence_refunds_10_days_after_sign_off_and_not_before(world: World) -> None:  # T6
    order_no = await world.shipped_order()
    case, _ = await signed_for(world, order_no=order_no)

    await world.forward(case, days=9, hours=23)
    before = await case.view()
    paid_before = await paid(world, order_no)
    await world.forward(case, hours=2)
    outcome = await case.outcome()

    assert (before.stage, before.on_silence, paid_before) == (StageName.RETURN_RECEIVED, Silence.REFUND, 0)
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.CLOCK, "T6")
    assert await paid(world, order_no) == 10_000


async def test_the_10_days_count_from_the_sign_off_however_late_it_is_told(world: World) -> None:  # T6
    case, parcel = await on_its_way(world)
    signed_at = await world.now(case)
    await world.forward(case, days=3)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, signed_at)
    view = await world.at(case, StageName.RETURN_RECEIVED)

    assert view.due == signed_at + timedelta(days=10)


async def test_a_carriers_clock_that_is_ahead_gives_no_more_time(world: World) -> None:  # T6
    case, parcel = await on_its_way(world)

    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case) + timedelta(days=2))
    view = await world.at(case, StageName.RETURN_RECEIVED)

    assert view.due == (await entry(case, "goods_signed")).at + timedelta(days=10)


async def test_goods_that_are_not_as_agreed_are_rejected_with_a_window(world: World) -> None:  # T6, R6
    order_no = await world.shipped_order()
    case, _ = await signed_for(world, order_no=order_no)

    view = await case.act(rejection(world))
    rejected_at = (await entry(case, "rejected")).at
    why = await refusal(case, amendment(world, 4_000))
    await world.forward(case, days=6, hours=23)
    before = await case.view()

    assert (view.stage, view.on_silence) == (StageName.RECEIPT_REJECTED, Silence.ESCALATE)
    assert view.due == rejected_at + timedelta(days=7)
    assert why.code == "not_open"  # what was sent back cannot be asked for anew
    assert await world.notices(case, NoticeTemplate.RECEIPT_REJECTED) == 1
    assert before.stage is StageName.RECEIPT_REJECTED
    assert await paid(world, order_no) == 0


async def test_a_merchant_that_has_rejected_may_confirm_after_all(world: World) -> None:  # T6
    order_no = await world.shipped_order()
    case, _ = await signed_for(world, order_no=order_no)
    await case.act(rejection(world))

    outcome = await case.act_and_wait(receipt(world))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "T6")
    assert await paid(world, order_no) == 10_000


async def test_a_return_cannot_be_rejected_while_it_is_under_way(world: World) -> None:  # T6
    case, _ = await on_its_way(world)

    why = await refusal(case, rejection(world))

    assert why.code == "not_open"
    assert (await case.view()).stage is StageName.RETURN_IN_TRANSIT


async def test_once_signed_for_the_tracking_number_stays(world: World) -> None:  # T3
    case, _ = await signed_for(world)

    why = await refusal(case, tracking(world, world.parcel(), "again"))

    assert why.code == "not_open"


# T11: not more than was received -------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_fewer_pieces_accepted_pay_in_proportion(world: World) -> None:  # T11
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 9_000}, pieces=3)
    lines = (LineAmount(line="1", quantity=3, amount=10_000), LineAmount(line="2", quantity=1, amount=3_000))
    case, _ = await signed_for(world, order_no=order_no, lines=lines)

    outcome = await case.act_and_wait(accepting(world, line_1=2))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert outcome.refunded
    assert outcome.refunded.amount == 6_666
    assert await paid(world, order_no) == 6_666
    assert (await entry(case, "receipt_confirmed")).facts == {
        "accepted_1": 2,
        "reason": RejectReason.OTHER,
        "evidence_1": EVIDENCE[0].uri,
    }


async def test_what_was_not_accepted_can_be_refunded_later(world: World) -> None:  # R8, T11
    order_no = await world.shipped_order(pieces=4)
    case, _ = await signed_for(world, quantity=4, order_no=order_no)
    await case.act_and_wait(accepting(world, line_1=1))

    later = await world.returned(7_500, order_no=order_no, quantity=3)
    await later.act_and_wait(direct_refund(world))

    assert await paid(world, order_no) == 10_000


@pytest.mark.parametrize(
    ("accepted", "changes", "code", "field"),
    [
        pytest.param({"1": 3}, {"reason": None}, "reason_missing", "reason", id="no-reason"),
        pytest.param({"1": 3}, {"evidence": ()}, "evidence_missing", "evidence", id="no-evidence"),
        pytest.param({"1": 5}, {}, "quantity_too_high", "accepted.0.quantity", id="more-than-sent"),
        pytest.param({"1": 4, "2": 1}, {}, "unknown_line", "accepted.1.line", id="another-line"),
        pytest.param({"1": 0}, {}, "nothing_accepted", "accepted", id="nothing"),
        pytest.param({}, {}, "nothing_accepted", "accepted", id="no-lines"),
    ],
)
async def test_a_receipt_that_does_not_fit_is_refused(
    world: World, accepted: dict[str, int], changes: dict[str, object], code: str, field: str
) -> None:  # T11
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 3_000}, pieces=4)
    case, _ = await signed_for(world, quantity=4, order_no=order_no)
    before = await case.view()
    pieces = tuple(LineQuantity(line=line, quantity=quantity) for line, quantity in accepted.items())
    command = {
        "key": "c1",
        "by": merchant(world.merchant),
        "accepted": pieces,
        "reason": RejectReason.OTHER,
        "evidence": EVIDENCE,
        **changes,
    }

    why = await refusal(case, ConfirmReceipt.model_validate(command))

    assert (why.code, why.field, why.rule) == (code, field, "T11")
    assert await case.view() == before
    assert await paid(world, order_no) == 0


async def test_pieces_that_are_worth_less_than_a_fen_are_not_accepted_for_nothing(world: World) -> None:  # T11
    order_no = await world.shipped_order(lines={"1": 2}, pieces=3)
    case, _ = await signed_for(world, amount=2, quantity=3, order_no=order_no)

    why = await refusal(case, accepting(world, line_1=1))
    outcome = await case.act_and_wait(accepting(world, "c2", line_1=2))

    assert (why.code, why.field) == ("worth_nothing", "accepted")
    assert outcome.refunded
    assert outcome.refunded.amount == 1


@pytest.mark.parametrize("pieces", [None, (LineQuantity(line="1", quantity=4),)])
async def test_accepting_everything_takes_no_reason(world: World, pieces: tuple[LineQuantity, ...] | None) -> None:
    """T11: said in so many pieces or without a word on them."""
    order_no = await world.shipped_order(pieces=4)
    case, _ = await signed_for(world, quantity=4, order_no=order_no)

    outcome = await case.act_and_wait(receipt(world, accepted=pieces))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000

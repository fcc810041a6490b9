"""C1 to C6: what is missing or damaged is sent again, and what becomes of it where it is not."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.postgres.work_lists import WorkQuery
from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.disputes import opening, rejection, ruling
from tests.workflow.goods import money_instead, refused_command
from tests.workflow.resends import CHARGER, agreed, asked, resend_request, sent
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import (
    AcceptProposal,
    Amend,
    Approve,
    Command,
    ConfirmExchange,
    Propose,
    RefundDirectly,
    Reject,
    RejectReason,
    Reship,
    Resolve,
    Withdraw,
)
from workflows.messages.parcels import ParcelEvent
from workflows.messages.proposals import KeepGoods, RefundInstead, SendAgain, Terms
from workflows.messages.requests import LineAmount, PartOfPiece, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName, WorkList

pytestmark = pytest.mark.in_memory


async def refused(world: World, order_no: str, **changes: Any) -> tuple[str, str, str]:
    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open_resend(resend_request(world, order_no, **changes))
    refusal = caught.value.refusal
    return refusal.code, refusal.field, refusal.rule


async def order_of(case: Case) -> str:
    return str((await case.view()).order_no)


# C2 to C4: decided, sent, received ----------------------------------------------------------------------


@pytest.mark.on_servers
async def test_what_was_missing_is_sent_and_confirmed_and_no_money_moves(world: World) -> None:  # C2, C3, C4
    case, _ = await sent(world)
    outcome = await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.RESENT, "C4")
    assert await world.paid_by_gateway(await order_of(case)) == 0
    assert [await world.notices(case, each) for each in (NoticeTemplate.RESEND_AGREED, NoticeTemplate.CASE_CLOSED)] == [
        1,
        2,
    ]


async def test_whoever_decides_sees_what_is_missing_and_until_when(world: World) -> None:  # C1, R10
    case = await asked(world, parts=CHARGER, amount=900)
    view = await case.view()
    listed = await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant, work_list=WorkList.RESENDS))

    assert view.application is not None
    assert view.application.parts == CHARGER
    assert (view.on_silence, view.due is not None) == (Silence.AGREE_TO_RESEND, True)
    assert [each.case_id for each in listed.items] == [case.id]


async def test_silence_of_48_hours_agrees_and_of_72_gives_the_right_to_intervention(world: World) -> None:  # C2, C3
    case = await asked(world)

    await world.forward(case, hours=47)
    assert (await case.view()).stage is StageName.RESEND_REVIEW
    await world.forward(case, hours=2)
    await world.at(case, StageName.RESEND)
    assert await world.notices(case, NoticeTemplate.RESEND_AGREED) == 2
    late = await refused_command(case, rejection(world))
    await world.forward(case, hours=73)
    view = await world.at(case, StageName.RESEND_OVERDUE)

    assert late == ("not_open", "C3")
    assert (view.attention, view.due) == (Attention.RESEND_OVERDUE, None)
    assert await world.notices(case, NoticeTemplate.RESEND_LATE) == 1
    await case.act(Reship(key="late", by=merchant(world.merchant), parcel=world.parcel()))
    assert (await case.view()).stage is StageName.RESEND_UNDERWAY


async def test_a_profile_may_give_the_right_where_the_merchant_says_nothing(world: World) -> None:  # C2, G3
    case = await asked(world, order_no=await world.shipped_order(marketplace="jd-pop"))

    await world.forward(case, hours=49)
    await world.at(case, StageName.MERCHANT_OVERDUE)
    await case.act(Approve(key="late", by=merchant(world.merchant)))

    assert (await case.view()).stage is StageName.RESEND


async def test_who_does_not_confirm_has_what_was_signed_for_and_else_a_person_is_called(world: World) -> None:
    # C4, T14
    signed, parcel = await sent(world)
    lost, _ = await sent(world)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(signed))

    await world.forward(signed, days=11)
    await world.forward(lost, days=11)
    outcome = await signed.outcome()
    view = await world.at(lost, StageName.RESEND_FAILED)

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.RESENT, "C4")
    assert view.attention is Attention.RESEND_FAILED


async def test_a_parcel_that_is_refused_is_not_done_and_another_may_be_sent(world: World) -> None:  # C4, T14
    case, parcel = await sent(world)
    await world.carrier_tells(parcel, ParcelEvent.REFUSED, await world.now(case))
    await world.at(case, StageName.RESEND_FAILED)

    await case.act(Reship(key="again", by=merchant(world.merchant), parcel=world.parcel()))
    outcome = await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))

    assert outcome.outcome is OutcomeKind.RESENT


async def test_a_parcel_that_arrived_before_anybody_asked_for_one_is_another(world: World) -> None:  # C4, T14
    old, refused_before = world.parcel(), world.parcel()
    await world.carrier_tells(old, ParcelEvent.SIGNED, datetime.now(UTC) - timedelta(days=2))
    await world.carrier_tells(refused_before, ParcelEvent.REFUSED, datetime.now(UTC) - timedelta(days=2))
    case, another = await agreed(world), await agreed(world)
    await case.act(Reship(key="old", by=merchant(world.merchant), parcel=old))
    await another.act(Reship(key="old", by=merchant(world.merchant), parcel=refused_before))
    await world.carrier_tells(refused_before, ParcelEvent.SIGNED, await world.now(another))

    await world.forward(case, days=11)
    await world.forward(another, days=11)

    assert (await world.at(case, StageName.RESEND_FAILED)).attention is Attention.RESEND_FAILED
    assert (await another.outcome()).outcome is OutcomeKind.RESENT


async def test_the_same_holds_where_both_sides_have_agreed_on_it_in_another_case(world: World) -> None:  # N3, T14
    parcel = world.parcel()
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, datetime.now(UTC) - timedelta(days=2))
    case = await world.refund(order_no=await world.shipped_order(), reason=RefundReason.DAMAGED)
    await world.at(case, StageName.SHIPPED_REVIEW)
    await case.act(Propose(key="p", by=merchant(world.merchant), terms=SendAgain()))
    await case.act(AcceptProposal(key="a", by=buyer(world.buyer), number=1))
    await case.act(Reship(key="old", by=merchant(world.merchant), parcel=parcel))

    await world.forward(case, days=11)

    await world.at(case, StageName.RESEND_FAILED)


@pytest.mark.on_servers
async def test_a_standing_order_agrees_at_once(world: World) -> None:  # C2, G4
    await world.standing_order(kinds=["resend"], up_to=5_000, most_a_day=50_000)
    order_no = await world.shipped_order()

    small = await world.aftersales.open_resend(resend_request(world, order_no, amount=900, parts=CHARGER))
    await world.at(small, StageName.RESEND)

    assert "approved" in await world.events(small)
    await asked(world)  # beyond the order: the merchant decides


# R6, D1, D8 ---------------------------------------------------------------------------------------------


async def test_a_rejection_can_be_answered_by_another_application(world: World) -> None:  # C1, C2, R6
    case = await asked(
        world, order_no=await world.shipped_order(pieces=2, lines={"1": 20_000}), pieces=2, amount=20_000
    )
    await case.act(rejection(world))
    half = (LineAmount(line="1", quantity=1, amount=10_000),)
    without_goods = await refused_command(case, amendment(world, half, freight=1))
    await case.act(amendment(world, half))
    view = await case.view()

    assert without_goods == ("freight_not_refundable", "C1")
    assert (view.stage, view.application and view.application.version) == (StageName.RESEND_REVIEW, 2)


def amendment(world: World, lines: tuple[LineAmount, ...], freight: int = 0) -> Amend:
    by, key = buyer(world.buyer), f"amend-{freight}"
    return Amend(key=key, by=by, lines=lines, freight=freight, reason=RefundReason.DAMAGED)


async def test_a_rejection_that_nobody_answers_closes_the_case(world: World) -> None:  # C2, R6
    case = await asked(world)
    await case.act(rejection(world))

    await world.forward(case, days=7, hours=1)
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REJECTED, "R6")


@pytest.mark.on_servers
async def test_a_ruling_pays_what_it_is_worth(world: World) -> None:  # C5, D1, D8
    case = await asked(world)
    await case.act(rejection(world))
    await case.act(opening(world))
    await rule(world, case, ruling())
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "D8")
    assert await world.paid_by_gateway(await order_of(case)) == 10_000


async def rule(world: World, case: Case, command: Command) -> None:
    dispute = world.aftersales.case(str((await case.view()).dispute))
    await world.at(dispute, StageName.NEGOTIATION)
    await world.forward(dispute, hours=25)
    await world.at(case, StageName.LOCKED)
    await dispute.act(command)


async def test_the_merchant_may_grant_what_is_disputed_and_the_dispute_ends(world: World) -> None:  # C2, D2
    case = await asked(world, order_no=await world.shipped_order(marketplace="jd-pop"))
    await case.act(rejection(world))
    await case.act(opening(world))
    dispute = world.aftersales.case(str((await case.view()).dispute))
    await world.at(case, StageName.DISPUTED)

    await case.act(Approve(key="grant", by=merchant(world.merchant)))
    outcome = await dispute.outcome()
    view = await case.view()

    assert outcome.outcome is OutcomeKind.RESOLVED
    assert (view.stage, view.due is not None) == (StageName.RESEND, True)


async def test_a_ruling_that_gives_nothing_lets_what_is_on_its_way_go_on(world: World) -> None:  # C4, D8, T15
    case, parcel = await sent(world)
    await case.act(opening(world))
    nothing = ruling(refund=Award.NOTHING, fault=Fault.BUYER)
    await rule(world, case, nothing)
    await world.at(case, StageName.RESEND_UNDERWAY)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))

    await world.forward(case, days=11)
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.refunded and outcome.refunded.amount) == (OutcomeKind.RESENT, 0)
    assert await refused(world, await order_of(case)) == ("quantity_too_high", "lines.0.quantity", "R13")


@pytest.mark.on_servers
async def test_who_is_getting_it_takes_the_dispute_back_and_not_the_request(world: World) -> None:  # C4
    order_no = await world.shipped_order(marketplace="jd-pop")
    case = await asked(world, order_no=order_no)
    await case.act(Approve(key="agree", by=merchant(world.merchant)))
    await case.act(Reship(key="sent", by=merchant(world.merchant), parcel=world.parcel()))
    await case.act(opening(world))
    dispute = world.aftersales.case(str((await case.view()).dispute))

    assert await refused_command(case, Withdraw(key="w", by=buyer(world.buyer))) == ("goods_sent", "C4")
    await dispute.act(Resolve(key="r", by=buyer(world.buyer)))
    await world.at(case, StageName.RESEND_UNDERWAY)


# C5: money instead --------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_both_sides_turn_it_into_a_refund(world: World) -> None:  # C5, T9
    case = await agreed(world)
    await case.act(money_instead(world, by_buyer=True))
    assert await world.notices(case, NoticeTemplate.CONVERSION_WANTED) == 1
    outcome = await case.act_and_wait(money_instead(world, by_buyer=False))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "C5")
    assert await world.refunded(await order_of(case)) == await world.paid_by_gateway(await order_of(case)) == 10_000


async def test_the_merchant_may_pay_instead(world: World) -> None:  # C2, C5
    case = await asked(world, amount=900, parts=CHARGER)
    outcome = await case.act_and_wait(RefundDirectly(key="pay", by=merchant(world.merchant)))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await world.paid_by_gateway(await order_of(case)) == 900


@pytest.mark.parametrize(
    ("terms", "paid"),
    [(RefundInstead(), 10_000), (KeepGoods(lines=(LineAmount(line="1", quantity=1, amount=2_000),)), 2_000)],
)
async def test_both_sides_agree_on_money(world: World, terms: Terms, paid: int) -> None:  # C5, N1, N3
    case = await asked(world)
    await case.act(Propose(key="p", by=merchant(world.merchant), terms=terms))
    outcome = await case.act_and_wait(AcceptProposal(key="a", by=buyer(world.buyer), number=1))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "N3")
    assert await world.paid_by_gateway(await order_of(case)) == paid


@pytest.mark.parametrize("event", [None, ParcelEvent.REFUSED])
async def test_both_sides_agree_on_money_for_what_has_not_arrived(world: World, event: ParcelEvent | None) -> None:
    # C5, N1, T14
    case, parcel = await sent(world)
    if event:
        await world.carrier_tells(parcel, event, await world.now(case))
    else:
        await world.forward(case, days=11)
    await world.at(case, StageName.RESEND_FAILED)

    await case.act(Propose(key="p", by=merchant(world.merchant), terms=RefundInstead()))
    outcome = await case.act_and_wait(AcceptProposal(key="a", by=buyer(world.buyer), number=1))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "N3")


async def test_nothing_becomes_money_while_it_is_on_its_way(world: World) -> None:  # C5
    case, _ = await sent(world)

    assert await refused_command(case, money_instead(world, by_buyer=True)) == ("not_open", "C4")
    assert await refused_command(case, RefundDirectly(key="p", by=merchant(world.merchant))) == ("not_open", "C4")


# C1, C6: what can be asked for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reason": RefundReason.NO_LONGER_WANTED}, ("unknown_reason", "reason", "G1")),
        ({"reason": RefundReason.LATE_SHIPMENT}, ("unknown_reason", "reason", "G1")),
        ({"pieces": 2, "amount": 10_000}, ("quantity_too_high", "lines.0.quantity", "R8")),
        ({"amount": 10_001}, ("amount_too_high", "lines.0.amount", "R8")),
        ({"amount": 0}, ("amount_missing", "lines.0.amount", "R13")),
    ],
)
async def test_what_does_not_fit_is_refused(
    world: World, changes: dict[str, Any], expected: tuple[str, str, str]
) -> None:  # C1, G1, R13
    assert await refused(world, await world.shipped_order(), **changes) == expected


async def test_only_what_has_shipped_is_sent_again(world: World) -> None:  # C1
    assert await refused(world, await world.order()) == ("not_shipped", "order_no", "C1")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"freight": 100}, "freight"),
        ({"lines": []}, "lines"),
        ({"parts": [{"line": "2", "sku": "charger"}]}, "parts"),
        ({"parts": [{"line": "1", "sku": "charger"}, {"line": "1", "sku": "charger"}]}, "parts"),
    ],
)
@pytest.mark.on_servers
async def test_a_request_that_does_not_fit_itself_names_the_field(
    world: World, body: dict[str, Any], field: str
) -> None:  # C1
    whole = {
        "request_key": "k",
        "order_no": "o",
        "merchant_id": world.merchant,
        "buyer_id": world.buyer,
        "lines": [{"line": "1", "quantity": 1, "amount": 1_000}],
        "reason": "damaged",
    }
    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open_resend(whole | body)

    assert caught.value.refusal.field == field


async def test_the_catalogue_may_want_evidence(world: World) -> None:  # C1, G1
    order_no = await world.shipped_order(marketplace="cn-2026")

    assert await refused(world, order_no) == ("evidence_missing", "evidence", "G1")
    await asked(world, order_no=order_no, evidence=EVIDENCE)


@pytest.mark.on_servers
async def test_a_piece_is_sent_again_once_and_can_come_back_and_is_not_refunded_as_missing(world: World) -> None:
    # C6, R13
    order_no = await world.shipped_order(pieces=2, lines={"1": 20_000})
    case, _ = await sent(world, order_no=order_no)
    while_open = await refused(world, order_no, pieces=2, amount=20_000)
    await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))
    as_missing = await refused(world, order_no, pieces=2, amount=20_000)
    lines = (LineAmount(line="1", quantity=2, amount=20_000),)
    with pytest.raises(RefusedRequest) as caught:
        await world.refund(order_no=order_no, lines=lines, reason=RefundReason.MISSING_PARTS)

    assert while_open == as_missing == ("quantity_too_high", "lines.0.quantity", "R13")
    assert caught.value.refusal.code == "quantity_too_high"
    await world.returned(20_000, order_no=order_no, quantity=2)


@pytest.mark.on_servers
async def test_a_part_leaves_its_piece_as_it_is_and_is_sent_once(world: World) -> None:  # C6, R13
    order_no = await world.shipped_order()
    case, _ = await sent(world, order_no=order_no, amount=900, parts=CHARGER)
    while_open = await refused(world, order_no, amount=900, parts=CHARGER)
    another = await asked(world, order_no=order_no, amount=300, parts=(PartOfPiece(line="1", sku="manual"),))
    await another.act_and_wait(Withdraw(key="w", by=buyer(world.buyer)))
    await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))

    assert while_open == ("quantity_too_high", "lines.0.quantity", "R13")
    assert await refused(world, order_no, amount=900, parts=CHARGER) == while_open
    await world.returned(order_no=order_no)


@pytest.mark.on_servers
async def test_what_was_agreed_to_be_sent_in_another_case_counts_likewise(world: World) -> None:  # C6, N3
    order_no = await world.shipped_order()
    case = await world.refund(order_no=order_no, reason=RefundReason.DAMAGED)
    await world.at(case, StageName.SHIPPED_REVIEW)
    await case.act(Propose(key="p", by=merchant(world.merchant), terms=SendAgain(parts=CHARGER)))
    await case.act(AcceptProposal(key="a", by=buyer(world.buyer), number=1))
    await case.act(Reship(key="s", by=merchant(world.merchant), parcel=world.parcel()))
    await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))

    assert (await refused(world, order_no, amount=900, parts=CHARGER))[0] == "quantity_too_high"
    await asked(world, order_no=order_no)  # the piece itself is another thing


# Section 11 ---------------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_of_two_that_want_the_same_piece_one_is_opened(world: World) -> None:  # C6, R13, section 11
    order_no = await world.shipped_order()
    answers = await asyncio.gather(
        *(world.aftersales.open_resend(resend_request(world, order_no)) for _ in range(3)), return_exceptions=True
    )
    cases = [each for each in answers if isinstance(each, Case)]
    views = [await until(each.view, lambda view: view.stage is not StageName.OPENING) for each in cases]

    assert sorted(view.stage for view in views if view.outcome is not OutcomeKind.REFUSED) == [StageName.RESEND_REVIEW]
    assert all(isinstance(each, Case | RefusedRequest) for each in answers)


async def test_a_rejection_after_the_deadline_is_told_what_silence_has_done(world: World) -> None:  # C2, section 11
    case = await asked(world)
    late = Reject(key="r", by=merchant(world.merchant), reason=RejectReason.OTHER, evidence=EVIDENCE)
    await world.forward(case, hours=48, minutes=1)
    await world.at(case, StageName.RESEND)

    assert await refused_command(case, late) == ("not_open", "C3")

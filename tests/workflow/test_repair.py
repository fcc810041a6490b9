"""M1 to M5: goods that a buyer sends in, and gets back mended; or money, or the platform's word, where it does not."""

import pytest

from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow.disputes import in_list, opening, rejection, ruling
from tests.workflow.goods import (
    agreement,
    direct_refund,
    money_instead,
    receipt,
    refused_command,
    signed_for,
    tracking,
)
from tests.workflow.repairs import asked, received, repair_request, sent_back, sent_in
from tests.workflow.resends import resend_request
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import (
    AcceptProposal,
    Command,
    ConfirmExchange,
    Propose,
    RefundDirectly,
    Reship,
    SendBack,
    Withdraw,
)
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.proposals import ReturnInstead
from workflows.messages.requests import RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, WorkList

pytestmark = pytest.mark.in_memory


async def refused(world: World, order_no: str, **changes: object) -> tuple[str, str, str]:
    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open_repair(repair_request(world, order_no, **changes))  # type: ignore[arg-type]
    refusal = caught.value.refusal
    return refusal.code, refusal.field, refusal.rule


async def rule(world: World, case: Case, command: Command) -> None:
    dispute = world.aftersales.case(str((await case.view()).dispute))
    await world.at(dispute, StageName.NEGOTIATION)
    await world.forward(dispute, hours=25)
    await world.at(case, StageName.LOCKED)
    await dispute.act(command)


async def order_of(case: Case) -> str:
    return str((await case.view()).order_no)


# M2 to M4 ------------------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_goods_are_mended_and_confirmed_and_no_money_moves(world: World) -> None:  # M2, M3, M4
    case, _ = await sent_back(world)
    outcome = await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REPAIRED, "M4")
    assert await world.paid_by_gateway(await order_of(case)) == 0
    assert await world.notices(case, NoticeTemplate.REPAIR_SHIPPED) == 1


async def test_silence_of_48_hours_agrees_and_of_7_days_more_closes(world: World) -> None:  # M2, T3
    await world.address()
    case = await asked(world)
    view = await case.view()
    listed = await in_list(world, WorkList.REPAIRS)

    await world.forward(case, hours=49)
    await world.at(case, StageName.AWAITING_RETURN)
    await world.forward(case, days=7, hours=1)
    outcome = await case.outcome()

    assert (view.on_silence, listed) == (Silence.AGREE_TO_REPAIR, [case.id])
    assert (outcome.outcome, outcome.rule) == (OutcomeKind.NOT_RETURNED, "T3")


async def test_a_profile_may_give_the_right_where_the_merchant_says_nothing(world: World) -> None:  # M2, G3
    await world.address()
    case = await asked(world, order_no=await world.shipped_order(marketplace="jd-pop"))

    await world.forward(case, hours=49)
    await world.at(case, StageName.MERCHANT_OVERDUE)
    await case.act(agreement(world))

    assert (await case.view()).stage is StageName.AWAITING_RETURN


async def test_the_merchant_has_15_days_and_72_hours_from_the_sign_off(world: World) -> None:  # M3
    case = await received(world)

    await world.forward(case, days=17, hours=23)
    assert (await case.view()).stage is StageName.REPAIRING
    await world.forward(case, hours=2)
    view = await world.at(case, StageName.REPAIR_OVERDUE)

    assert (view.attention, view.due) == (Attention.REPAIR_OVERDUE, None)
    assert await world.notices(case, NoticeTemplate.REPAIR_LATE) == 1
    await case.act(Reship(key="late", by=merchant(world.merchant), parcel=world.parcel()))
    assert (await case.view()).stage is StageName.REPAIR_UNDERWAY


async def test_overdue_the_buyer_may_have_the_platform_decide(world: World) -> None:  # M3, D1, D8
    case = await received(world)
    await world.forward(case, days=18, hours=1)
    await world.at(case, StageName.REPAIR_OVERDUE)

    await case.act(opening(world))
    await rule(world, case, ruling())
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "D8")
    assert await world.paid_by_gateway(await order_of(case)) == 10_000


async def test_who_does_not_confirm_has_what_was_signed_for_and_else_a_person_is_called(world: World) -> None:
    # M4, T14
    signed, parcel = await sent_back(world)
    lost, _ = await sent_back(world)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(signed))

    await world.forward(signed, days=11)
    await world.forward(lost, days=11)
    outcome = await signed.outcome()
    view = await world.at(lost, StageName.REPAIR_FAILED)

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REPAIRED, "M4")
    assert view.attention is Attention.REPAIR_FAILED


async def test_goods_that_do_not_reach_the_merchant_call_a_person(world: World) -> None:  # T14
    case, parcel = await sent_in(world)
    await world.carrier_tells(parcel, ParcelEvent.REFUSED, await world.now(case))

    assert (await world.at(case, StageName.RETURN_REFUSED)).attention is Attention.RETURN_REFUSED


async def test_goods_that_the_merchant_does_not_mend_go_back(world: World) -> None:  # M3, T15
    case = await received(world)
    await case.act(rejection(world))
    assert await refused_command(case, Withdraw(key="w", by=buyer(world.buyer))) == ("not_open", "T6")
    parcel = world.parcel()
    await case.act(SendBack(key="b", by=merchant(world.merchant), parcel=parcel))
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))

    await world.forward(case, days=11)
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.REJECTED


@pytest.mark.on_servers
async def test_the_way_in_is_paid_by_fault_beside(world: World) -> None:  # M4, T10
    case, _ = await sent_back(world, freight_paid=1_200)
    await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))
    freight = world.aftersales.case(f"return-freight/{case.id}")

    assert (await freight.outcome()).outcome is OutcomeKind.COMPENSATED
    assert await world.compensated(f"return-freight/{case.id}") == 1_200


async def test_the_way_in_is_the_buyers_where_the_fault_is(world: World) -> None:  # M1, T10
    case, _ = await sent_back(world, freight_paid=1_200, reason=RefundReason.BROKEN_IN_USE)
    await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))

    assert "compensation_owed" not in await world.events(case)
    assert await world.compensated(f"return-freight/{case.id}") == 0


# M5: money instead ---------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_both_sides_turn_it_into_a_refund_of_goods_that_the_merchant_has(world: World) -> None:  # M5, T9
    case = await received(world)
    await case.act(money_instead(world, by_buyer=True))
    outcome = await case.act_and_wait(money_instead(world, by_buyer=False))

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.REFUNDED, "T9")
    assert await world.paid_by_gateway(await order_of(case)) == 10_000


async def test_both_are_told_that_goods_on_their_way_come_back_for_money(world: World) -> None:  # M5, T9, N6
    case, _ = await sent_in(world)
    await case.act(money_instead(world, by_buyer=False))
    told = await world.notices(case, NoticeTemplate.STAGE_CHANGED)
    await case.act(money_instead(world, by_buyer=True))
    view = await case.view()

    assert (view.kind, view.stage) == (CaseKind.RETURN, StageName.RETURN_IN_TRANSIT)
    assert await world.notices(case, NoticeTemplate.STAGE_CHANGED) == told + 2


@pytest.mark.on_servers
async def test_both_sides_agree_on_a_return_for_money(world: World) -> None:  # M5, N1, N3
    await world.address()
    case = await asked(world)
    await case.act(Propose(key="p", by=merchant(world.merchant), terms=ReturnInstead()))
    await case.act(AcceptProposal(key="a", by=buyer(world.buyer), number=1))
    view = await case.view()

    assert (view.kind, view.stage) == (CaseKind.RETURN, StageName.AWAITING_RETURN)
    await case.act(tracking(world, world.parcel()))
    outcome = await case.act_and_wait(receipt(world))
    assert outcome.outcome is OutcomeKind.REFUNDED


async def test_the_merchant_may_pay_instead(world: World) -> None:  # M2, M5
    case = await asked(world)
    outcome = await case.act_and_wait(direct_refund(world))

    assert outcome.outcome is OutcomeKind.REFUNDED


@pytest.mark.parametrize("exchange", [False, True])
async def test_whoever_is_called_can_pay_for_goods_that_were_ruled_on_and_have_not_arrived(
    world: World, exchange: bool
) -> None:  # M4, T8, T14, D10
    case, parcel = await (reshipped(world) if exchange else sent_back(world))
    await case.act(opening(world))
    await rule(world, case, ruling(refund=Award.NOTHING, fault=Fault.BUYER))
    await world.carrier_tells(parcel, ParcelEvent.REFUSED, await world.now(case))
    failed = StageName.RESHIP_FAILED if exchange else StageName.REPAIR_FAILED
    await world.at(case, failed)

    assert (await refused_command(case, opening(world, "again")))[0] == "ruled_before"
    by = officer("f-1")
    outcome = await case.act_and_wait(RefundDirectly(key="p", by=by))

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, by.role)
    assert await world.paid_by_gateway(await order_of(case)) == 10_000


async def reshipped(world: World) -> tuple[Case, Parcel]:
    """An exchange whose goods are on their way to the buyer, and the parcel that they are in (T8)."""
    case, _ = await signed_for(world, exchange=True)
    parcel = world.parcel()
    await case.act(Reship(key="out", by=merchant(world.merchant), parcel=parcel))
    return case, parcel


@pytest.mark.on_servers
async def test_a_ruling_that_gives_nothing_sends_the_goods_back(world: World) -> None:  # D8, T15
    case = await received(world)
    await case.act(rejection(world))
    await case.act(opening(world))
    await rule(world, case, ruling(refund=Award.NOTHING, fault=Fault.BUYER))

    assert (await world.at(case, StageName.RECEIPT_REJECTED)).outcome is None


# M1, M5: what can be asked for ---------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [RefundReason.NO_LONGER_WANTED, RefundReason.NOT_RECEIVED, RefundReason.OTHER])
async def test_only_what_is_wrong_with_goods_is_mended(world: World, reason: RefundReason) -> None:  # M1, G1
    assert await refused(world, await world.shipped_order(), reason=reason) == ("unknown_reason", "reason", "G1")


async def test_only_what_has_shipped_is_mended(world: World) -> None:  # M1
    assert await refused(world, await world.order()) == ("not_shipped", "order_no", "M1")


@pytest.mark.on_servers
async def test_what_is_being_mended_is_nobody_elses_and_is_bought_again_afterwards(world: World) -> None:  # M5, R13
    order_no = await world.shipped_order()
    case, _ = await sent_back(world, order_no=order_no)
    again = await refused(world, order_no)
    with pytest.raises(RefusedRequest) as sent:
        await world.aftersales.open_resend(resend_request(world, order_no))
    with pytest.raises(RefusedRequest) as money:
        await world.refund(order_no=order_no, reason=RefundReason.DAMAGED)
    await case.act_and_wait(ConfirmExchange(key="got", by=buyer(world.buyer)))

    assert again == ("quantity_too_high", "lines.0.quantity", "R13")
    assert sent.value.refusal.code == money.value.refusal.code == "quantity_too_high"
    await world.returned(order_no=order_no, reason=RefundReason.QUALITY_FAULT)


@pytest.mark.on_servers
async def test_a_standing_order_agrees_at_once(world: World) -> None:  # M2, G4
    await world.address()
    await world.standing_order(kinds=["repair"], up_to=20_000, most_a_day=50_000)
    case = await world.aftersales.open_repair(repair_request(world, await world.shipped_order()))

    await world.at(case, StageName.AWAITING_RETURN)

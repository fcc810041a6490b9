"""L1 to L3: compensation for late shipment."""

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from activities.gateways.payment_stub import Behaviour, Mode
from activities.policies import Policies
from activities.postgres.work_lists import WorkItem, WorkQuery
from starter.client import Aftersales, Case
from starter.errors import NotYours, RefusedCommand, RefusedRequest, UnknownCase
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import Role, buyer, merchant, officer
from workflows.messages.cases import NoticeTemplate, Outcome
from workflows.messages.commands import (
    Approve,
    ClaimCompensation,
    CloseCase,
    Command,
    PayInAdvance,
    ProveExemption,
    ProveShipment,
    Withdraw,
)
from workflows.messages.money import Money
from workflows.messages.pauses import DeclareExemption, ExemptionReason
from workflows.messages.requests import LateShipmentRequest
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName, WorkList

pytestmark = pytest.mark.in_memory


OFFICER = officer("f-1")
LIMIT = timedelta(hours=48)
LATE = timedelta(hours=50)
"""How long ago the orders of most tests were paid."""


async def late_order(world: World) -> str:
    """An order that has not shipped in time."""
    return await world.order(paid_at=datetime.now(UTC) - LATE)


async def claimable(world: World, order_no: str | None = None) -> Case:
    """Late shipment that the buyer may claim, on a new order unless one is named."""
    case = await world.aftersales.order_paid(order_no or await late_order(world))
    await world.at(case, StageName.CLAIMABLE)
    return case


async def claimed(world: World, order_no: str | None = None) -> Case:
    """Late shipment that the buyer has claimed."""
    case = await claimable(world, order_no)
    await case.act(claim(world))
    return case


async def claimed_and_approved(world: World, case: Case) -> Outcome:
    await case.act(claim(world))
    return await case.act_and_wait(approval(world))


def claim(world: World, key: str = "claim") -> ClaimCompensation:
    return ClaimCompensation(key=key, by=buyer(world.buyer))


def approval(world: World) -> Approve:
    return Approve(key="approve", by=merchant(world.merchant))


def proof(world: World, shipped_at: datetime) -> ProveShipment:
    return ProveShipment(
        key="proof", by=merchant(world.merchant), parcel=world.parcel(), shipped_at=shipped_at, evidence=EVIDENCE
    )


async def refer_to(world: World, case: Case, exemption: str) -> Outcome:
    """The merchant refers to an exemption, and the case ends."""
    return await case.act_and_wait(ProveExemption(key="exempt", by=merchant(world.merchant), exemption=exemption))


async def exemption(world: World, *, starts: float, ends: float, merchants: tuple[str, ...] = ()) -> str:
    """A declared exemption, in hours from now; its id."""
    now = datetime.now(UTC)
    declared = await world.aftersales.declarations.declare_exemption(
        DeclareExemption(
            id=world.fresh("peak"),
            reason=ExemptionReason.PROMOTION_PEAK,
            starts_at=now + timedelta(hours=starts),
            ends_at=now + timedelta(hours=ends),
            merchants=merchants,
            by=OFFICER,
        )
    )
    return declared.id


async def shipped(world: World, order_no: str, at: datetime) -> None:
    """The shop hands the order's goods to a carrier."""
    await world.aftersales.logistics.order_shipped(order_no, world.parcel(), at)


async def order_of(case: Case) -> str:
    order_no = (await case.view()).order_no
    assert order_no
    return order_no


async def compensated(world: World, case: Case) -> int:
    """What was paid for late shipment, on which our ledger and the gateway's book agree; in minor units."""
    fund = f"late-shipment/{await order_of(case)}"
    by_gateway = await world.paid_from(fund)
    assert await world.compensated(fund) == by_gateway
    return by_gateway


async def booked(world: World) -> tuple[WorkItem, ...]:
    """The merchant's cases in the case book, ended ones as well."""
    return (await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant, with_closed=True))).items


async def refusal(case: Case, command: Command) -> RefusedCommand:
    with pytest.raises(RefusedCommand) as refused:
        await case.act(command)
    return refused.value


# L1: what is owed, and when -------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_the_buyer_may_claim_48_hours_after_payment_and_not_before(world: World) -> None:  # L1, L2
    order_no = await world.order(paid_at=datetime.now(UTC))
    case = await world.aftersales.order_paid(order_no)
    waiting = await case.handle.describe()

    await world.forward(case, hours=47, minutes=59)
    before = await booked(world)
    await world.forward(case, minutes=2)
    view = await world.at(case, StageName.CLAIMABLE)

    assert waiting.history_length <= 2  # it has not begun
    assert before == ()
    assert (view.kind, view.asked) == (CaseKind.LATE_SHIPMENT, Money(amount=3_000, currency="CNY"))
    assert view.due == view.opened_at + timedelta(days=30)
    assert await world.notices(case, NoticeTemplate.COMPENSATION_CLAIMABLE) == 1
    assert await world.events(case) == ["opened"]


@pytest.mark.on_servers
async def test_a_payment_that_is_told_twice_is_one_case(world: World) -> None:  # L1
    order_no = await world.order(paid_at=datetime.now(UTC))
    first = await world.aftersales.order_paid(order_no)
    run_id = (await first.handle.describe()).run_id

    second = await world.aftersales.order_paid(order_no)

    assert (second.id, (await second.handle.describe()).run_id) == (first.id, run_id)


@pytest.mark.on_servers
async def test_a_payment_told_again_under_another_version_of_the_policy_is_one_case(
    world: World, tmp_path: Path
) -> None:  # L1
    built_in = resources.files("workflows.rules").joinpath("policies", "douyin.toml").read_text(encoding="utf-8")
    tmp_path.joinpath("douyin.toml").write_text(built_in.replace("ship_hours = 48", "ship_hours = 72"))
    later = Aftersales(world.skipper.client, world.task_queue, world.pool, world.aftersales.vault, Policies(tmp_path))
    order_no = await world.order(marketplace="douyin", paid_at=datetime.now(UTC))
    first = await world.aftersales.order_paid(order_no)

    second = await later.order_paid(order_no)
    await world.forward(first, hours=49)

    assert second.id == first.id
    assert (await world.at(first, StageName.CLAIMABLE)).kind is CaseKind.LATE_SHIPMENT


@pytest.mark.on_servers
async def test_shipping_in_time_ends_it_quietly(world: World) -> None:  # L1
    paid_at = datetime.now(UTC)
    order_no = await world.order(paid_at=paid_at)
    case = await world.aftersales.order_paid(order_no)
    await shipped(world, order_no, paid_at + timedelta(hours=47))

    await world.forward(case, hours=48, minutes=1)
    outcome = await case.outcome()

    assert (outcome.outcome, outcome.rule) == (OutcomeKind.SHIPPED_IN_TIME, "L1")
    assert await booked(world) == ()
    assert await world.notices(case, NoticeTemplate.COMPENSATION_CLAIMABLE) == 0
    with pytest.raises(UnknownCase):
        await case.log()


@pytest.mark.parametrize(("late", "stage"), [(0, StageName.CLOSED), (1, StageName.CLAIMABLE)])
async def test_the_last_moment_to_ship_is_in_time(world: World, late: int, stage: StageName) -> None:  # L1
    paid_at = datetime.now(UTC) - LATE
    order_no = await world.order(paid_at=paid_at, shipped_at=paid_at + LIMIT + timedelta(seconds=late))

    case = await world.aftersales.order_paid(order_no)

    assert (await world.at(case, stage)).outcome is (None if late else OutcomeKind.SHIPPED_IN_TIME)


@pytest.mark.parametrize(
    ("marketplace", "owed"),
    [("douyin", 4_000), ("jd-pop", 4_000), ("jd-self", 500)],  # 3999.9 fen, and 5.00
)
async def test_what_is_owed_depends_on_who_ships_and_not_on_the_freight(
    world: World, marketplace: str, owed: int
) -> None:  # L1
    lines = {"1": 10_000, "2": 3_333}
    order_no = await world.order(
        marketplace=marketplace, lines=lines, freight=5_000, paid_at=datetime.now(UTC) - timedelta(hours=50)
    )
    case = await claimed(world, order_no)

    outcome = await case.act_and_wait(approval(world))

    assert outcome.compensated == Money(amount=owed, currency="CNY")
    assert await compensated(world, case) == owed


@pytest.mark.on_servers
async def test_an_unknown_order_is_not_waited_for(world: World) -> None:  # L1
    with pytest.raises(RefusedRequest) as refused:
        await world.aftersales.order_paid(world.fresh("o"))

    assert refused.value.refusal.field == "order_no"


async def test_goods_that_ship_late_are_noted_and_late(world: World) -> None:  # L1
    order_no = await late_order(world)
    case = await claimable(world, order_no)
    before = await case.view()

    await shipped(world, order_no, datetime.now(UTC))
    await until(lambda: world.events(case), lambda events: events == ["opened", "goods_shipped"])
    after = await case.view()
    outcome = await claimed_and_approved(world, case)

    assert (after.stage, after.due) == (StageName.CLAIMABLE, before.due)
    assert outcome.outcome is OutcomeKind.COMPENSATED


@pytest.mark.on_servers
async def test_started_without_a_delay_it_waits_by_itself_and_takes_nothing_meanwhile(world: World) -> None:  # L1
    paid_at = datetime.now(UTC)
    request = LateShipmentRequest(
        order_no=await world.order(paid_at=paid_at),
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        ships_until=paid_at + LIMIT,
    )
    case = world.aftersales.case(f"late-shipment/{request.order_no}")
    await world.aftersales.temporal.start_workflow("LateShipment", request, id=case.id, task_queue=world.task_queue)
    await until(world.timers(case), lambda timers: timers == 1)

    early = await refusal(case, claim(world, "early"))
    await world.forward(case, hours=47, minutes=59)
    before = await booked(world)
    await world.forward(case, minutes=2)
    await world.at(case, StageName.CLAIMABLE)
    view = await case.act(claim(world))

    assert (early.refusal.code, early.refusal.rule) == ("not_open", "L1")
    assert before == ()
    assert view.stage is StageName.CLAIM_REVIEW


@pytest.mark.on_servers
async def test_a_word_that_it_should_start_earlier_is_not_believed(world: World) -> None:  # L1
    paid_at = datetime.now(UTC)
    request = LateShipmentRequest(
        order_no=await world.order(paid_at=paid_at),
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        ships_until=paid_at,
    )
    case = world.aftersales.case(f"late-shipment/{request.order_no}")
    await world.aftersales.temporal.start_workflow("LateShipment", request, id=case.id, task_queue=world.task_queue)
    await until(world.timers(case), lambda timers: timers == 1)

    early = await refusal(case, claim(world, "early"))
    await world.forward(case, hours=48, minutes=1)
    view = await world.at(case, StageName.CLAIMABLE)

    assert early.refusal.code == "not_open"
    assert view.asked == Money(amount=3_000, currency="CNY")


async def test_goods_that_were_paid_back_need_not_ship(world: World) -> None:  # L1
    order_no = await late_order(world)
    refund = await world.refund(10_000, order_no=order_no)
    await refund.act_and_wait(approval(world))

    outcome = await (await world.aftersales.order_paid(order_no)).outcome()

    assert outcome.outcome is OutcomeKind.SHIPPED_IN_TIME


@pytest.mark.on_servers
async def test_only_goods_that_are_still_owed_count(world: World) -> None:  # L1
    order_no = await late_order(world)
    refund = await world.refund(4_000, order_no=order_no)
    await refund.act_and_wait(approval(world))

    case = await claimable(world, order_no)

    assert (await case.view()).asked == Money(amount=1_800, currency="CNY")


@pytest.mark.on_servers
async def test_a_case_that_begins_late_still_asks_when_the_order_had_to_ship(world: World) -> None:  # L2
    paid_at = datetime.now(UTC) - timedelta(days=9)
    declared = await exemption(world, starts=-24, ends=-10)
    case = await claimed(world, await world.order(paid_at=paid_at))

    late = await refusal(case, proof(world, paid_at + LIMIT + timedelta(hours=1)))
    with pytest.raises(RefusedCommand) as elsewhen:
        await refer_to(world, case, declared)

    assert late.refusal.field == "shipped_at"
    assert elsewhen.value.refusal.code == "exemption_elsewhen"


@pytest.mark.on_servers
async def test_a_start_that_was_told_too_late_does_not_prolong_the_time_to_ship(world: World) -> None:  # L2
    paid_at = datetime.now(UTC) - LATE
    request = LateShipmentRequest(
        order_no=await world.order(paid_at=paid_at),
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        ships_until=paid_at + LATE + timedelta(hours=1),
    )
    case = world.aftersales.case(f"late-shipment/{request.order_no}")
    await world.aftersales.temporal.start_workflow("LateShipment", request, id=case.id, task_queue=world.task_queue)
    await until(world.timers(case), lambda timers: timers == 1)
    await world.forward(case, hours=1, minutes=1)
    await world.at(case, StageName.CLAIMABLE)
    await case.act(claim(world))

    late = await refusal(case, proof(world, paid_at + LIMIT + timedelta(hours=1)))

    assert late.refusal.field == "shipped_at"


# L2: who claims, who proves, what silence does --------------------------------------------------------------


@pytest.mark.on_servers
async def test_a_claim_that_the_merchant_does_not_answer_in_48_hours_is_paid(world: World) -> None:  # L2
    case = await claimed(world)
    reviewed = await case.view()
    listed = await world.aftersales.work_list(WorkQuery(merchant_id=world.merchant, work_list=WorkList.LATE_SHIPMENTS))

    await world.forward(case, hours=47, minutes=59)
    before = await case.view()
    await world.forward(case, minutes=2)
    outcome = await case.outcome()

    assert (reviewed.stage, before.stage) == (StageName.CLAIM_REVIEW, StageName.CLAIM_REVIEW)
    assert [(item.case_id, item.due_at) for item in listed.items] == [(case.id, reviewed.due)]
    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.COMPENSATED, Role.CLOCK, "L2")
    assert await compensated(world, case) == 3_000
    assert await world.notices(case, NoticeTemplate.COMPENSATION_CLAIMED) == 1
    assert await world.notices(case, NoticeTemplate.DEADLINE_NEAR) == 1
    assert await world.notices(case, NoticeTemplate.COMPENSATION_PAID) == 1


async def test_the_merchant_pays_without_waiting(world: World) -> None:  # L2
    case = await claimed(world)

    outcome = await case.act_and_wait(approval(world))

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.COMPENSATED, Role.MERCHANT)
    assert await world.events(case) == ["opened", "compensation_claimed", "approved", "compensation_paid"]
    assert await compensated(world, case) == 3_000


async def test_what_nobody_claims_in_30_days_is_not_paid(world: World) -> None:  # L2
    case = await claimable(world)

    await world.forward(case, days=29, hours=23)
    before = await case.view()
    await world.forward(case, hours=2)
    outcome = await case.outcome()

    assert before.stage is StageName.CLAIMABLE
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.UNCLAIMED, Role.CLOCK)
    assert await compensated(world, case) == 0


async def test_only_the_orders_buyer_claims(world: World) -> None:  # L2, section 12
    case = await claimable(world)

    stranger = await refusal(case, ClaimCompensation(key="c1", by=buyer("b-stranger")))
    by_merchant = await refusal(case, ClaimCompensation(key="c2", by=merchant(world.merchant)))

    assert isinstance(stranger, NotYours)
    assert by_merchant.refusal.code == "wrong_actor"
    assert (await case.view()).stage is StageName.CLAIMABLE


@pytest.mark.on_servers
async def test_a_claim_that_is_taken_back_pays_nothing_and_cannot_be_made_again(world: World) -> None:  # L1, L2
    order_no = await late_order(world)
    case = await claimed(world, order_no)

    outcome = await case.act_and_wait(Withdraw(key="w1", by=buyer(world.buyer)))
    again = await world.aftersales.order_paid(order_no)

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.WITHDRAWN, Role.BUYER)
    assert await again.outcome() == outcome  # once per order
    assert await compensated(world, case) == 0


@pytest.mark.on_servers
async def test_a_case_that_is_started_anew_after_its_end_pays_nothing(world: World) -> None:  # L1
    order_no = await late_order(world)
    case = await claimed(world, order_no)
    paid = await case.act_and_wait(approval(world))
    request = LateShipmentRequest(
        order_no=order_no,
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        ships_until=datetime.now(UTC) - timedelta(hours=1),
    )
    await world.aftersales.temporal.start_workflow("LateShipment", request, id=case.id, task_queue=world.task_queue)

    # The second run is none of its own: what became of the case is what the book says.
    again = await case.outcome()

    assert (again.outcome, again.compensated) == (paid.outcome, paid.compensated)
    assert await world.compensated(f"late-shipment/{order_no}") == 3_000


@pytest.mark.parametrize("before", [timedelta(hours=5), timedelta(0)])
async def test_shipment_in_time_is_proved(world: World, before: timedelta) -> None:  # L2
    paid_at = datetime.now(UTC) - LATE
    case = await claimed(world, await world.order(paid_at=paid_at))

    outcome = await case.act_and_wait(proof(world, paid_at + LIMIT - before))

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.EXEMPT, Role.MERCHANT, "L2")
    assert (await case.log())[-1].facts["evidence_1"] == EVIDENCE[0].uri
    assert await compensated(world, case) == 0
    assert await world.notices(case, NoticeTemplate.CASE_CLOSED) == 2


async def test_a_proof_of_late_shipment_proves_nothing(world: World) -> None:  # L2
    paid_at = datetime.now(UTC) - LATE
    case = await claimed(world, await world.order(paid_at=paid_at))
    before = await case.view()

    refused = await refusal(case, proof(world, paid_at + LIMIT + timedelta(seconds=1)))
    after = await case.view()
    await world.forward(case, hours=48, minutes=1)
    outcome = await case.outcome()

    assert (refused.refusal.field, refused.refusal.rule) == ("shipped_at", "L2")
    assert (after.stage, after.due) == (before.stage, before.due)
    assert outcome.outcome is OutcomeKind.COMPENSATED


@pytest.mark.on_servers
@pytest.mark.parametrize("for_all", [True, False])
async def test_a_declared_exemption_excuses(world: World, *, for_all: bool) -> None:  # L2
    declared = await exemption(world, starts=-40, ends=-10, merchants=() if for_all else ("m-other", world.merchant))
    case = await claimed(world)

    outcome = await refer_to(world, case, declared)

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.EXEMPT, Role.MERCHANT, "L2")
    assert await compensated(world, case) == 0
    assert (await case.log())[-1].facts["exemption"] == declared


@pytest.mark.on_servers
@pytest.mark.parametrize(
    ("starts", "ends", "merchants", "code"),
    [
        (-40, -10, ("m-other",), "exemption_of_others"),
        (-80, -51, (), "exemption_elsewhen"),  # over before the order was paid
        (1, 20, (), "exemption_elsewhen"),  # declared for after the order was to ship
    ],
)
async def test_an_exemption_that_does_not_concern_the_order_does_not_excuse(
    world: World, starts: float, ends: float, merchants: tuple[str, ...], code: str
) -> None:  # L2
    declared = await exemption(world, starts=starts, ends=ends, merchants=merchants)
    case = await claimed(world)
    before = await case.view()

    with pytest.raises(RefusedCommand) as refused:
        await refer_to(world, case, declared)
    after = await case.view()
    await world.forward(case, hours=48, minutes=1)
    outcome = await case.outcome()

    assert (refused.value.refusal.code, refused.value.refusal.field) == (code, "exemption")
    assert (after.stage, after.due) == (before.stage, before.due)
    assert outcome.outcome is OutcomeKind.COMPENSATED
    assert "exemption_shown" not in await world.events(case)


async def test_a_merchant_whose_exemption_is_not_known_may_show_another(world: World) -> None:  # L2
    declared = await exemption(world, starts=-40, ends=-10)
    case = await claimed(world)

    with pytest.raises(RefusedCommand) as refused:
        await refer_to(world, case, world.fresh("nobody"))
    outcome = await case.act_and_wait(ProveExemption(key="e2", by=merchant(world.merchant), exemption=declared))

    assert (refused.value.refusal.code, refused.value.refusal.field) == ("unknown_exemption", "exemption")
    assert outcome.outcome is OutcomeKind.EXEMPT


# L3 and section 10: the money ------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_compensation_does_not_eat_what_the_order_can_give_back(world: World) -> None:  # L3, R8
    order_no = await late_order(world)
    case = await claimed(world, order_no)
    await case.act_and_wait(approval(world))
    refunded_before = await world.refunded(order_no)

    refund = await world.refund(10_000, order_no=order_no)
    outcome = await refund.act_and_wait(approval(world))

    assert refunded_before == 0
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert (await world.refunded(order_no), await world.paid_by_gateway(order_no)) == (10_000, 10_000)
    assert await compensated(world, case) == 3_000


async def test_goods_that_are_paid_back_later_were_late_all_the_same(world: World) -> None:  # L3, R8
    order_no = await late_order(world)
    case = await claimed(world, order_no)
    refund = await world.refund(10_000, order_no=order_no)
    await refund.act_and_wait(approval(world))

    outcome = await case.act_and_wait(approval(world))

    assert (outcome.outcome, outcome.refunded) == (OutcomeKind.COMPENSATED, Money(amount=0, currency="CNY"))
    assert (await world.refunded(order_no), await compensated(world, case)) == (10_000, 3_000)


async def test_a_merchant_that_cannot_pay_calls_an_officer_who_pays_in_advance(world: World) -> None:  # section 10
    order_no = await late_order(world)
    await world.behave(Behaviour(mode=Mode.ACCOUNT_SHORT, order_no=order_no))
    case = await claimed(world, order_no)
    await case.act(approval(world))
    flagged = await world.at(case, StageName.PAYMENT_ATTENTION)

    outcome = await case.act_and_wait(PayInAdvance(key="p1", by=OFFICER, reason="merchant_short", proof="ticket:1"))

    assert flagged.attention is Attention.MERCHANT_ACCOUNT_SHORT
    assert await world.notices(case, NoticeTemplate.ATTENTION_RAISED) == 1
    assert outcome.outcome is OutcomeKind.PAID_BY_PLATFORM
    assert outcome.compensated == Money(amount=3_000, currency="CNY")
    assert await world.compensated(f"late-shipment/{order_no}") == 3_000
    assert await world.refunded(order_no) == 0


async def test_a_declined_compensation_can_be_closed_unpaid(world: World) -> None:  # section 10
    order_no = await late_order(world)
    await world.behave(Behaviour(mode=Mode.DECLINE, order_no=order_no))
    case = await claimed(world, order_no)
    await case.act(approval(world))
    await world.at(case, StageName.PAYMENT_ATTENTION)

    outcome = await case.act_and_wait(CloseCase(key="x1", by=OFFICER, reason="buyer_agreed", proof="ticket:1"))

    assert outcome.outcome is OutcomeKind.CLOSED_BY_OFFICER
    assert await compensated(world, case) == 0


async def test_the_carriers_word_does_not_disturb_a_payment_that_is_under_way(world: World) -> None:  # section 11
    order_no = await late_order(world)
    await world.behave(Behaviour(mode=Mode.CALL_BACK_NEVER, order_no=order_no))
    case = await claimed(world, order_no)
    await case.act(approval(world))
    await world.at(case, StageName.SETTLING)

    await shipped(world, order_no, datetime.now(UTC))
    await until(lambda: world.events(case), lambda events: "report_parcel" in events)
    await world.forward(case, hours=3)
    outcome = await case.outcome()

    assert outcome.outcome is OutcomeKind.COMPENSATED
    assert await compensated(world, case) == 3_000

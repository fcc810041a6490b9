"""R16: limits are counted over what they protect, and nobody gets round them by asking often."""

import asyncio
from contextlib import suppress

import pytest

from starter.cases import Case
from starter.errors import RefusedCommand, RefusedRequest, UnknownCase
from tests.workflow.disputes import amendment, disputed, evidence, refusal, rejected_refund, rejection
from tests.workflow.goods import agreement, receipt, tracking
from tests.workflow.world import World, until
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Approve
from workflows.messages.parcels import Parcel
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason
from workflows.messages.stages import OutcomeKind, StageName


async def test_who_gives_evidence_without_end_locks_nobody_out(world: World) -> None:
    case = await world.refund(order_no=await world.shipped_order(marketplace="terse"))
    await world.at(case, StageName.SHIPPED_REVIEW)
    for number in range(2):
        await case.act(evidence(buyer(world.buyer), f"e{number}"))

    refused = await refusal(case, evidence(buyer(world.buyer), "once-too-often"))
    await case.act(evidence(merchant(world.merchant), "the-other-side"))

    assert (refused.code, refused.rule) == ("too_much_evidence", "R16")
    assert (await world.events(case)).count("evidence_submitted") == 3
    assert (await case.act(Approve(key="a", by=merchant(world.merchant)))).stage is not StageName.SHIPPED_REVIEW


async def test_a_dispute_counts_its_own_evidence_and_not_what_was_not_kept(world: World) -> None:
    case = await rejected_refund(world, order_no=await world.shipped_order(marketplace="terse"))
    dispute = await disputed(world, case)
    mine = merchant(world.merchant)

    for number in range(3):
        with pytest.raises(RefusedCommand):
            await dispute.act(evidence(mine, f"unknown-{number}", statement="statement:nobody-wrote-it"))
    for number in range(2):
        await dispute.act(evidence(mine, f"e{number}"))

    assert (await refusal(dispute, evidence(mine, "e2"))).code == "too_much_evidence"
    assert len(await world.aftersales.desk.evidence(dispute.id)) == 2


async def sent_in(world: World, parcel: Parcel, order_no: str, line: str, freight_paid: int) -> Case:
    """A return of one line at fault, in a parcel that it may share."""
    lines = (LineAmount(line=line, quantity=1, amount=1_000),)
    case = await world.returned(order_no=order_no, lines=lines, reason=RefundReason.DAMAGED)
    await case.act(agreement(world))
    await case.act(tracking(world, parcel, freight_paid=freight_paid))
    return case


async def received(world: World, *cases: Case) -> dict[str, int]:
    """What is paid beside the refunds once the merchant has received these returns; in minor units, by kind."""
    for case in cases:
        await case.act_and_wait(receipt(world))
    paid: dict[str, int] = {}
    for kind in ("freight-insurance", "return-freight"):
        for case in cases:
            beside = world.aftersales.case(f"{kind}/{case.id}")
            with suppress(RefusedRequest, UnknownCase):
                outcome = await beside.outcome()
                paid[kind] = paid.get(kind, 0) + (outcome.compensated.amount if outcome.compensated else 0)
    return paid


async def test_a_parcel_costs_its_freight_once_and_an_order_is_insured_once(world: World) -> None:  # T10
    order_no = await world.shipped_order(lines=dict.fromkeys("123", 10_000), freight_insured=500)
    await world.address()
    parcel = world.parcel()
    cases = [await sent_in(world, parcel, order_no, line, 2_500) for line in "123"]

    assert await received(world, *cases) == {"freight-insurance": 500, "return-freight": 2_000}


async def test_what_the_insurance_pays_for_another_parcel_is_not_taken_off(world: World) -> None:  # T10
    order_no = await world.shipped_order(lines=dict.fromkeys("12", 10_000), freight_insured=500)
    await world.address()
    first, second = [await sent_in(world, world.parcel(), order_no, line, 1_200) for line in "12"]

    assert await received(world, first) == {"freight-insurance": 500, "return-freight": 700}
    assert await received(world, second) == {"return-freight": 1_200}


async def test_freight_below_the_insurance_is_owed_where_that_is_paid_elsewhere(world: World) -> None:  # T10
    order_no = await world.shipped_order(lines=dict.fromkeys("12", 10_000), freight_insured=500)
    await world.address()
    first, second = [await sent_in(world, world.parcel(), order_no, line, 300) for line in "12"]

    assert await received(world, first) == {"freight-insurance": 500}
    assert await received(world, second) == {"return-freight": 300}


async def given_back(world: World, order_no: str, amount: int) -> Case:
    request = MerchantRefundRequest(
        request_key=world.fresh("k"),
        order_no=order_no,
        merchant_id=world.merchant,
        lines=(LineAmount(line="1", quantity=1, amount=amount),),
        reason=RefundReason.PRICE_ADJUSTMENT,
    )
    return await world.aftersales.open_merchant_refund(request)


async def test_what_a_merchant_is_given_at_once_is_counted_over_the_order(world: World) -> None:  # R9
    order_no = await world.order(lines={"1": 100_000})

    await (await given_back(world, order_no, 15_000)).outcome()
    beyond = await given_back(world, order_no, 5_001)
    await world.at(beyond, StageName.OFFICER_REVIEW)
    within = await (await given_back(world, order_no, 5_000)).outcome()

    assert within.outcome is OutcomeKind.REFUNDED
    assert await world.paid_by_gateway(order_no) == 20_000


async def test_many_at_once_are_given_no_more(world: World) -> None:  # R9
    order_no = await world.order(lines={"1": 100_000})

    cases = await asyncio.gather(*(given_back(world, order_no, 8_000) for _ in range(4)))
    opened_in = [await opened_at(world, case) for case in cases]

    assert sorted(opened_in) == [StageName.OFFICER_REVIEW] * 2 + [StageName.PAYING] * 2


async def opened_at(world: World, case: Case) -> str:
    """The stage that a case was opened in, once it is."""

    async def look() -> str | None:
        return await world.pool.fetchval("SELECT opened ->> 'stage' FROM casebook.cases WHERE case_id = $1", case.id)

    return str(await until(look, lambda found: found is not None))


async def rejected(world: World, order_no: str) -> Case:
    return await rejected_refund(world, order_no=order_no, amount=1_000)


async def test_another_case_gives_no_more_applications_for_a_line(world: World) -> None:  # R6
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 10_000})
    first = await rejected(world, order_no)
    await first.act(amendment(world, 900))
    await first.act(rejection(world, "reject-again"))
    second = await rejected(world, order_no)

    with pytest.raises(RefusedRequest) as again:
        await rejected(world, order_no)
    amended = await refusal(second, amendment(world, 800))
    other_line = world.refund_request(
        order_no, lines=(LineAmount(line="2", quantity=1, amount=1_000),), reason=RefundReason.DAMAGED
    )

    assert (again.value.refusal.code, again.value.refusal.field) == ("too_many_applications", "lines.0.line")
    assert (amended.code, amended.rule) == ("too_many_applications", "R16")
    assert (await second.view()).stage is StageName.REJECTED
    await world.aftersales.check(other_line)


async def test_what_was_granted_is_no_application_in_vain(world: World) -> None:  # R6
    order_no = await world.shipped_order()
    for number in range(4):
        case = await world.refund(1_000, order_no=order_no, reason=RefundReason.DAMAGED)
        await world.at(case, StageName.SHIPPED_REVIEW)
        await case.act_and_wait(Approve(key=f"a{number}", by=merchant(world.merchant)))

    assert await world.paid_by_gateway(order_no) == 4_000

"""D1, R6: when a buyer may have the platform decide, on an open case, an ended one, or an order without one."""

from datetime import UTC, datetime, timedelta

import pytest

from starter.client import Case
from starter.errors import NotYours, RefusedRequest
from tests.workflow.disputes import (
    OFFICER,
    Arrange,
    accept,
    amendment,
    apart,
    disputed,
    entry,
    escalated_cancellation,
    evidence,
    intervened,
    offer,
    opening,
    overdue_exchange,
    overdue_return,
    paid,
    received,
    refusal,
    rejected_after_receipt,
    rejected_refund,
    rejected_return,
    rejection,
    request,
    reshipped_exchange,
    resolution,
    ruling,
    sent,
)
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Approve, CloseCase, OpenDispute
from workflows.messages.requests import DisputeReason, DisputeRequest
from workflows.messages.rulings import Award, Verdict
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.messages.statements import EvidenceStanding

pytestmark = pytest.mark.in_memory


async def ended(world: World, amount: int = 6_000, order_no: str | None = None) -> tuple[str, Case]:
    """A refund of so much that has been paid."""
    order_no = order_no or await world.order()
    case = await world.refund(amount, order_no=order_no)
    await case.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))
    return order_no, case


async def refused(world: World, asked: DisputeRequest) -> tuple[str, str]:
    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open_dispute(asked)
    return caught.value.refusal.code, caught.value.refusal.field


# On an open case -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrange", "stands"),
    [
        (rejected_refund, StageName.DISPUTED),
        (rejected_return, StageName.DISPUTED),
        (rejected_after_receipt, StageName.DISPUTED),
        (reshipped_exchange, StageName.DISPUTED),
        (received, StageName.RETURN_RECEIVED),
        (overdue_exchange, StageName.RESHIP_OVERDUE),
        (overdue_return, StageName.RETURN_OVERDUE),
        (escalated_cancellation, StageName.ESCALATED),
    ],
)
async def test_a_buyer_disputes_where_the_table_lets_it(world: World, arrange: Arrange, stands: StageName) -> None:
    """D1: what waits for the buyer's word waits on, because that is the word; the others go on (D2)."""
    case = await arrange(world)
    before = await case.view()

    view = await case.act(opening(world))
    dispute = world.aftersales.case(str(view.dispute))
    negotiated = await world.at(dispute, StageName.NEGOTIATION)

    assert (view.stage, dispute.id) == (stands, f"dispute/{case.id}/d1")
    assert view.attention is before.attention
    assert view.due == (None if stands is StageName.DISPUTED else before.due)
    assert negotiated.due == (await entry(dispute, "opened")).at + timedelta(hours=24)
    assert (negotiated.dispute, negotiated.asked) == (case.id, before.asked)
    assert (await entry(case, "dispute_opened")).facts["dispute"] == dispute.id
    assert await world.notices(dispute, NoticeTemplate.DISPUTE_OPENED) == 1


async def unshipped(world: World) -> Case:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    return case


async def reviewed(world: World) -> Case:
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    return case


async def awaiting_goods(world: World) -> Case:
    return await received(world, exchange=True)


@pytest.mark.parametrize("arrange", [unshipped, reviewed, World.returned, sent, awaiting_goods])
async def test_elsewhere_a_dispute_is_refused(world: World, arrange: Arrange) -> None:  # D1
    case = await arrange(world)
    before = await case.view()

    refused_as = await refusal(case, opening(world))

    assert (refused_as.code, refused_as.field) == ("not_open", "command")
    assert await case.view() == before


@pytest.mark.on_servers
async def test_one_dispute_at_a_time(world: World) -> None:  # D1
    case = await received(world)
    dispute = await disputed(world, case)

    again = await refusal(case, opening(world, "another"))

    assert (again.code, again.rule) == ("dispute_open", "D1")
    assert dispute.id in again.explanation
    assert (await world.events(case)).count("dispute_opened") == 1


async def test_after_a_dispute_that_was_resolved_another_may_come(world: World) -> None:  # D1, D2
    case = await rejected_refund(world)
    first = await disputed(world, case)
    assert "open_dispute" not in {each.name for each in (await case.view()).commands}
    await first.act_and_wait(resolution(world))
    await world.at(case, StageName.REJECTED)
    assert "open_dispute" in {each.name for each in (await case.view()).commands}

    view = await case.act(opening(world, "another"))

    assert view.dispute == f"dispute/{case.id}/d2"


async def test_a_dispute_is_the_buyers_to_open(world: World) -> None:  # D1, section 12
    case = await rejected_refund(world)
    by_merchant = OpenDispute(key="x1", by=merchant(world.merchant), reason=DisputeReason.OTHER)

    with pytest.raises(NotYours):
        await case.act(OpenDispute(key="x2", by=buyer("somebody"), reason=DisputeReason.OTHER))

    assert (await refusal(case, by_merchant)).code == "wrong_actor"
    assert (await case.view()).stage is StageName.REJECTED


async def test_nobody_else_acts_on_a_dispute(world: World) -> None:  # section 12
    dispute = await disputed(world, await rejected_refund(world))
    before = await dispute.view()

    for command in (
        resolution(world).model_copy(update={"by": buyer("somebody")}),
        offer(world, 1).model_copy(update={"by": merchant("somebody")}),
        evidence(buyer("somebody")),
        evidence(merchant("somebody")),
    ):
        with pytest.raises(NotYours):
            await dispute.act(command)

    assert await dispute.view() == before


@pytest.mark.on_servers
async def test_evidence_can_come_with_the_dispute(world: World) -> None:  # D6
    case = await rejected_refund(world)

    view = await case.act(opening(world, evidence=EVIDENCE))
    dispute = world.aftersales.case(str(view.dispute))
    await world.at(dispute, StageName.NEGOTIATION)

    (given,) = await world.aftersales.desk.evidence(dispute.id)
    assert (given.by, given.attachments, given.standing) == (buyer(world.buyer), EVIDENCE, EvidenceStanding.DRAFT)


# On an ended case ----------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_an_ended_case_is_disputed_apart_and_what_it_paid_counts(world: World) -> None:  # D1, D8
    order_no, case = await ended(world, 6_000)
    dispute = await apart(world, request(world, order_no, about=case))

    outcome = await dispute.act_and_wait(ruling())

    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.PLATFORM)
    assert outcome.refunded is not None
    assert outcome.refunded.amount == 4_000
    assert outcome.ruling is not None
    assert outcome.ruling.amount == 10_000
    assert await paid(world, order_no) == 10_000
    assert await world.notices(dispute, NoticeTemplate.DISPUTE_RULED) == 2


@pytest.mark.on_servers
async def test_what_other_cases_paid_does_not_count(world: World) -> None:  # D8
    order_no, _ = await ended(world, 3_000)
    _, case = await ended(world, 2_000, order_no)
    dispute = await apart(world, request(world, order_no, about=case, amount=5_000))

    outcome = await dispute.act_and_wait(ruling())

    assert outcome.refunded is not None
    assert outcome.refunded.amount == 3_000
    assert await paid(world, order_no) == 8_000


async def test_a_rejected_case_can_be_disputed_when_its_window_is_over(world: World) -> None:  # D1, R6
    case = await rejected_refund(world)
    await world.forward(case, days=7, minutes=1)
    assert (await case.outcome()).outcome is OutcomeKind.REJECTED
    order_no = str((await case.view()).order_no)

    dispute = await apart(world, request(world, order_no, about=case))
    outcome = await dispute.act_and_wait(ruling(Award.PARTIAL, 2_500))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 2_500


@pytest.mark.on_servers
@pytest.mark.parametrize(("days", "opens"), [(6.99, True), (7.01, False)])
async def test_an_ended_case_can_be_disputed_for_7_days(world: World, days: float, opens: bool) -> None:  # D1
    order_no, case = await ended(world)
    await world.pool.execute(
        "UPDATE casebook.cases SET closed_at = $2 WHERE case_id = $1", case.id, datetime.now(UTC) - timedelta(days=days)
    )
    asked = request(world, order_no, about=case)

    if opens:
        await world.at(await world.aftersales.open_dispute(asked), StageName.NEGOTIATION)
    else:
        assert await refused(world, asked) == ("window_over", "about")


@pytest.mark.on_servers
async def test_an_open_case_is_disputed_by_a_command_only(world: World) -> None:  # D1
    case = await rejected_refund(world)

    assert await refused(world, request(world, str((await case.view()).order_no), about=case)) == (
        "case_open",
        "about",
    )


@pytest.mark.on_servers
async def test_an_ended_case_has_one_dispute_at_a_time(world: World) -> None:  # D1
    order_no, case = await ended(world)
    first = request(world, order_no, about=case)
    dispute = await world.aftersales.open_dispute(first)
    await world.at(dispute, StageName.NEGOTIATION)

    assert await refused(world, request(world, order_no, about=case)) == ("dispute_open", "about")
    assert (await world.aftersales.open_dispute(first)).id == dispute.id

    await dispute.act_and_wait(resolution(world))
    await world.at(await world.aftersales.open_dispute(request(world, order_no, about=case)), StageName.NEGOTIATION)


@pytest.mark.on_servers
async def test_what_was_ruled_on_is_not_disputed_again(world: World) -> None:  # D8
    order_no, apart_from_it = await ended(world)
    dispute = await apart(world, request(world, order_no, about=apart_from_it))
    await dispute.act_and_wait(ruling(Award.NOTHING))
    by_command = await rejected_refund(world)
    await (await intervened(world, by_command)).act_and_wait(ruling(Award.NOTHING))
    await by_command.outcome()

    for case in (apart_from_it, by_command):
        asked = request(world, str((await case.view()).order_no), about=case)
        assert await refused(world, asked) == ("ruled_before", "about")


@pytest.mark.on_servers
async def test_a_dispute_is_about_a_case_of_its_order(world: World) -> None:  # D1
    order_no, case = await ended(world)
    other = await world.order()
    dispute = await world.aftersales.open_dispute(request(world, order_no, about=case))
    await dispute.act_and_wait(resolution(world))

    assert await refused(world, request(world, other, about=case)) == ("unknown_case", "about")
    assert await refused(world, request(world, order_no, about=dispute)) == ("unknown_case", "about")
    assert await refused(world, request(world, order_no, about=world.aftersales.case("refund/x/y"))) == (
        "unknown_case",
        "about",
    )


@pytest.mark.on_servers
@pytest.mark.parametrize("field", ["buyer_id", "merchant_id"])
async def test_nobody_disputes_what_is_anothers(world: World, field: str) -> None:  # section 12
    order_no, case = await ended(world)
    asked = request(world, order_no, about=case).model_copy(update={field: "somebody"})

    assert await refused(world, asked) == ("not_yours", field)


# On an order without a case ------------------------------------------------------------------------------


async def test_an_order_without_a_case_can_be_disputed(world: World) -> None:  # D1
    order_no = await world.shipped_order(freight=800)
    dispute = await apart(world, request(world, order_no, freight=800))

    outcome = await dispute.act_and_wait(ruling())

    assert dispute.id.startswith(f"dispute/order/{order_no}/")
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert outcome.ruling is not None
    assert outcome.ruling.verdict is Verdict.RULED
    assert await paid(world, order_no) == 10_800


@pytest.mark.on_servers
async def test_a_claim_must_fit_the_order(world: World) -> None:  # D1, R8
    order_no = await world.order()

    assert await refused(world, request(world, order_no, amount=10_001)) == ("amount_too_high", "lines.0.amount")
    assert await refused(world, request(world, order_no, freight=1)) == ("amount_too_high", "freight")
    assert await refused(world, request(world, "no-such-order")) == ("unknown_order", "order_no")


@pytest.mark.on_servers
async def test_an_order_can_be_disputed_for_90_days(world: World) -> None:  # D1
    late = await world.order(paid_at=datetime.now(UTC) - timedelta(days=90, minutes=1))
    in_time = await world.order(paid_at=datetime.now(UTC) - timedelta(days=89, hours=23))

    assert await refused(world, request(world, late)) == ("window_over", "order_no")
    await world.at(await world.aftersales.open_dispute(request(world, in_time)), StageName.NEGOTIATION)


async def test_settled_by_the_parties_it_pays_without_a_case(world: World) -> None:  # D2
    order_no = await world.order()
    dispute = await world.aftersales.open_dispute(request(world, order_no))
    await world.at(dispute, StageName.NEGOTIATION)
    await dispute.act(offer(world, 3_000))

    outcome = await dispute.act_and_wait(accept(world, 3_000))

    assert (outcome.outcome, outcome.decided_by, outcome.rule) == (OutcomeKind.REFUNDED, Role.BUYER, "D2")
    assert await paid(world, order_no) == 3_000


# R6 ------------------------------------------------------------------------------------------------------


async def test_an_amended_claim_is_what_is_disputed(world: World) -> None:  # R6, D1
    case = await rejected_refund(world)
    await case.act(amendment(world, 4_000))
    await case.act(rejection(world, "again"))

    dispute = await intervened(world, case)
    await dispute.act_and_wait(ruling())

    outcome = await case.outcome()
    assert outcome.refunded is not None
    assert outcome.refunded.amount == 4_000


async def test_an_officer_may_still_end_what_is_disputed_unpaid(world: World) -> None:  # R3, D1
    case = await escalated_cancellation(world)
    dispute = await disputed(world, case)

    outcome = await case.act_and_wait(CloseCase(key="close", by=OFFICER, reason="parcel_lost", proof="ticket:1"))

    assert outcome.outcome is OutcomeKind.CLOSED_BY_OFFICER
    assert (await dispute.outcome()).outcome is OutcomeKind.RESOLVED
    assert (await case.view()).attention is not Attention.DISPUTE_BROKEN_OFF


async def test_a_dispute_is_in_the_buyers_own_words(world: World) -> None:  # D1, R10
    case = await rejected_refund(world)
    words = "statement:0123456789abcdef0123456789abcdef"

    view = await case.act(opening(world, words=words))

    disputed = await world.aftersales.case(str(view.dispute)).view()
    assert disputed.application
    assert disputed.application.words == words
    assert (await entry(case, "dispute_opened")).facts["words"] == words


@pytest.mark.on_servers
async def test_the_words_of_a_dispute_must_be_the_buyers_own(world: World) -> None:  # D1, R10
    case = await rejected_refund(world)
    others = await world.written(case, merchant(world.merchant), "11月28日18:00前退款")

    refused = await refusal(case, opening(world, "d1", words=others))
    assert (refused.code, refused.field) == ("unknown_statement", "words")

    own = await world.written(case, buyer(world.buyer), "盒子是空的", "w2")
    view = await case.act(opening(world, "d2", words=own))
    assert view.dispute

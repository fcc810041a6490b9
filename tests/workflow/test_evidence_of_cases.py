"""Whatever is given as evidence is kept for whoever decides, and is the case's own (R1, R2, R10, T6, L2, D6)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from starter.client import Case
from starter.errors import RefusedRequest
from tests.workflow import disputes
from tests.workflow.world import World
from workflows.messages.actors import Actor, buyer, merchant, officer
from workflows.messages.cases import CaseView
from workflows.messages.commands import (
    Amend,
    ClaimCompensation,
    Command,
    ConfirmReceipt,
    OpenDispute,
    ProveShipment,
    Reject,
    RejectReason,
    ShippingProof,
    SubmitEvidence,
)
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.requests import DisputeReason, RefundReason
from workflows.messages.stages import StageName
from workflows.messages.statements import EvidenceStanding, WriteStatement

PICTURE = b"\x89PNG\r\n\x1a\n a scratched lid"
Given = tuple[Case, Command, str]
"""A case, a command with evidence that it takes, and the line of the log that tells of the evidence."""


async def attachment(world: World, subject: str, content: bytes = PICTURE) -> Evidence:
    return await world.aftersales.privacy.keep_attachment(subject, world.fresh("k"), MediaType.PNG, content)


async def foreign(world: World) -> Evidence:
    """Somebody else's attachment, about another order of this merchant."""
    mine, world.buyer = world.buyer, "b-somebody-else"
    order_no = await world.order()
    world.buyer = mine
    return await attachment(world, order_no, PICTURE + b", not yours")


async def own(world: World, case: Case) -> tuple[Evidence, ...]:
    return (await attachment(world, case.id),)


async def submitted(world: World, evidence: tuple[Evidence, ...] = ()) -> Given:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    evidence = evidence or await own(world, case)
    return case, SubmitEvidence(key="c", by=buyer(world.buyer), evidence=evidence), "evidence_submitted"


async def rejected(world: World, evidence: tuple[Evidence, ...] = ()) -> Given:
    case = await world.refund(order_no=await world.shipped_order())
    await world.at(case, StageName.SHIPPED_REVIEW)
    evidence = evidence or await own(world, case)
    return case, Reject(key="c", by=merchant(world.merchant), reason=RejectReason.OTHER, evidence=evidence), "rejected"


async def shipped(world: World, evidence: tuple[Evidence, ...] = ()) -> Given:
    """R1: refused with the proof that the goods have shipped."""
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    shipping = ShippingProof(carrier="sf", tracking_no=world.fresh("SF"), shipped_at=datetime.now(UTC))
    command = Reject(
        key="c",
        by=merchant(world.merchant),
        reason=RejectReason.GOODS_SHIPPED,
        evidence=evidence or await own(world, case),
        shipping=shipping,
    )
    return case, command, "evidence_submitted"


async def by_officer(world: World, evidence: tuple[Evidence, ...] = ()) -> Given:
    """R9: a refund that the merchant has opened, and an officer rejects."""
    from tests.workflow.test_strangers import merchant_refund

    case = await merchant_refund(world)
    await world.at(case, StageName.OFFICER_REVIEW)
    evidence = evidence or await own(world, case)
    return case, Reject(key="c", by=officer("o-1"), reason=RejectReason.OTHER, evidence=evidence), "rejected"


async def amended(world: World, evidence: tuple[Evidence, ...] = ()) -> Given:
    case = await disputes.rejected_refund(world)
    command = Amend(
        key="c",
        by=buyer(world.buyer),
        lines=disputes.lines(500),
        reason=RefundReason.DAMAGED,
        evidence=evidence or await own(world, case),
    )
    return case, command, "amended"


async def disputed(world: World, evidence: tuple[Evidence, ...] = ()) -> Given:
    case = await disputes.rejected_refund(world)
    evidence = evidence or await own(world, case)
    command = OpenDispute(key="c", by=buyer(world.buyer), reason=DisputeReason.OTHER, evidence=evidence)
    return case, command, "evidence_submitted"


async def received(world: World, evidence: tuple[Evidence, ...] = ()) -> Given:
    """T6: looked at, and accepted."""
    case = await disputes.received(world)
    evidence = evidence or await own(world, case)
    return case, ConfirmReceipt(key="c", by=merchant(world.merchant), evidence=evidence), "evidence_submitted"


async def proved(world: World, evidence: tuple[Evidence, ...] = ()) -> Given:
    """L2: shipped in time, says the merchant."""
    case = await world.aftersales.order_paid(await world.order())
    await world.at(case, StageName.CLAIMABLE)
    await case.act(ClaimCompensation(key="claim", by=buyer(world.buyer)))
    command = ProveShipment(
        key="c",
        by=merchant(world.merchant),
        parcel=world.parcel(),
        shipped_at=datetime.now(UTC) - timedelta(days=29, hours=12),
        evidence=evidence or await own(world, case),
    )
    return case, command, "shipment_proved"


WAYS: list[Callable[..., Awaitable[Given]]] = [
    submitted,
    rejected,
    shipped,
    by_officer,
    amended,
    disputed,
    received,
    proved,
]


@pytest.mark.parametrize("way", WAYS)
async def test_what_comes_with_a_command_is_kept_with_it(world: World, way: Callable[..., Awaitable[Given]]) -> None:
    case, command, event = await way(world)
    (given,) = getattr(command, "evidence")  # noqa: B009 -- of no common type

    await case.act(command)

    kept = [each for each in await world.aftersales.desk.evidence(case.id) if given in each.attachments]
    assert [(each.by, each.standing, each.event) for each in kept] == [(command.by, EvidenceStanding.FINAL, event)]
    assert given.uri in (await disputes.entry(case, event)).facts.values()
    for reader in (merchant(world.merchant), buyer(world.buyer), officer("o-1")):
        assert await world.aftersales.privacy.read_attachment(case.id, given.uri, reader) == PICTURE


@pytest.mark.parametrize("way", WAYS)
async def test_somebody_elses_attachment_is_no_evidence_and_decides_nothing(
    world: World, way: Callable[..., Awaitable[Given]]
) -> None:
    case, command, _ = await way(world, (await foreign(world),))
    before = seen(await case.view())

    refused = await disputes.refusal(case, command)

    assert (refused.code, refused.field, refused.rule) == ("unknown_attachment", "evidence.0", "D6")
    assert seen(await case.view()) == before
    evidence = await own(world, case)
    again = type(command).model_validate({**command.model_dump(), "key": "c2", "evidence": evidence})
    await case.act(again)
    assert evidence[0] in [each for kept in await world.aftersales.desk.evidence(case.id) for each in kept.attachments]


def seen(view: CaseView) -> dict[str, Any]:
    return view.model_dump(exclude={"clock"})


async def test_what_a_request_comes_with_is_its_orders_own(world: World) -> None:  # R10
    order_no = await world.shipped_order()
    given = await attachment(world, order_no)

    with pytest.raises(RefusedRequest) as refused:
        await world.refund(order_no=order_no, evidence=(given, await foreign(world)))
    assert (refused.value.refusal.code, refused.value.refusal.field) == ("unknown_attachment", "evidence.1")

    case = await world.refund(order_no=order_no, evidence=(given,))
    view = await world.at(case, StageName.SHIPPED_REVIEW)
    (kept,) = await world.aftersales.desk.evidence(case.id)
    assert (kept.by, kept.event, kept.attachments) == (buyer(world.buyer), "opened", (given,))
    assert view.application
    assert view.application.evidence == (given,)
    assert await world.aftersales.privacy.read_attachment(case.id, given.uri, merchant(world.merchant)) == PICTURE


async def test_a_statement_and_an_amount_are_kept_too_and_are_the_writers_own(world: World) -> None:  # D6, R2
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    reference = await statement(world, case, buyer(world.buyer))
    said = SubmitEvidence(key="c1", by=buyer(world.buyer), statement=reference, amount=9_000, final=True)

    await case.act(said)
    refused = await disputes.refusal(case, said.model_copy(update={"key": "c2", "by": merchant(world.merchant)}))

    (kept,) = await world.aftersales.desk.evidence(case.id)
    assert (kept.statement, kept.amount, kept.currency, kept.final) == (reference, 9_000, "CNY", True)
    assert (await disputes.entry(case, "evidence_submitted")).facts == {"statement": reference, "amount": 9_000}
    assert refused.code == "unknown_statement"


async def statement(world: World, case: Case, by: Actor) -> str:
    wish = WriteStatement.model_validate({"case_id": case.id, "by": by, "text": "箱子是空的", "key": world.fresh("s")})
    return (await world.aftersales.desk.write_statement(wish)).reference


async def test_a_receipt_confirmed_while_the_case_is_locked_keeps_its_evidence_once(world: World) -> None:  # D3
    case = await disputes.received(world)
    dispute = await disputes.intervened(world, case)
    (given,) = await own(world, case)
    receipt = ConfirmReceipt(key="c", by=merchant(world.merchant), evidence=(given,))
    other = receipt.model_copy(update={"key": "c0", "evidence": (await foreign(world),)})

    assert (await disputes.refusal(case, other)).code == "unknown_attachment"
    await case.act(receipt)
    await dispute.act(disputes.resolution(world))
    await case.outcome()

    kept = [each for each in await world.aftersales.desk.evidence(case.id) if given in each.attachments]
    assert len(kept) == 1


async def test_evidence_of_another_store_goes_with_the_decision(world: World) -> None:  # T6
    """It costs no step of its own: nobody here can say anything against it."""
    case = await disputes.received(world)
    elsewhere = Evidence(uri="shop:pictures/1", media_type=MediaType.JPEG, bytes=1024, sha256="a" * 64)

    await case.act(ConfirmReceipt(key="c", by=merchant(world.merchant), evidence=(elsewhere,)))
    await case.outcome()

    (kept,) = await world.aftersales.desk.evidence(case.id)
    assert (kept.event, kept.attachments) == ("receipt_confirmed", (elsewhere,))
    assert "evidence_submitted" not in await world.events(case)

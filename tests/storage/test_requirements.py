"""What a step needs: where it is not there, nothing of the step is written (T2, D6, L2, section 2)."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import addresses, case_rows, casebook, pauses, statements
from activities.postgres.connection import Connection
from activities.postgres.pool import open_pool
from tests.storage.money import NOON, POLICY, some_id
from tests.storage.own_keys import KEYS
from workflows.messages.actors import CLOCK, Actor, buyer, merchant, officer
from workflows.messages.addresses import Region, SaveAddress
from workflows.messages.cases import CaseKey, NewEntry, Refusal, Span, Step, Stepped
from workflows.messages.money import Money
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.pauses import DeclareExemption, ExemptionReason
from workflows.messages.payouts import TenderKind
from workflows.messages.policy import Policy
from workflows.messages.requests import LateShipmentRequest
from workflows.messages.stages import CaseKind, StageName
from workflows.messages.statements import EvidenceGiven, Purpose, Statement, WriteStatement
from workflows.messages.step_parts import AddressChoice
from workflows.rules.identity import case_id

PAID_AT = NOON - timedelta(hours=48)
MERCHANT, OTHER = "m-requirements", "m-other"
BUYER = buyer("b-1")
EVERYTHING_AS_IT_WAS = (0, 1, "douyin/1")


@pytest_asyncio.fixture(loop_scope="session")
async def connection(database: str) -> AsyncIterator[Connection]:
    """A connection in a transaction of which nothing stays."""
    pool: asyncpg.Pool = await open_pool(database, max_size=1)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("DELETE FROM declarations.pauses")
        yield connection
        await transaction.rollback()
    await pool.close()


@pytest_asyncio.fixture(loop_scope="session")
async def case(connection: Connection) -> str:
    """Late shipment of an order that was paid two days before NOON, when it became claimable; its id."""
    request = LateShipmentRequest(order_no=some_id("o"), merchant_id=MERCHANT, buyer_id=BUYER.id, ships_until=NOON)
    opened = Opened(
        kind=CaseKind.LATE_SHIPMENT,
        stage=StageName.CLAIM_REVIEW,
        policy=POLICY,
        order=OrderFacts(
            order_no=request.order_no,
            marketplace="douyin",
            merchant_id=MERCHANT,
            buyer_id=BUYER.id,
            currency="CNY",
            lines=(OrderLine(line="1", sku="sku-1", quantity=1, paid=10_000),),
            freight=0,
            tenders=(Tender(tender="t1", kind=TenderKind.WALLET, paid=10_000),),
            paid_at=PAID_AT,
        ),
        ships_until=NOON,
        asked=Money(amount=3_000, currency="CNY"),
    )
    opening = OpenCase(case=CaseKey(case_id=case_id(request), run_id="run-1"), at=NOON, request=request)
    entry = NewEntry(event="opened", by=CLOCK, rule="L1", at=NOON)
    await casebook.write_opening(connection, opening, opened, entry=entry, work_list=None, buyer_id=BUYER.id)
    return opening.case.case_id


def hours(count: float) -> datetime:
    """So many hours after the order was paid."""
    return PAID_AT + timedelta(hours=count)


def step(case: str, **needs: object) -> Step:
    """The first step after the opening, and what it needs."""
    return Step.model_validate(
        {
            "case": CaseKey(case_id=case, run_id="run-1"),
            "step": 1,
            "at": NOON,
            "entries": (NewEntry(event="something", by=CLOCK, rule="L2", at=NOON),),
            "kind": CaseKind.LATE_SHIPMENT,
            "stage": StageName.CLAIM_REVIEW,
            "work_list": None,
            "span": Span(minutes=60),
            "attention": None,
            "outcome": None,
            "refunded": 0,
            **needs,
        }
    )


async def written(connection: Connection, step: Step, *, in_force: Policy | None = None) -> Stepped:
    """What came of the step; profiles are in force as ``in_force``."""
    return await casebook.write_step(connection, step, lambda name: in_force if name == POLICY.name else None)


async def refused(connection: Connection, step: Step, *, in_force: Policy | None = None) -> Refusal:
    """Why the step was not written; and it was not, not even in part."""
    refusal = (await written(connection, step, in_force=in_force)).refusal
    assert refusal
    row = await connection.fetchrow(
        "SELECT step, log_length, policy FROM casebook.cases WHERE case_id = $1", step.case.case_id
    )
    assert row
    assert (row["step"], row["log_length"], row["policy"]) == EVERYTHING_AS_IT_WAS
    assert len(await case_rows.log_of(connection, step.case.case_id)) == 1
    return refusal


async def address(connection: Connection, merchant_id: str, address_id: str) -> None:
    await addresses.save(
        connection,
        SaveAddress(
            merchant_id=merchant_id,
            address_id=address_id,
            region=Region(province="广东省", city="广州市", district="天河区"),
            details=f"vault:addresses/{address_id}",
        ),
        NOON,
    )


async def statement(connection: Connection, case: str, by: Actor) -> str:
    kept = await statements.write(
        connection,
        KEYS,
        WriteStatement.model_validate({"case_id": case, "by": by, "text": "the box was empty", "key": "k"}),
        "buyer/b-1",
        NOON,
    )
    assert isinstance(kept, Statement)
    return kept.reference


async def exemption(connection: Connection, starts: float, ends: float, *merchants: str) -> str:
    """A declared exemption, in hours after the payment; its id."""
    declaration = DeclareExemption(
        id=some_id("peak"),
        reason=ExemptionReason.EPIDEMIC_CLOSURE,
        starts_at=hours(starts),
        ends_at=hours(ends),
        merchants=merchants,
        by=officer("f-1"),
    )
    return (await pauses.declare_exemption(connection, declaration, NOON)).id


def version(number: int) -> Policy:
    return POLICY.model_copy(update={"version": number})


async def test_a_step_that_needs_nothing_is_written(connection: Connection, case: str) -> None:
    stepped = await written(connection, step(case))

    assert stepped == Stepped(due=stepped.due, step=stepped.step, number=stepped.number)
    assert [each.event for each in await case_rows.log_of(connection, case)] == ["opened", "something"]


async def test_a_refused_step_can_be_taken_otherwise(connection: Connection, case: str) -> None:
    await refused(connection, step(case, exemption="nobody"))

    assert (await written(connection, step(case))).refusal is None


# T2: addresses --------------------------------------------------------------------------------------------


async def test_the_default_address_is_taken_and_logged(connection: Connection, case: str) -> None:  # T2
    await address(connection, MERCHANT, "a-1")
    await address(connection, MERCHANT, "a-2")

    stepped = await written(connection, step(case, address=AddressChoice(address_id=None)))

    assert stepped.address
    assert stepped.address.address_id == "a-1"
    assert (await case_rows.log_of(connection, case))[-1].facts == {"address": "a-1", "address_version": 1}


@pytest.mark.parametrize("address_id", [None, "a-9"])
async def test_an_address_is_one_of_the_merchants_own(
    connection: Connection, case: str, address_id: str | None
) -> None:  # T2, section 12
    await address(connection, OTHER, "a-9")

    refusal = await refused(connection, step(case, address=AddressChoice(address_id=address_id)))

    assert (refusal.code, refusal.field, refusal.rule) == ("unknown_address", "address_id", "T2")


# D6: statements ------------------------------------------------------------------------------------------


async def test_a_statement_is_the_writers_own_and_about_this_case(connection: Connection, case: str) -> None:  # D6
    own = await statement(connection, case, BUYER)
    elsewhere = await statement(connection, f"{case}-2", BUYER)
    others = await statement(connection, case, officer("f-1"))

    for reference in (elsewhere, others, "statement:nobody"):
        given = EvidenceGiven(key="g1", by=BUYER, statement=reference)
        refusal = await refused(connection, step(case, evidence=given))
        assert (refusal.code, refusal.field, refusal.rule) == ("unknown_statement", "statement", "D6")
    accepted = await written(connection, step(case, evidence=EvidenceGiven(key="g2", by=BUYER, statement=own)))

    assert accepted.refusal is None


@pytest.mark.parametrize(
    ("text", "kind", "event", "code"),
    [
        ("会尽快处理", CaseKind.DISPUTE, "said", "vague_reply"),
        ("会尽快处理", CaseKind.DISPUTE, "proposed", "vague_reply"),
        ("48小时内寄出", CaseKind.DISPUTE, "said", None),
        ("会尽快处理", CaseKind.DISPUTE, "evidence_submitted", None),
        ("会尽快处理", CaseKind.RETURN, "said", None),
    ],
)
async def test_what_a_merchant_wrote_as_evidence_is_no_reply_to_the_buyer(
    connection: Connection, case: str, text: str, kind: CaseKind, event: str, code: str | None
) -> None:  # D7
    by = merchant(MERCHANT)
    wish = WriteStatement.model_validate(
        {"case_id": case, "by": by, "text": text, "key": "k-e", "purpose": Purpose.EVIDENCE}
    )
    kept = await statements.write(connection, KEYS, wish, "buyer/b-1", NOON)
    assert isinstance(kept, Statement)
    given = EvidenceGiven(key="g1", by=by, statement=kept.reference, event=event)

    told = step(case, evidence=given).model_copy(update={"kind": kind})
    refusal = (await written(connection, told)).refusal

    assert (refusal.code if refusal else None) == code


async def test_evidence_without_a_statement_needs_none(connection: Connection, case: str) -> None:  # D6
    given = EvidenceGiven(key="g1", by=merchant(MERCHANT), amount=100, currency="CNY")

    assert (await written(connection, step(case, evidence=given))).refusal is None


# L2: exemptions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        (-10, 60),  # all the time in which to ship
        (10, 20),
        (-10, 0.001),  # it had begun before the payment
        (47.999, 60),  # it began just before the goods had to ship
    ],
)
@pytest.mark.parametrize("merchants", [(), (MERCHANT,), (OTHER, MERCHANT)])
async def test_an_exemption_within_the_time_to_ship_excuses(
    connection: Connection, case: str, starts: float, ends: float, merchants: tuple[str, ...]
) -> None:  # L2
    declared = await exemption(connection, starts, ends, *merchants)

    assert (await written(connection, step(case, exemption=declared))).refusal is None


@pytest.mark.parametrize(("starts", "ends"), [(-10, 0), (48, 60)])
async def test_an_exemption_of_another_time_does_not_excuse(
    connection: Connection, case: str, starts: float, ends: float
) -> None:  # L2
    declared = await exemption(connection, starts, ends)

    refusal = await refused(connection, step(case, exemption=declared))

    assert (refusal.code, refusal.field, refusal.rule) == ("exemption_elsewhen", "exemption", "L2")


async def test_an_exemption_of_other_merchants_does_not_excuse(connection: Connection, case: str) -> None:  # L2
    declared = await exemption(connection, -10, 60, OTHER)

    refusal = await refused(connection, step(case, exemption=declared))

    assert (refusal.code, refusal.field) == ("exemption_of_others", "exemption")


async def test_an_exemption_that_nobody_declared_does_not_excuse(connection: Connection, case: str) -> None:  # L2
    refusal = await refused(connection, step(case, exemption="nobody"))

    assert (refusal.code, refusal.field) == ("unknown_exemption", "exemption")


# Section 2: the policy -----------------------------------------------------------------------------------


async def test_the_version_in_force_is_moved_to(connection: Connection, case: str) -> None:  # section 2
    stepped = await written(connection, step(case, policy_version=2), in_force=version(2))

    assert stepped.policy == version(2)
    assert await connection.fetchval("SELECT policy FROM casebook.cases WHERE case_id = $1", case) == "douyin/2"


@pytest.mark.parametrize(
    ("wanted", "in_force", "code"),
    [
        (2, version(3), "version_not_in_force"),
        (2, version(1), "version_not_in_force"),
        (2, None, "version_not_in_force"),  # its file is gone
        (1, version(1), "same_version"),
    ],
)
async def test_no_other_version_is_moved_to(
    connection: Connection, case: str, wanted: int, in_force: Policy | None, code: str
) -> None:  # section 2
    refusal = await refused(connection, step(case, policy_version=wanted), in_force=in_force)

    assert (refusal.code, refusal.field, refusal.rule) == (code, "version", "section 2")
    assert "None" not in refusal.explanation

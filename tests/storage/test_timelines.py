"""A case's timeline: its stages with their deadlines, and what brought it from one to the next."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio
from rich.console import Console

from activities.postgres import case_rows, casebook
from activities.postgres.book_views import view_in_book
from activities.postgres.connection import Connection
from activities.postgres.pool import open_pool
from activities.postgres.timelines import timeline_of
from starter.commands.viewing import case_page, timeline_table
from tests.storage.money import NOON, POLICY, some_id
from workflows.messages.actors import CLOCK, buyer, merchant
from workflows.messages.cases import CaseKey, Due, LogEntry, Span, Step
from workflows.messages.money import Money
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest
from workflows.messages.stages import CaseKind, OutcomeKind, StageName, Stopped
from workflows.messages.words import shown_as_written
from workflows.rules.identity import case_id

BUYER, MERCHANT = buyer("b-1"), merchant("m-1")
DUE = NOON + timedelta(hours=48)


@pytest_asyncio.fixture(loop_scope="session")
async def connection(database: str) -> AsyncIterator[Connection]:
    """A connection in a transaction of which nothing stays."""
    pool: asyncpg.Pool = await open_pool(database, max_size=1)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield connection
        await transaction.rollback()
    await pool.close()


async def opened(connection: Connection) -> CaseKey:
    request = RefundRequest(
        request_key=some_id("k"),
        order_no=some_id("o"),
        merchant_id=MERCHANT.id,
        buyer_id=BUYER.id,
        lines=(LineAmount(line="1", quantity=1, amount=100),),
        reason=RefundReason.OTHER,
    )
    key = CaseKey(case_id=case_id(request), run_id="run-1")
    found = Opened(
        kind=CaseKind.SHIPPED_REFUND,
        stage=StageName.SHIPPED_REVIEW,
        policy=POLICY,
        asked=Money(amount=100, currency="CNY"),
        due=Due(at=DUE),
    )
    await casebook.write_opening(
        connection,
        OpenCase(case=key, at=NOON, request=request),
        found,
        entry=LogEntry(event="opened", by=BUYER, rule="R4", at=NOON),
        work_list=None,
        buyer_id=BUYER.id,
    )
    return key


async def test_a_timeline_tells_stages_deadlines_and_who_moved_the_case(connection: Connection) -> None:
    key = await opened(connection)

    def after(hours: int) -> dict[str, object]:
        return {"case": key, "at": NOON + timedelta(hours=hours), "kind": CaseKind.SHIPPED_REFUND, "work_list": None}

    def line(event: str, hours: int, by: object = CLOCK, rule: str = "R2") -> dict[str, object]:
        return {"event": event, "by": by, "rule": rule, "at": NOON + timedelta(hours=hours)}

    later = DUE + timedelta(hours=5)
    rest = {"attention": None, "outcome": None, "refunded": 0, "span": None}
    moved = {"step": 1, "stage": StageName.SHIPPED_REVIEW, **rest, "span": Span(until=later)}
    # What was refused meanwhile waits for the next step, and stands before the line that moves the case.
    rejected = (line("command_refused", 3), line("rejected", 4, MERCHANT))
    steps = (
        {**after(1), **moved, "entries": (line("pauses_changed", 1),)},
        {**after(4), **rest, "step": 2, "stage": StageName.REJECTED, "entries": rejected},
        {
            **after(30),
            **rest,
            "step": 3,
            "stage": StageName.CLOSED,
            "outcome": OutcomeKind.REJECTED,
            "entries": (line("closed_as_rejected", 30, rule="R6"),),
        },
    )
    for each in steps:
        await casebook.write_step(connection, Step.model_validate(each))

    timeline = await timeline_of(connection, key.case_id)

    assert [(stay.stage, stay.event, stay.by, stay.rule) for stay in timeline] == [
        (StageName.SHIPPED_REVIEW, "opened", BUYER, "R4"),
        (StageName.REJECTED, "rejected", MERCHANT, "R2"),
        (StageName.CLOSED, "closed_as_rejected", CLOCK, "R6"),
    ]
    assert [(stay.since - NOON, stay.until and stay.until - NOON) for stay in timeline] == [
        (timedelta(0), timedelta(hours=4)),
        (timedelta(hours=4), timedelta(hours=30)),
        (timedelta(hours=30), None),
    ]
    assert [stay.due for stay in timeline] == [later, None, None]


async def test_an_unknown_case_has_none(connection: Connection) -> None:
    assert await timeline_of(connection, "refund/none/none") == []


async def test_a_case_of_a_newer_release_is_shown_as_it_stands_and_nothing_is_decided_about_it(
    connection: Connection,
) -> None:
    key = await opened(connection)
    await connection.execute(
        """
        UPDATE casebook.cases SET stage = 'fraud_review', kind = 'gift_cards',
            opened = opened || '{"added_tomorrow": {"days": 7}}'
                || jsonb_build_object('policy', opened -> 'policy' || '{"gift_cards": {"days": 7}}')
        WHERE case_id = $1
        """,
        key.case_id,
    )

    with shown_as_written():
        view = await view_in_book(connection, key.case_id, Stopped.PAUSED)
        stays = await timeline_of(connection, key.case_id)
    assert view
    assert (view.stage, view.kind) == ("fraud_review", "gift_cards")
    console = Console(width=120, record=True)
    console.print(case_page(view, NOON), timeline_table([stays[0].model_copy(update={"stage": view.stage})], NOON))
    assert "fraud_review" in console.export_text()
    assert await case_rows.policies_of(connection, key.case_id) == (POLICY,)
    with pytest.raises(ValueError, match="gift_cards"):
        await case_rows.find(connection, key.case_id)

"""Stories as rows of a case book in PostgreSQL: a database of many cases in a minute."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import asyncpg

from activities.postgres.past_cases import PastCase, PastStory
from workflows.rules.allocation import refund_numbers_of
from workflows.rules.legs import fold

_CASES = (
    "case_id, run_id, kind, merchant_id, buyer_id, order_no, allowance_id, currency, asked, refunded, compensated, "
    "policy, stage, outcome, opened_at, closed_at, step, log_length, opened, stepped, request"
)
_LOG = (
    "case_id, position, step, event, actor_role, actor_id, rule, at, command_key, command_digest, facts, stage, command"
)
_LEGS = (
    "refund_no, case_id, payout, leg, fund, merchant_id, currency, amount, route, tender, tender_kind, state, "
    "reserved_at, settled_at, paid_by"
)
_SAID = "refund_no, seq, says, source, at, as_of, paid_by, failure, gateway_ref, raw_code, attempt, returned"


async def write(connection: asyncpg.Connection, stories: Iterable[PastStory]) -> None:
    """Write all that `past_cases` reads of these stories, and of everything else as little as the tables demand.

    Triggers and references between tables are left out for the time, which only a superuser may do.
    """
    stories = list(stories)
    cases = [(story, case) for story in stories for case in story.cases]
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda text: b"\x01" + text.encode(),
        decoder=lambda data: data[1:].decode(),
        format="binary",
    )
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await _copy(connection, "casebook.cases", _CASES, (_case(story, case) for story, case in cases))
        await _copy(connection, "casebook.log", _LOG, (row for _, case in cases for row in _log(case)))
        await _copy(connection, "ledger.legs", _LEGS, (row for story in stories for row in _legs(story)))
        await _copy(connection, "ledger.leg_events", _SAID, (row for story in stories for row in _said(story)))
        for story in stories:
            await _parcels(connection, story)
    await connection.reset_type_codec("jsonb", schema="pg_catalog")


async def _copy(connection: asyncpg.Connection, table: str, columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    schema, _, name = table.partition(".")
    await connection.copy_records_to_table(
        name, schema_name=schema, columns=[each.strip() for each in columns.split(",")], records=rows
    )


def _case(story: PastStory, case: PastCase) -> tuple[Any, ...]:
    assert case.request
    assert case.opened.policy
    request, asked = case.request.request, case.opened.asked
    last = [answer.policy for answer in case.answers.values() if answer.policy]
    policy = last[-1] if last else case.opened.policy
    return (
        case.case_id,
        "run-1",
        case.kind,
        case.merchant_id,
        getattr(request, "buyer_id", None),
        getattr(request, "order_no", None),
        getattr(request, "allowance_id", None),
        case.currency,
        asked.amount if asked else 0,
        case.refunded,
        case.compensated,
        f"{policy.name}/{policy.version}",
        case.stage,
        case.outcome,
        case.opened_at,
        case.closed_at,
        max(line.step for line in case.lines),
        len(case.lines),
        case.opened.model_dump_json(),
        json.dumps({number: answer.model_dump(mode="json") for number, answer in case.answers.items()}),
        case.request.model_dump_json(),
    )


def _log(case: PastCase) -> Iterator[tuple[Any, ...]]:
    for position, line in enumerate(case.lines, start=1):
        entry = line.entry
        yield (
            case.case_id,
            position,
            line.step,
            entry.event,
            entry.by.role,
            entry.by.id,
            entry.rule,
            entry.at,
            entry.command_key,
            entry.command_digest,
            json.dumps(entry.facts),
            line.stage,
            json.dumps(line.command) if line.command else None,
        )


def _legs(story: PastStory) -> Iterator[tuple[Any, ...]]:
    for number, said in story.legs.items():
        standing = fold(said)
        case = next(each for each in story.cases if number.startswith(refund_numbers_of(each.case_id)))
        yield (
            number,
            case.case_id,
            1,
            int(number.rpartition("-")[2]),
            "order/any",
            case.merchant_id,
            case.currency,
            1,
            "original",
            "t1",
            "wallet",
            standing.state,
            standing.reserved_at,
            standing.settled_at,
            standing.paid_by,
        )


def _said(story: PastStory) -> Iterator[tuple[Any, ...]]:
    for number, said in story.legs.items():
        for seq, each in enumerate(said, start=1):
            yield (
                number,
                seq,
                each.says,
                each.source,
                each.at,
                each.as_of,
                each.paid_by,
                each.failure,
                each.gateway_ref,
                each.raw,
                each.attempt,
                each.returned,
            )


async def _parcels(connection: asyncpg.Connection, story: PastStory) -> None:
    for watched in story.parcels:
        await connection.execute(
            """
            INSERT INTO logistics.watches (carrier, tracking_no, purpose, case_id, order_no, since)
            VALUES ($1, $2, $3, $4, $5, now()) ON CONFLICT DO NOTHING
            """,
            watched.parcel.carrier,
            watched.parcel.tracking_no,
            watched.purpose,
            watched.case_id,
            None if watched.case_id else story.subject,
        )
        for recorded_at, event in watched.events:
            await connection.execute(
                """
                INSERT INTO logistics.events (carrier, event_key, tracking_no, event, happened_at, recorded_at)
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
                """,
                event.parcel.carrier,
                event.key,
                event.parcel.tracking_no,
                event.event,
                event.happened_at,
                recorded_at,
            )

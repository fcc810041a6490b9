"""Our book of the money: what was paid in, what is promised back, how each leg stands (section 10).

Every function works inside the caller's transaction. Whoever changes a leg holds its fund's row lock until
the commit, so that two payouts of one order, or two answers about one payout, come one after the other (R8).
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import asyncpg

from activities.postgres import past_funds
from activities.postgres.alerts import raise_alert
from activities.postgres.connection import Connection
from activities.tally import Moved, Tally
from workflows.messages.payouts import LegState, LegStatus, PaidBy, TenderKind
from workflows.rules.allocation import FundPart
from workflows.rules.legs import Change, LegEvent, LegRecord, follow


class LedgerContradiction(ValueError):  # noqa: N818
    """What the ledger is told contradicts what it has; a mistake of the caller, not a fault that passes."""


async def open_fund(connection: Connection, fund: str, currency: str, parts: Iterable[FundPart]) -> bool:
    """Note what was paid on an order or an allowance, or is owed as compensation; whether it was not open before.

    Opening it again changes nothing, but for what was paid since on parts of its own, which is added (X2).

    Raises:
        LedgerContradiction: the fund is open with other amounts or another currency.
    """
    paid = {part.name: (part.paid, part.tender_kind) for part in parts}
    opened = await connection.fetchval(
        """
        WITH opened AS (
            INSERT INTO ledger.funds (fund, currency)
            SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM ledger.past_funds WHERE fund = $1)
            ON CONFLICT DO NOTHING RETURNING fund
        ), its_parts AS (
            INSERT INTO ledger.fund_parts (fund, part, paid, tender_kind)
            SELECT fund, part, paid, tender_kind
            FROM opened, unnest($3::text[], $4::bigint[], $5::text[]) AS given (part, paid, tender_kind)
        )
        SELECT EXISTS (SELECT FROM opened)
        """,
        fund,
        currency,
        list(paid),
        [amount for amount, _ in paid.values()],
        [kind for _, kind in paid.values()],
    )
    if opened:
        return True
    await past_funds.bring_back(connection, fund)
    rows = await connection.fetch(
        """
        SELECT currency, part, paid, tender_kind
        FROM ledger.funds JOIN ledger.fund_parts USING (fund) WHERE fund = $1
        """,
        fund,
    )
    known = {row["part"]: (row["paid"], row["tender_kind"]) for row in rows}
    if any(paid.get(name) != part for name, part in known.items()) or any(row["currency"] != currency for row in rows):
        raise LedgerContradiction(f"fund {fund} is open with other amounts")
    if added := paid.keys() - known.keys():
        await connection.executemany(
            """
            INSERT INTO ledger.fund_parts (fund, part, paid, tender_kind) VALUES ($1, $2, $3, $4)
            ON CONFLICT (fund, part) DO NOTHING
            """,
            [(fund, name, *paid[name]) for name in sorted(added)],
        )
    return False


async def is_open(connection: Connection, fund: str) -> bool:
    """Whether money of it was asked for."""
    return await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM ledger.funds WHERE fund = $1)
            OR EXISTS (SELECT FROM ledger.past_funds WHERE fund = $1)
        """,
        fund,
    )


async def settled_of(connection: Connection, funds: Collection[str]) -> dict[str, dict[str, int]]:
    """What was paid back for good of each part of these funds, in minor units; a part without any is left out.

    Of those that have left the ledger's tables as well (G2): they are read where they are.
    """
    rows = await connection.fetch(
        """
        SELECT fund, part, sum(amount)::bigint AS settled
        FROM (
            SELECT legs.fund, parts.part, parts.amount
            FROM ledger.legs JOIN ledger.leg_parts AS parts USING (refund_no)
            WHERE legs.fund = ANY ($1) AND legs.state = 'succeeded'
            UNION ALL
            SELECT legs.fund, parts.part, parts.amount
            FROM ledger.past_legs AS legs JOIN ledger.past_funds AS funds USING (fund)
            CROSS JOIN LATERAL jsonb_populate_recordset(NULL::ledger.leg_parts, funds.document -> 'leg_parts') AS parts
            WHERE legs.fund = ANY ($1) AND legs.state = 'succeeded' AND parts.refund_no = legs.refund_no
        ) AS paid_back GROUP BY fund, part
        """,
        list(funds),
    )
    found: dict[str, dict[str, int]] = {fund: {} for fund in funds}
    for row in rows:
        found[row["fund"]][row["part"]] = row["settled"]
    return found


async def parts_of(connection: Connection, fund: str, cases: Collection[str] | None = None) -> tuple[FundPart, ...]:
    """What was paid on each part of a fund, and what is settled and held of it; empty for an unknown fund.

    Settled and held by all cases, or by these.
    """
    rows = await connection.fetch(
        """
        SELECT parts.part, parts.paid, parts.tender_kind,
               coalesce(sum(used.amount) FILTER (WHERE used.state = 'succeeded'), 0)::bigint AS settled,
               coalesce(sum(used.amount) FILTER (WHERE used.state NOT IN ('succeeded', 'failed')), 0)::bigint
                   AS held
        FROM ledger.fund_parts AS parts
        LEFT JOIN (
            SELECT leg_parts.part, leg_parts.amount, legs.state
            FROM ledger.legs JOIN ledger.leg_parts USING (refund_no)
            WHERE legs.fund = $1 AND coalesce(legs.case_id = ANY ($2), true)
        ) AS used ON used.part = parts.part
        WHERE parts.fund = $1
        GROUP BY parts.part, parts.paid, parts.tender_kind
        ORDER BY parts.part
        """,
        fund,
        list(cases) if cases is not None else None,
    )
    return tuple(
        FundPart(
            name=row["part"],
            paid=row["paid"],
            tender_kind=TenderKind(row["tender_kind"]) if row["tender_kind"] else None,
            settled=row["settled"],
            held=row["held"],
        )
        for row in rows
    )


async def refunded(connection: Connection, fund: str) -> int:
    """What has been paid back of a fund for good, by whomever, in minor units.

    Compensation has funds of its own, and is no part of an order's (L3).
    """
    return await connection.fetchval(
        "SELECT coalesce(sum(amount), 0)::bigint FROM ledger.legs WHERE fund = $1 AND state = 'succeeded'",
        fund,
    )


async def record(connection: Connection, refund_no: str, event: LegEvent, tally: Tally | None = None) -> Change:
    """Enter what was said of a leg, and work out how it stands now (section 10).

    Callbacks are kept even if they change nothing, each once; other repetitions leave no trace. A
    contradiction raises an alert. A change of its state goes into ``tally``.

    Raises:
        LedgerContradiction: there is no such leg.
    """
    row = await _lock_leg(connection, refund_no)
    standing = _standing(row)
    if event.source.startswith("callback:") and await connection.fetchval(
        "SELECT true FROM ledger.leg_events WHERE refund_no = $1 AND source = $2", refund_no, event.source
    ):
        return Change(standing, moved=False)
    change = follow(standing, event)
    if change.moved:
        await _move(connection, refund_no, event, change.standing)
    elif change.alert or event.source.startswith("callback:"):
        await connection.execute(_SAID, refund_no, *_said(event))
    if tally and change.standing.state is not standing.state:
        tally.moves.append(Moved(change.standing.state, change.standing.paid_by, row["currency"], row["amount"]))
    if change.alert:
        evidence = event.proof or event.source
        await raise_alert(connection, change.alert, row["case_id"], refund_no, evidence, event.at)
    return change


async def legs_of(connection: Connection, case_id: str, number: int) -> tuple[LegStatus, ...]:
    """How the legs of a payout stand, in the order in which they were planned; empty for an unknown one.

    Legs that were retired are left out (R14), unless the gateway has paid one after all.
    """
    return await legs_if_reserved(connection, case_id, number) or ()


async def legs_if_reserved(connection: Connection, case_id: str, number: int) -> tuple[LegStatus, ...] | None:
    """The same; None for a payout that was never reserved, as against one whose legs were all retired since."""
    rows = await connection.fetch(
        "SELECT * FROM ledger.every_leg WHERE case_id = $1 AND payout = $2 ORDER BY leg", case_id, number
    )
    counted = [row for row in rows if row["retired_at"] is None or row["state"] != LegState.FAILED]
    return tuple(map(_status, counted)) if rows else None


async def leg_of(connection: Connection, refund_no: str) -> LegStatus | None:
    """How a leg stands, also one that was retired; None where there is none of this number."""
    row = await connection.fetchrow("SELECT * FROM ledger.every_leg WHERE refund_no = $1", refund_no)
    return _status(row) if row else None


async def lock_payout(connection: Connection, case_id: str, number: int) -> tuple[LegStatus, ...]:
    """The legs of a payout; until the commit nobody else changes them."""
    await connection.execute(
        """
        SELECT FROM ledger.funds
        WHERE fund = (SELECT fund FROM ledger.legs WHERE case_id = $1 AND payout = $2 LIMIT 1) FOR UPDATE
        """,
        case_id,
        number,
    )
    return await legs_of(connection, case_id, number)


async def retire(connection: Connection, refund_nos: Collection[str], at: datetime) -> None:
    """Count those of these legs that have failed as no part of their payout any more (R14)."""
    await connection.execute(
        "UPDATE ledger.legs SET retired_at = $2 WHERE refund_no = ANY ($1) AND state = 'failed' AND retired_at IS NULL",
        list(refund_nos),
        at,
    )


async def paid_with(connection: Connection, case_id: str, number: int, proof: str) -> bool:
    """Whether a leg of this payout was paid by hand with this proof."""
    return bool(
        await connection.fetchval(
            """
            SELECT true FROM ledger.legs JOIN ledger.leg_events USING (refund_no)
            WHERE case_id = $1 AND payout = $2 AND says = 'manual' AND proof = $3
            LIMIT 1
            """,
            case_id,
            number,
            proof,
        )
    )


async def payout_of(connection: Connection, refund_no: str) -> tuple[str, int, int] | None:
    """The case, and the number of its payout, that a refund belongs to: whom a callback is for. Third, its amount."""
    found = "SELECT case_id, payout, amount FROM ledger.every_leg WHERE refund_no = $1"
    row = await connection.fetchrow(found, refund_no)
    return (row["case_id"], row["payout"], row["amount"]) if row else None


async def last_legs(connection: Connection, case_id: str) -> tuple[LegStatus, ...]:
    """How the legs of a case's last payout stand; empty where none was reserved."""
    last = await connection.fetchval("SELECT max(payout) FROM ledger.every_leg WHERE case_id = $1", case_id)
    return await legs_of(connection, case_id, last) if last else ()


async def events_of(connection: Connection, refund_no: str) -> tuple[LegEvent, ...]:
    """Everything that was said of a leg, in the order it was entered."""
    rows = await connection.fetch("SELECT * FROM ledger.every_leg_event WHERE refund_no = $1 ORDER BY seq", refund_no)
    return tuple(map(leg_event, rows))


def leg_event(row: asyncpg.Record) -> LegEvent:
    """What a row of ``ledger.leg_events`` says."""
    return LegEvent(
        says=LegState(row["says"]),
        source=row["source"],
        at=row["at"],
        as_of=row["as_of"],
        paid_by=PaidBy(row["paid_by"]) if row["paid_by"] else None,
        failure=row["failure"],
        raw=row["raw_code"],
        attempt=row["attempt"],
        returned=row["returned"],
        gateway_ref=row["gateway_ref"],
        reason=row["reason"],
        proof=row["proof"],
        arrives_from=row["arrives_from"],
        arrives_until=row["arrives_until"],
    )


async def _lock_leg(connection: Connection, refund_no: str) -> asyncpg.Record:
    await connection.execute(
        """
        SELECT FROM ledger.funds
        WHERE fund = (SELECT fund FROM ledger.legs WHERE refund_no = $1) FOR UPDATE
        """,
        refund_no,
    )
    # A statement of its own: it must see what was committed while the lock was waited for.
    row = await connection.fetchrow("SELECT * FROM ledger.legs WHERE refund_no = $1", refund_no)
    if row is None and await past_funds.bring_back_leg(connection, refund_no):
        return await _lock_leg(connection, refund_no)
    if row is None:
        raise LedgerContradiction(f"no refund {refund_no}")
    return row


_SAID: Final = """
    INSERT INTO ledger.leg_events (refund_no, seq, says, source, at, as_of, paid_by, failure, gateway_ref,
                                   reason, proof, arrives_from, arrives_until, raw_code, attempt, returned)
    SELECT $1, count(*) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
    FROM ledger.leg_events WHERE refund_no = $1
"""
"""Keeps what was said of a leg."""

_MOVED: Final = f"""
    WITH said AS ({_SAID})
    UPDATE ledger.legs
    SET state = $16, reserved_at = $17, paid_by = $18, failure = $19, gateway_ref = $20, submitted_at = $21,
        settled_at = $22, arrives_from = $23, arrives_until = $24, raw_code = $25, attempt = $26, returned_at = $27,
        stated_on = CASE WHEN attempt = $26 THEN stated_on END
    WHERE refund_no = $1
"""  # noqa: S608 -- a constant


def _said(event: LegEvent) -> tuple[object, ...]:
    """The arguments of ``_SAID`` behind the refund number."""
    return (
        event.says,
        event.source,
        event.at,
        event.as_of,
        event.paid_by,
        event.failure,
        event.gateway_ref,
        event.reason,
        event.proof,
        event.arrives_from,
        event.arrives_until,
        event.raw,
        event.attempt,
        event.returned,
    )


async def _move(connection: Connection, refund_no: str, event: LegEvent, standing: LegRecord) -> None:
    """Keep what was said of a leg, and how it stands now: one statement, for it is done twice for each payout."""
    await connection.execute(
        _MOVED,
        refund_no,
        *_said(event),
        standing.state,
        standing.reserved_at,
        standing.paid_by,
        standing.failure,
        standing.gateway_ref,
        standing.submitted_at,
        standing.settled_at,
        standing.arrives_from,
        standing.arrives_until,
        standing.raw,
        standing.attempt,
        standing.returned_at,
    )


def _standing(row: asyncpg.Record) -> LegRecord:
    return LegRecord(
        state=LegState(row["state"]),
        reserved_at=row["reserved_at"],
        paid_by=PaidBy(row["paid_by"]) if row["paid_by"] else None,
        failure=row["failure"],
        raw=row["raw_code"],
        gateway_ref=row["gateway_ref"],
        attempt=row["attempt"],
        submitted_at=row["submitted_at"],
        returned_at=row["returned_at"],
        settled_at=row["settled_at"],
        arrives_from=row["arrives_from"],
        arrives_until=row["arrives_until"],
    )


def _status(row: asyncpg.Record) -> LegStatus:
    return LegStatus(
        refund_no=row["refund_no"],
        amount=row["amount"],
        state=LegState(row["state"]),
        tender=row["tender"],
        tender_kind=TenderKind(row["tender_kind"]) if row["tender_kind"] else None,
        principal=row["principal"],
        paid_by=PaidBy(row["paid_by"]) if row["paid_by"] else None,
        failure=row["failure"],
        raw=row["raw_code"],
        attempt=row["attempt"],
        submitted_at=row["submitted_at"],
        settled_at=row["settled_at"],
        arrives_from=row["arrives_from"],
        arrives_until=row["arrives_until"],
    )

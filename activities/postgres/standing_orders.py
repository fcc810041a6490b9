"""Merchants' standing orders, each change a version of its own, and what they decide (G4)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from activities.postgres.connection import Connection
from activities.postgres.limits import LimitReached
from workflows.messages.actors import Actor
from workflows.messages.applications import ApplicationVersion
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.policy import Policy
from workflows.messages.reading import read_own
from workflows.messages.requests import Application
from workflows.messages.stages import CaseKind
from workflows.messages.standing_orders import (
    MOST_ORDERS,
    ByStandingOrder,
    EndStandingOrder,
    SetStandingOrder,
    StandingOrder,
    StandingOrderVersion,
)
from workflows.rules.applications import version_of
from workflows.rules.standing_orders import NOT_THE_BUYERS, Known, day_began, deciding, fitting, may_decide

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('standing-orders/' || $1, 0))"
"""Of a merchant: the limits of a day are counted under it. It is taken after those of cases and orders."""


class NoSuchStandingOrder(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The merchant has no such order in force in this profile; nothing was written."""


async def set_order(connection: Connection, wish: SetStandingOrder, at: datetime) -> StandingOrderVersion:
    """Give an order or change one; what stands there already is given back.

    Raises:
        NoSuchStandingOrder: the one to change is not in force.
        LimitReached: the merchant has as many as it may have (R16).
    """
    await connection.execute(_LOCK, wish.merchant_id)
    last = await versions(connection, wish.merchant_id, wish.profile, last=True)
    in_force = [each for each in last if not each.ended]
    if wish.number is None:
        if same := next((each for each in in_force if each.terms == wish.terms), None):
            return same
        if len(in_force) >= MOST_ORDERS:
            raise LimitReached(f"a merchant has at most {MOST_ORDERS} standing orders (R16)")
        return await _append(connection, wish, len(last) + 1, 1, wish.terms, at)
    before = _found(in_force, wish.number)
    if before.terms == wish.terms:
        return before
    return await _append(connection, wish, before.number, before.version + 1, wish.terms, at)


async def end_order(connection: Connection, wish: EndStandingOrder, at: datetime) -> StandingOrderVersion:
    """End an order; one that has ended is given back as it ended.

    Raises:
        NoSuchStandingOrder: the merchant never had it.
    """
    await connection.execute(_LOCK, wish.merchant_id)
    before = _found(await versions(connection, wish.merchant_id, wish.profile, last=True), wish.number)
    if before.ended:
        return before
    return await _append(connection, wish, before.number, before.version + 1, before.terms, at, ended=True)


async def versions(
    connection: Connection, merchant_id: str, profile: str | None, *, last: bool
) -> tuple[StandingOrderVersion, ...]:
    """A merchant's orders, ended ones too, by profile and number: all versions, or the last of each."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (profile, number, CASE WHEN $3 THEN 0 ELSE version END) * FROM shop.standing_orders
        WHERE merchant_id = $1 AND ($2::text IS NULL OR profile = $2)
        ORDER BY profile, number, CASE WHEN $3 THEN 0 ELSE version END, version DESC
        """,
        merchant_id,
        profile,
        last,
    )
    return tuple(map(_version, rows))


async def at_opening(connection: Connection, opening: OpenCase, opened: Opened) -> Opened:
    """The same, and which standing order decides the request; nothing is read where the profile allows none."""
    request, policy, order = opening.request, opened.policy, opened.order
    if policy is None or opened.kind is None or order is None or not isinstance(request, Application):
        return opened
    if not may_decide(policy, opened.kind):
        return opened
    case_id, version = opening.case.case_id, version_of(request, opening.at)
    by = await decide(connection, case_id, order.merchant_id, order.buyer_id, policy, opened.kind, version, opening.at)
    return opened.model_copy(update={"standing_order": by})


async def decide(
    connection: Connection,
    case_id: str,
    merchant_id: str,
    buyer_id: str | None,
    policy: Policy,
    kind: CaseKind,
    version: ApplicationVersion,
    at: datetime,
) -> ByStandingOrder | None:
    """The merchant's standing order that decides this application, if one does; then it counts towards its day.

    What it decides stands or falls with the transaction that it is called in. A merchant without a fitting order
    waits for nobody; one with several cases at once is counted one after the other.
    """
    orders = fitting(await versions(connection, merchant_id, policy.name, last=True), policy, kind, version)
    if not orders:
        return None
    await connection.execute(_LOCK, merchant_id)
    # Under the lock, so that an order which has been ended or changed meanwhile decides nothing any more.
    orders = fitting(await versions(connection, merchant_id, policy.name, last=True), policy, kind, version)
    known = Known(
        by_number=await _decided_since(connection, merchant_id, policy, at),
        cases=await _cases(connection, case_id, merchant_id, buyer_id, orders, at),
    )
    by = deciding(orders, policy, version.amount, known)
    if by:
        await connection.execute(
            """
            INSERT INTO shop.standing_decisions
                (case_id, application, merchant_id, profile, number, version, amount, at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            case_id,
            version.version,
            merchant_id,
            policy.name,
            by.number,
            by.version,
            version.amount,
            at,
        )
    return by


async def would_decide(
    connection: Connection,
    merchant_id: str,
    buyer_id: str | None,
    policy: Policy,
    asked: Sequence[tuple[CaseKind, ApplicationVersion]],
    at: datetime,
) -> list[ByStandingOrder | None]:
    """The standing order that would decide each of these applications, were it the next one; nothing counts by that."""
    if not any(may_decide(policy, kind) for kind, _ in asked):
        return [None] * len(asked)
    given = await versions(connection, merchant_id, policy.name, last=True)
    fit = [fitting(given, policy, kind, version) for kind, version in asked]
    every = list({order.number: order for orders in fit for order in orders}.values())
    if not every:
        return [None] * len(asked)
    known = Known(
        by_number=await _decided_since(connection, merchant_id, policy, at),
        cases=await _cases(connection, "", merchant_id, buyer_id, every, at),
    )
    return [deciding(orders, policy, version.amount, known) for orders, (_, version) in zip(fit, asked, strict=True)]


async def _decided_since(connection: Connection, merchant_id: str, policy: Policy, at: datetime) -> dict[int, int]:
    rows = await connection.fetch(
        """
        SELECT number, sum(amount)::bigint AS amount FROM shop.standing_decisions
        WHERE merchant_id = $1 AND profile = $2 AND at >= $3 GROUP BY number
        """,
        merchant_id,
        policy.name,
        day_began(at, policy.place),
    )
    return {row["number"]: row["amount"] for row in rows}


async def _cases(
    connection: Connection,
    case_id: str,
    merchant_id: str,
    buyer_id: str | None,
    orders: Sequence[StandingOrderVersion],
    at: datetime,
) -> dict[int, int]:
    found: dict[int, int] = {}
    for days in {each.terms.days for each in orders if each.terms.most_cases is not None}:
        found[days] = await connection.fetchval(
            """
            SELECT count(*) FROM casebook.every_case
            WHERE buyer_id = $1 AND merchant_id = $2 AND case_id <> $3 AND opened_at > $4
              AND kind <> ALL ($5)
            """,
            buyer_id,
            merchant_id,
            case_id,
            at - timedelta(days=days),
            list(NOT_THE_BUYERS),
        )
    return found


async def _append(
    connection: Connection,
    wish: SetStandingOrder | EndStandingOrder,
    number: int,
    version: int,
    terms: StandingOrder,
    at: datetime,
    *,
    ended: bool = False,
) -> StandingOrderVersion:
    row = await connection.fetchrow(
        """
        INSERT INTO shop.standing_orders
            (merchant_id, profile, number, version, terms, ended, actor_role, actor_id, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *
        """,
        wish.merchant_id,
        wish.profile,
        number,
        version,
        terms.model_dump(mode="json"),
        ended,
        wish.by.role,
        wish.by.id,
        at,
    )
    assert row
    return _version(row)


def _found(orders: Sequence[StandingOrderVersion], number: int) -> StandingOrderVersion:
    if found := next((each for each in orders if each.number == number), None):
        return found
    raise NoSuchStandingOrder(f"there is no standing order {number} in force")


def _version(row: asyncpg.Record) -> StandingOrderVersion:
    fields: dict[str, Any] = {
        name: row[name] for name in ("merchant_id", "profile", "number", "version", "ended", "at")
    }
    by = Actor(role=row["actor_role"], id=row["actor_id"])
    return StandingOrderVersion(terms=read_own(StandingOrder, row["terms"]), by=by, **fields)

"""Our copy of the orders: loaded from a file, and changed by what the order system tells (X2).

A change is all of an order as it stands from a version on. Changes come late, twice and out of order: an older one
changes nothing, and a newer one never takes anything back that has happened. What was paid may change as long as no
money of the order has been asked for; from then on only more can be added. All of a change is written, or nothing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from activities.gateways.order_records import LineRecord, OrderChange, OrderRecord, TenderRecord
from activities.postgres import (
    allowances,
    completions,
    flags,
    ledger,
    orders,
    own_moments,
    parcels,
    past_funds,
    person_locks,
    pieces,
)
from activities.postgres.connection import Connection
from activities.postgres.orders import find_order
from activities.postgres.vault import Vault
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.parcels import CarrierEvent, ParcelEvent, ParcelPurpose
from workflows.messages.persons import Recipient, buyer_person
from workflows.messages.virtual_numbers import OrderCompleted
from workflows.rules.identity import order_fund

_IDENTITY: Final = ("marketplace", "merchant_id", "buyer_id", "currency", "paid_at")
_MARKS: Final = {
    ParcelEvent.OUTBOUND: ("outbound_at", orders.mark_outbound),
    ParcelEvent.SHIPPED: ("shipped_at", orders.mark_shipped),
    ParcelEvent.ON_DELIVERY_RUN: ("on_delivery_run_at", orders.mark_on_delivery_run),
}


class Outcome(StrEnum):
    """What came of a change."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    """It was told before."""
    OUTDATED = "outdated"
    """A later version is known: nothing was changed."""


class RefusedChange(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """A change cannot be made, and nothing of it was: ``field`` and ``rule`` say what is wrong with it."""

    def __init__(self, field: str, rule: str, reason: str) -> None:
        super().__init__(f"{field}: {reason} ({rule})")
        self.field = field
        self.rule = rule
        self.reason = reason


@dataclass(frozen=True)
class Taken:
    """What came of a change, and what cases are to be told of its parcels (R7, R15)."""

    outcome: Outcome
    events: tuple[CarrierEvent, ...] = ()
    completed: OrderCompleted | None = None
    """What its virtual number is to be told; None where it has none, or has been told (P3)."""


async def take(connection: Connection, vault: Vault, change: OrderChange, at: datetime) -> Taken:
    """Write a change into our copy, in the caller's transaction, which must be READ COMMITTED (X2).

    The recipient goes into the vault, unless the buyer was forgotten after it had paid. The events are to be handed
    to the cases once this is committed; handing them on twice is harmless.

    Raises:
        RefusedChange: it contradicts what is known; the caller's transaction must be rolled back.
    """
    # Parcels before the order, as whoever tells of a parcel locks them; and in one order, for who tells of several.
    for each in own_moments.parcels_of(change):
        await parcels.hold(connection, each)
    await flags.hold_remarks(connection, change.order_no)
    await person_locks.hold(connection, buyer_person(change.buyer_id))
    await pieces.lock(connection, change.order_no)  # R8: whoever opens the order's fund looks again under this lock
    told = hashlib.sha256(change.model_dump_json(exclude={"recipient"}, exclude_defaults=True).encode()).hexdigest()
    told_now: tuple[CarrierEvent, ...] = ()
    if is_new := await _insert(connection, change):
        await flags.buyer_known(connection, vault.keys, change.order_no, change.buyer_id)
    else:
        known = await connection.fetchrow("SELECT version, told FROM shop.orders WHERE order_no = $1", change.order_no)
        assert known is not None
        version: int | None = known["version"]
        if version is not None and version > change.version:
            return Taken(Outcome.OUTDATED)
        if version == change.version:
            await _is_the_same(connection, vault, change, same=known["told"] == told)
            events = await _put_parcels(connection, change, at, again=True)
            events += await own_moments.to_tell(connection, change, None, at)
            return Taken(Outcome.UNCHANGED, events, await completions.to_tell(connection, change.order_no))
        before = await _amend(connection, change)
        told_now = await own_moments.to_tell(connection, change, before, at)
    if conflict := await _keep_payments(connection, change):
        raise RefusedChange(conflict, "X6", "the payment behind a tender stays the same")
    await connection.execute(
        "UPDATE shop.orders SET version = $2, told = $3 WHERE order_no = $1", change.order_no, change.version, told
    )
    await keep_recipient(connection, vault, change)
    events = (*told_now, *await _put_parcels(connection, change, at))
    outcome = Outcome.NEW if is_new else Outcome.CHANGED
    return Taken(outcome, events, None if is_new else await completions.to_tell(connection, change.order_no))


async def keep_recipient(connection: Connection, vault: Vault, record: OrderRecord) -> None:
    """Put to whom an order goes into the vault; not of a buyer who was forgotten after it had paid (P6)."""
    person = buyer_person(record.buyer_id)
    if record.recipient is None or await person_locks.forgotten_since(connection, person, record.paid_at):
        return
    recipient = _reached_at(vault, record, record.recipient)
    await vault.keep_recipient(
        connection, record.order_no, record.merchant_id, record.buyer_id, recipient, datetime.now(UTC)
    )


def _reached_at(vault: Vault, record: OrderRecord, recipient: Recipient) -> Recipient:
    """G6: the recipient is where the profile's phones are from, unless the order system says where."""
    country = recipient.country or vault.phone_region(record.marketplace)
    return recipient.model_copy(update={"country": country})


async def load_order(connection: Connection, record: OrderRecord) -> tuple[bool, str | None]:
    """Load an order without a version: whether it is new, and which field contradicts what was loaded before.

    Raises:
        RefusedChange: an allowance cannot have paid for it (A7); the caller's transaction must be rolled back.
    """
    if await _insert(connection, record):
        return True, await _keep_payments(connection, record)
    return False, await _compare_order(connection, record)


async def _insert(connection: Connection, record: OrderRecord) -> bool:
    """Write an order that is not known yet; False where it is, once who wrote it at the same moment is done."""
    inserted = await connection.fetchval(
        """
        INSERT INTO shop.orders (order_no, marketplace, merchant_id, buyer_id, currency, freight, paid_at,
                                 outbound_at, shipped_at, on_delivery_run_at, freight_insured, language,
                                 completed_at, refundable_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (order_no) DO NOTHING
        RETURNING true
        """,
        record.order_no,
        record.marketplace,
        record.merchant_id,
        record.buyer_id,
        record.currency,
        record.freight,
        record.paid_at,
        record.outbound_at,
        record.shipped_at,
        record.on_delivery_run_at,
        record.freight_insured,
        record.language,
        record.completed_at,
        record.refundable_until,
    )
    if not inserted:
        return False
    await _write_lines(connection, record)
    await _spend(connection, record)
    await _write_tenders(connection, record)
    return True


async def _spend(connection: Connection, record: OrderRecord, before: Iterable[Tender] = ()) -> None:
    """A7: an order that is paid with an allowance spends it; one that changes, the difference."""
    if refused := await allowances.order_paid(connection, record, before):
        raise RefusedChange(refused.field, refused.rule, refused.reason)


async def _keep_payments(connection: Connection, record: OrderRecord) -> str | None:
    """X6: which payments of the provider are behind the tenders; what is known already stays, another is refused."""
    for number, each in enumerate(record.tenders):
        if each.transaction is None:
            continue
        known = await connection.fetchval(
            """
            UPDATE shop.order_tenders
            SET transaction = coalesce(transaction, $3), charged = coalesce(charged, $4),
                charged_at = coalesce(charged_at, $5), payment_account = coalesce(payment_account, $6)
            WHERE order_no = $1 AND tender = $2 RETURNING transaction
            """,
            record.order_no,
            each.tender,
            each.transaction,
            each.charged,
            each.charged_at,
            each.account,
        )
        if known != each.transaction:
            return f"tenders.{number}.transaction"
    return None


async def _compare_order(connection: Connection, record: OrderRecord) -> str | None:
    await connection.execute("SELECT FROM shop.orders WHERE order_no = $1 FOR UPDATE", record.order_no)
    stored = await find_order(connection, record.order_no)
    if stored is None:
        return "order_no"
    by_parcel = {"lines": {"__all__": {"pieces_outbound", "pieces_sent", "sent_at"}}}
    payments = {"tenders": {"__all__": {"transaction", "charged", "charged_at", "account"}}, "recipient": True}
    was, now = stored.model_dump(exclude=by_parcel), record.model_dump(exclude=payments)
    moments = ("outbound_at", "shipped_at", "on_delivery_run_at", "completed_at", "refundable_until")
    for name in now:
        unsaid = name in moments and (was[name] is None or now[name] is None)
        if was[name] != now[name] and not unsaid:
            return name
    await connection.execute(
        """
        UPDATE shop.orders
        SET outbound_at = coalesce(outbound_at, $2), shipped_at = coalesce(shipped_at, $3),
            on_delivery_run_at = coalesce(on_delivery_run_at, $4), completed_at = coalesce(completed_at, $5),
            refundable_until = coalesce(refundable_until, $6)
        WHERE order_no = $1
        """,
        record.order_no,
        *(getattr(record, each) for each in moments),
    )
    return await _keep_payments(connection, record)


async def _amend(connection: Connection, change: OrderChange) -> OrderFacts:
    """Bring an order that is known to a later version: contents, and shipping moments that were not known (R18).

    What was known of it before.
    """
    stored = await find_order(connection, change.order_no)
    assert stored is not None
    for name in _IDENTITY:
        if getattr(stored, name) != getattr(change, name):
            raise RefusedChange(name, "X2", "an order keeps this; another one is another order")
    if taken_back := _taken_back(stored, change):
        if await ledger.is_open(connection, order_fund(change.order_no)):
            reason = "money of the order has been asked for: what was paid can be added to, and not changed"
            raise RefusedChange(taken_back, "R8", reason)
        await _stay_in_parcels(connection, change)
    if _lines(stored.lines) != _lines(change.lines):
        kept = [each.line for each in change.lines]
        await connection.execute(
            "DELETE FROM shop.order_lines WHERE order_no = $1 AND line <> ALL ($2)", change.order_no, kept
        )
        # Out of the way: places in the list are taken once.
        await connection.execute(
            "UPDATE shop.order_lines SET position = -1 - position WHERE order_no = $1", change.order_no
        )
        await _write_lines(connection, change)
    if _tenders(stored.tenders) != _tenders(change.tenders):
        kept = [each.tender for each in change.tenders]
        await connection.execute(
            "DELETE FROM shop.order_tenders WHERE order_no = $1 AND tender <> ALL ($2)", change.order_no, kept
        )
        await connection.execute(
            "UPDATE shop.order_tenders SET position = -1 - position WHERE order_no = $1", change.order_no
        )
        await _spend(connection, change, stored.tenders)
        await _write_tenders(connection, change)
    await connection.execute(
        """
        UPDATE shop.orders
        SET freight = $2, freight_insured = $3, outbound_at = coalesce(outbound_at, $4),
            shipped_at = coalesce(shipped_at, $5), on_delivery_run_at = coalesce(on_delivery_run_at, $6),
            language = $7, completed_at = coalesce(completed_at, $8)
        WHERE order_no = $1
        """,
        change.order_no,
        change.freight,
        change.freight_insured,
        change.outbound_at,
        change.shipped_at,
        change.on_delivery_run_at,
        change.language,
        change.completed_at,
    )
    if change.refundable_until not in (None, stored.refundable_until):  # the last word counts
        await past_funds.refundable(connection, change.order_no, change.refundable_until)
    return stored


def _taken_back(stored: OrderFacts, change: OrderChange) -> str | None:
    """The field by which something is changed that was paid, and not only added; None where there is none."""
    lines, tenders = dict(_lines(change.lines)), dict(_tenders(change.tenders))
    for number, (line, content) in enumerate(_lines(change.lines)):
        if dict(_lines(stored.lines)).get(line, content) != content:
            return f"lines.{number}"
    for number, (tender, content) in enumerate(_tenders(change.tenders)):
        if dict(_tenders(stored.tenders)).get(tender, content) != content:
            return f"tenders.{number}"
    if any(line not in lines for line, _ in _lines(stored.lines)):
        return "lines"
    if any(tender not in tenders for tender, _ in _tenders(stored.tenders)):
        return "tenders"
    return "freight" if stored.freight != change.freight else None


def _lines(lines: Iterable[OrderLine | LineRecord]) -> list[tuple[str, tuple[str, int, int]]]:
    return [(each.line, (each.sku, each.quantity, each.paid)) for each in lines]


def _tenders(tenders: Iterable[Tender | TenderRecord]) -> list[tuple[str, tuple[str, int, str | None]]]:
    return [(each.tender, (each.kind, each.paid, each.allowance_id)) for each in tenders]


async def _stay_in_parcels(connection: Connection, change: OrderChange) -> None:
    """R15: what is in a parcel stays in the order."""
    rows = await connection.fetch(
        "SELECT line, max(quantity) AS pieces FROM shop.parcel_lines WHERE order_no = $1 GROUP BY line",
        change.order_no,
    )
    left = {each.line: (number, each.quantity) for number, each in enumerate(change.lines)}
    for row in rows:
        number, quantity = left.get(row["line"], (None, 0))
        if quantity < row["pieces"]:
            field = "lines" if number is None else f"lines.{number}.quantity"
            raise RefusedChange(field, "R15", "pieces of the line are in a parcel")


async def _write_lines(connection: Connection, record: OrderRecord) -> None:
    await connection.executemany(
        """
        INSERT INTO shop.order_lines (order_no, position, line, sku, quantity, paid)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (order_no, line) DO UPDATE
        SET position = excluded.position, sku = excluded.sku, quantity = excluded.quantity, paid = excluded.paid
        """,
        [
            (record.order_no, position, each.line, each.sku, each.quantity, each.paid)
            for position, each in enumerate(record.lines)
        ],
    )


async def _write_tenders(connection: Connection, record: OrderRecord) -> None:
    await connection.executemany(
        """
        INSERT INTO shop.order_tenders AS known (order_no, position, tender, kind, paid, allowance_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (order_no, tender) DO UPDATE
        SET position = excluded.position, kind = excluded.kind, paid = excluded.paid,
            allowance_id = excluded.allowance_id,
            charged = CASE WHEN known.paid = excluded.paid THEN known.charged END
        """,
        [
            (record.order_no, position, each.tender, each.kind, each.paid, each.allowance_id)
            for position, each in enumerate(record.tenders)
        ],
    )


async def _is_the_same(connection: Connection, vault: Vault, change: OrderChange, *, same: bool) -> None:
    """X2: one version is one content, to whom it goes included."""
    if not same:
        raise RefusedChange("version", "X2", "something else was told under this version, and stands")
    if change.recipient is None:
        return
    kept = await vault.recipient(connection, change.order_no)
    if kept is not None and kept != _reached_at(vault, change, change.recipient):
        raise RefusedChange("recipient", "X2", "another one was told under this version, and stands")


async def _put_parcels(
    connection: Connection, change: OrderChange, at: datetime, *, again: bool = False
) -> tuple[CarrierEvent, ...]:
    """Note what the parcels carry and how far they are (R15); what the cases are to be told of them.

    Of a parcel that was known that is what is new; ``again``, because telling may have failed, it is all.
    """
    events: list[CarrierEvent] = []
    for each in sorted(change.parcels, key=lambda each: (each.carrier, each.tracking_no)):
        parcel = each.parcel
        watched = any(watch.order_no == change.order_no for watch in await parcels.watchers(connection, parcel))
        before = await parcels.watch(connection, parcel, purpose=ParcelPurpose.ORDER, at=at, order_no=change.order_no)
        await orders.pack(connection, change.order_no, parcel, each.lines)
        for event, (name, mark) in _MARKS.items():
            if (moment := getattr(each, name)) is None:
                continue
            await mark(connection, change.order_no, moment, parcel)
            key = parcels.event_key(event, change.order_no, parcel)
            if all(told.key != key for told in before):  # else the first word stands
                events.append(CarrierEvent(key=key, parcel=parcel, event=event, happened_at=moment))
        if again or not watched:
            events += before
    return tuple(events)

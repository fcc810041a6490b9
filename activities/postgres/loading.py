"""Loading orders and allowances from JSON Lines into the shop's stand-in.

Each line stands for itself: a good one is loaded, a bad one is reported with its number, the field and the
reason. What a report says never repeats what the line held, so that it can be logged (P6).
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator

from activities.postgres import flags, lookups, person_locks
from activities.postgres.allowances import account
from activities.postgres.connection import Connection
from activities.postgres.lookup import LookupKey, account_lookup
from activities.postgres.orders import find_order
from activities.postgres.vault import Vault
from workflows.messages.message import EARLIEST, Identifier, Input, Moment, ProviderId, Quantity
from workflows.messages.money import ListedCurrency, Minor, PositiveMinor
from workflows.messages.payouts import TenderKind
from workflows.messages.persons import Recipient, buyer_person
from workflows.messages.problems import problems as problems_of
from workflows.messages.reading import read_json
from workflows.rules.moments import CLOCKS_DIFFER


def _has_happened(moment: datetime) -> datetime:
    if moment > datetime.now(UTC) + CLOCKS_DIFFER:
        raise ValueError("what has happened cannot lie in the future (R18)")
    return moment


# Strict: a number would be taken for seconds since 1970.
Written = Annotated[Moment, Field(strict=True)]
"""A moment in ISO 8601 with its offset, between the years 2000 and 2100 (R18)."""
Happened = Annotated[Written, AfterValidator(_has_happened)]
"""A moment at which something has happened already (R18)."""


class LineRecord(Input):
    """One line of an order as it is loaded; ``paid`` in minor units."""

    line: Identifier
    sku: Identifier
    quantity: Quantity
    paid: Minor


class TenderRecord(Input):
    """One means of payment of an order as it is loaded; ``paid`` in minor units."""

    tender: Identifier
    kind: TenderKind
    paid: PositiveMinor
    transaction: ProviderId | None = None
    """The payment provider's own id of the payment (X6). It may be told later, and does not change."""
    charged: PositiveMinor | None = None
    """All that was paid with it, where it paid for more than this order."""
    charged_at: Happened | None = None
    """When it was paid, where that was not when the order was."""
    account: Identifier | None = None
    """Whose account at the provider took it: a sub-merchant, a connected account."""

    @model_validator(mode="after")
    def _is_no_more_than_was_charged(self) -> Self:
        if self.charged is not None and self.charged < self.paid:
            raise ValueError("charged: all that was charged cannot be less than what paid for this (X6)")
        return self


class OrderRecord(Input):
    """One order as it is loaded. Minor units; the tenders sum to the lines and the freight (R8)."""

    order_no: Identifier
    marketplace: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    currency: ListedCurrency
    lines: Annotated[tuple[LineRecord, ...], Field(min_length=1, max_length=200)]
    freight: Minor = 0
    tenders: Annotated[tuple[TenderRecord, ...], Field(max_length=20)]
    paid_at: Happened
    outbound_at: Happened | None = None
    shipped_at: Happened | None = None
    on_delivery_run_at: Happened | None = None
    freight_insured: Minor = 0
    """What the freight insurance pays for sending the goods back (T10)."""
    recipient: Recipient | None = None
    """To whom the goods go: kept in the vault only (P6)."""

    @field_validator("lines")
    @classmethod
    def _each_line_once(cls, lines: tuple[LineRecord, ...]) -> tuple[LineRecord, ...]:
        if len({each.line for each in lines}) != len(lines):
            raise ValueError("a line stands more than once")
        return lines

    @field_validator("tenders")
    @classmethod
    def _tenders_pay_for_it(cls, tenders: tuple[TenderRecord, ...], info: ValidationInfo) -> tuple[TenderRecord, ...]:
        if len({each.tender for each in tenders}) != len(tenders):
            raise ValueError("a tender stands more than once")
        if {"lines", "freight"} <= info.data.keys():
            due = sum(each.paid for each in info.data["lines"]) + info.data["freight"]
            if sum(each.paid for each in tenders) != due:
                raise ValueError("the tenders do not sum to the lines and the freight")
        return tenders

    @field_validator("outbound_at", "shipped_at", "on_delivery_run_at")
    @classmethod
    def _not_before_payment(cls, moment: datetime | None, info: ValidationInfo) -> datetime | None:
        if moment and "paid_at" in info.data and moment < info.data["paid_at"]:
            raise ValueError("the goods cannot have left before they were paid for")
        return moment


class AllowanceRecord(Input):
    """One allowance as it is loaded. Minor units; ``spent`` is out of principal and bonus together (A1)."""

    allowance_id: Identifier
    marketplace: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    currency: ListedCurrency
    principal: PositiveMinor
    bonus: Minor
    spent: Minor = 0
    tender_kind: TenderKind
    valid_until: Written
    account_name: SecretStr | None = None
    """Only its keyed hash is stored (A4)."""

    @field_validator("spent")
    @classmethod
    def _not_more_than_there_was(cls, spent: int, info: ValidationInfo) -> int:
        if {"principal", "bonus"} <= info.data.keys() and spent > info.data["principal"] + info.data["bonus"]:
            raise ValueError("more is spent than principal and bonus together")
        return spent

    @field_validator("tender_kind")
    @classmethod
    def _not_cash(cls, kind: TenderKind) -> TenderKind:
        if kind is TenderKind.CASH:
            raise ValueError("an allowance is not paid in with cash")
        return kind

    @field_validator("account_name")
    @classmethod
    def _not_blank(cls, name: SecretStr | None) -> SecretStr | None:
        if name is not None and not name.get_secret_value().strip():
            raise ValueError("an account name must not be blank")
        return name


@dataclass(frozen=True)
class LineProblem:
    """Why a line was not loaded. ``field`` is empty where the line as a whole is meant."""

    line: int
    """Counts from 1."""
    field: str
    reason: str


@dataclass(frozen=True)
class LoadReport:
    """What came of loading."""

    loaded: int
    unchanged: int
    """Lines that had been loaded before."""
    problems: tuple[LineProblem, ...]


async def load_orders(connection: Connection, lines: Iterable[str], vault: Vault) -> LoadReport:
    """Load orders, one JSON object a line (see `OrderRecord`); blank lines are passed over.

    A line that was loaded before changes nothing, except that shipping facts which it adds are taken over, and the
    recipient, who goes into the vault: a parcel may have been redirected. The recipient of an order that a buyer had
    paid before it was forgotten is not kept again.
    A line that contradicts what is stored is a problem of that line.
    """

    async def load(connection: Connection, record: OrderRecord) -> tuple[bool, str | None]:
        person = buyer_person(record.buyer_id)
        await flags.hold_remarks(connection, record.order_no)
        await person_locks.hold(connection, person)
        outcome = await _load_order(connection, record)
        if outcome[0]:
            await flags.buyer_known(connection, vault.keys, record.order_no, record.buyer_id)
        if record.recipient and outcome[1] is None and not await _is_of_the_forgotten(connection, record, person):
            await vault.keep_recipient(
                connection,
                record.order_no,
                record.merchant_id,
                record.buyer_id,
                record.recipient,
                datetime.now(UTC),
            )
        return outcome

    return await _load(connection, lines, OrderRecord, load)


async def load_allowances(connection: Connection, lines: Iterable[str], vault: Vault) -> LoadReport:
    """Load allowances, one JSON object a line (see `AllowanceRecord`); blank lines are passed over.

    A line that was loaded before changes nothing, also when more has been spent or the validity has been
    prolonged since. A line that contradicts what is stored is a problem of that line.
    """

    async def load(connection: Connection, record: AllowanceRecord) -> tuple[bool, str | None]:
        await flags.hold_remarks(connection, record.allowance_id)
        await person_locks.hold(connection, buyer_person(record.buyer_id))
        outcome = await _load_allowance(connection, record, vault.lookup_key)
        if outcome[0]:
            await flags.buyer_known(connection, vault.keys, record.allowance_id, record.buyer_id)
        if outcome[0] and record.account_name:
            await lookups.replace(
                connection,
                vault.lookup_key,
                record.merchant_id,
                record.allowance_id,
                buyer_person(record.buyer_id),
                {"account": record.account_name.get_secret_value()},
            )
        return outcome

    return await _load(connection, lines, AllowanceRecord, load)


async def _is_of_the_forgotten(connection: Connection, record: OrderRecord, person: str) -> bool:
    """Whether the buyer was forgotten after it had paid: an order that is told again does not bring it back."""
    return await person_locks.forgotten_since(connection, person, record.paid_at)


RecordT = TypeVar("RecordT", bound=Input)


async def _load(
    connection: Connection,
    lines: Iterable[str],
    model: type[RecordT],
    load: Callable[[Connection, RecordT], Awaitable[tuple[bool, str | None]]],
) -> LoadReport:
    loaded = unchanged = 0
    problems: list[LineProblem] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = read_json(model, line)
        except ValidationError as error:
            problems += (LineProblem(number, each.field, each.reason) for each in problems_of(error))
            continue
        async with connection.transaction():
            is_new, contradiction = await load(connection, record)
        if contradiction:
            problems.append(LineProblem(number, contradiction, "contradicts what was loaded before"))
        elif is_new:
            loaded += 1
        else:
            unchanged += 1
    return LoadReport(loaded, unchanged, tuple(problems))


async def _load_order(connection: Connection, record: OrderRecord) -> tuple[bool, str | None]:
    inserted = await connection.fetchval(
        """
        INSERT INTO shop.orders (order_no, marketplace, merchant_id, buyer_id, currency, freight, paid_at,
                                 outbound_at, shipped_at, on_delivery_run_at, freight_insured)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
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
    )
    if not inserted:
        return False, await _compare_order(connection, record)
    await connection.executemany(
        """
        INSERT INTO shop.order_lines (order_no, position, line, sku, quantity, paid)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (record.order_no, position, each.line, each.sku, each.quantity, each.paid)
            for position, each in enumerate(record.lines)
        ],
    )
    await connection.executemany(
        "INSERT INTO shop.order_tenders (order_no, position, tender, kind, paid) VALUES ($1, $2, $3, $4, $5)",
        [
            (record.order_no, position, each.tender, each.kind, each.paid)
            for position, each in enumerate(record.tenders)
        ],
    )
    return True, await _keep_payments(connection, record)


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
    shipping = ("outbound_at", "shipped_at", "on_delivery_run_at")
    for name in now:
        unsaid = name in shipping and (was[name] is None or now[name] is None)
        if was[name] != now[name] and not unsaid:
            return name
    await connection.execute(
        """
        UPDATE shop.orders
        SET outbound_at = coalesce(outbound_at, $2), shipped_at = coalesce(shipped_at, $3),
            on_delivery_run_at = coalesce(on_delivery_run_at, $4)
        WHERE order_no = $1
        """,
        record.order_no,
        record.outbound_at,
        record.shipped_at,
        record.on_delivery_run_at,
    )
    return await _keep_payments(connection, record)


async def _load_allowance(
    connection: Connection, record: AllowanceRecord, lookup_key: LookupKey
) -> tuple[bool, str | None]:
    name = record.account_name
    lookup = account_lookup(lookup_key, name.get_secret_value()) if name else None
    inserted = await connection.fetchval(
        """
        INSERT INTO shop.allowances (allowance_id, marketplace, merchant_id, buyer_id, currency, principal,
                                     bonus, spent, tender_kind, valid_until, account_lookup)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (allowance_id) DO NOTHING
        RETURNING true
        """,
        record.allowance_id,
        record.marketplace,
        record.merchant_id,
        record.buyer_id,
        record.currency,
        record.principal,
        record.bonus,
        record.spent,
        record.tender_kind,
        record.valid_until,
        lookup,
    )
    if inserted:
        return True, None
    return False, await _compare_allowance(connection, record, lookup)


async def _compare_allowance(connection: Connection, record: AllowanceRecord, lookup: str | None) -> str | None:
    stored = await account(connection, record.allowance_id)
    if stored is None:
        return "allowance_id"
    was, now = stored.facts.model_dump(), record.model_dump(exclude={"account_name"})
    # An account moves one way only: a line that is behind it is old, one that is ahead of it is wrong.
    moves = ("spent", "valid_until")
    for name in now:
        if now[name] > was[name] if name in moves else now[name] != was[name]:
            return name
    stored_lookup = await connection.fetchval(
        "SELECT account_lookup FROM shop.allowances WHERE allowance_id = $1", record.allowance_id
    )
    if lookup in {None, stored_lookup}:
        return None
    # Of whoever was forgotten there is nothing left to compare with.
    gone = stored_lookup is None and await person_locks.forgotten_since(
        connection, buyer_person(record.buyer_id), EARLIEST
    )
    return None if gone else "account_name"

"""Loading orders and allowances from JSON Lines into the shop's stand-in.

Each line stands for itself: a good one is loaded, a bad one is reported with its number, the field and the
reason. What a report says never repeats what the line held, so that it can be logged (P6).
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

from pydantic import SecretStr, ValidationError, ValidationInfo, field_validator, model_validator

from activities.gateways.order_records import Charged, OrderRecord, Written
from activities.postgres import campaigns, flags, lookups, person_locks
from activities.postgres.allowances import account
from activities.postgres.campaigns import CampaignRecord
from activities.postgres.connection import Connection
from activities.postgres.lookup import LookupKey, account_lookup, is_blank
from activities.postgres.order_changes import RefusedChange, keep_recipient, load_order
from activities.postgres.vault import Vault
from workflows.messages.message import EARLIEST, Identifier, Input
from workflows.messages.money import ListedCurrency, Minor, PositiveMinor
from workflows.messages.payouts import TenderKind
from workflows.messages.persons import buyer_person
from workflows.messages.problems import problems as problems_of
from workflows.messages.reading import read_json


class AllowanceRecord(Charged):
    """One allowance as it is loaded. Minor units; ``spent`` is out of principal and bonus together (A1).

    It is what was spent on orders that are not told: each order that is adds what it was paid with (A7).
    """

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
    campaign_id: Identifier | None = None
    """Of which campaign of the merchant's it came; a campaign is loaded before."""
    account_name: SecretStr | None = None
    """Only its keyed hash is stored (A4)."""

    @model_validator(mode="after")
    def _is_no_more_than_was_charged(self) -> Self:
        if self.charged is not None and self.charged < self.principal:
            raise ValueError("charged: all that was charged cannot be less than the principal (X6)")
        return self

    @field_validator("spent")
    @classmethod
    def _not_more_than_there_was(cls, spent: int, info: ValidationInfo) -> int:
        if {"principal", "bonus"} <= info.data.keys() and spent > info.data["principal"] + info.data["bonus"]:
            raise ValueError("more is spent than principal and bonus together")
        return spent

    @field_validator("tender_kind")
    @classmethod
    def _not_cash(cls, kind: TenderKind) -> TenderKind:
        if kind in {TenderKind.CASH, TenderKind.ALLOWANCE}:
            raise ValueError(f"an allowance is not paid in with {kind}")
        return kind

    @field_validator("account_name")
    @classmethod
    def _not_blank(cls, name: SecretStr | None) -> SecretStr | None:
        if name is not None and is_blank(name.get_secret_value()):
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
        outcome = await load_order(connection, record)
        if outcome[0]:
            await flags.buyer_known(connection, vault.keys, record.order_no, record.buyer_id)
        if outcome[1] is None:
            await keep_recipient(connection, vault, record)
        return outcome

    return await _load(connection, lines, OrderRecord, load)


async def load_campaigns(connection: Connection, lines: Iterable[str], vault: Vault) -> LoadReport:
    """Load allowance campaigns, one JSON object a line (see `CampaignRecord`); blank lines are passed over.

    A line that was loaded before changes nothing but the campaign's end. A line that contradicts what is stored is a
    problem of that line.
    """
    del vault
    return await _load(connection, lines, CampaignRecord, campaigns.keep)


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
        try:
            async with connection.transaction():
                is_new, contradiction = await load(connection, record)
        except RefusedChange as error:
            problems.append(LineProblem(number, error.field, f"{error.reason} ({error.rule})"))
            continue
        if contradiction:
            problems.append(LineProblem(number, contradiction, "contradicts what was loaded before"))
        elif is_new:
            loaded += 1
        else:
            unchanged += 1
    return LoadReport(loaded, unchanged, tuple(problems))


async def _load_allowance(
    connection: Connection, record: AllowanceRecord, lookup_key: LookupKey
) -> tuple[bool, str | None]:
    if record.campaign_id and (refused := await _of_campaign(connection, record, record.campaign_id)):
        raise refused
    name = record.account_name
    lookup = account_lookup(lookup_key, name.get_secret_value()) if name else None
    inserted = await connection.fetchval(
        """
        INSERT INTO shop.allowances (allowance_id, marketplace, merchant_id, buyer_id, currency, principal,
                                     bonus, spent, tender_kind, valid_until, account_lookup, campaign_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
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
        record.campaign_id,
    )
    differs = None if inserted else await _compare_allowance(connection, record, lookup)
    return bool(inserted), differs or await _keep_payment(connection, record)


async def _of_campaign(connection: Connection, record: AllowanceRecord, campaign_id: str) -> RefusedChange | None:
    campaign = await campaigns.find(connection, campaign_id)
    if campaign is None:
        return RefusedChange("campaign_id", "A1", "there is no such campaign: it is loaded before its allowances")
    if (campaign.merchant_id, campaign.currency) != (record.merchant_id, record.currency):
        return RefusedChange("campaign_id", "A1", "the campaign is another merchant's, or in another currency")
    return None


async def _keep_payment(connection: Connection, record: AllowanceRecord) -> str | None:
    """X6: which payment the principal came with; what is known already stays, another one is refused."""
    if record.transaction is None:
        return None
    known = await connection.fetchval(
        """
        UPDATE shop.allowances
        SET transaction = coalesce(transaction, $2), charged = coalesce(charged, $3),
            charged_at = coalesce(charged_at, $4), payment_account = coalesce(payment_account, $5)
        WHERE allowance_id = $1 RETURNING transaction
        """,
        record.allowance_id,
        record.transaction,
        record.charged,
        record.charged_at,
        record.account,
    )
    return None if known == record.transaction else "transaction"


async def _compare_allowance(connection: Connection, record: AllowanceRecord, lookup: str | None) -> str | None:
    stored = await account(connection, record.allowance_id)
    if stored is None:
        return "allowance_id"
    was, now = (
        stored.facts.model_dump(),
        record.model_dump(exclude={"account_name", "campaign_id", *Charged.model_fields}),
    )
    # An account moves one way only: a line that is behind it is old, one that is ahead of it is wrong.
    moves = ("spent", "valid_until")
    for name in now:
        if now[name] > was[name] if name in moves else now[name] != was[name]:
            return name
    kept = await connection.fetchrow(
        "SELECT account_lookup, campaign_id FROM shop.allowances WHERE allowance_id = $1", record.allowance_id
    )
    stored_lookup, campaign_id = kept or (None, None)
    if record.campaign_id not in {None, campaign_id}:
        return "campaign_id"
    if lookup in {None, stored_lookup}:
        return None
    # Of whoever was forgotten there is nothing left to compare with.
    gone = stored_lookup is None and await person_locks.forgotten_since(
        connection, buyer_person(record.buyer_id), EARLIEST
    )
    return None if gone else "account_name"

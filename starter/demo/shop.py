"""The demo's shop: orders, allowances, addresses, whom they belong to; as if written for the moment it starts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib import resources
from typing import Final, TypeVar

from activities.gateways.order_records import OrderRecord
from activities.postgres.loading import AllowanceRecord
from workflows.messages.addresses import SaveAddress
from workflows.messages.flags import AddRemark
from workflows.messages.message import Identifier, Input
from workflows.messages.pauses import DeclareExemption
from workflows.messages.persons import BankAccount, Contact

START: Final = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
"""The moment in the data files that stands for the moment at which the demo starts."""

_Record = TypeVar("_Record", OrderRecord, AllowanceRecord, DeclareExemption)


class AccountRecord(Input):
    """A buyer's bank account."""

    buyer_id: Identifier
    key: Identifier
    account: BankAccount


class ContactRecord(Input):
    """The contact of a merchant's return address."""

    merchant_id: Identifier
    key: Identifier
    contact: Contact


def orders(start: datetime) -> tuple[OrderRecord, ...]:
    """The demo's orders, as if the demo's data had been written for this start."""
    records = [OrderRecord.model_validate_json(line) for line in _lines("orders.jsonl")]
    moments = ("paid_at", "outbound_at", "shipped_at", "on_delivery_run_at")
    return tuple(_moved(record, moments, start - START) for record in records)


def allowances(start: datetime) -> tuple[AllowanceRecord, ...]:
    """The demo's allowances, as ``orders``."""
    records = [AllowanceRecord.model_validate_json(line) for line in _lines("allowances.jsonl")]
    return tuple(_moved(record, ("valid_until",), start - START) for record in records)


def addresses() -> tuple[SaveAddress, ...]:
    """The return addresses of the demo's merchants (T2)."""
    return tuple(SaveAddress.model_validate_json(line) for line in _lines("addresses.jsonl"))


def accounts() -> tuple[AccountRecord, ...]:
    """The bank accounts of the demo's buyers (R4, T4)."""
    return tuple(AccountRecord.model_validate_json(line) for line in _lines("accounts.jsonl"))


def contacts() -> tuple[ContactRecord, ...]:
    """Who takes parcels in at the merchants' return addresses (T2)."""
    return tuple(ContactRecord.model_validate_json(line) for line in _lines("contacts.jsonl"))


def remarks() -> tuple[AddRemark, ...]:
    """What the demo's merchants have noted at their orders."""
    return tuple(AddRemark.model_validate_json(line) for line in _lines("remarks.jsonl"))


def exemptions(start: datetime) -> tuple[DeclareExemption, ...]:
    """What the platform excuses merchants from (L2), as ``orders``."""
    records = [DeclareExemption.model_validate_json(line) for line in _lines("exemptions.jsonl")]
    return tuple(_moved(record, ("starts_at", "ends_at"), start - START) for record in records)


def data(name: str) -> str:
    """One of the demo's files."""
    return resources.files("starter.demo").joinpath(name).read_text(encoding="utf-8")


def _lines(name: str) -> list[str]:
    """Of a file of JSON Lines."""
    return data(name).rstrip("\n").split("\n")


def _moved(record: _Record, moments: Sequence[str], by: timedelta) -> _Record:
    present = {name: getattr(record, name) for name in moments}
    return record.model_copy(update={name: moment + by for name, moment in present.items() if moment})

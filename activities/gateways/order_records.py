"""Orders as the order system tells them: once loaded, and from then on each change with its version (X2)."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from workflows.messages.message import Identifier, Input, Moment, ProviderId, Quantity
from workflows.messages.money import ListedCurrency, Minor, PositiveMinor
from workflows.messages.parcels import Parcel
from workflows.messages.payouts import TenderKind
from workflows.messages.persons import Recipient
from workflows.messages.pieces import LineQuantity
from workflows.messages.place import Language
from workflows.rules.moments import CLOCKS_DIFFER
from workflows.rules.parcels import refused_contents, unknown_contents
from workflows.rules.phone_numbers import is_region


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


class Charged(Input):
    """The payment behind a tender or an allowance, as the payment provider knows it. Minor units."""

    transaction: ProviderId | None = None
    """The payment provider's own id of the payment (X6). It may be told later, and does not change."""
    charged: PositiveMinor | None = None
    """All that was paid with it, where it paid for more than this."""
    charged_at: Happened | None = None
    """When it was paid, where that was not when the order was."""
    account: Identifier | None = None
    """Whose account at the provider took it: a sub-merchant, a connected account."""


class TenderRecord(Charged):
    """One means of payment of an order as it is loaded; ``paid`` in minor units."""

    tender: Identifier
    kind: TenderKind
    paid: PositiveMinor
    allowance_id: Identifier | None = None
    """Which allowance of the buyer at this shop it was spent of; with the kind ``allowance`` only (A7)."""

    @model_validator(mode="after")
    def _names_an_allowance_or_a_payment(self) -> Self:
        if (self.kind is TenderKind.ALLOWANCE) != (self.allowance_id is not None):
            raise ValueError("allowance_id: a tender of the kind allowance names its allowance, and no other does (A7)")
        if self.allowance_id and (self.transaction or self.charged or self.charged_at or self.account):
            raise ValueError("transaction: the payment behind an allowance stands with the allowance (A7)")
        return self

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
    completed_at: Happened | None = None
    """When it was completed: windows may count from it (G2), and its virtual number is void then (P3)."""
    refundable_until: Written | None = None
    """From then on nothing of it is paid back any more (G2); None as long as that is not said."""
    freight_insured: Minor = 0
    """What the freight insurance pays for sending the goods back (T10)."""
    language: Language | None = None
    """What the buyer reads (G6); None for what the profile says."""
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
        allowances = [each.allowance_id for each in tenders if each.allowance_id]
        if len({*allowances}) != len(allowances):
            raise ValueError("an allowance stands more than once (A7)")
        if {"lines", "freight"} <= info.data.keys():
            due = sum(each.paid for each in info.data["lines"]) + info.data["freight"]
            if sum(each.paid for each in tenders) != due:
                raise ValueError("the tenders do not sum to the lines and the freight")
        return tenders

    @field_validator("recipient")
    @classmethod
    def _is_in_a_country(cls, recipient: Recipient | None) -> Recipient | None:
        if recipient and recipient.country and not is_region(recipient.country):
            raise ValueError("country must be one of ISO 3166 that has phones, such as DE (P7)")
        return recipient

    @field_validator("outbound_at", "shipped_at", "on_delivery_run_at")
    @classmethod
    def _not_before_payment(cls, moment: datetime | None, info: ValidationInfo) -> datetime | None:
        if moment and "paid_at" in info.data and moment < info.data["paid_at"]:
            raise ValueError("the goods cannot have left before they were paid for")
        return moment

    @field_validator("completed_at")
    @classmethod
    def _completed_once_paid(cls, moment: datetime | None, info: ValidationInfo) -> datetime | None:
        if moment and "paid_at" in info.data and moment < info.data["paid_at"]:
            raise ValueError("an order cannot be completed before it was paid (R18)")
        return moment


class ParcelRecord(Parcel):
    """One parcel of an order: what is in it, and how far it is."""

    lines: Annotated[tuple[LineQuantity, ...], Field(max_length=200)] = ()
    """The pieces in it; without any it stands for all of the order (R15)."""
    outbound_at: Happened | None = None
    shipped_at: Happened | None = None
    on_delivery_run_at: Happened | None = None

    @property
    def parcel(self) -> Parcel:
        """By what its carrier knows it."""
        return Parcel.made_of(carrier=self.carrier, tracking_no=self.tracking_no)

    @field_validator("lines")
    @classmethod
    def _names_what_is_in_it(cls, lines: tuple[LineQuantity, ...]) -> tuple[LineQuantity, ...]:
        if refusal := refused_contents(lines):
            raise ValueError(f"{refusal.explanation} ({refusal.rule})")
        return lines


class OrderChange(OrderRecord):
    """An order as it stands from a version on: all of it, however often and in whatever order it is told (X2).

    Amounts in minor units; tenders sum to lines and freight (R8); each line, tender and parcel stands once.
    """

    version: Annotated[int, Field(strict=True, ge=1, le=9_007_199_254_740_991)]
    """Rises with each change of the order: a counter, or the milliseconds of the change."""
    parcels: Annotated[tuple[ParcelRecord, ...], Field(max_length=200)] = ()
    """Those that are known by now. One that is left out later stays."""

    @field_validator("parcels")
    @classmethod
    def _parcels_fit(cls, parcels: tuple[ParcelRecord, ...], info: ValidationInfo) -> tuple[ParcelRecord, ...]:
        if len({(each.carrier, each.tracking_no) for each in parcels}) != len(parcels):
            raise ValueError("a parcel stands more than once")
        lines = {each.line for each in info.data.get("lines", ())}
        for number, parcel in enumerate(parcels):
            for place, each in enumerate(parcel.lines):
                if lines and each.line not in lines:
                    refusal = unknown_contents(place)
                    raise ValueError(f"{number}.{refusal.field}: {refusal.explanation} ({refusal.rule})")
            moments = (parcel.outbound_at, parcel.shipped_at, parcel.on_delivery_run_at)
            if "paid_at" in info.data and any(moment and moment < info.data["paid_at"] for moment in moments):
                raise ValueError(f"{number}: the goods cannot have left before they were paid for (R18)")
        return parcels

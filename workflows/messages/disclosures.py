"""What back ends are shown of persons, what is revealed to them, and what they take along in bulk (P1, P2, P5).

Whatever is of a person is `SecretStr`: whoever is to read it opens it, everywhere else it is stars (P6).
"""

from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from workflows.messages.actors import Actor, Role
from workflows.messages.addresses import Region
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Refusal
from workflows.messages.flags import Colour
from workflows.messages.message import CaseId, Code, Identifier, Input, Instant, Message, Moment, Quantity, Subject
from workflows.messages.money import Currency, Minor
from workflows.messages.proposals import Talk
from workflows.messages.reasons import LabelText
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName, WorkList
from workflows.messages.surfaces import Surface
from workflows.messages.words import Word


class ShownRecipient(Message):
    """To whom an order was sent, as a surface shows it to its viewer (P1).

    Each is None where no recipient is known, or the person was forgotten.
    """

    order_no: Identifier
    surface: Surface
    name: SecretStr | None = None
    phone: SecretStr | None = None
    address: SecretStr | None = None


class RevealField(Word):
    """What can be revealed. The phone is not among them: a virtual number stands for it (P2)."""

    NAME = "name"
    ADDRESS = "address"
    VIRTUAL_NUMBER = "virtual_number"


class Reveal(Input):
    """A merchant, or the platform, asks for a person's real data at a case or order (P2)."""

    key: Identifier
    """The same key of the same actor is the same look."""
    by: Actor
    subject: Subject
    fields: Annotated[tuple[RevealField, ...], Field(min_length=1, max_length=len(RevealField))]
    why: Code

    @field_validator("by")
    @classmethod
    def _of_a_back_end(cls, by: Actor) -> Actor:
        if by.role not in {Role.MERCHANT, Role.PLATFORM}:
            raise ValueError("only to the merchant and the platform is anything revealed (P2)")
        return by

    @field_validator("fields")
    @classmethod
    def _each_once(cls, fields: tuple[RevealField, ...]) -> tuple[RevealField, ...]:
        if len(set(fields)) != len(fields):
            raise ValueError("a field stands more than once")
        return fields


class Revealed(Message):
    """What was revealed, for whoever asked and nobody else.

    What was not asked for is None, and so is what is not known, or was a forgotten person's.
    """

    subject: Subject
    at: Instant
    name: SecretStr | None = None
    address: SecretStr | None = None
    virtual_number: SecretStr | None = None
    number_refusal: Refusal | None = None
    """Why there is no virtual number though it was asked for."""


class ShownReturnAddress(Message):
    """Where the goods of a return are sent to (T12).

    Name, phone and street are None where the merchant was forgotten, or another store keeps them.
    """

    case_id: CaseId
    address_id: Identifier
    version: int
    """The version of the address that the case was given."""
    region: Region
    name: SecretStr | None = None
    phone: SecretStr | None = None
    street: SecretStr | None = None


class ExportKind(Word):
    """What an export tells of persons (P5)."""

    WITHOUT_CONTACT = "without_contact"
    MASKED_CONTACT = "masked_contact"
    VIRTUAL_NUMBERS = "virtual_numbers"
    """Masked contact and a virtual number: debits the quota by one for each order."""


def _merchant_or_platform(by: Actor, merchant_id: str) -> None:
    if by.role is not Role.PLATFORM and (by.role, by.id) != (Role.MERCHANT, merchant_id):
        raise ValueError("a merchant has to do with its own cases and quota only (section 12)")


class StartExport(Input):
    """A merchant, or the platform for it, takes its cases along in bulk, oldest first (P5)."""

    key: Identifier
    """The same key of the same merchant is the same export, of the same rows."""
    merchant_id: Identifier
    by: Actor
    kind: ExportKind
    stage: StageName | None = None
    work_list: WorkList | None = None
    opened_from: Moment | None = None
    opened_until: Moment | None = None
    """Cases that were opened at this moment are no longer in it."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _merchant_or_platform(self.by, self.merchant_id)
        if self.opened_from and self.opened_until and self.opened_from >= self.opened_until:
            raise ValueError("opened_from must come before opened_until")
        return self


class ExportedOrders(Word):
    """Which orders an export of orders takes along."""

    ALL = "all"
    WITH_CASES = "with_cases"
    """Those with a case, open or closed."""
    WITHOUT_CASES = "without_cases"


class StartOrderExport(Input):
    """A merchant, or the platform for it, takes its orders along in bulk, each once, the first paid first (P5)."""

    key: Identifier
    """The same key of the same merchant is the same export, of the same rows; one of cases has another key."""
    merchant_id: Identifier
    by: Actor
    kind: ExportKind
    orders: ExportedOrders = ExportedOrders.ALL
    paid_from: Moment | None = None
    paid_until: Moment | None = None
    """Orders that were paid at this moment are no longer in it."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _merchant_or_platform(self.by, self.merchant_id)
        if self.paid_from and self.paid_until and self.paid_from >= self.paid_until:
            raise ValueError("paid_from must come before paid_until")
        return self


class Export(Message):
    """An export that has begun: its rows are chosen, and stay the same for as long as it can be fetched."""

    id: int
    merchant_id: Identifier
    kind: ExportKind
    rows: int
    started_at: Instant
    ends_at: Instant
    """From then on nothing of it can be fetched any more."""


class ExportContact(Message):
    """The masked contact of an order (P1), and the virtual number where the export is one of those."""

    name: SecretStr
    phone: SecretStr
    address: SecretStr
    virtual_number: SecretStr | None = None


class _Exported(Message):
    """What a row of either export has."""

    row: int
    """Counts from 1; an export that was interrupted goes on after the last one that arrived."""
    contact: ExportContact | None = None
    """None without contact, where no recipient is known, and where the person was forgotten."""
    number_refused: Code | None = None
    """Why there is no virtual number in an export of them; such a row debits nothing."""


class OrderExportRow(_Exported):
    """One order and what its cases came to, as it stood when the export began. Minor units, moments UTC."""

    order_no: Identifier
    marketplace: Identifier
    buyer_id: Identifier
    currency: Currency
    paid: Minor
    """Lines and freight."""
    freight: Minor
    paid_at: Instant
    shipped_at: Instant | None
    completed_at: Instant | None = None
    flag: Colour | None
    order_remarks: int = 0
    """How many are noted at it (section 12)."""
    cases: int
    """Of whatever kind, open or closed."""
    open_cases: int
    refunded: Minor
    """By all of its cases."""
    compensated: Minor


class ExportRow(_Exported):
    """One case as it stood when the export began. Amounts are minor units, moments UTC."""

    case_id: CaseId
    kind: CaseKind
    stage: StageName
    work_list: WorkList | None
    attention: Attention | None
    outcome: OutcomeKind | None
    buyer_id: Identifier | None
    order_no: Identifier | None
    allowance_id: Identifier | None
    currency: Currency
    asked: Minor
    """By the current version of the application, in minor units (R10)."""
    version: int = 1
    """Of the application, when the export began: the request is 1, each amendment the next (R10)."""
    reason: Code | None = None
    """Why it is asked for; None where nothing is applied for (R4)."""
    reason_label: LabelText | None = None
    """The same in words, as the profile in force has them, in its language (G1, G6)."""
    policy: str | None = None
    """Name and version of the profile that the case goes by: ``douyin/1``."""
    talk: Talk = Talk()
    """Proposals that were open, and how many messages there were (N1, N5)."""
    application: ApplicationVersion | None = None
    """All of that version: lines, freight, method, words and evidence as references (R10)."""
    remarks: int = 0
    """How many are noted at the case (section 12). Never what: nobody is told a phone for nothing so (P5)."""
    order_remarks: int = 0
    """How many are noted at its order or allowance."""
    refunded: Minor
    compensated: Minor
    opened_at: Instant
    due_at: Instant | None
    closed_at: Instant | None
    paid_at: Instant | None
    """When the order was paid."""
    shipped_at: Instant | None


class BuyQuota(Input):
    """The platform adds what a merchant has bought and paid for: virtual numbers for its exports (P5)."""

    key: Identifier
    """The same key of the same merchant is the same purchase."""
    merchant_id: Identifier
    by: Actor
    amount: Quantity

    @field_validator("by")
    @classmethod
    def _by_the_platform(cls, by: Actor) -> Actor:
        if by.role is not Role.PLATFORM:
            raise ValueError("the platform adds quota, once it has been paid for: no merchant adds its own (P5)")
        return by


class Quota(Message):
    """How many virtual numbers a merchant can still export (P5)."""

    merchant_id: Identifier
    left: int

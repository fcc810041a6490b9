"""Showing and revealing what is a person's own (P1, P2, P8, T12); `looks` keeps the record of who looked.

Another merchant's order or case is the same as one that does not exist. Whatever is given in clear to anybody but
the buyer is recorded in the transaction that reads it: nothing is seen that is not written down.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from pydantic import SecretStr

from activities.postgres import addresses, looks, orders
from activities.postgres.connection import Connection
from activities.postgres.looks import REVEAL, WINDOW
from activities.postgres.vault import Vault
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.disclosures import (
    Reveal,
    Revealed,
    RevealField,
    ShownRecipient,
    ShownReturnAddress,
)
from workflows.messages.persons import Recipient, merchant_person
from workflows.messages.surfaces import Field, Surface
from workflows.rules.masking import SHOWN_IN_FULL, shown
from workflows.rules.postal_addresses import masked_region
from workflows.rules.refusals import refused

NO_RECIPIENT: Final = "no_recipient"
"""Why there is no virtual number: nobody is known to whom the order was sent, or the person was forgotten."""
RETURN_ADDRESS: Final = "return_address"
"""What stands for a surface in the record where a return address was read (T12)."""
_SHOWN: Final = "shown"


class TooManyReveals(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The actor has seen as much as it may within an hour (P2, P8). Nothing was read.

    Attributes:
        try_again_at: When the next look will be granted, unless others come first.
    """

    def __init__(self, per_hour: int, try_again_at: datetime) -> None:
        super().__init__(f"{per_hour} reveals an hour are allowed; try again at {try_again_at.isoformat()}")
        self.try_again_at = try_again_at


class OtherLookUnderKey(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The key stands for another look, or for one of more than an hour ago. Nothing was read."""


async def show(
    connection: Connection,
    vault: Vault,
    order_no: str,
    surface: Surface,
    viewer: Actor,
    per_hour: int,
    at: datetime,
) -> ShownRecipient | None:
    """The recipient as ``surface`` shows it to ``viewer``: the order's merchant or buyer, or the platform (P1).

    None where there is no such order, or it is another's. What a surface shows in full is recorded as a look, unless
    the buyer sees its own. A waybill that was not made shows masks (P8).

    Args:
        connection: In a transaction, READ COMMITTED.
        vault: Where the recipients are.
        order_no: The order's number.
        surface: Where it is shown.
        viewer: To whom.
        per_hour: How many real phones and streets, reveals included, the viewer may see within any hour (P2, P8).
        at: The moment of the look.

    Raises:
        TooManyReveals: the viewer has to wait.
    """
    found = await _order(connection, order_no)
    if found is None or not found.is_open_to(viewer):
        return None
    in_full = SHOWN_IN_FULL.get((surface, viewer.role), frozenset[Field]())
    if surface is Surface.WAYBILL and not await _has_waybill(connection, order_no):
        in_full = frozenset[Field]()
    is_look = bool(in_full) and viewer.role is not Role.BUYER
    if is_look and not in_full.isdisjoint(looks.COUNTED):
        await _require_room(connection, viewer, per_hour, at)
    recipient = await vault.recipient(connection, order_no)
    if recipient is None:
        return ShownRecipient(order_no=order_no, surface=surface)
    if is_look:
        await looks.record(
            connection, viewer, found.merchant_id, [order_no], sorted(in_full), surface, _SHOWN, at, key=_new_key()
        )
    where = surface if in_full else Surface.DEFAULT
    return ShownRecipient(order_no=order_no, surface=surface, **as_shown(recipient, where, viewer.role))


async def return_address(
    connection: Connection, vault: Vault, case_id: str, viewer: Actor, per_hour: int, at: datetime
) -> ShownReturnAddress | Refusal | None:
    """Where the goods of a case are sent to, for its buyer and its merchant and nobody else (T12).

    None where there is no such case, or it is another's; a refusal where no address was chosen yet. Each reading is
    recorded, and counts as one look of the viewer (P8).

    Raises:
        TooManyReveals: the viewer has to wait.
    """
    found = await _subject(connection, case_id)
    if found is None or viewer.role is Role.PLATFORM or not found.is_open_to(viewer):
        return None
    chosen = await connection.fetchrow(
        """
        SELECT facts ->> 'address' AS address_id, (facts ->> 'address_version')::int AS version FROM casebook.whole_log
        WHERE case_id = $1 AND facts ? 'address_version' ORDER BY position DESC LIMIT 1
        """,
        case_id,
    )
    address = (
        await addresses.version_of(connection, found.merchant_id, chosen["address_id"], chosen["version"])
        if chosen
        else None
    )
    if address is None:
        return refused("no_return_address", "case_id", "T12", "no return address was chosen yet")
    await _require_room(connection, viewer, per_hour, at)
    contact = await vault.contact(connection, address.details)
    if contact is not None:
        fields = sorted((Field.NAME, Field.PHONE, Field.ADDRESS))
        whose = merchant_person(found.merchant_id)
        await looks.record(
            connection,
            viewer,
            found.merchant_id,
            [case_id],
            fields,
            RETURN_ADDRESS,
            _SHOWN,
            at,
            key=_new_key(),
            person=whose,
        )
    return ShownReturnAddress(
        case_id=case_id,
        address_id=address.address_id,
        version=address.version,
        region=address.region,
        name=contact and contact.name,
        phone=contact and contact.phone,
        street=contact and contact.street,
    )


def as_shown(recipient: Recipient, surface: Surface, viewer: Role) -> dict[str, SecretStr]:
    """Name, phone and address as ``surface`` shows them to a ``viewer`` of this role (P1)."""
    name, phone = recipient.name.get_secret_value(), recipient.phone.get_secret_value()
    in_full = Field.ADDRESS in SHOWN_IN_FULL.get((surface, viewer), ())
    region = masked_region(recipient.region, recipient.country)
    return {
        Field.NAME: SecretStr(shown(surface, viewer, Field.NAME, name)),
        Field.PHONE: SecretStr(shown(surface, viewer, Field.PHONE, phone, phone_region=recipient.country)),
        Field.ADDRESS: _address(recipient) if in_full else SecretStr(region),
    }


async def reveal(connection: Connection, vault: Vault, wish: Reveal, per_hour: int, at: datetime) -> Revealed | None:
    """Real name and address, at a case or order of the actor's own, one recorded look for each field (P2).

    None where there is no such case or order, or it is another merchant's. A virtual number is recorded here and
    obtained by the caller, once this transaction stands. Of a person who is not known, or was forgotten, there is
    nothing to see and nothing to record. The same key within an hour is the same look.

    Args:
        connection: In a transaction, READ COMMITTED.
        vault: Where name and address are.
        wish: What is asked, by whom and why.
        per_hour: How many reveals the actor may make within any hour, other real phones and streets that it is shown
            included (P8); at least 1.
        at: The moment of the look.

    Raises:
        TooManyReveals: the actor has to wait.
        OtherLookUnderKey: the key was used for something else, or too long ago.
    """
    found = await _subject(connection, wish.subject)
    if found is None or not found.is_open_to(wish.by):
        return None
    await looks.wait_for_turn(connection, wish.by)
    is_repeated = await _is_repeated(connection, wish, at)
    if not is_repeated:
        await _require_room(connection, wish.by, per_hour, at)
    recipient = await vault.recipient(connection, found.order_no) if found.order_no else None
    if recipient is None:
        return Revealed(subject=wish.subject, at=at, number_refusal=_no_number(wish))
    if not is_repeated:
        await looks.record(
            connection, wish.by, found.merchant_id, [wish.subject], wish.fields, REVEAL, wish.why, at, key=wish.key
        )
    return Revealed(
        subject=wish.subject,
        at=at,
        name=recipient.name if RevealField.NAME in wish.fields else None,
        address=_address(recipient) if RevealField.ADDRESS in wish.fields else None,
    )


def _no_number(wish: Reveal) -> Refusal | None:
    if RevealField.VIRTUAL_NUMBER not in wish.fields:
        return None
    return refused(NO_RECIPIENT, "subject", "P2", "nobody is known to whom this was sent")


async def _require_room(connection: Connection, by: Actor, per_hour: int, at: datetime) -> None:
    if again := await looks.try_again_at(connection, by, per_hour, at):
        raise TooManyReveals(per_hour, again)


def _new_key() -> str:
    """Each showing is a look of its own."""
    return f"{_SHOWN}-{uuid4().hex}"


@dataclass(frozen=True)
class _Subject:
    """Whose order or case it is."""

    merchant_id: str
    buyer_id: str | None
    order_no: str | None

    def is_open_to(self, viewer: Actor) -> bool:
        match viewer.role:
            case Role.PLATFORM:
                return True
            case Role.MERCHANT:
                return viewer.id == self.merchant_id
            case Role.BUYER:
                return viewer.id == self.buyer_id
            case _:
                return False


async def _subject(connection: Connection, subject: str) -> _Subject | None:
    if "/" not in subject:
        return await _order(connection, subject)
    row = await connection.fetchrow(
        "SELECT merchant_id, buyer_id, order_no FROM casebook.every_case WHERE case_id = $1", subject
    )
    return _Subject(**row) if row else None


async def _order(connection: Connection, order_no: str) -> _Subject | None:
    found = (await orders.parties(connection, [order_no])).get(order_no)
    return _Subject(*found, order_no) if found else None


async def _has_waybill(connection: Connection, order_no: str) -> bool:
    """Whether a waybill was made for the order's goods: a carrier has their parcel, or they have left (P8)."""
    return await orders.have_left(connection, order_no) or await connection.fetchval(
        "SELECT EXISTS (SELECT FROM logistics.watches WHERE order_no = $1 AND purpose = 'order')", order_no
    )


async def _is_repeated(connection: Connection, wish: Reveal, at: datetime) -> bool:
    """Whether the wish has been granted before."""
    before = await looks.under_key(connection, wish.by, wish.key)
    if not before:
        return False
    if {(each.by, each.subject, each.field, each.reason) for each in before} != {
        (wish.by, wish.subject, field, wish.why) for field in wish.fields
    }:
        raise OtherLookUnderKey(f"key {wish.key} stands for another look")
    # Else one recorded look would do for ever.
    if before[0].at <= at - WINDOW:
        raise OtherLookUnderKey(f"key {wish.key} stands for a look of more than an hour ago")
    return True


def _address(recipient: Recipient) -> SecretStr:
    region = recipient.region
    parts = (region.province, region.city, region.district, recipient.street.get_secret_value())
    return SecretStr(" ".join(part for part in parts if part))

"""What is a person's own: kept in the vault, never in Temporal (P6). Every text is a `SecretStr`, stars in a log."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from workflows.messages.addresses import Region
from workflows.messages.message import Input
from workflows.messages.place import PhoneRegion
from workflows.messages.statements import legible

PersonalText = Annotated[SecretStr, Field(min_length=1, max_length=200), AfterValidator(legible)]


_E_MAIL: Final = re.compile(r"[^\s@<>,;:\"()\[\]]+@[^\s@<>,;:\"()\[\]]+\.[^\s@<>,;:\"()\[\]]+")


def _an_address(text: SecretStr) -> SecretStr:
    # No line, no second address, no name beside it: it stands in the head of an e-mail.
    if not _E_MAIL.fullmatch(text.get_secret_value()):
        raise ValueError("must be one e-mail address, as name@example.com")
    return text


class Recipient(Input):
    """To whom an order was sent."""

    name: PersonalText
    phone: PersonalText
    region: Region
    street: PersonalText
    """What follows the district: street, number, door."""
    country: PhoneRegion | None = None
    """Of the address: whose divisions its region has (P1), and where a phone without a country code is from (P7).

    None for where the order's profile says that phones are from (G6).
    """


class BankAccount(Input):
    """Where a bank transfer goes (R4, T4)."""

    holder: PersonalText
    number: PersonalText
    bank: PersonalText


class Contact(Input):
    """Who takes parcels in at a return address, and where behind the district (T2)."""

    name: PersonalText
    phone: PersonalText
    street: PersonalText


class Reach(Input):
    """Under what a buyer or a merchant is told of their cases: what is left out, nothing is sent to."""

    e_mail: Annotated[SecretStr, Field(min_length=3, max_length=254), AfterValidator(_an_address)] | None = None
    phone: PersonalText | None = None


def buyer_person(buyer_id: str) -> str:
    """The name under which the vault knows a buyer."""
    return f"buyer/{buyer_id}"


def merchant_person(merchant_id: str) -> str:
    """The name under which the vault knows a merchant's own staff and premises."""
    return f"merchant/{merchant_id}"


def in_clear(message: BaseModel) -> dict[str, object]:
    """A message as plain JSON values, its secrets readable: for sealing, and for writing to whom they belong."""
    plain: dict[str, object] = message.model_dump(mode="json")
    for name, value in message:
        match value:
            case SecretStr():
                plain[name] = value.get_secret_value()
            case BaseModel():
                plain[name] = in_clear(value)
            case _:
                pass
    return plain

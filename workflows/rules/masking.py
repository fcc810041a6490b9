"""What is shown of a person's data: a table by surface, viewer and field (P1)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from workflows.messages.actors import Role
from workflows.messages.surfaces import Field, Surface
from workflows.rules.bank_accounts import masked_account
from workflows.rules.personal_names import masked_name
from workflows.rules.phone_numbers import HOME, masked_phone
from workflows.rules.postal_addresses import masked_address

_CONTACT: Final = frozenset({Field.NAME, Field.PHONE, Field.ADDRESS})
_ALL_BUT_PHONE: Final = _CONTACT - {Field.PHONE}

SHOWN_IN_FULL: Final[Mapping[tuple[Surface, Role], frozenset[Field]]] = MappingProxyType(
    {
        (Surface.ORDER_CHECK, Role.BUYER): _CONTACT,
        # Name and address are what is to be checked.
        (Surface.ADDRESS_CHECK, Role.BUYER): _ALL_BUT_PHONE,
        (Surface.ADDRESS_CHECK, Role.MERCHANT): _ALL_BUT_PHONE,
        (Surface.SEND_USER, Role.BUYER): _ALL_BUT_PHONE,
        (Surface.SEND_USER, Role.MERCHANT): _ALL_BUT_PHONE,
        # Without all of it no parcel arrives.
        (Surface.WAYBILL, Role.BUYER): _CONTACT,
        (Surface.WAYBILL, Role.MERCHANT): _CONTACT,
        (Surface.WAYBILL, Role.CARRIER): _CONTACT,
    }
)
"""The table (P1): which fields a surface shows a viewer in full. Whatever it does not name is masked."""

MASKS: Final[Mapping[Field, Callable[[str], str]]] = MappingProxyType(
    {
        Field.NAME: masked_name,
        Field.PHONE: masked_phone,
        Field.ADDRESS: masked_address,
        Field.ACCOUNT_NUMBER: masked_account,
        Field.ACCOUNT_NAME: masked_name,
    }
)
"""How each field is masked, on every surface (P1)."""


def shown(surface: Surface, viewer: Role, field: Field, value: str, *, phone_region: str | None = None) -> str:
    """What ``viewer`` sees of ``value`` on ``surface``: all of it, or its masked form (P1).

    ``phone_region`` is where a phone without a country code is from; None for China.

    To reveal more is another matter: it is recorded, and gives a virtual number instead of the phone (P2).
    """
    if field in SHOWN_IN_FULL.get((surface, viewer), ()):
        return value
    if field is Field.PHONE:
        return masked_phone(value, phone_region or HOME)
    return MASKS[field](value)

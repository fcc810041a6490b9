"""Where a profile is: what its clocks and amounts are counted by (G6)."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from workflows.messages.message import Input
from workflows.messages.money import Currency

TimeZone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")]
"""A name of the IANA data base, such as ``Europe/Berlin``. That there is such a zone is looked at with the calendar."""

CalendarName = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
"""A country by ISO 3166-1, or a part of it by ISO 3166-2, whose public holidays count: ``DE-BE`` is Berlin."""

Language: TypeAlias = Literal["zh", "en", "de"]
"""What notices are written in, by ISO 639."""

PhoneRegion = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""A country by ISO 3166-1."""

Hour = Annotated[int, Field(ge=0, le=24)]


class Place(Input):
    """Time zone, calendar, working hours, currency, phones and language."""

    time_zone: TimeZone = "Asia/Shanghai"
    calendar: CalendarName = "CN"
    opens: Hour = 9
    """Working hours (D5), in the place's own time: from this hour"""
    closes: Hour = 18
    """to this one, which is later; 24 is the end of the day."""
    currency: Currency | None = None
    """What orders must be paid in; None for any."""
    phone_region: PhoneRegion = "CN"
    """Where a phone that is typed without a country code is from (P7)."""
    language: Language | None = None
    """Of notices; None for the service's own (``AFTERSALES_LANGUAGE``)."""


CHINA = Place()
"""Where a profile is that does not say so."""

"""Lengths of time as people write them: ``90s``, ``30m``, ``48h``, ``7d``, and one after the other: ``1d12h``."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator

_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_ONE: Final = re.compile(r"(\d{1,6})([dhms])")
_ALL: Final = re.compile(rf"(?:{_ONE.pattern})+")


def parse_duration(text: str) -> timedelta:
    """The length of time that ``text`` says.

    Raises:
        ValueError: it says none; the text of the error tells how to write one.
    """
    plain = text.replace(" ", "")
    if not _ALL.fullmatch(plain):
        raise ValueError("must be a length of time such as 90s, 30m, 48h, 7d or 1d12h")
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in _ONE.findall(plain)))


def in_words(length: timedelta) -> str:
    """A length of time in its two largest units: 47 h 59 m and 20 s are ``1 d 23 h``. The sign is left out."""
    left = int(abs(length).total_seconds())
    words: list[str] = []
    for unit, seconds in _SECONDS.items():
        number, left = divmod(left, seconds)
        if number:
            words.append(f"{number} {unit}")
    return " ".join(words[:2]) or "0 s"


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""A field that is written as a length of time."""

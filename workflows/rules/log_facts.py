"""Facts of a case log as people read them: amounts in decimals, moments in the time of the case (G6)."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from workflows.messages.money import in_print
from workflows.rules.local_time import local

_AMOUNTS: Final = frozenset(
    {"amount", "proposed_amount", "freight", "freight_paid", "compensation", "asked", "paid", "number_holds"}
)
"""Facts in minor units."""
_LINES: Final = re.compile(r"(?P<line>\S+):(?P<pieces>\d+):(?P<amount>\d+)")
"""One of ``lines``: which, how many pieces, for how much in minor units."""
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_FIRST: Final = ("version", "number", "terms", "amount", "proposed_amount", "lines")
"""What is told first, whichever order the database has kept the facts in."""


def readable(facts: Mapping[str, str | int], zone: str | None, currency: str | None) -> dict[str, str]:
    """The facts in words; amounts stay minor units, and are called so, where no currency is known."""
    known = facts.get("currency", currency)
    named = {name: value for name, value in facts.items() if name != "currency"}
    first = {name: named[name] for name in _FIRST if name in named}
    return {
        name: _readable(name, value, zone, str(known) if known else None) for name, value in (first | named).items()
    }


def _readable(name: str, value: str | int, zone: str | None, currency: str | None) -> str:
    if name in _AMOUNTS and isinstance(value, int):
        return f"{in_print(value, currency)} {currency}" if currency else f"{value} minor units"
    if name == "lines" and isinstance(value, str) and currency:
        return _LINES.sub(lambda each: f"{each['line']} × {each['pieces']}: {_printed(each, currency)}", value)
    if isinstance(value, str) and _MOMENT.match(value):
        return _moment(value, zone)
    return str(value)


def _printed(line: re.Match[str], currency: str) -> str:
    return in_print(int(line["amount"]), currency)


def _moment(text: str, zone: str | None) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return local(moment, zone) if moment.tzinfo else text

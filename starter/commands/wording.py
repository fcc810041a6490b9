"""What people type: amounts, actors, order lines, attachments; and what models say against it."""

import hashlib
import json
import mimetypes
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from starter.commands.failures import UsageError
from starter.durations import parse_duration
from workflows.messages.actors import Role
from workflows.messages.evidence import MediaType
from workflows.messages.message import EARLIEST, LATEST
from workflows.messages.money import decimals
from workflows.messages.problems import problems
from workflows.messages.reading import read_json
from workflows.rules.local_time import SHANGHAI

ModelT = TypeVar("ModelT", bound=BaseModel)

_OPTIONS: Final = {"lines": "--line"}
"""The options of fields that are not called like them."""
_LARGEST: Final = Decimal(10) ** 11


def amount(text: str, field: str) -> Decimal:
    """An amount as it was typed, in the major unit of a currency that is not known yet. Never through a float.

    Raises:
        UsageError: it is no amount, or negative.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise UsageError("must be an amount such as 72.00", field) from None
    if not value.is_finite() or not 0 <= value < _LARGEST:
        raise UsageError("must be an amount from 0 on", field)
    return value


def minor(typed: Decimal, currency: str, field: str) -> int:
    """An amount that was typed in minor units of its currency: of ``72.00`` CNY 7200, of ``72`` JPY 72.

    Raises:
        UsageError: it has more places than the currency.
    """
    places = decimals(currency)
    value = typed.scaleb(places)
    if value != value.to_integral_value():
        allowed = f"at most {places} places" if places else "no places"
        raise UsageError(f"an amount in {currency} has {allowed} after the point", field)
    return int(value)


def in_minor_units(body: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """What was typed, with each amount in minor units of ``currency``.

    Raises:
        UsageError: as of ``minor``; the option is named.
    """

    def converted(value: Any, field: str) -> Any:
        match value:
            case Decimal():
                return minor(value, currency, field)
            case dict():
                return {name: converted(each, field) for name, each in cast("dict[str, Any]", value).items()}
            case list():
                return [converted(each, field) for each in cast("list[Any]", value)]
            case _:
                return value

    return {name: converted(value, _OPTIONS.get(name, f"--{name.replace('_', '-')}")) for name, value in body.items()}


def has_amounts(body: Mapping[str, Any]) -> bool:
    """Whether anything that was typed is an amount, so that its currency must be known."""
    return any(
        isinstance(value, Decimal)
        or any(isinstance(each, dict) and "amount" in each for each in _several(value))
        or (isinstance(value, dict) and has_amounts(cast("dict[str, Any]", value)))
        for value in body.values()
    )


def _several(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def actor(text: str, option: str = "--as") -> dict[str, str]:
    """An actor, from ``role:id``: ``merchant:m-1``, ``platform:officer-7``.

    Raises:
        UsageError: the role is none, or the id is missing.
    """
    role, _, identifier = text.partition(":")
    if role not in set(Role) or not identifier:
        raise UsageError(f"must be role:id, the role one of {', '.join(Role)}", option)
    return {"role": role, "id": identifier}


def lines(texts: list[str]) -> list[dict[str, Any]]:
    """Order lines, each from ``LINE:QUANTITY:AMOUNT``: ``L1:2:72.00``.

    Raises:
        UsageError: one is not of this form.
    """
    return [_line(text) for text in texts]


def _line(text: str) -> dict[str, Any]:
    line, _, rest = text.partition(":")
    quantity, _, typed = rest.partition(":")
    if not quantity.isascii() or not quantity.isdigit() or not typed:
        raise UsageError("must be LINE:QUANTITY:AMOUNT such as L1:1:72.00", "--line")
    return {"line": line, "quantity": int(quantity), "amount": amount(typed, "--line")}


def prices(texts: list[str]) -> list[dict[str, Any]]:
    """What a piece of a line costs, each from ``LINE:PRICE``: ``L1:90.00``.

    Raises:
        UsageError: one is not of this form.
    """
    parts = [text.partition(":") for text in texts]
    if not all(line and typed for line, _, typed in parts):
        raise UsageError("must be LINE:PRICE such as L1:90.00", "--price")
    return [{"line": line, "price": amount(typed, "--price")} for line, _, typed in parts]


def quantity(text: str, field: str) -> dict[str, Any]:
    """So many pieces of an order line, from ``LINE:QUANTITY``: ``L1:2``.

    Raises:
        UsageError: it is not of this form.
    """
    line, _, pieces = text.partition(":")
    if not pieces.isascii() or not pieces.isdigit():
        raise UsageError("must be LINE:QUANTITY such as L1:2", field)
    return {"line": line, "quantity": int(pieces)}


def seen(text: str) -> dict[str, Any]:
    """What a decision is about (R11), from ``VERSION:AMOUNT``: ``2:105.00``.

    Raises:
        UsageError: it is not of this form.
    """
    version, _, typed = text.partition(":")
    if not version.isascii() or not version.isdigit() or not typed:
        raise UsageError("must be VERSION:AMOUNT such as 1:72.00", "--expects")
    return {"version": int(version), "amount": amount(typed, "--expects")}


def replacements(texts: list[str]) -> list[dict[str, str]]:
    """What an exchange is to bring, each from ``LINE:SKU``: ``L1:boots-43``.

    Raises:
        UsageError: one is not of this form.
    """
    return [_of_line(text, "--replacement", "L1:boots-43") for text in texts]


def parts(texts: list[str]) -> list[dict[str, str]]:
    """What of each piece is to be sent again, each from ``LINE:SKU``: ``L1:charger``.

    Raises:
        UsageError: one is not of this form.
    """
    return [_of_line(text, "--part", "L1:charger") for text in texts]


def _of_line(text: str, option: str, such_as: str) -> dict[str, str]:
    line, _, sku = text.partition(":")
    if not line or not sku:
        raise UsageError(f"must be LINE:SKU such as {such_as}", option)
    return {"line": line, "sku": sku}


def evidence(texts: list[str], files: list[Path]) -> list[dict[str, Any]]:
    """Attachments: each from ``uri,media/type,bytes,sha256``, and from local files, which are measured.

    A file's reference is made of what it holds, not of its name, which may tell of a person (P6).

    Raises:
        UsageError: one is not of this form, or a file cannot be read or is of a type that is not taken.
    """
    return [_attachment(text) for text in texts] + [_measured(file) for file in files]


def _attachment(text: str) -> dict[str, Any]:
    parts = text.split(",")
    if len(parts) != len(("uri", "media_type", "bytes", "sha256")) or not parts[2].isdigit():
        raise UsageError("must be uri,media/type,bytes,sha256", "--evidence")
    return {"uri": parts[0], "media_type": parts[1], "bytes": int(parts[2]), "sha256": parts[3]}


def _measured(file: Path) -> dict[str, Any]:
    media_type, _ = mimetypes.guess_type(file.name)
    if media_type not in set(MediaType):
        raise UsageError(f"must be a file of one of these types: {', '.join(MediaType)}", "--evidence-file")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", "--evidence-file") from error
    digest = hashlib.sha256(content).hexdigest()
    return {"uri": f"local:{digest}", "media_type": media_type, "bytes": len(content), "sha256": digest}


def duration(text: str, field: str = "DURATION") -> timedelta:
    """A length of time such as ``48h``.

    Raises:
        UsageError: it is none, or nothing.
    """
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error), field) from error
    if not length:
        raise UsageError("must be longer than nothing", field)
    return length


def moment(text: str, field: str) -> datetime:
    """A moment in ISO 8601 with its offset.

    Raises:
        UsageError: it is none, has no offset, or lies beyond the years 2000 to 2100 (R18).
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.utcoffset() is None:
        raise UsageError("must be a moment with its offset, such as 2026-11-20T09:00+08:00", field)
    if not EARLIEST <= value <= LATEST:
        raise UsageError("must lie between the years 2000 and 2100 (R18)", field)
    return value


def moment_or_day(text: str, field: str) -> datetime:
    """A moment, or the beginning of a day; Shanghai time where no offset is given.

    Raises:
        UsageError: it is neither.
    """
    try:
        value = datetime.fromisoformat(text)
        return (value if value.tzinfo else value.replace(tzinfo=SHANGHAI)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError("must be a day such as 2026-11-20 or a moment such as 2026-11-20T09:00", field) from None


def text(file: Path | None, option: str) -> str:
    """What somebody has written: in ``file``, else on standard input. It never goes into a message of ours (P6).

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return (file.read_text(encoding="utf-8") if file else sys.stdin.buffer.read().decode()).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {type(error).__name__}", option) from None


def built(model: type[ModelT], body: Mapping[str, Any]) -> ModelT:
    """``body`` as a message; JSON's rules apply, so that a moment may be a text and an amount may not.

    Raises:
        UsageError: a field is missing, unknown or wrong; it is named.
    """
    return read(model, json.dumps(body))


def read(model: type[ModelT], text: str) -> ModelT:
    """A message from its JSON. Raises as ``built``."""
    try:
        return read_json(model, text)
    except ValidationError as error:
        first, *more = problems(error)
    others = ", ".join(sorted({each.field for each in more} - {first.field}))
    raise UsageError(first.reason + (f" (also wrong: {others})" if others else ""), first.field)


def content_key(body: Mapping[str, Any]) -> str:
    """A key made of what is asked for: the same words typed again are the same request (section 11)."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return f"cli-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"

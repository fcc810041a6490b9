"""A request as it was typed at ``aftersales open``: options or a file, opened in the order's currency."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel
from rich.text import Text

from starter.client import Aftersales, Case
from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.printing import CommandLine, answer
from starter.commands.reaching import service

RequestT = TypeVar("RequestT", bound=BaseModel)

DEFAULT_CURRENCY: Final = "CNY"
MOST_PLACES: Final = "CLF"
"""The currency with the most places: an amount that has more fits none."""


class Typed(Generic[RequestT]):
    """A request as it was typed: a file, or options whose amounts wait for the order's currency.

    What is wrong with it in any currency is an error at once, before anybody is asked.
    """

    def __init__(
        self,
        model: type[RequestT],
        body: dict[str, Any],
        file: Path | None,
        key: str | None,
        bank_account: str | None = None,
    ) -> None:
        self._model = model
        self._file = wording.read(model, text_of(file)) if file else None
        self._key = key
        self._body = said(body)
        if bank_account:
            self._body["method"] = {"route": "bank_transfer", "account": bank_account}
        if self._file is None:
            self.request(MOST_PLACES)

    async def currency(self, aftersales: Aftersales) -> str:
        """What the amounts are in; of an unknown order it does not matter, for nothing will be opened."""
        if self._file is not None or not wording.has_amounts(self._body):
            return DEFAULT_CURRENCY
        return await aftersales.currency_of(str(self._body["order_no"])) or DEFAULT_CURRENCY

    def request(self, currency: str) -> RequestT:
        """The request; without a key, with the key of its content.

        Raises:
            UsageError: a field is missing or wrong, or an amount has more places than the currency.
        """
        if self._file is not None:
            return self._file
        body = wording.in_minor_units(self._body, currency)
        return wording.built(self._model, {**body, "request_key": self._key or wording.content_key(body)})


async def open_typed(
    typed: Typed[RequestT], open_it: Callable[[Aftersales, RequestT], Awaitable[Case]], as_json: bool
) -> int:
    """Open what was typed, and print the case's id and the request's key."""
    async with service() as aftersales:
        request = typed.request(await typed.currency(aftersales))
        case = await open_it(aftersales, request)
    return _opened(case, getattr(request, "request_key", None), as_json)


async def open_directly(start: Callable[[Aftersales], Awaitable[Case]], as_json: bool) -> int:
    """Open a case that takes no key of a request, and print its id."""
    async with service() as aftersales:
        case = await start(aftersales)
    return _opened(case, None, as_json)


def _opened(case: Case, key: str | None, as_json: bool) -> int:
    answer(
        as_json,
        {"case_id": case.id, "request_key": key, "existed": case.existed},
        Text.assemble("existed already: " if case.existed else "opened ", (case.id, "bold")),
        CommandLine(f"next: aftersales show {case.id}", style="dim"),
    )
    return 0


def said(body: dict[str, Any]) -> dict[str, Any]:
    """Without the options that were left out."""
    return {field: value for field, value in body.items() if value is not None}


def text_of(file: Path) -> str:
    """What stands in the file behind ``--from``.

    Raises:
        UsageError: it cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {type(error).__name__}", "--from") from error

"""Keys of pages: where a list that is read page by page goes on."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Self, TypeAlias

from pydantic import AfterValidator, TypeAdapter

from workflows.messages.message import Subject

_SUBJECT: Final = TypeAdapter[str](Subject)


@dataclass(frozen=True)
class PageKey:
    """Where a page ends: behind this rank and, of the cases or orders with the same, behind this one."""

    rank: datetime
    of: str

    def __str__(self) -> str:
        """As it travels: letters, digits, ``-`` and ``_``, which no URL and no shell changes."""
        plain = f"{self.rank.astimezone(UTC).isoformat()} {self.of}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that ``text`` is.

        Raises:
            ValueError: it is none that was given out.
        """
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
            rank, _, subject = plain.partition(" ")
            key = cls(datetime.fromisoformat(rank), _SUBJECT.validate_python(subject))
            if str(key) == text:  # one spelling only; a moment without an offset is none of ours either
                return key
        except (ValueError, OverflowError):
            pass
        raise ValueError("must be the key of a page, as the page before it gave it")


def _page_key(text: str) -> str:
    PageKey.parse(text)
    return text


PageKeyText: TypeAlias = Annotated[str, AfterValidator(_page_key)]
"""A key as it travels."""

"""Providers of virtual numbers as we know them (P3)."""

from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from workflows.messages.virtual_numbers import VirtualNumber


class ProviderUnreachable(Exception):  # noqa: N818 -- it says what is known: nothing
    """No answer came: a timeout, or a connection that broke. What was asked for may have been done."""


class PoolDry(Exception):  # noqa: N818 -- it is an answer
    """The provider has no number free at the moment. Nothing was bound."""


class NotBound(Exception):  # noqa: N818 -- it is an answer
    """Nothing is bound under this key: it never was, or was unbound. It cannot be bound under this key again."""


class NumberProvider(Protocol):
    """Who lends numbers that lead to a phone.

    A binding is known by its subject and its key. Whatever is asked twice is done once.
    """

    async def bind(
        self,
        subject: str,
        key: str,
        phone: SecretStr,
        *,
        until: datetime | None,
        at: datetime,
        wanted: VirtualNumber | None = None,
    ) -> VirtualNumber:
        """Let a number lead to a phone.

        Args:
            subject: What the number is for; ids only.
            key: Which of the subject's bindings. The same again is the same number, with the later ``until``.
            phone: The real number, which the provider alone is told: its digits as they are dialled at home, or +, the
                country's code and the rest where it is another country's; no extension.
            until: When the provider may let go by itself; None for not before it is told to.
            at: The moment of business time at which this is asked.
            wanted: The number to have if it is free, else another one.

        Raises:
            PoolDry: no number is free.
            NotBound: it was unbound under this key.
            ProviderUnreachable: nothing can be said.
        """
        ...

    async def extend(self, subject: str, key: str, *, until: datetime, at: datetime) -> None:
        """Keep a number bound until a later moment.

        Raises:
            NotBound: it is not bound.
            ProviderUnreachable: nothing can be said.
        """
        ...

    async def unbind(self, subject: str, key: str, *, at: datetime) -> None:
        """Let a number lead nowhere, and whatever is still on its way under this key with it.

        Raises:
            ProviderUnreachable: nothing can be said.
        """
        ...

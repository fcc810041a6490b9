"""How notices leave us."""

import json
from enum import StrEnum
from typing import Protocol

from pydantic import SecretStr

from workflows.messages.actors import Actor
from workflows.messages.cases import NoticeTemplate
from workflows.messages.message import Message
from workflows.messages.place import Language


class ChannelName(StrEnum):
    """The ways to a recipient."""

    SMS = "sms"
    IN_STATION = "in_station"
    """站内信: the message box of the marketplace's app or back office."""
    E_MAIL = "e_mail"


class OutgoingNotice(Message):
    """One notice in words, for one channel. It names the recipient by id only (P6)."""

    dedup_key: str
    """The same for every attempt at the same notice; another for any other."""
    channel: ChannelName
    recipient: Actor
    template: NoticeTemplate
    language: Language
    text: str
    subject: str = ""
    """Of an e-mail."""
    html: str | None = None
    """The same as a page, with every value escaped; where there is a template for it."""
    address: SecretStr | None = None
    """The recipient's e-mail address or phone number, where the channel ``wants_address`` and the vault knows one."""

    def in_clear(self) -> bytes:
        """As JSON, the address readable: for whoever delivers it."""
        plain = self.model_dump(mode="json", exclude_none=True, exclude={"address"})
        if self.address is not None:
            plain["address"] = self.address.get_secret_value()
        return json.dumps(plain, ensure_ascii=False).encode()


class ChannelUnavailable(Exception):  # noqa: N818 -- it is the channel's state, not a fault of ours
    """The channel does not take notices now, or did not say whether it has; the notice will be sent again."""

    def __init__(self, code: str = "channel_unavailable") -> None:
        """``code`` says why in a word of small letters, digits and ``_``; nothing of the recipient."""
        super().__init__(code)
        self.code = code


class NoticeRefused(Exception):  # noqa: N818 -- it is the channel's answer
    """The channel will never take this notice: it is not sent again, and an operator sees it."""

    def __init__(self, code: str) -> None:
        """``code`` as in ``ChannelUnavailable``."""
        super().__init__(code)
        self.code = code


class Addresses(Protocol):
    """Where the addresses of recipients are looked up."""

    async def address(self, to: Actor, channel: "ChannelName") -> SecretStr | None:
        """The recipient's address for a channel; None where it is not known."""
        ...


class Channel(Protocol):
    """One way to a recipient.

    It looks up itself under which phone number or address the recipient is reached; one with an attribute
    ``wants_address`` that is true is given what the vault knows. It keeps each ``dedup_key`` and delivers once what is
    sent twice: so a notice whose answer was lost goes out once.
    """

    async def send(self, message: OutgoingNotice) -> None:
        """Take a notice for delivery.

        Raises:
            ChannelUnavailable: try again later, with the same ``dedup_key``.
            NoticeRefused: it will never be taken.
        """
        ...

"""How notices leave us."""

from enum import StrEnum
from typing import Literal, Protocol, TypeAlias

from workflows.messages.actors import Actor
from workflows.messages.cases import NoticeTemplate
from workflows.messages.message import Message

Language: TypeAlias = Literal["zh", "en"]


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


class ChannelUnavailable(Exception):  # noqa: N818 -- it is the channel's state, not a fault of ours
    """The channel does not take notices now, or did not say whether it has; the notice will be sent again."""


class Channel(Protocol):
    """One way to a recipient.

    It looks up itself under which phone number or address the recipient is reached. It keeps each
    ``dedup_key`` and delivers once what is sent twice: so a notice whose answer was lost goes out once.
    """

    async def send(self, message: OutgoingNotice) -> None:
        """Take a notice for delivery.

        Raises:
            ChannelUnavailable: try again later, with the same ``dedup_key``.
        """
        ...

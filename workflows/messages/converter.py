"""How messages are encoded on their way to and from Temporal."""

import dataclasses
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Final, cast

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import CompositePayloadConverter

from workflows.messages.reading import read_own_json
from workflows.messages.sealed import Sealed, Told
from workflows.messages.unreadable import Unreadable
from workflows.messages.words import shown_as_written

UNOPENED: Final = b"binary/unopened"
"""The encoding of what stands in the place of a payload that could not be decrypted."""
SEALED: Final = "sealed"
"""The name of an opened payload's metadata that says how it was sealed (``Sealed``)."""
WHY: Final = "why"
"""The name of its metadata that says so; the data is a digest of what was sent."""

FOR_OUTSIDE: Final = "for-outside"
"""The name of a payload's metadata that says that it is written for another namespace, and stays in clear."""

AWAITED_OUTSIDE: Final = "awaited_outside"
"""The name of the memo and of the signal by which a case learns that its outcome is read without our keys."""

_JSON: Final = "json/plain"
_SEALED: Final = {each.encode(): each for each in Sealed}

# The SDK makes a converter anew for each task, each activity and each command that it encodes (1.35.0). Pydantic's has
# a cache of its own, dear to make and empty each time: all of ours share the parts of one.
_PARTS: Final = tuple(PydanticPayloadConverter().converters.values())


class UnopenedPayload(Exception):  # noqa: N818 -- it is a finding, not a fault
    """Where a message is needed there is a payload that could not be decrypted."""


class MessageConverter(PydanticPayloadConverter):
    """JSON by pydantic. A value whose type is asked for is one that a process of ours has written, of whatever release.

    A value whose type is not asked for is never an error here: workflows take in their start, updates and signals so,
    because what cannot be decoded would otherwise stall the case (a start or an update) or be dropped without a trace
    (a signal).
    """

    def __init__(self) -> None:
        """As cheap as can be: it is made some twenty times for each case."""
        CompositePayloadConverter.__init__(self, *_PARTS)

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type[Any]] | None = None) -> list[Any]:
        """See base class."""
        return [self._read(payload, hint) for payload, hint in zip_longest(payloads, type_hints or ())]

    def _read(self, payload: Payload, hint: Any) -> Any:
        if hint is None:
            return self._whatever_it_is(payload)
        if payload.metadata.get("encoding") == UNOPENED and hint is not RawValue:
            raise UnopenedPayload(payload.metadata[WHY].decode())
        if payload.metadata.get("encoding") == _JSON.encode() and hint is not RawValue:
            return read_own_json(hint, payload.data)
        (value,) = super().from_payloads([payload], [hint])
        return value

    def _whatever_it_is(self, payload: Payload) -> Any:
        encoding = payload.metadata.get("encoding", b"").decode(errors="replace")
        if encoding == UNOPENED.decode():
            return Unreadable(payload.metadata[WHY].decode(), unopened=payload.data.hex())
        try:
            (value,) = super().from_payloads([payload])
        except Exception:
            return Unreadable(f"it is not valid {_JSON}")
        if encoding in {_JSON, "binary/null"}:
            return _told(cast("dict[str, Any]", value), payload) if isinstance(value, dict) else value
        return Unreadable(f"it must be sent as JSON (encoding {_JSON})")


def _told(value: dict[str, Any], payload: Payload) -> Told:
    told = Told(value)
    told.sealed = _SEALED.get(payload.metadata.get(SEALED, b""), Sealed.IN_CLEAR)
    return told


class ShowingConverter(MessageConverter):
    """The same for a client: words that a newer release has added are shown as they were written."""

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type[Any]] | None = None) -> list[Any]:
        """See base class."""
        with shown_as_written():
            return super().from_payloads(payloads, type_hints)


data_converter = dataclasses.replace(pydantic_data_converter, payload_converter_class=MessageConverter)


def for_outside(message: BaseModel) -> RawValue:
    """A message that somebody without our keys is to read: it is left in clear by the codec of clients and workers."""
    metadata = {"encoding": _JSON.encode(), FOR_OUTSIDE: b"1"}
    return RawValue(Payload(metadata=metadata, data=message.model_dump_json().encode()))

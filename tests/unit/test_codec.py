"""Temporal's payloads under encryption (P6): what goes in comes out, and nothing else is to be had of it."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from activities.privacy.codec import (
    ENCODING,
    KEY_ID,
    MOST_INFLATED,
    EncryptionCodec,
    PayloadTooLarge,
    encrypting_converter,
)
from activities.privacy.keys import FixedKeys, UnknownKey, new_key, read_keys
from activities.privacy.sealing import Tampered, seal
from workflows.messages.commands import Approve
from workflows.messages.converter import UnopenedPayload, Unreadable

OLD, NEW = read_keys(f"{new_key('old')},{new_key('new')}")
RING = FixedKeys([NEW, OLD])
CODEC = EncryptionCodec(RING)


@given(st.binary(max_size=2000), st.dictionaries(st.text(max_size=10), st.binary(max_size=20), max_size=3))
async def test_a_payload_comes_back_as_it_was(data: bytes, metadata: dict[str, bytes]) -> None:
    payload = Payload(data=data, metadata=metadata)
    (encrypted,) = await CODEC.encode([payload])
    assert await CODEC.decode([encrypted]) == [payload]
    assert len(data) < 8 or data not in encrypted.data


async def test_the_metadata_tell_the_key_and_nothing_of_the_content() -> None:
    (encrypted,) = await CODEC.encode([Payload(data=b"{}", metadata={"encoding": b"json/plain", "type": b"Order"})])
    assert dict(encrypted.metadata) == {"encoding": ENCODING, KEY_ID: b"new"}


async def test_the_same_payload_never_looks_the_same() -> None:
    first, second = await CODEC.encode([Payload(data=b"x"), Payload(data=b"x")])
    assert first.data != second.data


async def test_several_keys_are_live_and_what_is_new_is_under_the_first() -> None:
    (old,) = await EncryptionCodec(FixedKeys([OLD])).encode([Payload(data=b"before the rotation")])
    assert [each.data for each in await CODEC.decode([old])] == [b"before the rotation"]
    assert (await CODEC.encode([Payload(data=b"x")]))[0].metadata[KEY_ID] == b"new"


async def test_an_unknown_key_is_named() -> None:
    (encrypted,) = await CODEC.encode([Payload(data=b"x")])
    with pytest.raises(UnknownKey, match="'new'"):
        await EncryptionCodec(FixedKeys([OLD])).decode([encrypted])


async def test_a_changed_payload_or_another_keys_name_is_refused() -> None:
    (encrypted,) = await CODEC.encode([Payload(data=b"pay 1.00")])
    bent = Payload(data=encrypted.data[:-1] + bytes([encrypted.data[-1] ^ 1]), metadata=dict(encrypted.metadata))
    renamed = Payload(data=encrypted.data, metadata={"encoding": ENCODING, KEY_ID: b"old"})
    short = Payload(data=b"short", metadata=dict(encrypted.metadata))
    for each in (bent, renamed, short):
        with pytest.raises(Tampered):
            await CODEC.decode([each])


async def test_what_is_not_encrypted_is_passed_on_and_what_is_is_not_encrypted_twice() -> None:
    plain = Payload(data=b"1", metadata={"encoding": b"json/plain"})
    (encrypted,) = await CODEC.encode([plain])
    assert await CODEC.decode([plain]) == [plain]
    assert await CODEC.encode([encrypted]) == [encrypted]


async def test_large_payloads_are_compressed_and_small_ones_are_not() -> None:
    (large,) = await CODEC.encode([Payload(data=b"a" * 10_000)])
    (small,) = await CODEC.encode([Payload(data=b"a" * 100)])
    assert len(large.data) < 500
    assert len(small.data) > 100


async def test_a_payload_that_grows_without_end_is_refused() -> None:
    bomb = b"\1" + zlib.compress(b"\0" * (MOST_INFLATED + 1))
    payload = Payload(
        data=seal(NEW.secret, b"temporal payload new", bomb), metadata={"encoding": ENCODING, KEY_ID: b"new"}
    )
    with pytest.raises(PayloadTooLarge):
        await CODEC.decode([payload])


async def test_a_failure_shows_neither_its_text_nor_its_details() -> None:
    converter, failure = encrypting_converter(RING), Failure()
    await converter.encode_failure(ApplicationError("the secret text", "the secret detail", type="Refused"), failure)
    assert b"secret" not in failure.SerializeToString()
    told = await converter.decode_failure(failure)
    assert isinstance(told, ApplicationError)
    assert (told.message, list(told.details)) == ("the secret text", ["the secret detail"])


async def test_of_a_refusal_the_sentence_can_be_read_and_nothing_else() -> None:
    converter, failure = encrypting_converter(RING), Failure()
    refusal = ApplicationError("the case is another merchant's", "the secret detail", type="Refused.not_yours")

    await converter.encode_failure(refusal, failure)

    assert failure.message == "the case is another merchant's"
    assert b"secret" not in failure.SerializeToString()
    told = await converter.decode_failure(failure)
    assert isinstance(told, ApplicationError)
    assert (told.message, told.details, told.type) == (
        "the case is another merchant's",
        ("the secret detail",),
        "Refused.not_yours",
    )


@pytest.mark.parametrize("spoil", ["foreign", "changed", "short"])
async def test_clients_and_workers_get_a_mark_for_what_cannot_be_opened(spoil: str) -> None:
    (sealed,) = await EncryptionCodec(FixedKeys([NEW] if spoil == "foreign" else [OLD])).encode([Payload(data=b"x")])
    if spoil != "foreign":
        sealed.data = sealed.data[:-1] if spoil == "changed" else b"short"
    converter = encrypting_converter(FixedKeys([OLD]))

    (value,) = await converter.decode([sealed])

    assert isinstance(value, Unreadable)
    assert value.unopened
    assert "cannot be opened" in value.why
    with pytest.raises(UnopenedPayload, match="cannot be opened"):
        await converter.decode([sealed], [Approve])


async def test_of_a_command_that_cannot_be_read_the_field_is_named_and_no_value() -> None:
    converter, failure = encrypting_converter(RING), Failure()
    with pytest.raises(ValidationError) as malformed:
        Approve.model_validate({"key": "a secret key", "by": {"role": "merchant"}, "reson": "a secret", "李雷": 1})

    await converter.encode_failure(malformed.value, failure)

    assert "by.id: Field required" in failure.message
    assert "?: there is no field of this name; perhaps reason is meant" in failure.message
    assert "李雷" not in failure.message
    assert b"secret" not in failure.SerializeToString()

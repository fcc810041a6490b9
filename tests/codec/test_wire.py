"""Payloads in Temporal's JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from starter.codec_server import wire
from tests.codec.serving import body_of

payloads = st.lists(
    st.builds(
        Payload, metadata=st.dictionaries(st.text(max_size=9), st.binary(max_size=9)), data=st.binary(max_size=40)
    ),
    max_size=4,
)


@given(payloads)
def test_what_is_written_can_be_read(payloads: list[Payload]) -> None:
    assert wire.read(wire.written(payloads).encode()) == payloads
    assert json.loads(wire.written(payloads)) == body_of(*payloads)


def test_what_temporal_leaves_out_or_adds_is_no_fault() -> None:
    body = b'{"payloads": [{}, {"metadata": null, "data": null}, {"data": "eA==", "externalPayloads": []}], "more": 1}'
    assert wire.read(body) == [Payload(), Payload(), Payload(data=b"x")]
    # A query or a signal without input, as Temporal's command line sends it.
    assert wire.read(b"{}") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"payloads": null}',
        b'{"payloads": [1]}',
        b'{"payloads": [{"data": 1}]}',
        b'{"payloads": [{"data": "e"}]}',
        # A lenient reader would pass over the stars, and take this for another payload.
        b'{"payloads": [{"data": "e**A=="}]}',
        '{"payloads": [{"data": "é"}]}'.encode(),
        b'{"payloads": [{"metadata": {"encoding": "?"}}]}',
        b'{"payloads": ' + b"[" * 100_000,
    ],
)
def test_a_malformed_body_is_refused_without_quoting_it(body: bytes) -> None:
    with pytest.raises(wire.MalformedBody, match=r"^the body must be \{"):
        wire.read(body)


def test_so_many_payloads_and_no_more() -> None:
    assert len(wire.read(json.dumps({"payloads": [{}] * wire.MOST_PAYLOADS}).encode())) == wire.MOST_PAYLOADS
    with pytest.raises(wire.TooManyPayloads):
        wire.read(json.dumps({"payloads": [{}] * (wire.MOST_PAYLOADS + 1)}).encode())

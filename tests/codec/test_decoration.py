"""Notes beside references, in on reading and out on writing."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from starter.codec_server.decoration import bare, noted, references
from tests.codec.serving import json_payload

ACCOUNT = "vault:account/" + "ab12" * 8
STATEMENT = "statement:" + "0f" * 16
NOTES = {ACCOUNT: "张**, ****1234", STATEMENT: "statement of 12 characters"}

a_reference = st.one_of(
    st.sampled_from(["vault:account/", "vault:address/", "vault:evidence/", "statement:"]).flatmap(
        lambda kind: st.text("0123456789abcdef", min_size=32, max_size=32).map(lambda digits: kind + digits)
    ),
    st.just("`remarks:refund/O-1/k-1`"),
    st.just("\ndossier:dispute/refund/O-1/k-1/d1\n"),
)
a_text = st.lists(st.one_of(st.text(max_size=20), a_reference), max_size=4).map("".join)
a_note = st.one_of(st.text(max_size=30), st.text('〔〕"\\\n 张', max_size=30))
some_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), a_text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(a_text, inner, max_size=4)),
    max_leaves=12,
)


def test_a_note_stands_beside_its_reference() -> None:
    text = f'{{"account":"{ACCOUNT}","said":["{STATEMENT}"],"amount":1.50,"big":123456789012345678901}}'
    assert noted(json_payload(text), NOTES).data.decode() == (
        f'{{"account":"{ACCOUNT} 〔张**, ****1234〕","said":["{STATEMENT} 〔statement of 12 characters〕"],'
        '"amount":1.50,"big":123456789012345678901}'
    )


def test_a_reference_inside_a_longer_text_is_found() -> None:
    text = json.dumps(f"- **account**: `{ACCOUNT}`\n{STATEMENT}")
    assert references([json_payload(text)]) == (ACCOUNT, STATEMENT)
    assert json.loads(noted(json_payload(text), NOTES).data) == (
        f"- **account**: `{ACCOUNT} 〔张**, ****1234〕`\n{STATEMENT} 〔statement of 12 characters〕"
    )


def test_remarks_of_a_case_are_a_reference_up_to_the_end_of_its_id() -> None:  # section 12
    case = "remarks:late-shipment/O-1/k_1:2"
    text = json.dumps(f"- **remarks**: `{case}`")
    assert references([json_payload(text)]) == (case,)
    seen = noted(json_payload(text), {case: "refund/O-1: 5 characters"})
    assert json.loads(seen.data) == f"- **remarks**: `{case} 〔refund/O-1: 5 characters〕`"
    assert bare(seen).data.decode() == text


def test_what_only_looks_like_a_reference_is_none() -> None:
    text = json.dumps([ACCOUNT[:-1], ACCOUNT + "0", "vault:other/" + "a" * 32, ACCOUNT.upper()])
    assert references([json_payload(text)]) == ()


def test_what_is_not_json_stays_as_it_is() -> None:
    reference = ACCOUNT.encode()
    for payload in (
        Payload(metadata={"encoding": b"binary/plain"}, data=b'"' + reference + b'"'),
        Payload(metadata={"encoding": b"json/plain"}, data=b"\xff" + reference),
        Payload(metadata={"encoding": b"json/plain"}, data=b'["' + reference),
        Payload(metadata={}, data=b'"' + reference + b'"'),
        Payload(metadata={"encoding": b"binary/null"}),
    ):
        assert references([payload]) == ()
        assert noted(payload, NOTES) == payload
        assert bare(payload) == payload


def test_metadata_stays() -> None:
    payload = Payload(metadata={"encoding": b"json/protobuf", "messageType": b"a.B"}, data=json.dumps(ACCOUNT).encode())
    assert dict(noted(payload, NOTES).metadata) == {"encoding": b"json/protobuf", "messageType": b"a.B"}


def test_notes_are_taken_out_however_a_program_writes_the_brackets() -> None:
    for text in (json.dumps(f"{ACCOUNT} 〔张**〕!"), json.dumps(f"{ACCOUNT} 〔张**〕!", ensure_ascii=False)):
        assert json.loads(bare(json_payload(text)).data) == f"{ACCOUNT}!"


def test_brackets_that_are_no_note_stay() -> None:
    text = json.dumps(["〔张三〕", f"{ACCOUNT}〔no space〕", f"{ACCOUNT} 〔never closed"], ensure_ascii=False)
    assert bare(json_payload(text)) == json_payload(text)


def test_a_note_that_is_not_closed_takes_nothing_else_with_it() -> None:
    text = json.dumps([f"{ACCOUNT} 〔never closed", "another 〕 text"], ensure_ascii=False)
    assert bare(json_payload(text)) == json_payload(text)
    inner = json.dumps(f"{ACCOUNT} 〔{STATEMENT} 〔a note〕", ensure_ascii=False)
    assert json.loads(bare(json_payload(inner)).data) == f"{ACCOUNT} 〔{STATEMENT}"


@pytest.mark.parametrize("ascii_only", [True, False])
def test_very_many_notes_that_are_not_closed_are_read_through_once(ascii_only: bool) -> None:
    # Two megabytes: looking from each to the end would outlast the time that a test has, many times over.
    text = json.dumps(f"{ACCOUNT} 〔" * 40_000, ensure_ascii=ascii_only)
    assert bare(json_payload(text)) == json_payload(text)


@given(content=st.tuples(some_json, a_reference), ascii_only=st.booleans(), data=st.data())
def test_what_was_read_and_written_again_is_what_it_was(content: object, ascii_only: bool, data: st.DataObject) -> None:
    payload = json_payload(json.dumps(content, ensure_ascii=ascii_only))
    assume(bare(payload) == payload)
    found = references([payload])
    notes = data.draw(st.fixed_dictionaries(dict.fromkeys(found, a_note)))
    shown = noted(payload, notes)
    # Whatever a person is called, it is still JSON, and the same again on its way back.
    again = json.dumps(json.loads(shown.data), ensure_ascii=False)
    assert json.loads(bare(json_payload(again)).data) == json.loads(payload.data)
    assert bare(shown) == payload
    for reference in notes:
        assert shown.data.decode().count(f"{reference} 〔") == payload.data.decode().count(reference)

"""The search for personal data finds it in every form in which it could stand somewhere."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.privacy.searching import found

NAME, PHONE = "欧阳小明", "13912345678"

WRITTEN: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "json": lambda text: json.dumps({"name": text}).encode(),
    "json in json": lambda text: json.dumps(json.dumps({"name": text})).encode(),
    "json in capitals": lambda text: json.dumps({"name": text}).encode().upper().replace(b"\\U", b"\\u"),
    "base64 of json": lambda text: base64.b64encode(json.dumps({"name": text}, ensure_ascii=False).encode()),
    "urlsafe base64": lambda text: base64.urlsafe_b64encode(f"a{text}".encode()),
    "base64 of utf-16": lambda text: base64.b64encode(text.encode("utf-16-le")),
    "gzip": lambda text: gzip.compress(f"some text, {text}, some more".encode()),
    "zlib of json": lambda text: zlib.compress(json.dumps({"name": text}).encode()),
    "base64 of gzip": lambda text: base64.b64encode(gzip.compress(f"some text, {text}, some more".encode())),
}


@pytest.mark.parametrize("form", WRITTEN)
@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_a_text_is_found_in_every_form_wherever_it_stands(form: str, before: bytes, after: bytes) -> None:
    for text in (NAME, PHONE):
        data = before + b"\n" + WRITTEN[form](text) + b"\n" + after
        assert found([text, "李四"], data) == {text}


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_text_is_found_at_any_place_of_encoded_bytes(before: int, after: int) -> None:
    encoded = base64.b64encode(b"x" * before + NAME.encode() + b"y" * after)
    assert found([NAME], encoded) == {NAME}


def test_nothing_is_found_where_nothing_is() -> None:
    assert found([NAME, PHONE], json.dumps({"name": "欧阳小朋", "phone": "13912345679"}).encode() * 100) == set()

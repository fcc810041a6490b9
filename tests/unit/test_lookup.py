"""Hashes by which persons are found: the same for all ways to type a thing, and for nothing else (P6, P7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.postgres.lookup import LOOKUPS, Kind, LookupKey, account_lookup, name_lookup, phone_lookup
from tests.unit.test_masking import phones

KEY = LookupKey(b"a secret of tests", "tests")


@given(phones())
def test_a_phone_is_found_as_it_is_masked(phone: tuple[str, str]) -> None:
    """Both read a phone in one way: what the mask takes for the number is what is searched for."""
    typed, number = phone

    assert phone_lookup(KEY, typed) == phone_lookup(KEY, number)


@pytest.mark.parametrize("typed", ["95588", "955 88", "９５５８８", "\u202d95588\u202c", "95-588"])
def test_what_is_no_phone_is_found_all_the_same(typed: str) -> None:
    assert phone_lookup(KEY, typed) == phone_lookup(KEY, "95588")


@pytest.mark.parametrize(
    "typed",
    ["张三丰", " 张 三丰", "张\u200b三丰", "\ufeff张三丰", "\u202d张三丰\u202c", "張三豐"],
)
def test_a_name_is_found_however_it_is_typed(typed: str) -> None:  # P7
    assert name_lookup(KEY, typed) == name_lookup(KEY, "张三丰")


def test_dots_dashes_case_and_width_of_a_name() -> None:  # P7
    assert name_lookup(KEY, "买买提•吐尔逊") == name_lookup(KEY, "买买提·吐尔逊")
    assert name_lookup(KEY, "Jean\u2010Luc Ｏ’Neil") == name_lookup(KEY, "jean-luc o'neil")


def test_other_numbers_and_names_are_others() -> None:
    assert phone_lookup(KEY, "13812345678") != phone_lookup(KEY, "13812345679")
    assert phone_lookup(KEY, "010-12345678") != phone_lookup(KEY, "020-12345678")
    assert name_lookup(KEY, "张三") != name_lookup(KEY, "张四")


@given(st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_a_text_has_another_hash_as_another_kind_and_in_another_environment(text: str) -> None:  # P6
    keys = (KEY, LookupKey(KEY.secret, "another"), LookupKey(b"another secret", "tests"))
    try:
        found = {LOOKUPS[kind](key, text) for kind in LOOKUPS for key in keys}
    except ValueError:
        return  # nothing is left of it

    assert len(found) == len(LOOKUPS) * len(keys)


@pytest.mark.parametrize("kind", LOOKUPS)
@pytest.mark.parametrize("blank", ["", " ", "\u200b", "\u3000\n"])
def test_what_is_blank_has_none(kind: Kind, blank: str) -> None:
    with pytest.raises(ValueError, match="blank"):
        LOOKUPS[kind](KEY, blank)


def test_the_secret_does_not_show() -> None:
    assert "secret of" not in repr(KEY)
    assert account_lookup(KEY, "店铺") == account_lookup(KEY, " 店铺 ")

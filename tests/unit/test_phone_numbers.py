"""A phone is read as the same number however it is typed (P7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_masking import any_text
from workflows.rules.phone_numbers import read_phone

MOBILE = "13812345678"

ways = st.sampled_from(
    ["{}", "+86{}", "86{}", "0086{}", "86 {}", "+86-{}", "(+86){}", "00 86 {}", "\u202d{}\u202c", "\ufeff{}", "tel:{}"]
)
separators = st.sampled_from(
    ["", " ", "-", ".", "/", "\u00a0", "\u3000", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212"]
)
extensions = st.sampled_from(["", "转8888", "-1234", " 分机12", "ext 7", "[1234]", "(1234)", "#99", ",5", "轉8888"])


@given(way=ways, separator=separators, extension=extensions, is_wide=st.booleans(), is_marked=st.booleans())
def test_a_mobile_is_one_number_however_it_is_typed(
    way: str, separator: str, extension: str, *, is_wide: bool, is_marked: bool
) -> None:  # P7
    typed = way.format(separator.join((MOBILE[:3], MOBILE[3:7], MOBILE[7:]))) + extension
    if is_wide:
        typed = "".join(chr(ord(each) + 0xFEE0) if each.isascii() and each.isdigit() else each for each in typed)
    if is_marked:
        typed = "\u200b".join(typed)

    phone = read_phone(typed)

    assert phone
    assert (phone.international, phone.dialled) == (f"+86{MOBILE}", MOBILE)
    assert bool(phone.extension) is bool(extension)


@pytest.mark.parametrize(
    ("typed", "international", "dialled", "extension"),
    [
        ("010-12345678", "+861012345678", "01012345678", None),
        ("+86 10 12345678", "+861012345678", "01012345678", None),
        ("0571-8888777-123", "+865718888777", "05718888777", "123"),
        ("400-820-8820", "+864008208820", "4008208820", None),
        # Its own digits are counted before a dash is taken for an extension.
        ("0571-888-87777", "+8657188887777", "057188887777", None),
        ("0912-345-678", "+886912345678", "+886912345678", None),
        ("+886 0912 345 678", "+886912345678", "+886912345678", None),
        ("85291234567", "+85291234567", "+85291234567", None),
        ("+44 20 7946 0958", "+442079460958", "+442079460958", None),
        # A carrier is chosen by digits before the number; those of a virtual number are its own.
        ("17951 13812345678", "+8613812345678", "13812345678", None),
        ("17951 10 12345678", "+861012345678", "01012345678", None),
        ("17951 13812345678-12", "+8613812345678", "13812345678", "12"),
        ("17900100001-0000", "+8617900100001", "17900100001", "0000"),
        ("86 17900100001 0000", "+8617900100001", "17900100001", "0000"),
    ],
)
def test_other_numbers(typed: str, international: str, dialled: str, extension: str | None) -> None:  # P7
    phone = read_phone(typed)

    assert phone
    assert (phone.international, phone.dialled, phone.extension) == (international, dialled, extension)


@pytest.mark.parametrize(
    "text",
    ["", "95588", "138123456789", "138****5678", "13812345678 13912345678", "王先生13812345678", "1234", "+", "转8"],
)
def test_what_is_no_phone(text: str) -> None:
    assert read_phone(text) is None


@given(any_text)
def test_any_text_is_read_or_not(text: str) -> None:
    phone = read_phone(text)

    assert phone is None or phone.international.removeprefix("+").isdigit()

"""A phone is read as the same number however it is typed (P7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_masking import any_text
from workflows.rules.phone_numbers import in_full, is_region, masked_phone, read_phone

MOBILE = "13812345678"

ways = st.sampled_from(
    ["{}", "+86{}", "86{}", "0086{}", "86 {}", "+86-{}", "(+86){}", "00 86 {}", "\u202d{}\u202c", "\ufeff{}", "tel:{}"]
)
separators = st.sampled_from(
    ["", " ", "-", ".", "/", "\u00a0", "\u3000", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212"]
)
extensions = st.sampled_from(
    [
        *("", "转8888", "-1234", " 分机12", "ext 7", "[1234]", "(1234)", "#99", ",5", "轉8888"),
        *(
            "（转12）",
            " (转 12)",
            "（分机12）",
            "[ext. 7]",
            "【转8888】",
            "【12】",
            "转（12）",
            "，转12",
            "(x12)",
            "（12）",
        ),
    ]
)


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
        ("010-12345678（转12）", "+861012345678", "01012345678", "12"),
        ("（010）12345678 （转12）", "+861012345678", "01012345678", "12"),
        ("13812345678（转12", "+8613812345678", "13812345678", "12"),
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
    ("typed", "international", "extension"),
    [
        ("0170 1234567", "+491701234567", None),
        ("0170/1234567", "+491701234567", None),
        ("0170-123 45 67", "+491701234567", None),
        ("(0170) 1234567", "+491701234567", None),
        ("+49 170 1234567", "+491701234567", None),
        ("+49 (0)170 1234567", "+491701234567", None),
        ("+49 (0) 170 / 1234567", "+491701234567", None),
        ("0049 170 1234567", "+491701234567", None),
        ("49 170 1234567", "+491701234567", None),
        ("tel:+49-170-1234567", "+491701234567", None),
        ("０１７０　１２３４５６７", "+491701234567", None),
        ("0170\u200b1234567", "+491701234567", None),
        ("030 / 901820", "+4930901820", None),
        # What is behind a dash is dialled through, as the number's own.
        ("030 90182-0", "+4930901820", None),
        ("030 90182-123", "+493090182123", None),
        ("0 30 / 90 18 20", "+4930901820", None),
        ("07021 12345", "+49702112345", None),
        ("030 901820 Durchwahl 12", "+4930901820", "12"),
        ("+43 1 588580", "+431588580", None),
        ("0041 44 668 18 00", "+41446681800", None),
        ("+86 138 1234 5678", "+8613812345678", None),
    ],
)
def test_a_number_without_a_code_is_one_of_the_profiles_region(
    typed: str, international: str, extension: str | None
) -> None:  # P7, G6
    phone = read_phone(typed, "DE")

    assert phone
    assert (phone.international, phone.extension) == (international, extension)
    assert in_full(typed, "DE") == in_full(in_full(typed, "DE")) == international, "the same wherever it is read"


def test_a_german_number_is_none_of_china_nor_the_other_way_round() -> None:  # G6
    assert read_phone("0170 1234567") is None
    assert read_phone(MOBILE, "DE") is None
    assert (in_full("0170 1234567"), in_full(MOBILE, "DE")) == ("0170 1234567", MOBILE), "as they were typed"


@given(st.sampled_from("5678").flatmap(lambda each: st.from_regex(f"01{each}[0-9]{{8,9}}", fullmatch=True)), separators)
def test_a_german_mobile_is_one_number_with_its_code_and_without(number: str, separator: str) -> None:  # P7, G6
    national = number[1:]
    ways = [number, f"+49{national}", f"0049{national}", f"49{national}", f"+49 (0){national}"]
    typed = [separator.join((way[:-7], way[-7:-4], way[-4:])) for way in ways]

    assert {in_full(each, "DE") for each in typed} == {f"+49{national}"}
    assert {masked_phone(each, "DE") for each in typed} <= {f"{first}******{number[-4:]}" for first in "01"}


@pytest.mark.parametrize(
    ("typed", "region"), [("391 234 5678", "IT"), ("415 555 2671", "US"), ("1 415 555 2671", "US"), (MOBILE, "XX")]
)
def test_other_regions(typed: str, region: str) -> None:  # G6
    phone = read_phone(typed, region)

    expected = {"IT": "+393912345678", "US": "+14155552671"}
    assert (phone.international if phone else None) == expected.get(region)
    assert is_region(region) is (region != "XX")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "95588",
            "138123456789",
            "138****5678",
            "13812345678 13912345678",
            "王先生13812345678",
            "1234",
            "+",
            "转8",
        ),
        *("13812345678（转）", "13812345678（王先生）", "13812345678（转13912345678）", "（转12）"),
    ],
)
def test_what_is_no_phone(text: str) -> None:
    assert read_phone(text) is None


@given(any_text)
def test_any_text_is_read_or_not(text: str) -> None:
    phone = read_phone(text)

    assert phone is None or phone.international.removeprefix("+").isdigit()

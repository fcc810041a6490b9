"""What counts as vague in a merchant's reply, and what as a concrete time (D7)."""

import re
import unicodedata
from importlib import resources

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workflows.rules.chinese_scripts import in_simplified
from workflows.rules.personal_names import COMPOUND_SURNAMES, SURNAMES
from workflows.rules.vague_words import HARMLESS_PHRASES, VAGUE_WORDS, names_a_time, vague_words

HAN = re.compile("[\u4e00-\u9fff]")
_text = st.text(st.sampled_from("退款会处理好的收到货请放心okay the parcel 0123456789,。\n"), max_size=40)
_words = st.sampled_from(VAGUE_WORDS)
TRADITIONAL = str.maketrans("尽点号内个时钟后随几过礼晚稍马这机补两会", "盡點號內個時鐘後隨幾過禮晚稍馬這機補兩會")
_border = st.sampled_from([",", "。", "\n", " - ", "（", "!"])


@st.composite
def _other_spellings(draw: st.DrawFn) -> tuple[str, str]:
    """A vague word, and the same as somebody may type it: wide, in capitals, traditional, spaced, with unseen ones."""
    word = draw(_words)
    spaces = st.sampled_from(["", " ", "\u3000", "\u200b", "\n"])
    script = word.translate(TRADITIONAL) if draw(st.booleans()) else word
    typed = "".join(each + draw(spaces) for each in script) if HAN.search(word) else word
    if draw(st.booleans()):
        typed = typed.upper()
    if draw(st.booleans()):
        typed = "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in typed)
    return word, typed


@given(before=_text, after=_text, borders=st.tuples(_border, _border), spelling=_other_spellings())
def test_a_vague_word_is_found_wherever_it_stands(
    before: str, after: str, borders: tuple[str, str], spelling: tuple[str, str]
) -> None:
    word, typed = spelling
    assume(not vague_words(before) and not vague_words(after))

    assert vague_words(f"{before}{borders[0]}{typed}{borders[1]}{after}") == (word,)


@given(st.lists(_words, min_size=1, unique=True))
def test_words_are_named_in_the_order_in_which_they_stand(words: list[str]) -> None:
    assert vague_words("；".join(words + words[:1])) == tuple(words)


@given(st.text() | _text)
def test_a_text_without_a_listed_word_has_none(text: str) -> None:
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    squeezed = in_simplified(
        "".join(each for each in plain if unicodedata.category(each) != "Cf" and not each.isspace())
    )
    listed = {word for word in VAGUE_WORDS if "".join(word.split()) in squeezed}

    assert set(vague_words(text)) <= listed


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert names_a_time(text) in {True, False}


@given(st.lists(st.sampled_from(HARMLESS_PHRASES)))
def test_harmless_phrases_stay_harmless(phrases: list[str]) -> None:
    assert vague_words("，".join(phrases)) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我们会尽快为您处理", ("尽快",)),
        ("尽 快处理，大　概 3 天左右，ASAP", ("尽快", "大概", "左右", "asap")),
        ("本店是一般纳税人，一般开专票", ("一般",)),
        ("左右脚不一样，3天左右补发", ("左右",)),
        ("不可能发错，可能是物流的问题", ("可能",)),
        ("会尽可能在48小时内处理", ("尽可能",)),
        ("我们asap处理", ("asap",)),
        ("As  soon\nas possible, or soon.", ("as soon as possible", "soon")),
        ("Ａ.Ｓ.Ａ.Ｐ.", ("a.s.a.p.",)),
        ("我們會儘快處理，大概3天後", ("尽快", "大概")),
        ("本店是一般納稅人", ()),
        ("the monsoon wets the collateral of a lateral reasoner", ()),
        ("sooner than usual, evening mails, unusually", ()),
        ("no later than 6 pm, and not a day later", ("later",)),
        ("48小时内退款", ()),
        ("", ()),
    ],
)
def test_vague_words(text: str, words: tuple[str, ...]) -> None:
    assert vague_words(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "11月28日18:00前退款",
        "11 月 28 号",
        "２０２６年１１月２８日",
        "十一月二十八日前",
        "2026-11-28",
        "2026/11/28 处理",
        "11/28前",
        "28号前寄出",
        "28日下午",
        "今天18点",
        "今日内",
        "今天下班前",
        "明天下午3点",
        "明天退款",
        "后天",
        "今晚处理",
        "周五前退款",
        "最迟到下周三",
        "本周内",
        "月底前",
        "18点前",
        "下午三点半",
        "18:00前",
        "48小时内",
        "４８ 小时 内",
        "48h内",
        "48小時內",
        "三個工作日內",
        "3天內補發",
        "下週五前",
        "11月28號下午3點",
        "後天",
        "2天後",
        "3个工作日内",
        "3天内",
        "3-5天内",
        "两天之内",
        "半小时内",
        "签收后24小时内退款",
        "最迟3天",
        "48小时后",
        "by 6 pm on 28 November",
        "at 6:30 p.m.",
        "November 28th, 2026",
        "the 28th of Nov.",
        "within 24 hours",
        "WITHIN THREE BUSINESS DAYS",
        "in 2 days",
        "no later than 48 h",
        "by Friday",
        "on Monday",
        "tomorrow",
        "by the end of the week",
        "before noon",
        "2026-11-28T18:00:00Z",
    ],
)
def test_these_name_a_time(text: str) -> None:
    assert names_a_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "尽快",
        "下次",
        "3件",
        "第2条",
        "说明以下3点",
        "几天内",
        "第3天内",
        "已经3天了",
        "今天收到了",
        "13月45日",
        "2026-13-45",
        "0小时内",
        "订单20261128",
        "比例16:9",
        "25:00",
        "每周五营业",
        "一周三次",
        "周一至周五上班",
        "周一到周五",
        "售后天天在线",
        "28号货架",
        "v1.2.3",
        "as soon as possible",
        "within reason",
        "in transit",
        "by hand",
        "on monitors",
        "24 pieces",
        "3 amps",
        "the remarch 3",
    ],
)
def test_these_name_none(text: str) -> None:
    assert not names_a_time(text)


def test_what_is_compared_in_simplified_characters_is_written_in_them() -> None:
    for word in (*VAGUE_WORDS, *HARMLESS_PHRASES, *SURNAMES, *COMPOUND_SURNAMES):
        assert in_simplified(word) == word
    for file in ("divisions.txt", "former_divisions.txt"):
        names = resources.files("workflows.rules").joinpath(file).read_text(encoding="utf-8")
        assert in_simplified(names) == names


@given(st.text())
def test_each_character_keeps_its_place(text: str) -> None:
    assert len(in_simplified(text)) == len(text)

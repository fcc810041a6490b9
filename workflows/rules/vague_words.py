"""Whether a merchant's reply names a concrete time, or puts the buyer off with vague words (D7).

Chinese in both scripts, and English. Width, case, and white space inside a Chinese word make no difference. What
counts is in the lists below, in simplified characters: they are meant to be added to.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from workflows.rules.chinese_scripts import in_simplified

VAGUE_WORDS: Final = (
    # At an unnamed time.
    "尽快", "尽速", "尽早", "尽可能", "尽量", "马上", "立刻", "立即", "即将", "很快", "稍后", "稍候", "稍等", "晚点",
    "晚些时候", "随后", "回头", "改天", "过几天", "过两天", "过阵子", "过段时间", "过一段时间", "几天内", "这几天",
    "这两天", "两三天", "三两天", "三五天", "近期", "近日", "不久", "第一时间", "有空时", "到时候",
    # Perhaps, and about.
    "一般", "通常", "正常情况下", "大概", "大约", "可能", "也许", "或许", "估计", "差不多", "左右",
    "as soon as possible", "as soon as we can", "as quickly as possible", "a.s.a.p.", "asap", "soon", "shortly",
    "immediately", "right away", "later", "sometime", "some time", "at some point", "a few days", "a few hours",
    "a couple of days", "one of these days", "in the near future", "at your earliest convenience",
    "at our earliest convenience", "when possible", "in due course", "in due time",
    "usually", "normally", "generally", "in general", "typically", "possibly", "probably", "maybe", "perhaps",
    "approximately", "roughly",
)  # fmt: skip
"""What is refused (D7), in lower case."""

HARMLESS_PHRASES: Final = (
    "一般纳税人", "一般贸易", "不可能", "可能性", "回头客", "回头率", "近日期", "附近日",
    "左右脚", "左右手", "左右耳", "左右眼", "左右侧", "左右两", "左右边", "左右声道", "左右对称", "左右摇", "左右滑",
    "no later than", "not later than", "any later than",
)  # fmt: skip
"""What holds a vague word without being vague: taxpayers, kinds of trade, shoes."""


def vague_words(text: str) -> tuple[str, ...]:
    """The vague words of `VAGUE_WORDS` in a text, each once, in the order in which they stand (D7)."""
    found = (_as_listed(each.group()) for each in _PHRASES.finditer(_plain(text)))
    return tuple(dict.fromkeys(each for each in found if each in _VAGUE))


def names_a_time(text: str) -> bool:
    """Whether a text names a day, a time of day, or a longest duration, in whichever way people write them (D7).

    It says nothing of whether that time is still to come.
    """
    spaced_once = " ".join(_plain(text).split())
    return bool(_TIME.search(_SPACE_AT_CHINESE.sub("", spaced_once)))


_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_LATIN = "a-z0-9\u00c0-\u024f"


def _plain(text: str) -> str:
    """The text in one width, case and script, without characters that cannot be seen."""
    # Folding case can undo the normal form, so that it is taken again.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return in_simplified("".join(each for each in folded if unicodedata.category(each) != "Cf"))


def _as_listed(found: str) -> str:
    return ("" if _HAN_CHARACTER.search(found) else " ").join(found.split())


def _phrase(phrase: str) -> str:
    """A pattern of a phrase: Chinese however it is spaced, English between the borders of words."""
    if _HAN_CHARACTER.search(phrase):
        return r"\s*".join(map(re.escape, phrase))
    last = "" if phrase.endswith(".") else f"(?![{_LATIN}])"
    words = r"\s+".join(map(re.escape, phrase.split()))
    return f"(?<![{_LATIN}]){words}{last}"


def _alternatives(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


# The longest first: where a harmless phrase stands, the word in it is not looked for.
_PHRASES = re.compile(_alternatives(map(_phrase, sorted((*VAGUE_WORDS, *HARMLESS_PHRASES), key=len, reverse=True))))
_VAGUE = frozenset(VAGUE_WORDS)
_SPACE_AT_CHINESE = re.compile(f"(?<=[{_HAN}]) | (?=[{_HAN}])")

_MONTH = r"(?:1[0-2]|0?[1-9])"
_DAY = r"(?:3[01]|[12][0-9]|0?[1-9])"
_HOUR = r"(?:2[0-4]|1[0-9]|0?[0-9])"
_CLOCK = r"(?:2[0-3]|[01]?[0-9]):[0-5][0-9](?::[0-5][0-9])?(?![0-9:])"
_COUNT = r"(?:[1-9][0-9]{0,3}(?:\.[0-9])?|[一二两三四五六七八九十百半]{1,4})"
_BEFORE = r"(?:之前|以前|前)"
_WITHIN = r"(?:之内|以内|内)"
_PART_OF_DAY = r"(?:凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|早|晚)"
_HAN_DAY = r"(?:三十一?|二?十[一二三四五六七八九]|二?十|[一二三四五六七八九])"
_HAN_MONTH = r"(?:十[一二]?|[一二三四五六七八九])"
_DATE = _alternatives((
    rf"(?<![0-9]){_MONTH}月{_DAY}[日号]",
    rf"(?<![一二三四五六七八九十]){_HAN_MONTH}月{_HAN_DAY}[日号]",
))  # fmt: skip
# Neither 每周五 nor 一周三次, and no opening hours: 周一至周五.
_WEEKDAY = (
    r"(?<![每一两二三四五六七八九十几0-9])(?<![一二三四五六日天][至到~-])(?:周|星期|礼拜)[一二三四五六日天](?![至到~-])"
)
_TODAY = r"(?:今天|今日|当天|当日)"
_NEXT_DAYS = r"(?:明天|明日|明早|明晚|(?<![售以之])后天(?![天性])|今晚|次日)"
_HAN_UNIT = r"(?:个?工作日|个?工作天|个?自然日|个?小时|个?钟头|分钟|天|日|周|个?星期|个?礼拜|个?月|h)"
_HAN_CLOCK = rf"(?:{_HOUR}|[零一二两三四五六七八九十]{{1,3}})[点时](?:钟|整|半|[0-5]?[0-9]分?)?"

_CHINESE_TIMES: Final = (
    _DATE,
    # 28号前, 28日18点
    rf"(?<![0-9月]){_DAY}[日号](?:{_BEFORE}|{_PART_OF_DAY}|(?={_HAN_CLOCK}|{_CLOCK}))",
    # 11/28前, 11.28日前
    rf"(?<![0-9./-]){_MONTH}[./-]{_DAY}[日号]?{_BEFORE}",
    _WEEKDAY,
    _NEXT_DAYS,
    rf"{_TODAY}(?:{_WITHIN}|{_BEFORE}|下班{_BEFORE}|{_PART_OF_DAY}|(?={_HAN_CLOCK}|{_CLOCK}))",
    # A number before 点 may also count points of an argument.
    rf"(?<![0-9]){_HAN_CLOCK}{_BEFORE}",
    rf"(?:{_PART_OF_DAY}|[日号]){_HAN_CLOCK}",
    rf"(?:本|这)(?:周|星期|月){_WITHIN}",
    rf"(?:月底|月末|周末){_BEFORE}",
    # 48小时内, 3个工作日内, 3天后
    rf"(?<![0-9.第几]){_COUNT}{_HAN_UNIT}(?:{_WITHIN}|之后|以后|后)",
    rf"(?:不超过|不晚于|最多|最迟|最晚|至多){_COUNT}{_HAN_UNIT}",
)

_START = f"(?<![{_LATIN}])"
_END = f"(?![{_LATIN}])"
_NUMBER = (
    r"(?:[1-9][0-9]{0,3}(?:\.[0-9])?|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty[ -]four"
    r"|forty[ -]eight|seventy[ -]two|half an?)"
)
_UNIT = r"(?:(?:business|working|calendar)\s+)?(?:minutes?|mins?|hours?|hrs?|h|days?|d|weeks?|months?)"
_MONTH_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY_NAME = r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_ORDINAL_DAY = rf"{_DAY}(?:st|nd|rd|th)?"
_UNTIL = r"(?:by|before|until|till|no\s+later\s+than|not\s+later\s+than)"

_ENGLISH_TIMES: Final = (
    rf"(?:within|in|after|in\s+under|less\s+than|at\s+most|no\s+more\s+than|{_UNTIL})\s+(?:the\s+next\s+)?{_NUMBER}[\s-]*{_UNIT}",
    r"within\s+the\s+(?:hour|day|week)",
    r"(?:1[0-2]|0?[1-9])(?:[:.][0-5][0-9])?\s*(?:[ap]\.m\.|[ap]m)",
    rf"{_ORDINAL_DAY}\s+(?:of\s+)?{_MONTH_NAME}",
    rf"{_MONTH_NAME}\s+(?:the\s+)?{_ORDINAL_DAY}",
    rf"(?:{_UNTIL}|on|this|next|coming)\s+(?:(?:this|next|coming)\s+)?{_DAY_NAME}",
    r"(?:the\s+day\s+after\s+)?tomorrow",
    rf"{_UNTIL}\s+(?:today|tonight|noon|midnight)",
    rf"{_UNTIL}\s+(?:the\s+)?end\s+of\s+(?:the\s+|this\s+|next\s+)?(?:today|business|(?:working\s+)?day|week|month)",
    rf"{_UNTIL}\s+(?:eod|cob)",
)

_TIME = re.compile(
    _alternatives(
        (
            *_CHINESE_TIMES,
            # 2026-11-28, 2026年11月28日
            rf"(?<![0-9])20[0-9]{{2}}(?P<dash>[./-]){_MONTH}(?P=dash){_DAY}(?![0-9])",
            rf"(?<![0-9:.]){_CLOCK}",
            *(f"{_START}{each}{_END}" for each in _ENGLISH_TIMES),
        )
    )
)

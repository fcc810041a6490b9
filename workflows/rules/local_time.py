"""Moments as people read them: in the time of the case's profile (G6)."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_BEIJING_TIME: Final = "北京时间"


def local(moment: datetime, zone: str | None = None) -> str:
    """A moment to the minute, and whose time that is: a ``zone`` of the IANA data base; None for Shanghai's."""
    return f"{minute(moment, zone)} {zone or _BEIJING_TIME}"


def time_left(until: datetime, now: datetime) -> str:
    """How long it is until a moment, or since, to the minute, ``中文 · English``: 2 days, 1 h and 5 min."""
    minutes = int(abs(until - now).total_seconds()) // 60
    days, hours, rest = minutes // 1_440, minutes // 60 % 24, minutes % 60
    units = ((days, "天", "d"), (hours, "小时", "h"), (rest, "分钟", "min"))
    lengths = [each for each in units if each[0]] or units[-1:]
    chinese = " ".join(f"{number} {unit}" for number, unit, _ in lengths)
    english = " ".join(f"{number} {unit}" for number, _, unit in lengths)
    return f"已超时 {chinese} · {english} over" if until < now else f"还剩 {chinese} · {english} left"


def clock(moment: datetime, zone: str | None = None) -> str:
    """The time of day to the second, and whose it is."""
    return f"{moment.astimezone(ZoneInfo(zone) if zone else SHANGHAI):%H:%M:%S} {zone or _BEIJING_TIME}"


def minute(moment: datetime, zone: str | None = None) -> str:
    """The same without the name of the zone."""
    try:
        moment = moment.astimezone(ZoneInfo(zone) if zone else SHANGHAI)
    except OverflowError:  # at the end of what can be counted: shown as it is, for the page must not fail (R18)
        return moment.isoformat(sep=" ", timespec="minutes")
    return moment.strftime("%Y-%m-%d %H:%M")

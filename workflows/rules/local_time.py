"""Moments as people at the counter read them."""

from datetime import datetime
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def local(moment: datetime) -> str:
    """A moment as people at the counter read it: Shanghai time, to the minute."""
    return f"{minute(moment)} 北京时间"


def minute(moment: datetime) -> str:
    """The same without the name of the zone."""
    try:
        moment = moment.astimezone(SHANGHAI)
    except OverflowError:  # at the end of what can be counted: shown as it is, for the page must not fail (R18)
        return moment.isoformat(sep=" ", timespec="minutes")
    return moment.strftime("%Y-%m-%d %H:%M")

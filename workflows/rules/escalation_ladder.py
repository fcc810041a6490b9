"""Whom a buyer can turn to next, and when somebody is there (L4)."""

from dataclasses import dataclass
from datetime import time
from typing import Final

from workflows.messages.policy import Policy, RungName


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder that the buyer sees."""

    code: RungName
    chinese: str
    english: str
    hours: tuple[tuple[time, time], ...] | None
    """From when to when on working days of China, in Asia/Shanghai; None for always."""


LADDER: Final = (
    Rung("platform_service", "平台客服", "platform service", hours=None),
    Rung("senior_service", "高级客服", "senior service", hours=None),
    Rung(
        "12315",
        "12315 消费者投诉举报热线",
        "12315, the consumer hotline of the market regulator",
        hours=((time(8, 30), time(12)), (time(14), time(17, 30))),
    ),
)
"""L4, from the first rung up. The guides name hours for the last one only."""


def ladder_of(policy: Policy) -> tuple[Rung, ...]:
    """The rungs that a profile names, from the first one up (L4)."""
    return tuple(rung for rung in LADDER if rung.code in policy.ladder)

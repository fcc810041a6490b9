"""How often somebody may ask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MANY: Final = 1000


@dataclass
class _Bucket:
    tokens: float
    at: float


class Rate:
    """A bucket of tokens for each name: full at first, one token for each request, refilled evenly."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        """``per_minute`` is also how many may come at once; ``clock`` counts seconds and never goes back."""
        self._full = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, name: str, cost: int = 1) -> float:
        """Seconds until this name may ask again: 0 grants a request, and counts it as ``cost`` requests.

        A refused one does not count. A cost beyond what may come at once is granted to a full bucket, and empties it.
        """
        now = self._clock()
        if len(self._buckets) >= _MANY and name not in self._buckets:
            self._forget_idle(now)
        bucket = self._buckets.setdefault(name, _Bucket(self._full, now))
        bucket.tokens = self._refilled(bucket, now)
        bucket.at = now
        needed = min(float(cost), self._full)
        if bucket.tokens < needed:
            return (needed - bucket.tokens) / self._per_second
        bucket.tokens -= needed
        return 0

    def _refilled(self, bucket: _Bucket, now: float) -> float:
        return min(self._full, bucket.tokens + (now - bucket.at) * self._per_second)

    def _forget_idle(self, now: float) -> None:
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if self._refilled(bucket, now) < self._full
        }

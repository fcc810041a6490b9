"""Arithmetic of what was measured: percentiles, and whether something grows."""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_BLOCKS = 6
"""Means of so many stretches of a half stand for its samples, which hang on each other."""
_TWO_SIDED = 2.23
"""Student's t for 95 % with the ten degrees of freedom of two times six means."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds."""

    count: int
    p50: float
    p99: float

    def __str__(self) -> str:
        """Both of them."""
        return f"{self.p50:,.0f} / {self.p99:,.0f}"


def latency(seconds: Sequence[float]) -> Latency:
    """Of so many calls; zeros where there was none."""
    return Latency(len(seconds), *(round(1000 * percentile(seconds, share), 1) for share in (0.5, 0.99)))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all does not exceed; 0 of none."""
    if not values:
        return 0.0
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


@dataclass(frozen=True)
class Growth:
    """How a figure goes from the first half of a run to the second."""

    first: float
    second: float
    per_hour: float
    """By which it grows, from the means of both halves."""
    bound: float
    """The 95 % bound of that, to either side."""

    @property
    def flat(self) -> bool:
        """No growth is shown, or it is less than a hundredth of the figure an hour."""
        return self.per_hour - self.bound <= 0 or self.per_hour + self.bound < self.first / 100


def growth(samples: Sequence[float], hours: float) -> Growth:
    """Of samples at even distances over so many hours; twelve at the least.

    Raises:
        ValueError: there are too few.
    """
    if len(samples) < 2 * _BLOCKS:
        raise ValueError(f"{len(samples)} samples: at least {2 * _BLOCKS} are needed")
    half = len(samples) // 2
    first, second = _means(samples[:half]), _means(samples[-half:])
    means = statistics.mean(first), statistics.mean(second)
    error = math.sqrt((statistics.variance(first) + statistics.variance(second)) / _BLOCKS)
    apart = hours / 2
    return Growth(*means, (means[1] - means[0]) / apart, _TWO_SIDED * error / apart)


def _means(samples: Sequence[float]) -> list[float]:
    edges = [round(number * len(samples) / _BLOCKS) for number in range(_BLOCKS + 1)]
    return [statistics.mean(samples[start:end]) for start, end in itertools.pairwise(edges)]

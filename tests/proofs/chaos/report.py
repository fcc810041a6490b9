"""How much chaos, and what came of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scale:
    """How much of it."""

    cases: int = 10_000
    at_a_time: int = 16
    workers: int = 2
    kills: int = 200
    """So many processes are killed at least, however long it takes."""
    pause: float = 3.0
    """Seconds from one fault to the next, on average."""
    restored: int = 3
    """How often each store is put back."""
    behind: float = 30.0
    """To how many seconds ago."""
    only: str = ""
    """Only faults whose name has this in it."""
    plans: str = ""
    """Only plans whose name has this in it."""
    seed: str = "chaos"
    keep: str = ""
    """A folder for what the book and Temporal have of cases that came to no end."""


@dataclass
class Report:
    """What was done, what it met, and all that is not as it must be."""

    begun: int = 0
    cases: int = 0
    """In the case book at the end."""
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    outcomes: dict[str, int] = field(default_factory=dict[str, int])
    faults: dict[str, int] = field(default_factory=dict[str, int])
    kills: int = 0
    moods: int = 0
    """Submissions that the gateway was told to treat badly."""
    met: dict[str, int] = field(default_factory=dict[str, int])
    money: dict[str, int] = field(default_factory=dict[str, int])
    notices: dict[str, int] = field(default_factory=dict[str, int])
    alerts: dict[str, int] = field(default_factory=dict[str, int])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    differences: list[str] = field(default_factory=list[str])

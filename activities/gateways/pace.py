"""How fast a provider account is called: so many calls a second, evenly, and as many at once (section 10).

Nothing here waits: it says how long to wait. Seconds are those of a monotonic clock that the caller reads.
"""

from dataclasses import dataclass


@dataclass
class Pace:
    """The calls of one account (the generic cell rate algorithm: one moment is all that is kept)."""

    per_second: float
    _free_at: float = 0.0
    """When the calls that were let through so far would have been made, one evenly after the other."""

    def wait(self, now: float) -> float:
        """Seconds until the next call may be made."""
        burst = max(self.per_second, 1.0) - 1.0
        return max(self._free_at - now - burst / self.per_second, 0.0)

    def take(self, now: float) -> float:
        """Let a call through after so many seconds, which the caller waits."""
        wait = self.wait(now)
        self._free_at = max(self._free_at, now) + 1.0 / self.per_second
        return wait

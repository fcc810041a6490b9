"""A circuit breaker: a provider account that does not answer is left alone for a while, and then tried (section 10).

Nothing here waits or calls: it says when a call may be made, and is told what came of it. Seconds are those of a
monotonic clock that the caller reads.
"""

from dataclasses import dataclass, field
from typing import Final

THRESHOLD: Final = 5
"""So many different refunds in a row must have come to nothing. One refund that always fails opens no circuit."""
FIRST_REST: Final = 30.0
LONGEST_REST: Final = 300.0
"""Seconds without a call: the first time, doubled each time that the tries fail, and at most."""
TRIES: Final = 3
"""Calls that are let through after a rest. The first one that is answered ends it; if all fail, the next begins."""
_BETWEEN: Final = 5.0
"""Seconds after which to look again while the tries are under way."""


@dataclass(frozen=True)
class Admitted:
    """A call that may be made. What comes of it is told once."""

    trial: int | None = None
    """Of which rest's tries; None while the circuit is closed."""


@dataclass
class Circuit:
    """How one provider account has been doing. It is kept in the process, and forgotten with it."""

    _failing: set[str] = field(default_factory=set[str])
    _rests_until: float | None = None
    _rest: float = FIRST_REST
    _rests: int = 0
    _under_way: int = 0
    _failed_tries: int = 0

    @property
    def closed(self) -> bool:
        """Whether calls go through as if there were no circuit."""
        return self._rests_until is None

    def rest(self, now: float) -> float:
        """For how many seconds no call may be made; 0 where one may."""
        if self._rests_until is None:
            return 0.0
        if now < self._rests_until:
            return self._rests_until - now
        return 0.0 if self._under_way + self._failed_tries < TRIES else _BETWEEN

    def admit(self, now: float) -> Admitted | None:
        """Let a call through, or None while the account is left alone."""
        if self.rest(now):
            return None
        if self.closed:
            return Admitted()
        self._under_way += 1
        return Admitted(self._rests)

    def answered(self, call: Admitted) -> bool:
        """The provider has said something, whatever it was. Whether that has closed the circuit."""
        del call
        was_open = not self.closed
        self._failing.clear()
        self._rests_until, self._rest = None, FIRST_REST
        self._under_way = self._failed_tries = 0
        return was_open

    def failed(self, call: Admitted, refund_no: str, now: float, at_least: float = 0.0) -> bool:
        """Nothing came of it; ``at_least`` is how long the provider wants to be left alone. Whether calls rest now."""
        if self._rests_until is None:
            if call.trial is not None:  # of a rest that has ended since
                return False
            self._failing.add(refund_no)
            if len(self._failing) < THRESHOLD:
                return False
            return self._rest_from(now, at_least)
        if call.trial != self._rests:
            return False
        self._under_way -= 1
        self._failed_tries += 1
        if self._failed_tries < TRIES:
            return False
        self._rest = min(self._rest * 2, LONGEST_REST)
        return self._rest_from(now, at_least)

    def not_made(self, call: Admitted) -> None:
        """The call was given up before anything could be learnt from it."""
        if not self.closed and call.trial == self._rests:
            self._under_way -= 1

    def _rest_from(self, now: float, at_least: float) -> bool:
        self._rests += 1
        self._rests_until = now + min(max(self._rest, at_least), LONGEST_REST)
        self._failing.clear()
        self._under_way = self._failed_tries = 0
        return True

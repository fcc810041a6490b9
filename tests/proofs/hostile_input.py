"""What nobody should send, many times over: ``python -m tests.proofs.hostile_input --minutes 3``.

Every message of ours is read at the doors that it comes in at (``hostile_reading``), and what can be read is sent to
cases in memory (``hostile_cases``). The same seed sends the same, however far it comes. On servers:
``tests/workflow/test_hostile_input.py``, ``tests/http_service/test_hostile_input.py``.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tests.proofs import hostile_cases, hostile_reading
from tests.proofs.hostile_cases import Sent
from tests.proofs.hostile_reading import Read

_READING: Final = 0.6
"""The part of the time in which messages are read; in the rest they are sent to cases."""


@dataclass(frozen=True)
class Hostile:
    """What was sent, and what became of it."""

    read: Read
    sent: Sent

    @property
    def inputs(self) -> int:
        """All of it."""
        return self.read.inputs + self.sent.inputs

    @property
    def wrong(self) -> list[str]:
        """What is not as it must be."""
        return [*self.read.wrong, *self.sent.wrong]

    def __str__(self) -> str:
        read, sent = self.read, self.sent
        return (
            f"{read.inputs:,} read: {sum(read.taken.values()):,} taken, {sum(read.refused.values()):,} refused; "
            f"{sent.inputs:,} sent: {sent.unreadable:,} unreadable, {sent.refused:,} refused, {sent.obeyed:,} taken, "
            f"{sent.opened:,} requests"
        )


def search(minutes: float, seed: str, inputs: int = sys.maxsize) -> Hostile:
    """Send for so long; ``inputs`` at most of each sort."""
    began, seconds = time.monotonic(), minutes * 60
    read = hostile_reading.read(inputs, seed, began + seconds * _READING)
    return Hostile(read, hostile_cases.send(inputs, seed, began + seconds))


def main() -> int:
    """Send, and say what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", default=f"{datetime.now(UTC):%Y%m%d}")
    given = parser.parse_args()
    hostile = search(given.minutes, given.seed)
    print(*hostile.wrong[:20], f"seed {given.seed}: {hostile}; wrong: {len(hostile.wrong)}", sep="\n")
    return 1 if hostile.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

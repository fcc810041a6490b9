"""How long a test waits for what must come: a machine with too much to do is no failure."""

from typing import Final

PATIENCE: Final = 120.0
"""Seconds; less than the time-out of a test (pyproject.toml), so that a failure says what was seen last."""

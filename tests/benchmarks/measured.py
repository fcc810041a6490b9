"""What ``python -m tests.benchmarks.cases`` has measured, as it is kept beside the program."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

FILE: Final = Path(__file__).with_name("measured.json")


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Phase(_Kept):
    """One half of a case's life, per case."""

    worker_ms: float
    """Processor milliseconds of the worker process, without what it uses when idle; so are the next three."""
    temporal_ms: float
    postgres_ms: float
    client_ms: float
    cases_per_second: float
    """By the wall clock: means something only where nothing else ran."""


class PathCost(_Kept):
    """One path, per case."""

    path: str
    """Its name in docs/costs.md."""
    variant: str
    load: bool
    """Whether it is what a service would do; not where the tests' clock was moved."""
    cases: int
    opened: Phase
    """From the request to the wait for a decision."""
    decided: Phase
    """From the decision to the end."""
    postgres_ms: Mapping[str, float]
    """Processor milliseconds of PostgreSQL's backends, by application."""
    transactions: float
    rows_inserted: float
    rows_updated: float
    rows_deleted: float
    inserted: Mapping[str, float]
    """Rows by table, stubs included."""
    table_bytes: float
    """Growth of our tables, stubs left out."""
    index_bytes: float
    stub_bytes: float
    wal_bytes: float
    full_pages: float
    """Whole pages in it: the first change of a page after a checkpoint writes all of it."""
    wal_of: Mapping[str, float]
    open_events: float
    """Events of a case that waits for its decision; the next two are its size and state transitions."""
    open_history_bytes: float
    open_transitions: float
    events: float
    history_bytes: float
    """Encrypted, as in production."""
    transitions: float
    sqlite_bytes: float
    """Growth of the embedded Temporal server's database, visibility included."""
    memory_bytes: float
    """Growth of the worker's own memory for each open case in its cache."""


class Measured(_Kept):
    """One run of the program."""

    on: date
    cores: int
    load_before: float
    """Processes that wanted a core in the minute before: above half a core, something else was running."""
    python: str
    temporal: str
    postgres: str
    idle_cores: Mapping[str, float]
    """Cores that each part uses with nothing to do; taken off the phases."""
    worker_bytes: float
    """A worker's own memory after it has worked, before it holds open cases."""
    paths: tuple[PathCost, ...]

    def of(self, path: str, variant: str) -> PathCost:
        """The costs of one path.

        Raises:
            KeyError: it was not measured.
        """
        for cost in self.paths:
            if (cost.path, cost.variant) == (path, variant):
                return cost
        raise KeyError((path, variant))


def read(file: Path = FILE) -> Measured:
    """What was measured last."""
    return Measured.model_validate_json(file.read_text(encoding="utf-8"))


def write(measured: Measured, file: Path = FILE) -> None:
    """Keep it."""
    file.write_text(measured.model_dump_json(indent=1) + "\n", encoding="utf-8")

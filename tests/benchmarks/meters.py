"""What a running stack has used so far: processors, memory, rows, bytes. The difference of two readings is the cost."""

import contextlib
import os
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import psutil

OUTSIDE: Final = frozenset({"gateway", "channels", "carrier", "numbers"})
"""Schemas of the stubs: in production another system's, so not a part of our database."""

METER: Final = "benchmark"
"""How the connection that reads the meters is called; what it uses is left out."""

# Backends of these names are told apart; everything else of PostgreSQL is its own housekeeping.
_APPLICATIONS: Final = ("aftersales", "aftersales-stubs", "aftersales-client", METER)


@dataclass(frozen=True)
class Reading:
    """Everything since the start of each process, at one moment."""

    cpu: Counter[str]
    """Processor milliseconds (user and system) by part: worker, temporal, postgres, client."""
    postgres_cpu: Counter[str]
    """Those of PostgreSQL's backends by application, in milliseconds; a backend that has gone is not in it."""
    wal: Counter[str]
    """Bytes written ahead: ``all``, and by application."""
    full_pages: int
    """Whole pages in it."""
    transactions: int
    rows: Counter[str]
    """Rows inserted, updated and deleted in our tables: ``inserted``, ``updated``, ``deleted``."""
    inserted: Counter[str]
    """Rows inserted, by table, stubs included."""
    table_bytes: Counter[str]
    index_bytes: Counter[str]
    sqlite_bytes: int
    """What the embedded Temporal server stores, free pages left out."""

    def since(self, earlier: "Reading") -> "Reading":
        """What was used in between."""
        return Reading(
            cpu=_difference(self.cpu, earlier.cpu),
            postgres_cpu=_difference(self.postgres_cpu, earlier.postgres_cpu),
            wal=_difference(self.wal, earlier.wal),
            full_pages=self.full_pages - earlier.full_pages,
            transactions=self.transactions - earlier.transactions,
            rows=_difference(self.rows, earlier.rows),
            inserted=_difference(self.inserted, earlier.inserted),
            table_bytes=_difference(self.table_bytes, earlier.table_bytes),
            index_bytes=_difference(self.index_bytes, earlier.index_bytes),
            sqlite_bytes=self.sqlite_bytes - earlier.sqlite_bytes,
        )


def _difference(later: Counter[str], earlier: Counter[str]) -> Counter[str]:
    return Counter({name: later[name] - earlier[name] for name in later})


@dataclass(frozen=True)
class Meters:
    """Where to read."""

    connection: asyncpg.Connection
    temporal: psutil.Process
    postgres: psutil.Process
    sqlite: Path

    def cpu(self, worker: psutil.Process | None) -> Counter[str]:
        """Processor milliseconds so far, by part."""
        return Counter(
            {
                "worker": _milliseconds(worker) if worker else 0,
                "temporal": _milliseconds(self.temporal),
                "postgres": _with_children(self.postgres),
                "client": _milliseconds(psutil.Process(os.getpid())),
            }
        )

    async def read(self, worker: psutil.Process | None) -> Reading:
        """All of it, once the backends have handed in their counts (they do within ten seconds of idleness)."""
        backends = await self.connection.fetch(
            "SELECT pid, application_name, (pg_stat_get_backend_wal(pid)).wal_bytes::bigint AS wal"
            " FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        by_application: Counter[str] = Counter()
        wal: Counter[str] = Counter()
        for backend in backends:
            if backend["application_name"] in _APPLICATIONS:
                by_application[backend["application_name"]] += _milliseconds(psutil.Process(backend["pid"]))
                wal[backend["application_name"]] += backend["wal"] or 0
        cpu = self.cpu(worker)
        cpu["postgres"] -= by_application.pop(METER, 0)
        wal["all"] = await self.connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        tables = await self.connection.fetch(
            "SELECT schemaname AS schema, relname AS name, n_tup_ins AS ins, n_tup_upd AS upd, n_tup_del AS del,"
            " pg_table_size(relid) AS bytes, pg_indexes_size(relid) AS index_bytes FROM pg_stat_user_tables"
        )
        rows: Counter[str] = Counter()
        for table in tables:
            if table["schema"] not in OUTSIDE:
                rows.update(inserted=table["ins"], updated=table["upd"], deleted=table["del"])
        return Reading(
            cpu=cpu,
            postgres_cpu=by_application,
            wal=Counter({name: int(count) for name, count in wal.items()}),
            full_pages=await self.connection.fetchval("SELECT wal_fpi FROM pg_stat_wal"),
            transactions=await self.connection.fetchval(
                "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            ),
            rows=rows,
            inserted=Counter({_name(table): table["ins"] for table in tables}),
            table_bytes=Counter({_name(table): table["bytes"] for table in tables}),
            index_bytes=Counter({_name(table): table["index_bytes"] for table in tables}),
            sqlite_bytes=_used(self.sqlite),
        )


def ours(by_table: Mapping[str, int]) -> int:
    """The sum over our own tables."""
    return sum(count for name, count in by_table.items() if name.partition(".")[0] not in OUTSIDE)


def memory(process: psutil.Process) -> int:
    """Resident bytes that are the process's own."""
    return process.memory_full_info().uss


def _name(table: asyncpg.Record) -> str:
    return f"{table['schema']}.{table['name']}"


def _milliseconds(process: psutil.Process) -> int:
    times = process.cpu_times()
    return round(1000 * (times.user + times.system))


def _with_children(process: psutil.Process) -> int:
    # A process that has ended is in its parent's account of children; one that lives has its own.
    times = process.cpu_times()
    return (
        _milliseconds(process)
        + round(1000 * (times.children_user + times.children_system))
        + sum(_milliseconds(child) for child in process.children(recursive=True))
    )


def _used(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size

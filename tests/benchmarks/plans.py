"""How PostgreSQL answers a statement: what it reads for that, and whether it sorts."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.postgres.connection import Connection


@dataclass(frozen=True)
class Plan:
    """A statement's plan after it was run."""

    root: dict[str, Any]
    milliseconds: float
    """Planning and execution, without the way to the client and back."""

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """All nodes of the plan."""
        return list(_nodes(self.root))

    def __str__(self) -> str:
        """The plan as a tree of indented lines."""
        return "\n".join(_lines(self.root, 0))

    @property
    def indexes(self) -> list[str]:
        """By which indexes the case book is read, each once."""
        names = [node["Index Name"] for node in self.nodes if "Index Name" in node]
        return list(dict.fromkeys(name for name in names if name.startswith("cases_")))

    @property
    def cases_read(self) -> int:
        """How many cases were fetched from the table, those that a filter then put aside included."""
        return sum(_fetched(node) for node in self.nodes if node.get("Relation Name") == "cases")

    @property
    def sorted(self) -> int:
        """How many rows were sorted."""
        return sum(
            round(each["Actual Rows"]) for node in self.nodes if "Sort" in node["Node Type"] for each in node["Plans"]
        )

    @property
    def buffers(self) -> int:
        """Pages of 8 KiB that were looked at, in memory or not."""
        return self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"]

    @property
    def scans(self) -> set[str]:
        """How the case book is scanned."""
        return {node["Node Type"] for node in self.nodes if node.get("Relation Name") == "cases"}

    @property
    def heap_fetches(self) -> int:
        """How often a scan that needs the index alone had to look at the table all the same."""
        return sum(node.get("Heap Fetches", 0) for node in self.nodes)


async def explained(connection: Connection, statement: str, arguments: list[object], *, generic: bool = False) -> Plan:
    """Run a statement and see how it went: planned for these arguments, or for any (``generic``)."""
    options = "ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON"
    if generic:
        # EXPLAIN plans for the arguments that it is given; only what was prepared before is planned without them.
        literals = [await connection.fetchval("SELECT quote_nullable($1::text)", _text(each)) for each in arguments]
        async with connection.transaction():
            await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            await connection.execute(f"PREPARE asked AS {statement}")
            given = f"({', '.join(literals)})" if literals else ""
            found = await connection.fetchval(f"EXPLAIN ({options}) EXECUTE asked {given}")
            await connection.execute("DEALLOCATE asked")
    else:
        found = await connection.fetchval(f"EXPLAIN ({options}) {statement}", *arguments)
    (plan,) = json.loads(found)
    return Plan(plan["Plan"], plan["Planning Time"] + plan["Execution Time"])


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case datetime():
            return value.isoformat()
        case _:
            return str(value)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from _nodes(each)


def _fetched(node: dict[str, Any]) -> int:
    if node["Node Type"] == "Index Only Scan":
        return node["Heap Fetches"]
    shown_or_not = sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter"))
    return round(node["Actual Loops"] * shown_or_not) + node.get("Rows Removed by Index Recheck", 0)


def _lines(node: dict[str, Any], depth: int) -> Iterator[str]:
    told = ("Index Name", "Index Cond", "Filter", "Rows Removed by Filter", "Actual Rows", "Actual Loops")
    facts = "; ".join(f"{name}: {node[name]}" for name in told if name in node)
    yield f"{'  ' * depth}{node['Node Type']} ({facts})"
    for each in node.get("Plans", ()):
        yield from _lines(each, depth + 1)

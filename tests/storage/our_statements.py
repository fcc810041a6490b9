"""Every SQL statement in the code, and the tables that it asks on all nodes of a distributed database.

PostgreSQL itself reads them: the plan of a statement says which conditions it puts on each table.
"""

import ast
import importlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

ROOT: Final = Path(__file__).parents[2]
_BEGINS: Final = re.compile(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE|MERGE)\s")
_TO_BE_FILLED: Final = re.compile(r"\{[a-z]+\}")
_A_TABLE: Final = re.compile(r"\b[a-z]+\.[a-z_]{4,}")
_CONDITIONS: Final = ("Index Cond", "Filter", "Recheck Cond", "TID Cond", "Join Filter", "Hash Cond", "Merge Cond")
_EQUAL: Final = re.compile(r"([\w.$']+)\)?(?:::text)? = \(?([\w.$']+)")
_WRITTEN_OUT: Final = (
    *("SET LOCAL enable_seqscan = off", "SET LOCAL enable_hashjoin = off", "SET LOCAL enable_mergejoin = off"),
    *(
        "SET LOCAL enable_material = off",
        "SET LOCAL enable_memoize = off",
        "SET LOCAL plan_cache_mode = force_generic_plan",
    ),
)
"""Plans that name a condition at the table it is put on, as far as there is an index."""


@dataclass(frozen=True)
class Statement:
    """One of ours."""

    where: str
    """The file and the function, or the constant, in which it stands."""
    sql: str | None
    """None where it is composed of what only its caller knows."""


def statements() -> Iterator[Statement]:
    """All of them, in the order of the files; neither migrations, nor the demo and what rolls workers under load."""
    for folder in ("activities", "starter"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.parent.name not in {"versions", "demo", "cluster"}:
                yield from _of_file(path)


def _of_file(path: Path) -> Iterator[Statement]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    names: dict[int, str] = {}
    for owner in ast.walk(tree):
        name = _name(owner)
        names.update(dict.fromkeys(map(id, ast.walk(owner)), name) if name else {})
    known: dict[str, Any] | None = None
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in inside:
                sql: str | None = text
            case ast.JoinedStr(values=values):
                text = "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in values)
                sql = None
            case _:
                continue
        if not (_BEGINS.match(text) or (sql is None and text.startswith("{}") and " WHERE " in text)):
            continue
        if sql is None or _TO_BE_FILLED.search(sql):
            known = known or vars(importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)))
            sql = _composed(node, known)
        if sql is None or (_BEGINS.match(sql) and _A_TABLE.search(sql)):
            yield Statement(f"{path.stem}.{names.get(id(node), '')}", sql)


def _name(node: ast.AST) -> str | None:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if name.isupper():
            return name
        case _:
            return None


def _composed(node: ast.AST, known: Mapping[str, Any]) -> str | None:
    if not isinstance(node, ast.JoinedStr):
        return None
    try:
        return str(eval(compile(ast.Expression(node), "", "eval"), dict(known)))
    except NameError:
        return None


async def asked_of_all(connection: asyncpg.Connection, sql: str, keys: Mapping[str, set[str]]) -> set[str]:
    """The tables of ``keys`` of which the statement reads or changes rows that no key binds to one node.

    Args:
        connection: To a database with the schema.
        sql: The statement, with its parameters.
        keys: By table, the columns of which one value tells the node.
    """
    async with connection.transaction():
        for setting in _WRITTEN_OUT:
            await connection.execute(setting)
        await connection.execute(f"PREPARE asked AS {sql}")
        given = ", ".join(["NULL"] * max((int(each) for each in re.findall(r"\$(\d+)", sql)), default=0))
        try:
            plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE asked{given and f'({given})'}")
        finally:
            await connection.execute("DEALLOCATE asked")
    nodes = list(_nodes(json.loads(plan)[0]["Plan"]))
    asked = {alias: table for alias, table in map(_scanned, nodes) if table in keys}
    bound = _bound([str(node[name]) for node in nodes for name in _CONDITIONS if name in node], asked, keys)
    return {table for alias, table in asked.items() if alias not in bound}


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _scanned(node: Mapping[str, Any]) -> tuple[str, str]:
    """The alias of the table that is read here, and the table; of a month of closed cases, that of all months."""
    if "Scan" not in str(node["Node Type"]) or "Relation Name" not in node:
        return "", ""
    return str(node["Alias"]), f"{node['Schema']}.{node['Relation Name']}"


def _bound(conditions: Sequence[str], asked: Mapping[str, str], keys: Mapping[str, set[str]]) -> set[str]:
    """The aliases with a key that equals what is given, or a key of another that does."""

    def alias_of(side: str) -> str | None:
        alias, _, column = side.partition(".")
        return alias if column in keys.get(asked.get(alias, ""), ()) else None

    equal = [pair for condition in conditions for pair in _EQUAL.findall(condition) if "ANY" not in pair]
    bound: set[str] = set()
    while True:
        more = {
            alias
            for pair in equal
            for one, other in (pair, pair[::-1])
            if (alias := alias_of(one)) and (alias_of(other) or "") in {*bound, ""}
        }
        if more <= bound:
            return bound
        bound |= more

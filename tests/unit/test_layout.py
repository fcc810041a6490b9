"""Which folder may know of which: the durable processes know nothing of the world that they run in."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from activities.postgres.roles import GRANTS

ROOT = Path(__file__).parents[2]
OURS = {"workflows", "activities", "starter", "worker"}
TOP_LEVEL_FOLDERS = {"findings", "workflows", "activities", "starter", "tests", "deploy", "docs"}
# Slow to load in the sandbox, or a way to the outside.
KEPT_OUT_OF_WORKFLOWS = {
    "asyncpg",
    "cryptography",
    "sqlalchemy",
    "alembic",
    "opentelemetry.exporter",
    "psutil",
    "stripe",
}


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports_of(path: Path) -> Iterator[str]:
    """The absolute names of all modules that a file imports, inside functions as well."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in nodes_of(path):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = [*package[: len(package) + 1 - level]] if level else []
                base = ".".join([*start, *([module] if module else [])])
                # "from workflows import messages" imports workflows.messages.
                yield from (f"{base}.{alias.name}" for alias in names)
            case _:
                pass


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def told(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_workflows_import_neither_the_outside_nor_who_uses_them() -> None:
    forbidden = (OURS - {"workflows"}) | KEPT_OUT_OF_WORKFLOWS
    found = [
        (told(path), name)
        for path in sources("workflows")
        for name in imports_of(path)
        if any(within(name, package) for package in forbidden)
    ]
    assert found == []


def test_activities_know_messages_rules_and_kinds_only() -> None:
    allowed = ("activities", "workflows.messages", "workflows.rules", "workflows.kinds")
    found = [
        (told(path), name)
        for path in sources("activities")
        for name in imports_of(path)
        if any(within(name, package) for package in OURS) and not any(within(name, package) for package in allowed)
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["rules", "kinds"])
def test_what_decides_knows_nothing_of_what_carries_it_out(folder: str) -> None:
    outside = ("temporalio", "asyncio")
    allowed = ("workflows.messages", "workflows.rules", *(["workflows.kinds"] * (folder == "kinds")))
    found = [
        (told(path), name)
        for path in sources(f"workflows/{folder}")
        for name in imports_of(path)
        if any(within(name, package) for package in outside)
        or (any(within(name, package) for package in OURS) and not any(within(name, package) for package in allowed))
    ]
    assert found == []


def loaded_by(paths: list[Path]) -> list[str]:
    """The modules that are loaded once these are."""
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    program = (
        "import importlib, json, sys\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, json.dumps(modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


def test_loading_the_workflows_loads_nothing_from_outside() -> None:
    forbidden = (OURS - {"workflows"}) | KEPT_OUT_OF_WORKFLOWS
    assert not [name for name in loaded_by(sources("workflows")) if any(within(name, package) for package in forbidden)]


def test_a_case_is_carried_without_knowing_temporal() -> None:
    """All of a run but its host: what the interpreter carries out is what runs in production."""
    loaded = loaded_by([ROOT / "workflows/shell/case.py"])

    assert "workflows.kinds.kind" in loaded
    assert not [name for name in loaded if within(name, "temporalio")]


def test_no_workflow_loads_what_only_activities_need() -> None:
    """Masks and look-ups read lists and numbering plans, which would take time and memory in every sandbox."""
    loaded = loaded_by(sorted((ROOT / "workflows").glob("*.py")))

    assert "workflows.kinds.refund" in loaded
    assert not [name for name in loaded if within(name, "phonenumbers") or within(name, "workflows.rules.masking")]


def test_there_are_no_other_folders() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    tops = {path.split("/")[0] for path in listed.stdout.splitlines() if "/" in path}
    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL_FOLDERS


def test_a_name_says_what_is_in_it() -> None:
    saying_nothing = {"utils", "helpers", "common", "manager", "service", "misc", "base"}
    assert [told(path) for path in sources("workflows", "activities", "starter") if path.stem in saying_nothing] == []


LONGEST = 400
LONG_FOR_A_REASON = {
    "starter/settings.py": "one class: a list of settings is read in one place",
    "workflows/messages/commands.py": "what can be said to a case, a class each, in the order of the rulebook",
    "workflows/kinds/returning.py": "a kind is read from top to bottom, as the guide tells it",
}


def test_a_module_has_one_subject_and_is_soon_read() -> None:
    modules = [*sources("workflows", "activities", "starter"), ROOT / "worker.py"]
    long = {path for path in modules if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST}
    assert {told(path) for path in long} == set(LONG_FOR_A_REASON), "part it, or name the reason"


ORDERS = frozenset({"orders", "order_lines", "order_tenders", "parcel_lines"})
KNOWN_TO = {
    ORDERS: {"orders.py", "order_payments.py", "order_changes.py"},
    frozenset({"allowance_campaigns"}): {"campaigns.py"},
    frozenset({"allowances"}): {"allowances.py", "loading.py", "erasure.py", "renewal.py"},
    frozenset({"flags", "flag_history"}): {"flags.py"},
    frozenset({"remarks"}): {"flags.py", "limits.py", "erasure.py", "renewal.py"},
    frozenset({"return_addresses", "return_address_versions"}): {"addresses.py"},
    frozenset({"score_changes"}): {"scores.py"},
    frozenset({"standing_orders", "standing_decisions"}): {"standing_orders.py"},
}
"""The tables of the schema ``shop``, and who names them beside `roles.py`, which says who may.

Orders are our copy of another system's (X2): one module reads it, one the payments in it, one fills it. Everything else
is our own book, each with its module. ``erasure`` and ``renewal`` name whatever is about a person in any schema; of
orders they ask the port.
"""


def test_each_table_of_the_shop_is_known_to_its_module_alone() -> None:
    """X2: where orders are kept is nobody else's business."""
    found: list[tuple[str, str]] = []
    for path in sources("activities", "starter"):
        if path.parent.name == "versions" or path.name == "roles.py":
            continue
        texts = (node.value for node in nodes_of(path) if isinstance(node, ast.Constant))
        named = {table for text in texts if isinstance(text, str) for table in re.findall(r"\bshop\.(\w+)", text)}
        at_home = path.name if path.parent.name == "postgres" else None
        strange = [tables for tables, modules in KNOWN_TO.items() if at_home not in modules]
        found += [(told(path), table) for tables in strange for table in named & tables]
    assert found == []


def test_every_table_of_the_shop_has_its_module() -> None:
    listed = {table.removeprefix("shop.") for table in GRANTS if table.startswith("shop.")}
    assert listed == frozenset().union(*KNOWN_TO)

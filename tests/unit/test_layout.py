"""Which folder may know of which: the durable processes know nothing of the world that they run in."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
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


def imports_of(path: Path) -> Iterator[str]:
    """The absolute names of all modules that a file imports, inside functions as well."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
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


@pytest.mark.parametrize("path", sources("workflows"), ids=lambda path: str(path.relative_to(ROOT)))
def test_workflows_import_neither_the_outside_nor_who_uses_them(path: Path) -> None:
    forbidden = (OURS - {"workflows"}) | KEPT_OUT_OF_WORKFLOWS
    assert not [name for name in imports_of(path) if any(within(name, package) for package in forbidden)]


@pytest.mark.parametrize("path", sources("activities"), ids=lambda path: str(path.relative_to(ROOT)))
def test_activities_know_messages_rules_and_kinds_only(path: Path) -> None:
    allowed = ("activities", "workflows.messages", "workflows.rules", "workflows.kinds")
    ours = [name for name in imports_of(path) if any(within(name, package) for package in OURS)]
    assert not [name for name in ours if not any(within(name, package) for package in allowed)]


@pytest.mark.parametrize(
    "path", sources("workflows/rules", "workflows/kinds"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_decides_knows_nothing_of_what_carries_it_out(path: Path) -> None:
    outside = ("temporalio", "asyncio", "workflows.shell", "workflows.definitions")
    assert not [name for name in imports_of(path) if any(within(name, package) for package in outside)]
    ours = [name for name in imports_of(path) if any(within(name, package) for package in OURS)]
    allowed = ("workflows.messages", "workflows.rules", *(["workflows.kinds"] * (path.parent.name == "kinds")))
    assert not [name for name in ours if not any(within(name, package) for package in allowed)]


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


@pytest.mark.parametrize("path", sources("workflows", "activities", "starter"), ids=lambda path: path.name)
def test_a_name_says_what_is_in_it(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "common", "manager", "service", "misc", "base"}


LONGEST = 400
LONG_FOR_A_REASON = {
    "activities/notices/templates.py": "the texts of all notices, a template each",
    "starter/settings.py": "one class: a list of settings is read in one place",
    "workflows/messages/commands.py": "what can be said to a case, a class each, in the order of the rulebook",
    "workflows/kinds/returning.py": "a kind is read from top to bottom, as the guide tells it",
}


def test_a_module_has_one_subject_and_is_soon_read() -> None:
    modules = [*sources("workflows", "activities", "starter"), ROOT / "worker.py"]
    long = {path for path in modules if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST}
    assert {str(path.relative_to(ROOT)) for path in long} == set(LONG_FOR_A_REASON), "part it, or name the reason"


ORDERS = frozenset({"orders", "order_lines", "order_tenders", "parcel_lines"})
KNOWN_TO = {
    ORDERS: {"orders.py", "order_changes.py"},
    frozenset({"allowances"}): {"allowances.py", "loading.py", "erasure.py", "renewal.py"},
    frozenset({"flags", "flag_history"}): {"flags.py"},
    frozenset({"remarks"}): {"flags.py", "limits.py", "erasure.py", "renewal.py"},
    frozenset({"return_addresses", "return_address_versions"}): {"addresses.py"},
    frozenset({"score_changes"}): {"scores.py"},
    frozenset({"standing_orders", "standing_decisions"}): {"standing_orders.py"},
}
"""The tables of the schema ``shop``, and who names them beside `roles.py`, which says who may.

Orders are our copy of another system's (X2): one module reads it, one fills it. Everything else is our own book, each
with its module. ``erasure`` and ``renewal`` name whatever is about a person in any schema; of orders they ask the port.
"""


@pytest.mark.parametrize("path", sources("activities", "starter"), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_table_of_the_shop_is_known_to_its_module_alone(path: Path) -> None:
    """X2: where orders are kept is nobody else's business."""
    if path.parent.name == "versions" or path.name == "roles.py":
        return
    texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    named = {table for text in texts if isinstance(text, str) for table in re.findall(r"\bshop\.(\w+)", text)}
    at_home = path.name if path.parent.name == "postgres" else None
    assert not [tables for tables, modules in KNOWN_TO.items() if named & tables and at_home not in modules]


def test_every_table_of_the_shop_has_its_module() -> None:
    listed = {table.removeprefix("shop.") for table in GRANTS if table.startswith("shop.")}
    assert listed == frozenset().union(*KNOWN_TO)

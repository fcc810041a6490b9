"""Where each rule of ``docs/rules.md`` stands: in the code that carries it out, and at its tests.

``python -m tests.rulebook.where`` writes the last table of that page anew.
"""

import functools
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rules.md"
HEADING = "## Where each rule is carried out and tested"
CODE = ("workflows", "activities", "starter")
OTHER_CODE = ("worker.py",)

_NUMBER = re.compile(r"\b[RTDALPBXGNCM]\d+\b")
_ROW = re.compile(r"^\| ([RTDALPBXGNCM]\d+) \|", re.MULTILINE)


def rules() -> list[str]:
    """The numbers of all rules on the page, in its order."""
    text, _, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    return _ROW.findall(text)


def standing_at(rule: str, files: list[Path]) -> list[Path]:
    """The files that name a rule by its own number."""
    return [file for file in files if rule in _numbers_in(file)]


@functools.cache
def _numbers_in(file: Path) -> frozenset[str]:
    return frozenset(_NUMBER.findall(file.read_text(encoding="utf-8")))


def code() -> list[Path]:
    """Every module that may carry a rule out: a message only says what is asked or told."""
    modules = (path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py")))
    return [*(path for path in modules if path.parent.name != "messages"), *(ROOT / name for name in OTHER_CODE)]


def tests() -> list[Path]:
    """Every module of tests."""
    return sorted((ROOT / "tests").rglob("test_*.py"))


def table() -> str:
    """The section of the page that is written by the program."""
    lines = [
        HEADING,
        "",
        "Written by `make docs`: the files in which a rule's number stands, the definitions of messages aside. A test",
        "fails where a rule has no code or no test.",
        "",
        "| # | carried out in | tested in |",
        "| --- | --- | --- |",
    ]
    rows = (
        f"| {rule} | {_links(standing_at(rule, code()))} | {_links(standing_at(rule, tests()))} |" for rule in rules()
    )
    return "\n".join([*lines, *rows]) + "\n"


def page() -> str:
    """The whole page, with that section as it must be."""
    text, _, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    return f"{text.rstrip()}\n\n{table()}"


def _links(files: list[Path]) -> str:
    names = [file.relative_to(ROOT).as_posix() for file in files]
    return ", ".join(f"[{name}](../{name})" for name in names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

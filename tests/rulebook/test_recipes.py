"""The recipes of ``docs/architecture.md`` are how their examples were made."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "architecture.md"

_RECIPE = re.compile(r"^### (A new .+?)$\n(.+?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| ([^|]*) \| `([^`]+)` \| (.+) \|$", re.MULTILINE)


def steps() -> list[tuple[str, str, str, str]]:
    """Recipe, step, file, and one text that stands there."""
    return [
        (recipe, step, file, text)
        for recipe, body in _RECIPE.findall(PAGE.read_text(encoding="utf-8"))
        for step, file, texts in _ROW.findall(body)
        for text in re.findall(r"`([^`]+)`", texts)
    ]


def test_there_is_a_recipe_for_each_kind_of_change() -> None:
    recipes = [recipe for recipe, *_ in steps()]

    assert set(recipes) == {"A new kind of case", "A new command", "A new stage"}
    assert all(recipes.count(each) >= 5 for each in recipes)


@pytest.mark.parametrize(("recipe", "step", "file", "text"), steps())
def test_a_step_was_taken_for_the_example(recipe: str, step: str, file: str, text: str) -> None:
    assert text in (ROOT / file).read_text(encoding="utf-8"), f"{recipe}: {step or file}"

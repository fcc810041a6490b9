"""Whatever the pages for operators tell people to type or to press is done by a test."""

import ast
from collections.abc import Iterable

from tests import pages


def missing(named: Iterable[str]) -> list[str]:
    """The tests that are not there."""
    there: dict[str, set[str]] = {}
    for file in {each.partition("::")[0] for each in named}:
        path = pages.ROOT / file
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
        there[file] = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return [each for each in named if each.partition("::")[2] not in there[each.partition("::")[0]]]


def test_every_command_is_typed_by_a_test() -> None:
    typed = {
        *pages.TYPED_ELSEWHERE,
        *pages.answers_to_attention(),
        *pages.typed_at_the_command_line(),
        *pages.through_the_codec_server(),
    }

    assert [each for each in pages.commands() if each not in typed] == []


def test_every_button_is_pressed_by_a_test() -> None:
    assert pages.buttons() == list(pages.PRESSED)


def test_what_is_named_is_there() -> None:
    tests = [*pages.TYPED_ELSEWHERE.values(), *(each for several in pages.PRESSED.values() for each in several)]

    assert missing(tests) == []
    assert [each for each in pages.TYPED_ELSEWHERE if each not in pages.commands()] == [], "no page says so any more"


def test_a_command_and_a_query_that_are_new_on_a_page_are_seen() -> None:
    assert len(pages.commands()) > 50
    assert len(pages.queries()) > 10

"""The interpreter comes to what the servers come to: the same stories, told to both (tests/replay/*_paths.py)."""

from datetime import datetime

import pytest

from tests.replay import ends
from tests.replay.in_memory import told_in_memory, walk
from tests.replay.paths import PATHS

TOLD = [name for name in PATHS if told_in_memory(name)]


@pytest.mark.parametrize("name", TOLD)
def test_a_story_comes_to_the_same_in_memory(name: str) -> None:
    on_servers = ends.read(name)

    in_memory = walk(PATHS[name], datetime.fromisoformat(on_servers["began"]))

    assert ends.differences(on_servers, in_memory) == []


def test_every_story_has_been_told_on_servers() -> None:
    assert {file.stem for file in ends.FOLDER.glob("*.json")} == set(TOLD)

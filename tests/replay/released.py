"""Recordings of releases: the histories and states that each has written, kept for those that follow it.

``python -m tests.replay.released 1.2.0`` keeps those of the release that is about to be made. What is kept is not
written anew; docs/changing-cases.md says for how long it stays.
"""

import asyncio
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from temporalio.client import WorkflowHistory

from tests.replay import recorded
from tests.states.keeping import Kept, found_in, next_of

FOLDER: Final = recorded.FOLDER / "released"
_HISTORIES, _STATES = "histories/", "states/"
_RELEASE: Final = re.compile(r"^## (\d+\.\d+\.\d+)\b", re.MULTILINE)
_OLDEST: Final = re.compile(r"^Oldest release whose cases go on: \*\*(.+)\*\*\.$", re.MULTILINE)


async def keep(version: str, names: Sequence[str], folder: Path = FOLDER) -> Path:
    """Keep the recorded histories of these names, and the states that today's code writes on their ways.

    Raises:
        FileExistsError: the release's recordings are kept already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{version}.zip"
    cases = [name for name in names if not name.startswith("virtual_number")]
    with zipfile.ZipFile(file, "x", zipfile.ZIP_LZMA) as kept:
        for name in names:
            kept.writestr(f"{_HISTORIES}{name}.json", recorded.file_of(name).read_text(encoding="utf-8"))
        for number, state in enumerate(await found_in(cases)):
            after, silent = next_of(state)
            told = state.model_copy(update={"goes_on": after, "in_silence": silent})
            kept.writestr(f"{_STATES}{number:04}-{state.name}.json", told.model_dump_json())
    return file


def all_kept(folder: Path = FOLDER) -> list[Path]:
    """The files of what is kept, a release each."""
    return sorted(folder.glob("*.zip"))


def histories(file: Path) -> Iterator[WorkflowHistory]:
    """The histories that a release has written."""
    for text in _texts(file, _HISTORIES):
        yield recorded.read(text)


def states(file: Path) -> Iterator[Kept]:
    """The states that it has written."""
    for text in _texts(file, _STATES):
        yield Kept.model_validate_json(text)


def missing(changelog: str, page: str, kept: Iterable[Path]) -> list[str]:
    """Releases of the changelog whose cases go on, as the page says, and whose recordings are not kept."""
    found = _OLDEST.search(page)
    if found is None:
        raise ValueError("the page does not say which release is the oldest whose cases go on")
    if found[1] == "none yet":
        return _RELEASE.findall(changelog)
    there = {each.stem for each in kept}
    return [
        each for each in _RELEASE.findall(changelog) if _in_order(each) >= _in_order(found[1]) and each not in there
    ]


def _in_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _texts(file: Path, folder: str) -> Iterator[str]:
    with zipfile.ZipFile(file) as kept:
        for name in sorted(each for each in kept.namelist() if each.startswith(folder)):
            yield kept.read(name).decode()


if __name__ == "__main__":
    every = sorted(path.stem for path in recorded.FOLDER.glob("*.json"))
    print(asyncio.run(keep(sys.argv[1], every)), flush=True)
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    os._exit(0)

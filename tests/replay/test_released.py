"""What earlier releases have recorded goes on under today's code; and each release that must be kept is kept."""

import json
import zipfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from starter.worker.runner import runner_for
from tests.replay import released
from tests.replay.test_replay import call_another_activity
from tests.states.keeping import next_of
from tests.states.test_states import lost
from worker import WORKFLOWS
from workflows.kinds.state import State
from workflows.kinds.steps import kept as as_written
from workflows.messages.converter import data_converter
from workflows.messages.reading import read_own

ROOT = Path(__file__).parents[2]
KEPT = released.all_kept()
NAMES = ("unshipped_approved", "return_confirmed", "virtual_number_of_case")


async def differing(histories: Iterable[WorkflowHistory]) -> dict[str, Exception]:
    """What today's code does otherwise, by run."""

    async def one_by_one() -> AsyncIterator[WorkflowHistory]:
        for each in histories:
            yield each

    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=runner_for(sandboxed=False, versioned=False),
        data_converter=data_converter,
    )
    results = await replayer.replay_workflows(one_by_one(), raise_on_replay_failure=False)
    return dict(results.replay_failures)


def differing_states(file: Path) -> list[str]:
    """The states of which today's code loses something, or from which it goes on otherwise."""
    return [
        each.name
        for each in released.states(file)
        if lost(each.resumed["state"], as_written(read_own(State, each.resumed["state"])))
        or next_of(each) != (each.goes_on, each.in_silence)
    ]


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
async def test_an_earlier_release_goes_on_under_this_code(file: Path) -> None:
    assert await differing(released.histories(file)) == {}
    assert differing_states(file) == []


async def test_what_is_kept_of_a_release_is_read_and_held_against_the_code(tmp_path: Path) -> None:
    file = await released.keep("1.0.0", NAMES, tmp_path)

    assert released.all_kept(tmp_path) == [file]
    assert len([*released.histories(file)]) == len(NAMES)
    assert {"unshipped_refund-merchant_review", "return-awaiting_return"} & {
        each.name for each in released.states(file)
    }
    assert await differing(released.histories(file)) == {}
    assert differing_states(file) == []
    with pytest.raises(FileExistsError):
        await released.keep("1.0.0", NAMES, tmp_path)


async def test_a_release_that_would_not_go_on_is_found_out(tmp_path: Path) -> None:
    kept = await released.keep("1.0.0", NAMES[:1], tmp_path)
    other = tmp_path / "1.1.0.zip"
    with zipfile.ZipFile(kept) as before, zipfile.ZipFile(other, "w") as after:
        for name in before.namelist():
            document = json.loads(before.read(name))
            if name.startswith("histories/"):
                call_another_activity(document["events"])
            else:
                document["resumed"]["state"]["of_a_field_that_was_lost"] = "a word"
            after.writestr(name, json.dumps(document))

    assert len(await differing(released.histories(other))) == 1
    assert differing_states(other)


def test_every_release_whose_cases_go_on_is_kept() -> None:
    changelog, page = ((ROOT / name).read_text(encoding="utf-8") for name in ("CHANGELOG.md", "docs/changing-cases.md"))

    assert released.missing(changelog, page, KEPT) == []


@pytest.mark.parametrize(
    ("oldest", "missing"),
    [("none yet", ["1.2.0", "1.1.0", "1.0.0"]), ("1.1.0", ["1.2.0"]), ("1.0.0", ["1.2.0", "1.0.0"]), ("1.3.0", [])],
)
def test_a_release_that_was_forgotten_is_named(oldest: str, missing: list[str]) -> None:
    changelog = "## Unreleased\n\n## 1.2.0, 2027-03-01\n\n## 1.1.0, 2027-02-01\n\n## 1.0.0, 2027-01-01\n"
    page = f"...\n\nOldest release whose cases go on: **{oldest}**.\n"

    assert released.missing(changelog, page, [Path("1.1.0.zip")]) == missing


def test_a_page_that_does_not_say_it_is_found_out() -> None:
    with pytest.raises(ValueError, match="oldest"):
        released.missing("", "nothing", [])

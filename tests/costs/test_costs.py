"""What a case costs, held to ``docs/costs.md``: a change that adds an event shows here until ``make costs``."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.costs import page
from tests.costs.counting import Action, counted_by_server, ours, server_count
from tests.costs.reasons import REASONS
from tests.costs.walking import Walked, walk
from tests.processes.observing import undeclared
from tests.replay.ground import Ground, ground
from tests.replay.paths import PATHS

COUNTED = [name for name, path in PATHS.items() if path.counted]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def alone(state_dirs: Path) -> AsyncIterator[Ground]:
    async with ground(state_dirs / "costs") as here:
        yield here


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def all_walked(alone: Ground, written: dict[str, page.Row]) -> dict[str, Walked]:
    """Every path, walked once, and the server's count of all of them together.

    A minute that ends between the client's clock and the server's moves the due date that the client has foreseen, and
    costs an upsert: such a path is walked once more.
    """
    metrics = alone.stack.metrics_address
    assert metrics is not None
    before = await server_count(metrics)
    walked: dict[str, Walked] = {}
    expected = Counter[Action]()
    for name in COUNTED:
        walked[name] = await walk(alone, PATHS[name])
        expected.update(walked[name].in_metric)
        if name in written and page.figures(walked[name].cost) != written[name].figures:
            walked[name] = await walk(alone, PATHS[name], again=True)
            expected.update(walked[name].in_metric)
    assert ours(await counted_by_server(metrics, before, expected)) == expected
    return walked


@pytest.fixture(scope="module")
def written() -> dict[str, page.Row]:
    return page.rows(page.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", COUNTED)
def test_the_page_tells_what_a_path_costs(
    name: str, all_walked: dict[str, Walked], written: dict[str, page.Row]
) -> None:
    cost = all_walked[name].cost
    assert written[name].figures == page.figures(cost), "`make costs` writes the page anew, if this is meant"
    assert written[name].kib == pytest.approx(page.kib(cost), rel=0.05, abs=0.2)


def test_the_page_has_no_other_paths(written: dict[str, page.Row]) -> None:
    assert set(written) == set(COUNTED)


async def test_every_move_is_one_that_the_processes_declare(alone: Ground, all_walked: dict[str, Walked]) -> None:
    assert all_walked
    assert await undeclared(alone.pool) == {}


@pytest.mark.parametrize("name", REASONS)
def test_every_action_of_a_main_path_has_its_reason(name: str, all_walked: dict[str, Walked]) -> None:
    assert [action for action, _ in REASONS[name]] == list(all_walked[name].cost.billed)


@pytest.mark.parametrize(("name", "actions", "events"), [("unshipped_approved", 7, 30), ("withdrawal_unspent", 4, 30)])
def test_the_main_paths_stay_cheap(name: str, actions: int, events: int, all_walked: dict[str, Walked]) -> None:
    assert all_walked[name].cost.actions <= actions
    assert all_walked[name].cost.events <= events

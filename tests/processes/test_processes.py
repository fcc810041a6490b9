"""The declared processes are what cases really do, and what ``docs/processes.md`` shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules import diagrams
from workflows.rules.processes import MONEY, PROCESSES, Arrows, disputed, moves, stages_of
from workflows.rules.stages import STAGES

ROOT = Path(__file__).parents[2]
FACTS_OF_PARCELS = "goods_"
"""The start of log lines that are made of what a carrier tells."""
VERDICTS = "dispute_"
"""The start of log lines that are made of how a dispute ended."""


def events(arrows: Arrows) -> Iterator[str]:
    yield from (event for _, event, _ in arrows)


def test_the_page_is_what_the_code_declares() -> None:
    page = (ROOT / "docs" / "processes.md").read_text(encoding="utf-8")

    assert page == diagrams.page(), "`make docs` writes the page anew"


def test_every_kind_has_a_process() -> None:
    assert set(PROCESSES) == set(CaseKind) == set(diagrams.TITLES)


def test_every_stage_belongs_to_a_process() -> None:
    used = {name for arrows in (*PROCESSES.values(), MONEY) for name in stages_of(arrows)}
    used |= {name for kind in PROCESSES for name in stages_of(disputed(PROCESSES[kind]))}

    assert used | {StageName.CLOSED} == set(STAGES)


@pytest.mark.parametrize("kind", list(PROCESSES))
def test_every_stage_can_be_left(kind: CaseKind) -> None:
    declared = moves(kind)
    left = {each.come_from for each in declared}

    assert {each.to for each in declared} - {StageName.CLOSED} <= left


@pytest.mark.parametrize("kind", list(PROCESSES))
def test_every_way_leads_to_an_end(kind: CaseKind) -> None:
    declared = moves(kind)
    ends = {each.come_from for each in declared if each.to is StageName.CLOSED}
    while more := {each.come_from for each in declared if each.to in ends} - ends:
        ends |= more

    assert {each.come_from for each in declared} <= ends


def test_every_outcome_is_reached_by_some_process() -> None:
    reached = {each.end for kind in PROCESSES for each in moves(kind) if each.end}

    assert reached == set(OutcomeKind) - {OutcomeKind.REFUSED, OutcomeKind.SHIPPED_IN_TIME}, "the two open nothing"


@pytest.mark.parametrize("kind", list(PROCESSES))
def test_every_event_is_written_by_a_workflow(kind: CaseKind) -> None:
    decided = [each for folder in ("kinds", "shell") for each in (ROOT / "workflows" / folder).glob("*.py")]
    written = [*decided, ROOT / "workflows" / "rules" / "applications.py"]
    sources = "".join(path.read_text(encoding="utf-8") for path in written)
    declared = {event for event in events((*PROCESSES[kind], *MONEY)) if not event.startswith(FACTS_OF_PARCELS)}
    made = {event for event in declared if event.startswith(VERDICTS)}
    outcomes = {"nothing_left", "nothing_to_pay", "covered"}  # named after the outcome itself

    assert {event for event in declared - made - outcomes if f'"{event}"' not in sources} == set()

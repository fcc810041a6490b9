"""The declared processes are what cases really do, and what ``docs/processes.md`` shows."""

from dataclasses import replace
from pathlib import Path

import pytest

from workflows.kinds import diagrams
from workflows.kinds.kind import PROCESSES
from workflows.kinds.process import Process
from workflows.kinds.stage import STAGES
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.wording import EVENTS

ROOT = Path(__file__).parents[2]
FACTS_OF_PARCELS = "goods_"
"""The start of log lines that are made of what a carrier tells."""
VERDICTS = "dispute_"
"""The start of log lines that are made of how a dispute ended."""


def test_the_page_is_what_the_code_declares() -> None:
    page = (ROOT / "docs" / "processes.md").read_text(encoding="utf-8")

    assert page == diagrams.page(), "`make docs` writes the page anew"


def test_every_kind_has_a_process() -> None:
    assert set(PROCESSES) == set(CaseKind)


def test_every_stage_belongs_to_a_process() -> None:
    used = {stage.name for process in PROCESSES.values() for stage in process.table}

    assert used | {StageName.OPENING, StageName.CLOSED} == set(STAGES)


def test_two_stages_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two stages"):
        replace(STAGES[StageName.PAYING])


def test_a_process_without_an_answer_to_silence_is_refused() -> None:
    table = {STAGES[StageName.MERCHANT_REVIEW]: ()}

    with pytest.raises(ValueError, match="silence is decided where there is a deadline"):
        Process("no answer", opens=(), table=table)


@pytest.mark.parametrize("kind", list(PROCESSES))
def test_every_stage_can_be_left(kind: CaseKind) -> None:
    declared = PROCESSES[kind].moves()
    left = {each.come_from for process in PROCESSES.values() for each in process.moves()}  # it may become another kind

    assert {each.to for each in declared} - {StageName.CLOSED} <= left


@pytest.mark.parametrize("kind", list(PROCESSES))
def test_every_way_leads_to_an_end(kind: CaseKind) -> None:
    declared = PROCESSES[kind].moves()
    ends = {each.come_from for each in declared if each.to is StageName.CLOSED}
    while more := {each.come_from for each in declared if each.to in ends} - ends:
        ends |= more

    assert {each.come_from for each in declared} <= ends


def test_every_outcome_is_reached_by_some_process() -> None:
    reached = {each.end for kind in PROCESSES for each in PROCESSES[kind].moves() if each.end}

    assert reached == set(OutcomeKind) - {OutcomeKind.REFUSED, OutcomeKind.SHIPPED_IN_TIME}, "the two open nothing"


@pytest.mark.parametrize("kind", list(PROCESSES))
def test_every_event_has_words_of_its_own(kind: CaseKind) -> None:
    assert {event for _, event, _ in PROCESSES[kind].arrows()} - EVENTS.keys() == set()


@pytest.mark.parametrize("kind", list(PROCESSES))
def test_every_event_is_written_by_a_workflow(kind: CaseKind) -> None:
    decided = [each for folder in ("kinds", "shell") for each in (ROOT / "workflows" / folder).glob("*.py")]
    written = [*decided, ROOT / "workflows" / "rules" / "applications.py"]
    sources = "".join(path.read_text(encoding="utf-8") for path in written)
    drawn = {event for _, event, _ in PROCESSES[kind].arrows()}
    declared = {event for event in drawn if not event.startswith(FACTS_OF_PARCELS)}
    made = {event for event in declared if event.startswith(VERDICTS)}
    outcomes = {"nothing_left", "nothing_to_pay", "covered"}  # named after the outcome itself

    assert {event for event in declared - made - outcomes if f'"{event}"' not in sources} == set()

"""States of cases as a release has written them, on the ways of the recorded histories: kept for the next releases.

``python -m tests.states.keeping`` adds those that are not kept yet: one for each stage of each kind. What is kept
stays: a later release must be able to go on from it (docs/changing-cases.md).
"""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from temporalio.worker import Replayer

from starter.worker.runner import runner_for
from tests.replay import recorded
from worker import WORKFLOWS
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.events import DeadlinePassed
from workflows.kinds.kind import PROCESSES
from workflows.kinds.resuming import go_on, resumed_state
from workflows.messages.cases import Resumed, Step, StepAnswer, Stepped
from workflows.messages.converter import data_converter
from workflows.messages.openings import Opened, OpenedBy
from workflows.messages.reading import read_own
from workflows.messages.stages import StageName
from workflows.shell.book import Book
from workflows.shell.running import RunningCase

FOLDER: Final = Path(__file__).parent / "kept"


class Kept(BaseModel):
    """A state as a release has written it, with what the book has besides; and what that release did next."""

    history: str
    at: datetime
    """When the step was taken."""
    opened_by: dict[str, Any]
    opened: dict[str, Any]
    resumed: dict[str, Any]
    goes_on: dict[str, Any]
    """What follows the step, where nobody knows whether it was followed up."""
    in_silence: dict[str, Any] | None
    """What the deadline brings about; None in a stage that has none."""

    @property
    def name(self) -> str:
        """The kind and the stage."""
        state = self.resumed["state"]
        return f"{state['kind']}-{state['stage']}"

    def case(self) -> Case:
        """The case, as today's code reads it."""
        by = read_own(OpenedBy, self.opened_by)
        resumed = read_own(Resumed, self.resumed)
        return Case(
            case_id=str(self.opened_by["case_id"]),
            request=by.request,
            opened=read_own(Opened, self.opened),
            state=resumed_state(resumed),
            now=self.at,
            carried_out_by=by.carried_out_by,
        )

    def answer(self) -> StepAnswer:
        """What the book had answered to the step."""
        return read_own(Resumed, self.resumed).last


def next_of(kept: Kept) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What today's code does next: on the answer to the step, and in silence."""
    case = kept.case()
    silent = PROCESSES[case.kind].on(case.stage, DeadlinePassed)
    told = summary(silent.does(case, DeadlinePassed())) if silent and case.state.clock.due else None
    return summary(go_on(case, kept.answer())), told


def summary(decision: Decision) -> dict[str, Any]:
    """What a decision comes to, for comparing two releases."""
    step, effect = decision.step, decision.effect
    told: dict[str, Any] = {}
    if step:
        told["stage"] = step.stage.name.value
        told["events"] = [entry.event for entry in step.entries]
        told["outcome"] = step.outcome.value if step.outcome else None
        told["attention"] = step.attention.value if step.attention else None
        told["reserves"] = step.reserve.amount if step.reserve else None
    if effect:
        told["effect"] = type(effect).__name__
    if decision.first:
        told["first"] = [type(each).__name__ for each in decision.first]
    return told


async def found_in(names: Sequence[str]) -> list[Kept]:
    """The states that today's code writes on the ways of these recorded histories, in their order."""
    found: list[Kept] = []
    write, name = Book.write, ""

    async def noticed(self: Book, step: Step) -> Stepped:
        stepped = await write(self, step)
        running: RunningCase = self._running  # pyright: ignore[reportPrivateUsage]
        if step.state and stepped.written and not stepped.refusal and step.stage is not StageName.CLOSED:
            found.append(_kept(name, running, step, stepped))
        return stepped

    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=runner_for(sandboxed=False, versioned=False),
        data_converter=data_converter,
    )
    Book.write = noticed
    try:
        for name in names:
            history = recorded.read(recorded.file_of(name).read_text(encoding="utf-8"))
            await replayer.replay_workflow(history)
    finally:
        Book.write = write
    return found


def _kept(history: str, running: RunningCase, step: Step, stepped: Stepped) -> Kept:
    opened = running.opened
    assert opened is not None
    by = OpenedBy(request=running.request, carried_out_by=running.carried_out_by)
    legs = stepped.reserved.legs if stepped.reserved else running.state.legs
    resumed = Resumed(
        state=step.state or {},
        last=StepAnswer.model_validate(stepped.model_dump(include=set(StepAnswer.model_fields))),
        steps=step.step,
        legs=legs,
    )
    return Kept(
        history=history,
        at=step.at,
        opened_by={**by.model_dump(mode="json"), "case_id": step.case.case_id},
        opened=opened.model_dump(mode="json", exclude={"resumed"}),
        resumed=resumed.model_dump(mode="json"),
        goes_on={},
        in_silence=None,
    )


def all_kept() -> list[Path]:
    """The files of what is kept."""
    return sorted(FOLDER.glob("*.json"))


async def keep() -> None:
    """Keep a state for each stage of each kind of which none is kept."""
    FOLDER.mkdir(exist_ok=True)
    known = {path.stem for path in all_kept()}
    names = sorted(path.stem for path in recorded.FOLDER.glob("*.json") if not path.stem.startswith("virtual_number"))
    for found in await found_in(names):
        if found.name in known:
            continue
        known.add(found.name)
        after, silent = next_of(found)
        kept = found.model_copy(update={"goes_on": after, "in_silence": silent})
        text = json.dumps(kept.model_dump(mode="json"), indent=1, ensure_ascii=False)
        (FOLDER / f"{found.name}.json").write_text(f"{text}\n", encoding="utf-8")
        print(f"{found.name}: from {found.history}", flush=True)


if __name__ == "__main__":
    asyncio.run(keep())
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    os._exit(0)

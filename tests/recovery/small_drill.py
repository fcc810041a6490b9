"""``make recovery`` with some tens of cases: ``pytest tests/recovery/small_drill.py``. See ``tests.recovery.drill``."""

from pathlib import Path

from tests.recovery.drill import Scale, drill
from tests.recovery.plans import PLANS
from workflows.messages.stages import CaseKind


async def test_cases_of_all_kinds_go_on_where_temporal_was_lost(state_dirs: Path) -> None:
    each_once = sum(plan.weight for plan in PLANS)
    scale = Scale(cases=each_once + 3, being_sent=3, announced=2, woken=4)

    folder = state_dirs / "recovery"
    folder.mkdir()
    report = await drill(folder, scale, lambda _: None)

    assert report.differences == []
    assert (report.fenced, report.opened) == (report.woken, scale.cases)
    assert report.fenced
    dry, interrupted, killed, whole, after = report.runs
    assert dry["dry run"] > report.open_rows, "what has no case yet is found too"
    assert (interrupted["broken_off"], killed["code"], whole["left"], after["dry run"]) == (True, -9, [], 0)
    assert report.by_kind.keys() == set(CaseKind)
    assert report.by_leg.keys() >= {"processing", "unknown", "failed"}

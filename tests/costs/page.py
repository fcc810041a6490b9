"""``docs/costs.md``: written from what the paths have cost, and read back by the test that holds it to the code."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.costs.counting import Action, Cost
from tests.costs.reasons import REASONS
from tests.costs.walking import Walked
from tests.replay.paths import PATHS

FILE = Path(__file__).parents[2] / "docs" / "costs.md"

LOOKED_UP = "2026-11-22"

RULES: tuple[tuple[str, Action, str, str], ...] = (
    ("start", Action.START, "one per workflow that is started; search attributes given at the start are free", "start"),
    ("timer", Action.TIMER, "one per timer that is started, whether it fires or not", "timers"),
    ("activity", Action.ACTIVITY, "one per activity that is scheduled", "activities"),
    ("retry", Action.RETRY, "one per further attempt of an activity", "activities"),
    (
        "local activities",
        Action.LOCAL_BATCH,
        "one per workflow task that ran any, however many; one more per heartbeat of a long workflow task",
        "local batches",
    ),
    ("update", Action.UPDATE, "one per accepted update; a repeated one with the same id is free", "updates"),
    ("signal", Action.SIGNAL, "one per signal", "signals"),
    ("upsert", Action.UPSERT, "one per upsert command, however many search attributes it sets", "upserts"),
    ("child", Action.CHILD, "one per child that is started, besides the child's own start", "children"),
)

COLUMNS = (
    "path", "what happens", "rule", "events", "KiB", "workflow tasks", "activities", "local batches", "timers",
    "updates", "signals", "upserts", "children", "actions", "all workflows: ours / server's",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One path as the page has it."""

    figures: dict[str, int]
    """Everything that is the same each time."""
    kib: float


def figures(cost: Cost) -> dict[str, int]:
    """What the page tells of a workflow and what is the same each time, by column."""
    return {
        "events": cost.events,
        "workflow tasks": cost.workflow_tasks,
        "activities": cost.of(Action.ACTIVITY, Action.RETRY),
        "local batches": cost.of(Action.LOCAL_BATCH),
        "timers": cost.of(Action.TIMER),
        "updates": cost.of(Action.UPDATE),
        "signals": cost.of(Action.SIGNAL),
        "upserts": cost.of(Action.UPSERT),
        "children": cost.of(Action.CHILD),
        "actions": cost.actions,
    }


def kib(cost: Cost) -> float:
    """The size of the history. It varies by some bytes, because moments have more or fewer digits."""
    return round(cost.bytes / 1024, 1)


def page(all_walked: Iterable[tuple[Walked, Counter[Action]]]) -> str:
    """The whole page, from what each path has cost and what the server counted meanwhile."""
    all_walked = list(all_walked)
    lines = [
        "# What a case costs",
        "",
        "Written by `make costs` from real histories; `tests/costs` fails when the code no longer does what the table",
        "says. Times of day and ids aside, a path has the same events every time.",
        "",
        "Counted are the events of one workflow from its start to its end, without those of the tests' moving clock.",
        "Bytes are those of the history, without encryption. Each path is described in `tests/replay/*paths.py`.",
        "",
        *_table(COLUMNS, (_cells(walked, counted) for walked, counted in all_walked)),
        "",
        "## How actions are counted",
        "",
        f"By [Temporal Cloud's list of actions](https://docs.temporal.io/cloud/actions) as it stood on {LOOKED_UP}:",
        "",
        *_table(
            ("action", "metric in Temporal Cloud", "rule", "column"),
            ((name, f"`{action}`", rule, column) for name, action, rule, column in RULES),
        ),
        "",
        "A start is in every row and has no column of its own: actions = 1 + the columns from activities to children.",
        "",
        "Not in a history, and so not in the table:",
        "",
        "- A query costs one action: every `view()`. `act` returns the new view without one.",
        "- A refused update costs one action and leaves no event. A refused signal costs its action and the step that",
        "  writes the refusal down.",
        "- What a schedule starts (`notice_resend`, `reconciliation`, `closed_cases`) costs two more actions for each",
        "  run.",
        "- A start that is a duplicate is free. So are waiting for the outcome and a start delay (`expiry_*`,",
        "  `late_shipment_*`): the list names neither.",
        "- Each attempt of an activity is an action, so an outage of the database or the gateway costs one for each",
        "  retry: after the first minute, one a minute for each case that has something to write.",
        "- A query that comes while a workflow task runs a local activity can end that task early: three more events,",
        "  no action.",
        "",
        "## Checked against the server",
        "",
        "The last column has the actions of all workflows that a path needs (`nothing_left` needs another refund",
        "first), as counted in their histories, and as counted by the development server's metric `action` while the",
        "path was walked alone.",
        _agreement(all_walked),
        "The server's metric also has `grpc_UpdateWorkflowExecutionOptions`, which is the moved clock of the tests,",
        "and `grpc_QueryWorkflow`, which is the client's look at a case that has ended before a late callback is",
        "entered (`late_callback`); both are left out of the column. It has no kind for the two actions that a",
        "schedule adds in Temporal Cloud, nor for a start that comes with an update (`virtual_number_*`), which is",
        "billed.",
        "",
        "## Why each action is there",
    ]
    for name, reasons in REASONS.items():
        lines += ["", f"`{name}` ({PATHS[name].title}): {len(reasons)} actions", ""]
        lines += [f"{number}. `{action}`: {why}." for number, (action, why) in enumerate(reasons, start=1)]
    return "\n".join(lines) + "\n"


def rows(text: str) -> dict[str, Row]:
    """The table of a page, by path."""
    found: dict[str, Row] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == len(COLUMNS) and cells[0].startswith("`"):
            named = dict(zip(COLUMNS, cells, strict=True))
            exact = {name: int(cell) for name, cell in named.items() if cell.isdecimal()}
            found[cells[0].strip("`")] = Row(exact, float(named["KiB"]))
    return found


def _cells(walked: Walked, counted: Counter[Action]) -> tuple[str, ...]:
    exact = figures(walked.cost)
    return (
        f"`{walked.path.name}`",
        walked.path.title,
        walked.path.rule,
        str(exact["events"]),
        str(kib(walked.cost)),
        *(str(exact[column]) for column in COLUMNS[5:-1]),
        f"{walked.billed.total()} / {counted.total()}",
    )


def _agreement(all_walked: list[tuple[Walked, Counter[Action]]]) -> str:
    differing = [walked.path.name for walked, counted in all_walked if walked.in_metric != counted]
    if differing:
        return "The two differ in " + ", ".join(f"`{name}`" for name in differing) + "."
    return "The two agree in every row, kind by kind."


def _table(head: Iterable[str], body: Iterable[Iterable[str]]) -> list[str]:
    titles = list(head)
    rule = ["---:" if title in COLUMNS[3:-1] else "---" for title in titles]
    return [f"| {' | '.join(cells)} |" for cells in (titles, rule, *body)]

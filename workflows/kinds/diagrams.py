"""``docs/processes.md``: one state diagram for each kind of case, drawn from what the code declares.

``python -m workflows.kinds.diagrams`` prints the page.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from workflows.kinds.disputed import DISPUTED, LOCKED
from workflows.kinds.kind import PROCESSES
from workflows.kinds.money import table
from workflows.kinds.order_money import AWAITING_ACCOUNT
from workflows.kinds.order_money import table as money_leg
from workflows.kinds.process import Goal, Process, arrows
from workflows.kinds.stage import OPENING, PASSING, Stage
from workflows.messages.stages import OutcomeKind
from workflows.rules.bilingual import Language, said
from workflows.rules.silence import BY_PROFILE

Arrows: TypeAlias = tuple[tuple[Stage, str, Goal], ...]

_LEG: Final = frozenset(money_leg(rest=True, free=True))
_BESIDE: Final = frozenset({DISPUTED, LOCKED})
_OF_DISPUTES: Final = frozenset({"ruling_carried_out", "locked"})

HEAD = """# The processes

Written by `make docs` from the modules of `workflows/kinds/`, whose tables are also what runs; a test fails when this
page is not what they say, and others hold every move that a case makes against them.

An arrow bears the line of the case log that tells of it; an end bears the outcome. In *italics* below each diagram:
until when a stage lasts and what silence does. `paying` leads into the money leg, which is the same for every kind.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD]
    for process in PROCESSES.values():
        own = tuple(_own(process))
        parts += [f"## {process.title}", "", _diagram(own), "", *_silences(own), ""]
    leg = tuple(dict.fromkeys(_money()))
    parts += ["## The money leg (section 10, R5, R8, T4)", "", _diagram(leg), "", *_silences(leg), ""]
    parts += [
        "## A case under dispute (D1 to D3, D8, T15)",
        "",
        "What a dispute adds to refunds, cancellations, returns and exchanges; *where it stood* is any stage in which",
        "money has not been decided on. A case that can wait goes on meanwhile, and is locked there.",
        "",
        _under_dispute(),
        "",
    ]
    return "\n".join(parts)


def _own(process: Process) -> Iterator[tuple[Stage, str, Goal]]:
    """What is the kind's alone: without the money leg, and what every dispute adds."""
    for come_from, event, goal in process.arrows():
        leg = come_from in _LEG and not _of_this_kind_alone(come_from, event, goal)
        beside = come_from in _BESIDE or goal in _BESIDE or event in _OF_DISPUTES
        if not (leg or beside or goal is AWAITING_ACCOUNT):
            yield come_from, event, goal


def _money() -> Iterator[tuple[Stage, str, Goal]]:
    """The money leg as it can be in one kind or another."""
    yield from arrows(money_leg(rest=True, free=True))
    yield from arrows(table(compensates=True))


def _of_this_kind_alone(come_from: Stage, event: str, goal: Goal) -> bool:
    return (come_from, event, goal) not in set(_money())


def _diagram(drawn: Arrows) -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {each.name}: {each.name}<br/>{each.title.partition(' · ')[0]}" for each in _shown(drawn)]
    joined: dict[tuple[str, str], list[str]] = {}
    for come_from, event, goal in drawn:
        ends = isinstance(goal, OutcomeKind)
        start = "[*]" if come_from is OPENING else str(come_from.name)
        label = f"{event}: {goal}" if ends else event
        joined.setdefault((start, "[*]" if ends else str(goal.name)), []).append(label)
    lines += [f"    {start} --> {end}: {'<br/>'.join(labels)}" for (start, end), labels in joined.items()]
    return "\n".join([*lines, "```"])


def _shown(drawn: Arrows) -> Iterable[Stage]:
    named = (each for come_from, _, goal in drawn for each in (come_from, goal) if isinstance(each, Stage))
    return (each for each in dict.fromkeys(named) if each is not OPENING)


def _silences(drawn: Arrows) -> list[str]:
    lines: list[str] = []
    for stage in _shown(drawn):
        if stage.name in PASSING:
            continue
        waits = f"waits for the {stage.waits_for}" if stage.waits_for else "waits for nobody"
        by_profile = ", or as the profile says (G3)" if stage.name in BY_PROFILE else ""
        until = (
            f"on silence: {stage.silence}{by_profile}"
            if stage.span
            else f"no deadline: {said(stage.no_deadline, Language.EN)}"
        )
        lines.append(f"- `{stage.name}` ({stage.rule}) *{waits}; {until}*")
    return lines


def _under_dispute() -> str:
    """What the processes that can be disputed have in common, each of their own stages drawn as one."""
    joined: dict[tuple[str, str], dict[str, None]] = {}
    for process in PROCESSES.values():
        for come_from, event, goal in process.arrows():
            if come_from in _BESIDE or goal in _BESIDE or event in _OF_DISPUTES:
                ends = isinstance(goal, OutcomeKind)
                label = f"{event}: {goal}" if ends else event
                joined.setdefault((_where(come_from), "[*]" if ends else _where(goal)), {})[label] = None
    lines = ["```mermaid", "stateDiagram-v2", "    stood: where it stood"]
    lines += [f"    {start} --> {end}: {'<br/>'.join(labels)}" for (start, end), labels in joined.items()]
    return "\n".join([*lines, "```"])


def _where(stage: Stage) -> str:
    return str(stage.name) if stage in _BESIDE | _LEG else "stood"


if __name__ == "__main__":
    print(page(), end="")

"""Who is told what when, read off the stories that take every arrow: ``docs/who-is-told.md`` (N6).

``python -m tests.processes.told_to`` writes the page.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest.mock import patch

from starter.interpreter.book import CaseRow, MemoryBook
from tests.processes.exploring import Tale, kept
from tests.processes.observing import REMARKS
from tests.processes.telling import Story
from workflows.kinds.kind import PROCESSES
from workflows.kinds.stage import PASSING
from workflows.messages.actors import Role
from workflows.messages.cases import NoticeTemplate, Step, Stepped
from workflows.messages.stages import CaseKind, Silence, StageName
from workflows.rules.wording import event_words

PAGE: Final = Path(__file__).parents[2] / "docs" / "who-is-told.md"
PARTIES: Final = frozenset({Role.BUYER, Role.MERCHANT})

HEAD: Final = """# Who is told what when

Written by `make docs` from what the kinds do in the stories of `tests/processes`, which take every arrow of
[the processes](processes.md); a test fails when this page is not what they say, and another where a move leaves both
sides untold. What the notices say in words is in `activities/notices/languages`; how they go out, in
[notices.md](notices.md). `deadline_near` goes to whoever is waited for, where a stage has a reminder (R1);
`attention_raised` goes to the platform's staff.
"""


@dataclass(frozen=True)
class Told:
    """What one step has told."""

    kind: CaseKind
    come_from: StageName
    event: str
    to: StageName
    notices: frozenset[tuple[NoticeTemplate, Role]]
    silences: frozenset[Silence]
    """What silence will do, by its notices."""

    @property
    def moved(self) -> bool:
        """Whether the case has come to another stage, in which somebody is waited for or all is over."""
        return self.to is not self.come_from and self.to not in PASSING


@contextmanager
def listening() -> Generator[list[Told]]:
    """What steps of cases in memory tell meanwhile."""
    heard: list[Told] = []
    write = MemoryBook.write_step

    def step(book: MemoryBook, step: Step) -> Stepped:
        row: CaseRow = book.cases[step.case.case_id]
        kind, stage = row.kind, row.stage
        stepped = write(book, step)
        if stepped.refusal is None:
            events = [each.event for each in step.entries if each.event not in REMARKS] or [step.entries[0].event]
            notices = frozenset((each.template, each.to.role) for each in step.notices)
            said = {each.fields["on_silence"] for each in step.notices if "on_silence" in each.fields}
            heard.append(Told(kind, stage, events[0], row.stage, notices, frozenset(map(Silence, map(str, said)))))
        return stepped

    with patch.object(MemoryBook, "write_step", step):
        yield heard


def told_in(tales: list[Tale]) -> list[Told]:
    """What is told in these stories."""
    with listening() as heard:
        for world, turns in tales:
            Story(world).tell(turns)
    return heard


def page(heard: list[Told]) -> str:
    """The page as Markdown: by kind and log line, who is told, by which notice."""
    parts = [HEAD]
    for kind, process in PROCESSES.items():
        lines: dict[str, set[tuple[NoticeTemplate, Role]]] = {}
        for each in heard:
            if each.kind is kind and each.notices:
                lines.setdefault(each.event, set()).update(each.notices)
        parts += [f"## {process.title}: `{kind}`", "", "| what happens | the buyer is told | the merchant is told |"]
        parts += ["| --- | --- | --- |"]
        for event, notices in sorted(lines.items()):
            if any(role in PARTIES for _, role in notices):
                words = event_words(event).partition(" · ")[2] or event
                parts.append(f"| `{event}`: {words} | {_of(notices, Role.BUYER)} | {_of(notices, Role.MERCHANT)} |")
        parts.append("")
    return "\n".join(parts)


def _of(notices: set[tuple[NoticeTemplate, Role]], role: Role) -> str:
    return ", ".join(f"`{template}`" for template, to in sorted(notices) if to is role) or "–"


if __name__ == "__main__":
    PAGE.write_text(page(told_in(kept())), encoding="utf-8")

"""Lines of a case log, and of a thread, as people read them: amounts in decimals, moments in the case's time (G6)."""

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from workflows.messages.actors import Actor
from workflows.messages.cases import LogEntry
from workflows.messages.threads import ThreadItem
from workflows.rules.local_time import local
from workflows.rules.log_facts import readable


def log_table(
    entries: Iterable[LogEntry], zone: str | None = None, currency: str | None = None, title: str = "case log"
) -> Table:
    """A case log, oldest line first; in Shanghai's time where no ``zone`` is given (G6)."""
    table = Table("when", "event", "by", "rule", "facts", title=title)
    for entry in entries:
        facts = facts_in_words(entry.facts, currency, zone)
        table.add_row(local(entry.at, zone), entry.event, who(entry.by), entry.rule, Text(facts))
    return table


def thread_table(
    items: Sequence[ThreadItem], words: Mapping[str, str], zone: str | None = None, currency: str | None = None
) -> Table:
    """A thread, oldest first; words where they were read."""
    table = Table("when", "by", "what", "says", title="thread")
    for each in items:
        facts = facts_in_words(each.facts, currency, zone)
        pictures = [picture.uri for picture in each.attachments]
        said = [words.get(each.words, each.words)] if each.words else []
        what = Text(f"{each.event} {facts}".strip())
        table.add_row(local(each.at, zone), who(each.by), what, Text("\n".join([*said, *pictures])))
    return table


def who(by: Actor) -> str:
    """An actor in words; the clock and the gateway have no id of their own."""
    return by.role if by.id == by.role else f"{by.role} {by.id}"


def facts_in_words(facts: Mapping[str, str | int], currency: str | None, zone: str | None) -> str:
    """Facts as people read them; amounts stay minor units, and are called so, where no currency is known."""
    return ", ".join(f"{name} {value}" for name, value in readable(facts, zone, currency).items())

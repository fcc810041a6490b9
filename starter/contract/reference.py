"""``docs/contract/reference.md``: the same names as tables for people."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence

from starter.contract import refusals
from starter.contract.messages import nexus_operations
from starter.contract.names import attributes, roles
from starter.contract.workflows import OPENS_AT, STARTED_BY_CASES, Contract
from workflows.kinds.admission import ANYWHERE, DECLARED, FACTS
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Role
from workflows.messages.cases import Outcome
from workflows.messages.commands import Command
from workflows.rules.silence import BY_PROFILE

_OWN_VOICE = frozenset({Role.CLOCK})
"""Facts that only our own workflows tell each other."""


def page(contracts: Sequence[Contract]) -> str:
    """The whole page."""
    lines = [
        "# Names: workflows, commands, stages, refusals",
        "",
        "Written by `make docs` from the code; [README.md](README.md) says how to use it. The same for programs:",
        "[workflows.json](workflows.json). Shapes: [messages.schema.json](messages.schema.json). Rule numbers:",
        "[../rules.md](../rules.md).",
        "",
        "## Workflows",
        "",
        *_table(("workflow", "started with", "its id", "result"), map(_workflow, contracts)),
        "",
        f"Cases start {_list(sorted(STARTED_BY_CASES))} themselves; others only send commands to it. The start of "
        + " and ".join(f"`{name}` is delayed until `{field}`" for name, field in OPENS_AT.items())
        + ".",
        "",
        "Every workflow answers the query `view`, without arguments: "
        + "; ".join(f"with `{gives}` {_list(names)}" for gives, names in _views(contracts).items())
        + ".",
        "",
        "## Commands",
        "",
        "Each is an update; where the last column says so, a signal of the same name too. The type of its only",
        "argument is named alike: `pay_in_advance` takes `PayInAdvance`. An update gives what `view` gives.",
        "",
        *_table(("command", "what it says", "workflows", "sent as"), _commands(contracts)),
        "",
        "## Operations through Nexus",
        "",
        "Of the service `Aftersales`, for workflows in other namespaces ([../nexus.md](../nexus.md)); shapes:",
        "[nexus.schema.json](nexus.schema.json).",
        "",
        *_table(
            ("operation", "takes", "gives"),
            (
                (f"`{name}`", f"`{takes.__name__}`", f"`{gives.__name__}`")
                for name, (takes, gives) in nexus_operations().items()
            ),
        ),
        "",
        "## Stages",
        "",
        "Which commands a case takes, and from which role. The view's `commands` says it of one case.",
        f"Open in every stage in which a case waits: {_accepted(roles(ANYWHERE))}.",
        "",
        "Taken in every stage, because it has happened: "
        + _accepted(roles({kind: by for kind, by in FACTS.items() if by != _OWN_VOICE}))
        + ". Only our own workflows tell each other: "
        + _list(kind.command_name() for kind, by in FACTS.items() if by == _OWN_VOICE)
        + ".",
        "",
        *_table(("stage", "rule", "waits for", "on silence", "commands"), _stages()),
        "",
        "## Search attributes",
        "",
        *_table(
            ("name", "type", "what"),
            ((f"`{name}`", each["type"], each["description"]) for name, each in attributes().items()),
        ),
        "",
        "## Refusals",
        "",
        "The `code` of a `Refusal`, and `Refused.<code>` the type of the failure. Where no field stands, it is the one",
        "that is wrong; where no rule stands, it is the stage's.",
        "",
        *_table(("code", "field", "rule"), _refusals()),
    ]
    return "\n".join(lines) + "\n"


def _workflow(contract: Contract) -> tuple[str, ...]:
    ids = "<br>".join(f"`{pattern}`{f' where {when}' if when else ''}" for pattern, when in contract.ids.items())
    return (f"`{contract.name}`", f"`{contract.request.__name__}`", ids, f"`{contract.result.__name__}`")


def _views(contracts: Sequence[Contract]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for contract in contracts:
        gives = contract.queries["view"].gives
        assert gives
        found.setdefault(gives.__name__, []).append(contract.name)
    return found


def _commands(contracts: Sequence[Contract]) -> Iterator[tuple[str, ...]]:
    taken = {name: each.takes for contract in contracts for name, each in contract.updates.items()}
    for name, takes in sorted(taken.items()):
        assert takes
        assert issubclass(takes, Command)
        takers = [each for each in contracts if name in each.updates]
        ways = "update, signal" if all(name in each.signals for each in takers) else "update"
        every = len(takers) == sum(each.result is Outcome for each in contracts)
        yield f"`{name}`", _first_sentences(takes), "every case" if every else _list(each.name for each in takers), ways


def _stages() -> Iterator[tuple[str, ...]]:
    for name, stage in STAGES.items():
        by_profile = ", or as the profile says (G3)" if stage.name in BY_PROFILE else ""
        silence = f"`{stage.silence}`{by_profile}" if stage.span else stage.no_deadline
        yield f"`{name}`", stage.rule, stage.waits_for or "", silence, _accepted(roles(DECLARED[name]))


def _refusals() -> Iterator[tuple[str, ...]]:
    for code, each in refusals.codes().items():
        yield f"`{code}`", _list(sorted(each.fields)), ", ".join(sorted(each.rules))


def _first_sentences(kind: type) -> str:
    first, _, _ = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")
    return " ".join(first.split())


def _accepted(commands: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"`{name}` ({' or '.join(by)})" for name, by in commands.items())


def _list(words: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in words)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(' '.join(each.replace('|', chr(92) + '|').split()) for each in cells)} |"

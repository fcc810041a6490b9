"""The command line as a whole: its words, its exit codes, its groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from inspect import cleandoc
from typing import Annotated, Any, Final

import typer

HELP = """
After-sales cases for marketplaces that keep their deadlines: refunds, cancellations, returns, exchanges, re-sends,
repairs, price protection, disputes, compensation for late shipment, withdrawals and expiry of allowances.

A [bold]case[/] is one of these, and one durable workflow. It stands in a [bold]stage[/], which waits for somebody
until a deadline; when nobody acts, silence decides as the rulebook says. A [bold]command[/] is what an actor asks of
a case: approve, reject, agree_return, open_dispute, rule, withdraw, ...

Where to start: [cyan]aftersales demo[/] shows everything in under a minute; [cyan]aftersales up[/] keeps a whole
stack running; then [cyan]aftersales orders load FILE[/], [cyan]aftersales open refund ...[/],
[cyan]aftersales list[/].

Settings are environment variables, see docs/settings.md. Every command takes [cyan]--json[/].
"""

EXIT_CODES = """
[bold]Exit codes[/]: 0 done · 1 the answer is no: something differs or a check failed · 2 wrong usage or setting ·
3 a server or worker does not answer · 4 refused by a rule (the line names rule and field) · 5 unknown case
"""

RUNNING: Final = "Running it"
CASES: Final = "Cases"
DESK: Final = "The merchant's back end"
PLATFORM: Final = "The platform"
MONEY: Final = "Money and the world outside"


@dataclass(frozen=True)
class Word:
    """A first word of the command line, and the command or the group of commands that it stands for."""

    word: str
    panel: str
    """Under which title the help shows it."""
    module: str
    name: str
    """What the command or the group is called in its module."""


WORDS: Final = (
    Word("demo", RUNNING, "demonstration", "demo"),
    Word("up", RUNNING, "processes", "up"),
    Word("worker", RUNNING, "processes", "worker"),
    Word("setup", RUNNING, "processes", "setup"),
    Word("cluster", RUNNING, "cluster", "cluster"),
    Word("doctor", RUNNING, "diagnosis", "doctor"),
    Word("replay", RUNNING, "replaying", "replay"),
    Word("completion", RUNNING, "completion", "completion"),
    Word("open", CASES, "opening", "application"),
    Word("act", CASES, "acting", "act"),
    Word("propose", CASES, "negotiating", "propose"),
    Word("say", CASES, "negotiating", "say"),
    Word("thread", CASES, "negotiating", "thread"),
    Word("quote", CASES, "quoting", "quote"),
    Word("askable", CASES, "asking", "askable"),
    Word("disputable", CASES, "asking", "disputable"),
    Word("show", CASES, "viewing", "show"),
    Word("log", CASES, "viewing", "log"),
    Word("outcome", CASES, "viewing", "outcome"),
    Word("list", CASES, "listing", "list_cases"),
    Word("watch", CASES, "watching", "watch"),
    Word("stuck", CASES, "stuck", "stuck_cases"),
    Word("recover", CASES, "recovering", "recover"),
    Word("statements", CASES, "disputing", "statements"),
    Word("evidence", CASES, "disputing", "evidence"),
    Word("attachments", CASES, "attachments", "attachments"),
    Word("dossier", CASES, "dossiers", "dossier"),
    Word("fast-forward", CASES, "clock", "fast_forward"),
    Word("bulk", CASES, "bulk", "bulk"),
    Word("addresses", DESK, "desk", "addresses"),
    Word("flags", DESK, "desk", "flags"),
    Word("remarks", DESK, "desk", "remarks"),
    Word("privacy", DESK, "privacy", "application"),
    Word("standing-orders", DESK, "standing_orders", "standing_orders"),
    Word("score", DESK, "desk", "score"),
    Word("pauses", PLATFORM, "declaring", "pauses"),
    Word("exemptions", PLATFORM, "declaring", "exemptions"),
    Word("keys", PLATFORM, "keys", "keys"),
    Word("forget", PLATFORM, "keys", "forget"),
    Word("codec", PLATFORM, "codec", "codec"),
    Word("whatif", PLATFORM, "whatif", "whatif"),
    Word("ladder", PLATFORM, "declaring", "ladder"),
    Word("http", PLATFORM, "http", "http"),
    Word("inbox", PLATFORM, "inbox", "inbox"),
    Word("events", PLATFORM, "events", "events"),
    Word("archive", PLATFORM, "archive", "archive"),
    Word("notices", PLATFORM, "notices", "notices"),
    Word("webhooks", PLATFORM, "webhooks", "webhooks"),
    Word("books", MONEY, "books", "books"),
    Word("alerts", MONEY, "alerts", "alerts"),
    Word("limits", MONEY, "limits", "limits"),
    Word("gateway", MONEY, "gateway", "application"),
    Word("orders", MONEY, "shop", "orders"),
    Word("allowances", MONEY, "allowances", "allowances"),
    Word("parcels", MONEY, "shop", "parcels"),
)


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line, or as much of it as these arguments need: to load all takes longer than most commands do."""
    first = next(iter(arguments), "")
    known = [each for each in WORDS if each.word == first]
    if first == "--version" or (first and not known and not first.startswith("-")):
        return words_alone()  # what comes is the version, or that there is no such word
    whole = _empty()
    for word in known or WORDS:
        _join(whole, word)
    return whole


def words_alone() -> typer.Typer:
    """The first words and nothing behind them: to complete or to miss one, none of what they do has to be loaded."""
    whole = _empty()
    for word in WORDS:
        whole.command(word.word)(lambda: None)
    return whole


def _empty() -> typer.Typer:
    whole = typer.Typer(
        name="aftersales",
        help=_flowing(HELP),
        epilog=_flowing(EXIT_CODES),
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    # Without it, Typer would take a word that is alone for the whole command line.
    whole.callback()(_options)
    return whole


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aftersales {metadata.version('aftersales')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    del version


def _join(whole: typer.Typer, word: Word) -> None:
    module: Any = import_module(f"starter.commands.{word.module}")
    found = getattr(module, word.name)
    if isinstance(found, typer.Typer):
        _let_flow(found)
        whole.add_typer(found, name=word.word, rich_help_panel=word.panel)
    elif word.word in {"act", "bulk"}:
        whole.command(
            word.word,
            help=_flowing(found.__doc__),
            rich_help_panel=word.panel,
            epilog=import_module("starter.commands.acting").fields_of_all_commands(),
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        )(found)
    else:
        whole.command(word.word, help=_flowing(found.__doc__), rich_help_panel=word.panel)(found)


def _let_flow(group: typer.Typer) -> None:
    for each in [*group.registered_commands, *filter(None, [group.registered_callback])]:
        if each.callback and each.callback.__doc__:
            each.help = _flowing(each.callback.__doc__)
    for inner in group.registered_groups:
        if inner.typer_instance:
            _let_flow(inner.typer_instance)


def _flowing(text: str) -> str:
    """The paragraphs of a text without the line ends of its source: the terminal's width breaks them."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in cleandoc(text).split("\n\n"))

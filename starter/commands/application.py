"""The command line as a whole: its words, its exit codes, its groups."""

import typer

from starter.commands import (
    acting,
    books,
    clock,
    declaring,
    demonstration,
    desk,
    diagnosis,
    disputing,
    gateway,
    keys,
    listing,
    opening,
    processes,
    shop,
    viewing,
)

HELP = """
After-sales cases for marketplaces that keep their deadlines: refunds, cancellations, returns, exchanges, disputes,
compensation for late shipment, withdrawals and expiry of allowances.

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

application = typer.Typer(
    name="aftersales",
    help=HELP,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RUNNING = "Running it"
CASES = "Cases"
DESK = "The merchant's back end"
PLATFORM = "The platform"
MONEY = "Money and the world outside"

application.command("demo", rich_help_panel=RUNNING)(demonstration.demo)
application.command("up", rich_help_panel=RUNNING)(processes.up)
application.command("worker", rich_help_panel=RUNNING)(processes.worker)
application.command("setup", rich_help_panel=RUNNING)(processes.setup)
application.command("doctor", rich_help_panel=RUNNING)(diagnosis.doctor)
application.add_typer(opening.application, name="open", rich_help_panel=CASES)
application.command(
    "act",
    rich_help_panel=CASES,
    epilog=acting.fields_of_all_commands(),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(acting.act)
application.command("show", rich_help_panel=CASES)(viewing.show)
application.command("log", rich_help_panel=CASES)(viewing.log)
application.command("outcome", rich_help_panel=CASES)(viewing.outcome)
application.command("list", rich_help_panel=CASES)(listing.list_cases)
application.add_typer(disputing.statements, name="statements", rich_help_panel=CASES)
application.command("evidence", rich_help_panel=CASES)(disputing.evidence)
application.command("fast-forward", rich_help_panel=CASES)(clock.fast_forward)
application.add_typer(desk.addresses, name="addresses", rich_help_panel=DESK)
application.add_typer(desk.flags, name="flags", rich_help_panel=DESK)
application.add_typer(desk.remarks, name="remarks", rich_help_panel=DESK)
application.command("score", rich_help_panel=DESK)(desk.score)
application.add_typer(declaring.pauses, name="pauses", rich_help_panel=PLATFORM)
application.add_typer(declaring.exemptions, name="exemptions", rich_help_panel=PLATFORM)
application.add_typer(keys.keys, name="keys", rich_help_panel=PLATFORM)
application.command("forget", rich_help_panel=PLATFORM)(keys.forget)
application.command("ladder", rich_help_panel=PLATFORM)(declaring.ladder)
application.command("books", rich_help_panel=MONEY)(books.books)
application.add_typer(gateway.application, name="gateway", rich_help_panel=MONEY)
application.add_typer(shop.orders, name="orders", rich_help_panel=MONEY)
application.add_typer(shop.allowances, name="allowances", rich_help_panel=MONEY)
application.add_typer(shop.parcels, name="parcels", rich_help_panel=MONEY)

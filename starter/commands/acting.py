"""``aftersales act``: every command that a case takes, built from the command models themselves."""

import asyncio
import difflib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, cast, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.text import Text

from starter.commands import viewing, wording
from starter.commands.failures import UsageError
from starter.commands.opening_options import BankAccount, Evidence, EvidenceFile
from starter.commands.printing import Json, answer
from starter.commands.reaching import service
from starter.commands.typed_request import DEFAULT_CURRENCY, MOST_PLACES
from starter.commands.viewing import CaseId
from starter.commands.words_file import WordsToKeep
from workflows.messages.commands import (
    CaseSettled,
    Command,
    DisputeIntervened,
    LineQuantity,
    PausesChanged,
    Propose,
    RulingTold,
)
from workflows.messages.proposals import ProposalKind
from workflows.messages.seen import Deciding

_BETWEEN_WORKFLOWS: Final = frozenset({DisputeIntervened, RulingTold, CaseSettled, PausesChanged})
"""What cases, disputes and declarations tell each other: nobody says it in their place."""

COMMANDS: Final[Mapping[str, type[Command]]] = {
    kind.command_name(): kind for kind in Command.__subclasses__() if kind not in _BETWEEN_WORKFLOWS
}

AMOUNTS: Final = frozenset({"amount", "freight", "freight_paid", "compensation"})
"""Fields in minor units, which are typed in decimals of the case's currency."""

_OF_OPTIONS: Final = {
    "key": "",
    "by": "",
    "evidence": "--evidence",
    "lines": "--line",
    "method": "--bank-account",
    "expects": "--expects",
    "terms": f"--terms.kind={'|'.join(ProposalKind)} --terms.FIELD",
}
"""Fields that have options of their own."""


def _names(incomplete: str) -> list[str]:
    return [name for name in COMMANDS if name.startswith(incomplete)]


def act(
    context: typer.Context,
    case: CaseId,
    command: Annotated[
        str,
        typer.Argument(
            metavar="COMMAND",
            help="approve, reject, withdraw, ...; all of them stand below.",
            autocompletion=_names,
        ),
    ],
    by: Annotated[str, typer.Option("--as", help="Who acts: merchant:m-1, buyer:b-1, platform:o-1, carrier:sf.")],
    key: Annotated[
        str | None, typer.Option(help="One key, one command, however often it is sent. By default a new one.")
    ] = None,
    evidence: Evidence = None,
    evidence_file: EvidenceFile = None,
    line: Annotated[
        list[str] | None, typer.Option("--line", help="LINE:QUANTITY:AMOUNT, the amount in decimals.")
    ] = None,
    bank_account: BankAccount = None,
    words_file: Annotated[
        Path | None,
        typer.Option(help="A file with what is said, or asked for, in words: kept in the vault.", dir_okay=False),
    ] = None,
    expects: Annotated[
        str | None,
        typer.Option(
            help="VERSION:AMOUNT, as [cyan]aftersales show[/] has it: what a decision is about. By default the case as "
            "it stands now; a case that has moved on refuses it."
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the case has ended, and show its outcome.")] = False,
    signal: Annotated[
        bool,
        typer.Option("--signal", help="Send and forget: a command that does not fit is noted in the case's log."),
    ] = False,
    as_json: Json = False,
) -> int:
    """Send a command to a case: what its actor wants. The rulebook decides, and says why if it refuses.

    Other fields of a command are given as --FIELD VALUE: nested ones with a point, several values by naming the field
    several times, amounts in decimals of the case's currency, moments in ISO 8601 or as "now".

    [cyan]aftersales act refund/O-1/k-1 approve --as merchant:m-1[/]

    [cyan]aftersales act refund/O-1/k-1 reject --as merchant:m-1 --reason goods_shipped --evidence-file waybill.jpg
    --shipping.carrier sf --shipping.tracking-no SF123 --shipping.shipped-at now[/]

    [cyan]aftersales act dispute/refund/O-1/k-1/d1 demand_evidence --as platform:o-1
    --of merchant --words-file what.txt[/]

    [cyan]aftersales act return/O-1/k-1 agree_return --as merchant:m-1 --clauses no_ems --clauses no_sf_express[/]
    """
    model = command_called(command)
    if wait and signal:
        raise UsageError("a signal has no answer to wait for", "--wait")
    body = fields(model, context.args)
    body |= {"key": key or f"cli-{uuid.uuid4().hex[:16]}", "by": wording.actor(by)}
    if evidence or evidence_file:
        body["evidence"] = wording.evidence(evidence or [], evidence_file or [])
    if line and model is Propose:
        body["terms"] = {**body.get("terms", {}), "lines": wording.lines(line)}
    elif line:
        body["lines"] = wording.lines(line)
    if "method" in model.model_fields:
        body["method"] = {"route": "bank_transfer", "account": bank_account} if bank_account else {"route": "original"}
    elif bank_account:
        raise UsageError(f"{command} has no such field", "--bank-account")
    if expects and not issubclass(model, Deciding):
        raise UsageError(f"{command} has no such field", "--expects")
    if expects:
        body["expects"] = wording.seen(expects)
    words = WordsToKeep(words_file, model, body, case) if words_file else None
    made(model, words.body if words else body, MOST_PLACES)  # wrong in any currency: said before anybody is asked
    return asyncio.run(_send(case, model, body, words, wait=wait, signal=signal, as_json=as_json))


def made(model: type[Command], body: Mapping[str, Any], currency: str) -> Command:
    """The command that was typed, its amounts in minor units of ``currency``.

    Raises:
        UsageError: a field is missing or wrong, or an amount has more places than the currency.
    """
    return wording.built(model, wording.in_minor_units(body, currency))


async def _send(
    identifier: str,
    model: type[Command],
    body: Mapping[str, Any],
    words: WordsToKeep | None,
    *,
    wait: bool,
    signal: bool,
    as_json: bool,
) -> int:
    async with service() as aftersales:
        case = aftersales.case(identifier)
        decides = issubclass(model, Deciding)
        shown = await case.view() if decides or wording.has_amounts(body) else None
        if decides and shown and shown.seen and "expects" not in body:  # R11: and nothing that comes from now on
            body = {**body, "expects": shown.seen.model_dump()}
        if words:
            body = await words.kept(aftersales, body)
        command = made(model, body, shown.asked.currency if shown and shown.asked else DEFAULT_CURRENCY)
        if signal:
            await case.tell(command)
            document = {"case_id": identifier, "sent": command.command_name(), "key": command.key}
            answer(as_json, document, Text(f"sent {command.command_name()} with key {command.key}"))
        elif wait:
            outcome = await case.act_and_wait(command)
            answer(as_json, outcome, viewing.outcome_page(outcome))
        else:
            view = await case.act(command)
            answer(as_json, view, viewing.case_page(view, datetime.now(UTC)))
    return 0


def command_called(name: str) -> type[Command]:
    """The command that somebody has typed, ``-`` for ``_`` allowed.

    Raises:
        UsageError: there is none of this name.
    """
    wanted = name.replace("-", "_")
    model = COMMANDS.get(wanted)
    if model is None:
        near = difflib.get_close_matches(wanted, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
        raise UsageError(f"there is no command {name}; {hint}", "COMMAND")
    return model


def fields(model: type[Command], words: list[str]) -> dict[str, Any]:
    """``--shipping.carrier sf`` as ``{"shipping": {"carrier": "sf"}}``, each value as its field is typed.

    Raises:
        UsageError: a word is no option, an option has no value, or is given twice.
    """
    body: dict[str, Any] = {}
    left = list(words)
    while left:
        option, _, value = left.pop(0).partition("=")
        if not option.startswith("--"):
            raise UsageError(f"unexpected word {option}")
        *path, name = option.removeprefix("--").replace("-", "_").split(".")
        field = None if path else model.model_fields.get(name)
        if not value and field and field.annotation is bool:
            value = "true"
        if not value:
            if not left:
                raise UsageError("needs a value", option)
            value = left.pop(0)
        place = body
        for part in path:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UsageError("is both a field and a group of fields", option)
            place = cast("dict[str, Any]", inner)
        if field and _several(field):
            place.setdefault(name, []).append(_value(name, field, value, option))
        elif name in place:
            raise UsageError("is given twice", option)
        else:
            place[name] = _value(name, field, value, option)
    return body


def _value(name: str, field: FieldInfo | None, text: str, option: str) -> Any:
    if name in AMOUNTS:
        return wording.amount(text, option)
    if field and _nested(field) is LineQuantity:
        return wording.quantity(text, option)
    return datetime.now(UTC).isoformat() if text == "now" else text


def fields_of_all_commands() -> str:
    """Every command with its fields, for the help page."""
    return "[bold]Commands and their fields[/]\n\n" + "\n\n".join(
        f"[cyan]{name}[/] {' '.join(_options(model))}".rstrip() for name, model in COMMANDS.items()
    )


def _options(model: type[BaseModel]) -> list[str]:
    options: list[str] = []
    for name, field in model.model_fields.items():
        nested = _nested(field)
        if name in _OF_OPTIONS:
            option = _OF_OPTIONS[name]
        elif nested is LineQuantity:
            option = _option(name) + "=LINE:QUANTITY"
        elif nested:
            option = " ".join(_option(f"{name}.{inner}") for inner in nested.model_fields)
        else:
            option = _option(name) + _choices(field)
        if option:
            options.append(option if field.is_required() and name != "method" else f"({option})")
    return options


def _option(path: str) -> str:
    return "--" + path.replace("_", "-")


def _choices(field: FieldInfo) -> str:
    choices = next((kind for kind in _kinds(field) if issubclass(kind, StrEnum)), None)
    return f"={'|'.join(choices)}" if choices else ""


def _nested(field: FieldInfo) -> type[BaseModel] | None:
    return next((kind for kind in _kinds(field) if issubclass(kind, BaseModel)), None)


def _several(field: FieldInfo) -> bool:
    return any(get_origin(each) is tuple for each in _layers(field))


def _kinds(field: FieldInfo) -> list[type]:
    """The types that a field is made of, without what they are wrapped in."""
    return [each for each in _layers(field) if isinstance(each, type) and not get_args(each)]


def _layers(field: FieldInfo) -> list[object]:
    """A field's annotation, and all that it wraps."""
    layers: list[object] = [field.annotation]
    for each in layers:
        layers += get_args(each)
    return layers

"""The virtual number 虚拟号 of one order, sub-order or case: bound, void, obtained again (P3).

Not a case: it has no deadline that decides, and no money. But it is decided on in the same way: a handler looks at the
number as it stands and says what the provider is to be asked, and what follows from the answer. Who may ask for what,
until when, is in ``workflows.rules.virtual_numbers``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from workflows.messages.cases import Refusal
from workflows.messages.virtual_numbers import (
    Binding,
    BindNumber,
    ExtendNumber,
    KeepNumberFacts,
    NumberBound,
    NumberCommand,
    NumberExtended,
    NumberState,
    NumberSubject,
    NumberTerms,
    ObtainNumber,
    RenewNumber,
    UnbindNumber,
)
from workflows.rules import virtual_numbers as rules
from workflows.rules.refusals import refused

Call: TypeAlias = BindNumber | ExtendNumber | KeepNumberFacts
"""What the provider, or the book, is asked while somebody waits."""


@dataclass(frozen=True)
class Number:
    """A subject's number at one moment."""

    subject: NumberSubject
    state: NumberState
    terms: NumberTerms
    now: datetime
    """In UTC."""

    def but(self, **changed: Any) -> Number:
        """The same with these fields of its state changed."""
        return replace(self, state=self.state.model_copy(update=changed))


@dataclass(frozen=True)
class NumberDecision:
    """What is to happen now; an empty one: the command is carried out."""

    state: NumberState | None = None
    """The state from now on, before anything is asked; None for no change."""
    once_let_go: bool = False
    """Wait until the provider has let go of the last number: ``then`` is told whether it has."""
    call: Call | None = None
    summary: str = ""
    """What the call is, for operators."""
    then: Callable[[Number, Any], NumberDecision] | None = None
    """Told the answer to the call, None where the provider did not answer in time."""
    refuse: Refusal | None = None
    for_all_who_ask: bool = False
    """Whoever asked for a number meanwhile is not made to wait for the same refusal once more."""


def carry_out(number: Number, command: NumberCommand) -> NumberDecision:
    """What a command does that has been let in."""
    if (refusal := rules.refusal(command, number.subject.scope, number.state, number.terms, number.now)) is not None:
        return NumberDecision(refuse=refusal)
    match command:
        case ObtainNumber():
            return NumberDecision(once_let_go=True, then=_obtain)
        case RenewNumber():
            return _renew(number)
        case _:
            return _learn(number, command)


def _obtain(number: Number, let_go: bool) -> NumberDecision:
    """P3: the number that is bound, or another one; in doubt from when on the provider may hear of it."""
    if not let_go:
        return NumberDecision(refuse=_unreachable(), for_all_who_ask=True)
    state = number.state
    if state.binding and state.binding.number:
        return NumberDecision()
    granted = rules.obtainable(number.subject.scope, state.facts, number.terms, number.now, state.time_zone)
    if isinstance(granted, Refusal):
        return NumberDecision(refuse=granted)
    no = state.unbound + 1
    in_doubt = number.but(binding=Binding(no=no, number=None, until=granted.until))

    def told(number: Number, bound: NumberBound | None) -> NumberDecision:
        if bound is None:
            return NumberDecision(refuse=_unreachable(), for_all_who_ask=True)
        if bound.refusal:
            none = number.but(binding=None, unbound=no)
            return NumberDecision(state=none.state, refuse=bound.refusal, for_all_who_ask=True)
        return NumberDecision(state=number.but(binding=Binding(no=no, number=bound.number, until=granted.until)).state)

    asking = BindNumber(
        subject=number.subject,
        order_no=state.order_no,
        no=no,
        until=granted.until,
        wanted=rules.wanted(state),
        at=number.now,
    )
    return NumberDecision(state=in_doubt.state, call=asking, summary=f"bind number {no}", then=told)


def _renew(number: Number) -> NumberDecision:
    """P3: a case's number is valid for its whole time again; one that the provider has lost is lost."""
    binding = number.state.binding
    if binding is None:
        raise ValueError("only what is bound is renewed")
    until = number.now + timedelta(days=number.terms.case_days)

    def told(number: Number, extended: NumberExtended | None) -> NumberDecision:
        if extended is None:
            return NumberDecision(refuse=_unreachable())
        if extended.refusal:
            lost = number.but(binding=None, unbound=binding.no, lapsed=binding.number)
            return NumberDecision(state=lost.state, refuse=extended.refusal)
        return NumberDecision(state=number.but(binding=binding.model_copy(update={"until": until})).state)

    asking = ExtendNumber(subject=number.subject, no=binding.no, until=until, at=number.now)
    return NumberDecision(call=asking, summary=f"renew number {binding.no}", then=told)


def _learn(number: Number, command: NumberCommand) -> NumberDecision:
    """What has happened is written down before it is answered: it outlives whoever carries the number."""
    facts = rules.told(command, number.state.facts)
    if facts == number.state.facts:
        return NumberDecision()

    def kept(number: Number, _: object) -> NumberDecision:
        return NumberDecision(state=number.but(facts=facts).state)

    keeping = KeepNumberFacts(subject=number.subject, facts=facts, at=number.now)
    return NumberDecision(call=keeping, summary=f"keep: {command.command_name()}", then=kept)


def to_unbind(number: Number) -> UnbindNumber | None:
    """P3: what the provider is to let go of, because it is void; None where nothing is."""
    binding = number.state.binding
    if binding is None or not rules.is_void(binding, number.state.facts, number.now):
        return None
    return UnbindNumber(subject=number.subject, no=binding.no, at=number.now)


def let_go(number: Number, no: int) -> NumberState:
    """The state once the provider has let go of a binding; the number may be wanted again (P3)."""
    binding = number.state.binding
    lapsed = {"lapsed": binding.number} if binding and binding.no == no and binding.number else {}
    return number.but(binding=None, unbound=no, **lapsed).state


def _unreachable() -> Refusal:
    explanation = "the provider of numbers does not answer: ask again"
    return refused("provider_unreachable", "subject", "P3", explanation)

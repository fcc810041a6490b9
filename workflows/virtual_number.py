"""The virtual number 虚拟号 of one order, sub-order or case: bound, void, obtained again (P3).

It lives for as long as a number can be obtained: an order's until three months after its completion, a case's with
its number. All commands go through one queue, and one place waits for a command or for what is due. While the
provider is asked, whoever else asks waits for the same answer, so that all get the same number; a provider that does
not answer is given up on soon, and the number stays in doubt until it is asked for again, or unbound.

What must outlive the workflow is written down by its activities: a run that begins later knows it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from workflows.messages.cases import Refusal
from workflows.messages.sealed import why_refused
from workflows.messages.virtual_numbers import (
    BecameSubscription,
    Binding,
    BindNumber,
    ExtendNumber,
    FindNumberSubject,
    KeepNumberFacts,
    NumberBound,
    NumberCommand,
    NumberExtended,
    NumberStart,
    NumberState,
    NumberView,
    ObtainNumber,
    OrderCompleted,
    ReleaseNumber,
    RenewNumber,
    UnbindNumber,
    bind_number,
    extend_number,
    find_number_subject,
    keep_number_facts,
    unbind_number,
)
from workflows.queues import queue_for
from workflows.rules import bilingual
from workflows.rules import virtual_numbers as rules
from workflows.rules.admission import fingerprint, not_sealed, read
from workflows.rules.moments import refused_moment
from workflows.rules.refusals import refused
from workflows.shell.answers import local_first, soon_answered, until_answered
from workflows.shell.clock import TIMER_SLACK
from workflows.shell.refusing import refused_command
from workflows.starts import reads_its_start
from workflows.unopened import KeyIsGone, unopened
from workflows.versions import LASTS_MONTHS

Given = TypeVar("Given")
Found = TypeVar("Found")
EntityType = TypeVar("EntityType", bound=type["VirtualNumberEntity"])

SOON = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=2), maximum_attempts=5
)
"""How often a provider is asked while somebody waits for the answer."""
ONE_CALL = timedelta(seconds=8)
ALL_CALLS = timedelta(seconds=20)
"""Less than a caller's patience."""

KEYS_KEPT = 100
"""Of the commands that were carried out; one that is older than that counts as new."""


@dataclass
class _Ask:
    command: NumberCommand
    answered: bool = False
    refusal: Refusal | None = None


def _takes(*commands: type[NumberCommand]) -> Callable[[EntityType], EntityType]:
    """Give the entity an update for each command, under its name."""

    def decorate(entity: EntityType) -> EntityType:
        entity.commands = commands
        for command in commands:
            setattr(entity, f"{command.command_name()}_update", _update(command))
        return reads_its_start(entity)

    return decorate


def _update(command_type: type[NumberCommand]) -> Any:
    async def handle(self: "VirtualNumberEntity", *values: object) -> NumberView:
        if unopened(values):  # it was read when it was accepted
            raise KeyIsGone
        command = _read(self, values)
        if (refusal := await self.take(command)) is not None:
            raise refused_command(refusal, self.view_for(command))
        return self.view()

    def validate(self: "VirtualNumberEntity", *values: object) -> None:
        command = _read(self, values)
        why = why_refused(values[0], workflow.info().workflow_id)
        if why and not self.stranger(command):
            raise refused_command(not_sealed(why), None)
        if (refusal := self.refusal_now(command)) is not None:
            raise refused_command(refusal, self.view_for(command))

    def _read(entity: "VirtualNumberEntity", values: tuple[object, ...]) -> NumberCommand:
        if entity.unreadable:
            raise entity.unreadable
        command = read(values, command_type)
        if isinstance(command, Refusal):  # nobody knows who has sent it, and so nothing is told (section 12)
            raise refused_command(command, None)
        return command

    for handler in (handle, validate):
        # The SDK takes a first parameter for `self` only where it has no annotation.
        del handler.__annotations__["self"]
    update = workflow.update(name=command_type.command_name(), description=command_type.__doc__)(handle)
    update.validator(validate)
    return update


@workflow.defn(name="VirtualNumber", versioning_behavior=LASTS_MONTHS)
@_takes(ObtainNumber, RenewNumber, OrderCompleted, BecameSubscription, ReleaseNumber)
class VirtualNumberEntity:
    """See the module."""

    started_with: ClassVar[type[NumberStart]]
    unreadable: ApplicationError | None
    commands: ClassVar[tuple[type[NumberCommand], ...]] = ()

    @workflow.init
    def __init__(self, start: NumberStart) -> None:
        """Build all state: a command may be handled before ``run`` begins."""
        self._start = start
        self._subject = start.subject
        self._terms = start.terms
        self._state = start.state
        self._unknown: Refusal | None = None
        self._asks: deque[_Ask] = deque()
        self._in_flight: dict[str, _Ask] = {}
        self._leaving: asyncio.Task[None] | None = None
        self._show()

    @workflow.run
    async def run(self, start: NumberStart) -> NumberView:
        """Keep the number; how it stands once nothing can be obtained any more."""
        del start
        return await self._undisturbed(self._live())

    @workflow.query(name="view", description="The number as it stands.")
    def view(self) -> NumberView:
        """The number as it stands."""
        if self.unreadable:
            raise self.unreadable
        return rules.view_of(self._subject, self._state, self._terms, self._now(), unknown=self._unknown is not None)

    # What the handlers call -------------------------------------------------------------------------

    def stranger(self, command: NumberCommand) -> Refusal | None:
        """P2: who asks is looked at first, as soon as it is known whose the order or case is."""
        return rules.refused_stranger(command, self._state) if self._state else None

    def refusal_now(self, command: NumberCommand) -> Refusal | None:
        """Why ``command`` is refused as things stand, or None; while something is under way, wait and see."""
        if (stranger := self.stranger(command)) is not None:
            return stranger
        if command.subject.name != self._subject.name:
            return refused("wrong_subject", "subject", "P3", "this workflow keeps another number")
        if self._was_heard(command):
            return self._key_reused(command)
        if (impossible := refused_moment(command, now=self._now())) is not None:  # R18
            return impossible
        if self._in_flight:
            return None
        if self._state is None:
            return self._unknown
        return self._refusal(command, self._state)

    async def take(self, command: NumberCommand) -> Refusal | None:
        """Carry ``command`` out in its turn; None once it is done, else the refusal."""
        if (stranger := self.stranger(command)) is not None:
            return stranger
        if (reused := self._key_reused(command)) is not None:
            return reused
        ask = self._in_flight.get(command.key)
        if ask is None:
            if self._was_heard(command):
                return None
            ask = self._in_flight[command.key] = _Ask(command)
            self._asks.append(ask)
        await workflow.wait_condition(lambda: ask.answered)
        return ask.refusal

    def view_for(self, command: NumberCommand) -> NumberView | None:
        """The number as it stands, for a refusal; None where the sender may not see it (P2)."""
        asks_for_it = command.subject == self._subject
        return self.view() if asks_for_it and rules.may_see(command.by, self._state) else None

    # The life of a number ---------------------------------------------------------------------------

    async def _live(self) -> NumberView:
        if self._state is None:
            await self._find()
        while True:
            self._let_go_of_what_is_void()
            self._show()
            if self._asks:
                ask = self._asks[0]
                self._answer(ask, await self._carry_out(ask.command))
            elif not workflow.all_handlers_finished():
                await workflow.wait_condition(lambda: bool(self._asks) or workflow.all_handlers_finished())
            elif self._is_over():
                return self.view()
            elif self._is_long():
                workflow.continue_as_new(self._start.model_copy(update={"state": self._state}))
            else:
                await self._wait()

    async def _find(self) -> None:
        if workflow.info().workflow_id != self._subject.workflow_id:
            explanation = f"the workflow id of this subject must be {self._subject.workflow_id}"
            self._unknown = refused("wrong_id", "workflow_id", "section 11", explanation)
            return
        found = await local_first(find_number_subject, FindNumberSubject(subject=self._subject, at=workflow.now()))
        self._state, self._unknown = found.state, found.refusal

    async def _carry_out(self, command: NumberCommand) -> Refusal | None:
        if self._state is None:
            return self._unknown
        if (refusal := self._refusal(command, self._state)) is not None:
            return refusal
        match command:
            case ObtainNumber():
                return await self._obtain()
            case RenewNumber():
                return await self._renew()
            case _:
                return await self._learn(command)

    async def _obtain(self) -> Refusal | None:
        """P3: the number that is bound, or another one."""
        if self._leaving and not await self._has_left():
            return self._for_all_who_ask(_unreachable())
        state = self._known
        if state.binding and state.binding.number:
            return None
        granted = rules.obtainable(self._subject.scope, state.facts, self._terms, workflow.now())
        if isinstance(granted, Refusal):
            return granted
        # In doubt from the moment on at which the provider may hear of it.
        no = state.unbound + 1
        self._change(binding=Binding(no=no, number=None, until=granted.until))
        asking = BindNumber(
            subject=self._subject,
            order_no=state.order_no,
            no=no,
            until=granted.until,
            wanted=rules.wanted(state),
            at=workflow.now(),
        )
        bound = await _soon_answered(bind_number, asking, f"bind number {no}", _is_told)
        if bound is None:
            return self._for_all_who_ask(_unreachable())
        if bound.refusal:
            self._change(binding=None, unbound=no)
            return self._for_all_who_ask(bound.refusal)
        self._change(binding=Binding(no=no, number=bound.number, until=granted.until))
        return None

    async def _renew(self) -> Refusal | None:
        """P3: a case's number is valid for its whole time again."""
        binding = self._known.binding
        if binding is None:
            raise ValueError("only what is bound is renewed")
        no = binding.no
        until = workflow.now() + timedelta(days=self._terms.case_days)
        extending = ExtendNumber(subject=self._subject, no=no, until=until, at=workflow.now())
        extended = await _soon_answered(
            extend_number, extending, f"renew number {no}", lambda each: _is_about(each, no)
        )
        if extended is None:
            return _unreachable()
        if extended.refusal:
            self._change(binding=None, unbound=no, lapsed=binding.number)
        else:
            self._change(binding=binding.model_copy(update={"until": until}))
        return extended.refusal

    async def _learn(self, command: NumberCommand) -> None:
        """What has happened is written down before it is answered: it outlives this workflow."""
        facts = rules.told(command, self._known.facts)
        if facts == self._known.facts:
            return
        keeping = KeepNumberFacts(subject=self._subject, facts=facts, at=workflow.now())
        await until_answered(keep_number_facts, keeping, seconds=30, summary=f"keep: {command.command_name()}")
        self._change(facts=facts)

    def _let_go_of_what_is_void(self) -> None:
        """P3: unbind when due. Nobody waits for it but who asks for the next number."""
        state = self._state
        if state and state.binding and self._leaving is None and rules.is_void(state.binding, state.facts, self._now()):
            self._leaving = asyncio.create_task(self._let_go(state.binding))

    async def _let_go(self, binding: Binding) -> None:
        await until_answered(
            unbind_number,
            UnbindNumber(subject=self._subject, no=binding.no, at=workflow.now()),
            seconds=30,
            summary=f"unbind number {binding.no}",
            task_queue=queue_for(unbind_number),
        )
        lapsed = {"lapsed": binding.number} if binding.number else {}
        self._change(binding=None, unbound=binding.no, **lapsed)
        self._leaving = None

    async def _has_left(self) -> bool:
        """Whether the provider has let go of the last number; it is not waited for without end."""
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._leaving is None, timeout=ALL_CALLS)
        return self._leaving is None

    # Inside -----------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        """For a command, for what is due, for the provider to have let go, or for the run to have grown long."""
        due, leaving = self.view().until, self._leaving
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: bool(self._asks) or self._leaving is not leaving or self._is_long(),
                timeout=due - workflow.now() if due else None,
                timeout_summary=f"{self.view().stage} (P3)",
            )

    def _is_over(self) -> bool:
        if self._state is None:
            return True
        return rules.is_over(self._subject.scope, self._state, self._terms, self._now())

    def _is_long(self) -> bool:
        info = workflow.info()
        return info.get_current_history_length() >= self._start.events_per_run or info.is_continue_as_new_suggested()

    def _now(self) -> datetime:
        """Timers are kept in whole milliseconds: what rings a hair early is due."""
        return workflow.now() + TIMER_SLACK

    @property
    def _known(self) -> NumberState:
        if self._state is None:
            raise ValueError("the subject is not known yet")
        return self._state

    def _refusal(self, command: NumberCommand, state: NumberState) -> Refusal | None:
        return rules.refusal(command, self._subject.scope, state, self._terms, self._now())

    def _change(self, **changes: object) -> None:
        self._state = self._known.model_copy(update=changes)
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(rules.current_details(self.view(), bilingual.in_force()))

    def _answer(self, ask: _Ask, refusal: Refusal | None) -> None:
        """Tell whoever waits. A refused command is not remembered: sent again, it is tried again."""
        if ask.answered:
            return
        self._asks.remove(ask)
        del self._in_flight[ask.command.key]
        ask.answered, ask.refusal = True, refusal
        if refusal is None and self._state:
            heard = {**self._state.heard, ask.command.key: fingerprint(ask.command)}
            self._change(heard=dict(list(heard.items())[-KEYS_KEPT:]))
            self._let_go_of_what_is_void()

    def _for_all_who_ask(self, refusal: Refusal) -> Refusal:
        """Whoever has asked meanwhile is not made to wait for the same answer once more."""
        for ask in [each for each in self._asks if isinstance(each.command, ObtainNumber)]:
            self._answer(ask, self._refusal(ask.command, self._known) or refusal)
        return refusal

    def _was_heard(self, command: NumberCommand) -> bool:
        return command.key in self._in_flight or bool(self._state and command.key in self._state.heard)

    def _key_reused(self, command: NumberCommand) -> Refusal | None:
        ask = self._in_flight.get(command.key)
        heard = self._state.heard.get(command.key) if self._state else None
        known = fingerprint(ask.command) if ask else heard
        if known in (None, fingerprint(command)):
            return None
        return refused("key_reused", "key", "section 11", "another command has been sent under this key")

    async def _undisturbed(self, life: Coroutine[Any, Any, NumberView]) -> NumberView:
        """A cancellation from outside leaves no number bound behind: it is passed over, as by every case."""
        task = asyncio.create_task(life)
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.done():
                    raise


def _unreachable() -> Refusal:
    explanation = "the provider of numbers does not answer: ask again"
    return refused("provider_unreachable", "subject", "P3", explanation)


async def _soon_answered(
    activity: Callable[[Given], Awaitable[Found]], given: Given, summary: str, fits: Callable[[Found], bool]
) -> Found | None:
    return await soon_answered(
        activity,
        given,
        one_call=ONE_CALL,
        all_calls=ALL_CALLS,
        retries=SOON,
        summary=summary,
        task_queue=queue_for(activity),
        fits=fits,
    )


def _is_told(bound: NumberBound) -> bool:
    return bool(bound.number or bound.refusal)


def _is_about(extended: NumberExtended, no: int) -> bool:
    """Whether the answer is about this binding; a worker of before it said so wrote every field out."""
    return extended.no == no or (extended.no is None and extended.model_fields_set == {"refusal"})

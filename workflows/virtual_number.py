"""A virtual number on Temporal: what ``workflows.kinds.virtual_number`` decides is carried out here (P3).

It lives for as long as a number can be obtained: an order's until three months after its completion, a case's with
its number. All commands go through one queue, and one place waits for a command or for what is due. While the
provider is asked, whoever else asks waits for the same answer, so that all get the same number; a provider that does
not answer is given up on soon, and the number stays in doubt until it is asked for again, or unbound.

What must outlive the workflow is written down by its activities: a run that begins later knows it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from workflows.kinds import virtual_number as deciding
from workflows.kinds.virtual_number import Call, Number
from workflows.messages.cases import Refusal
from workflows.messages.virtual_numbers import (
    BecameSubscription,
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
from workflows.rules.admission import fingerprint, not_sealed
from workflows.rules.moments import refused_moment
from workflows.rules.refusals import refused
from workflows.shell.answers import local_first, soon_answered, until_answered
from workflows.shell.clock import TIMER_SLACK
from workflows.shell.handlers import number_update
from workflows.shell.undisturbed import undisturbed
from workflows.starts import reads_its_start
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


@workflow.defn(name="VirtualNumber", versioning_behavior=LASTS_MONTHS)
@reads_its_start
class VirtualNumberEntity:
    """See the module."""

    obtain_number = number_update(ObtainNumber)
    renew_number = number_update(RenewNumber)
    order_completed = number_update(OrderCompleted)
    became_subscription = number_update(BecameSubscription)
    release_number = number_update(ReleaseNumber)

    started_with: ClassVar[type[NumberStart]]
    unreadable: ApplicationError | None
    commands: ClassVar[tuple[type[NumberCommand], ...]] = (
        ObtainNumber,
        RenewNumber,
        OrderCompleted,
        BecameSubscription,
        ReleaseNumber,
    )

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

    @workflow.run
    async def run(self, start: NumberStart) -> NumberView:
        """Keep the number; how it stands once nothing can be obtained any more."""
        del start
        return await undisturbed(self._live(), lambda: None)  # it would leave a number bound behind

    @workflow.query(name="view", description="The number as it stands.")
    def view(self) -> NumberView:
        """The number as it stands."""
        if self.unreadable:
            raise self.unreadable
        return rules.view_of(self._subject, self._state, self._terms, self._now(), unknown=self._unknown is not None)

    def operators_page(self, at: datetime) -> str:
        """Its page in the Web UI, in Markdown; written when somebody asks for it (section 12)."""
        del at  # it says until when, and not how long that is
        return "" if self.unreadable else rules.page(self.view(), bilingual.in_force())

    # What the handlers call -------------------------------------------------------------------------

    @property
    def intake(self) -> "VirtualNumberEntity":
        """What a command meets before it is carried out."""
        return self

    def refused_on_sight(self, command: NumberCommand, why: str | None = None) -> Refusal | None:
        """P6: ``why`` is what is to be said against its envelope. A stranger is not told of it (section 12)."""
        return not_sealed(why) if why and not self.stranger(command) else None

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
        decision = deciding.carry_out(self._number, command)
        while True:
            if decision.state:
                self._become(decision.state)
            if decision.refuse:
                return self._for_all_who_ask(decision.refuse) if decision.for_all_who_ask else decision.refuse
            if decision.once_let_go:
                answer: object = self._leaving is None or await self._has_left()
            else:
                answer = await _answer_to(decision.call, decision.summary)
            if decision.then is None:
                return None
            decision = decision.then(self._number, answer)

    def _let_go_of_what_is_void(self) -> None:
        """P3: unbind when due. Nobody waits for it but who asks for the next number."""
        if self._state and self._leaving is None and (unbinding := deciding.to_unbind(self._number_when(self._now()))):
            self._leaving = asyncio.create_task(self._let_go(unbinding.no))

    async def _let_go(self, no: int) -> None:
        await until_answered(
            unbind_number,
            UnbindNumber(subject=self._subject, no=no, at=workflow.now()),
            seconds=30,
            summary=f"unbind number {no}",
            task_queue=queue_for(unbind_number),
        )
        self._become(deciding.let_go(self._number, no))
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
    def _number(self) -> Number:
        """The number as its handlers see it."""
        return self._number_when(workflow.now())

    def _number_when(self, now: datetime) -> Number:
        if self._state is None:
            raise ValueError("the subject is not known yet")
        return Number(self._subject, self._state, self._terms, now)

    def _refusal(self, command: NumberCommand, state: NumberState) -> Refusal | None:
        return rules.refusal(command, self._subject.scope, state, self._terms, self._now())

    def _become(self, state: NumberState) -> None:
        self._state = state

    def _answer(self, ask: _Ask, refusal: Refusal | None) -> None:
        """Tell whoever waits. A refused command is not remembered: sent again, it is tried again."""
        if ask.answered:
            return
        self._asks.remove(ask)
        del self._in_flight[ask.command.key]
        ask.answered, ask.refusal = True, refusal
        if refusal is None and self._state:
            heard = {**self._state.heard, ask.command.key: fingerprint(ask.command)}
            self._become(self._state.model_copy(update={"heard": dict(list(heard.items())[-KEYS_KEPT:])}))
            self._let_go_of_what_is_void()

    def _for_all_who_ask(self, refusal: Refusal) -> Refusal:
        """Whoever has asked meanwhile is not made to wait for the same answer once more."""
        for ask in [each for each in self._asks if isinstance(each.command, ObtainNumber)]:
            self._answer(ask, self._refusal(ask.command, self._number.state) or refusal)
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


async def _answer_to(call: Call | None, summary: str) -> object:
    """What the provider, or the book, says; None where the provider does not answer soon."""
    match call:
        case BindNumber():
            return await _soon_answered(bind_number, call, summary, _is_told)
        case ExtendNumber():
            return await _soon_answered(extend_number, call, summary, lambda each: _is_about(each, call.no))
        case KeepNumberFacts():
            return await until_answered(keep_number_facts, call, seconds=30, summary=summary)
        case None:
            return None


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

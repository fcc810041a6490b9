"""The payment gateway of a story that is told again: it answers each refund as the ledger says that it did (G7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from activities.gateways.payment import GatewayAnswer, NotFound, NotSent, NumberConflict, RefundInstruction
from starter.interpreter.gateway import CallbackToCome, GatewayRefund, MemoryGateway
from workflows.messages.actors import GATEWAY as THE_GATEWAY
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.payouts import LOST, RETURNED, STRANDED, LegState
from workflows.rules.legs import GATEWAY, US, AlertKind, LegEvent
from workflows.rules.number_conflicts import read

_EARLY: Final = timedelta(minutes=2)
"""Servers take their time: what was answered so much later is answered in memory already."""

_CALLBACK: Final = "callback:"

_RESULTS: Final = {
    LegState.SUCCEEDED: GatewayResult.SUCCEEDED,
    LegState.PROCESSING: GatewayResult.PROCESSING,
    LegState.FAILED: GatewayResult.FAILED,
    LegState.ABNORMAL: GatewayResult.ABNORMAL,
    LegState.UNKNOWN: GatewayResult.UNKNOWN,
}


@dataclass(frozen=True)
class Sending:
    """A refund was sent to the gateway once: what it answered from then on, and what it told by itself."""

    at: datetime
    answers: tuple[LegEvent, ...]
    callbacks: tuple[LegEvent, ...]


@dataclass
class _Course:
    """How far a refund has come that is told again."""

    sendings: Sequence[Sending]
    number: int = -1
    """Of the last sending."""
    began: datetime | None = None
    """When that was, in the story that is told."""
    heard: int = -1
    """Which of its answers was given last."""

    @property
    def sending(self) -> Sending:
        return self.sendings[self.number]


def sendings(said: Sequence[LegEvent]) -> tuple[Sending, ...]:
    """What was said of a refund, sending by sending; none for one that never came so far."""
    found: list[tuple[datetime, list[LegEvent], list[LegEvent]]] = []
    for event in said:
        if event.source == US and event.says is LegState.SUBMITTED:
            found.append((event.as_of, [], []))
        elif event.source == US and event.says is LegState.FAILED and not found:
            found.append((event.at, [event], []))  # the provider was known not to take it (X6)
        elif found and _is_answer(event):
            found[-1][1].append(event)
        elif found and event.source.startswith(_CALLBACK) and event.says in _RESULTS:
            found[-1][2].append(event)
    return tuple(Sending(at, tuple(answers), tuple(callbacks)) for at, answers, callbacks in found)


@dataclass
class PastGateway(MemoryGateway):
    """Answers as it did, as long after a sending as it did; a refund that was never sent it pays at once."""

    past: Mapping[str, Sequence[Sending]] = field(default_factory=dict[str, Sequence[Sending]])
    assumed: set[str] = field(default_factory=set[str])
    """The refunds of which nothing is known: that they are paid is taken for granted."""
    _courses: dict[str, _Course] = field(default_factory=dict[str, _Course])

    def submit(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer:
        """See MemoryGateway."""
        number = instruction.refund_no
        if not self.past.get(number):
            self.assumed.add(number)
            return super().submit(instruction, at)
        course = self._courses.setdefault(number, _Course(self.past[number]))
        course.number, course.began, course.heard = course.number + 1, at, -1
        self.refunds.setdefault(number, GatewayRefund(instruction, GatewayResult.PROCESSING, at))
        if course.number >= len(course.sendings):
            self.assumed.add(number)
            return _paid(instruction, at)
        self._announce(instruction, course, at)
        answer = self._next(instruction, course, at)
        if answer is None:
            raise NotSent("NOT_SENT")
        _not_anothers(answer)
        return answer

    def inquire(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer | NotFound:
        """See MemoryGateway."""
        number = instruction.refund_no
        course = self._courses.get(number)
        if course is None:
            return NotFound(refund_no=number) if self.past.get(number) else super().inquire(instruction, at)
        if course.number >= len(course.sendings):
            return _paid(instruction, at)
        before = course.heard
        answer = self._next(instruction, course, at)
        _not_anothers(answer)
        if answer and answer.failure == LOST:
            return NotFound(refund_no=number)
        unknown = answer is None or answer.result is GatewayResult.UNKNOWN
        if unknown and course.heard == before and course.number + 1 < len(course.sendings):
            return NotFound(refund_no=number)  # it was sent again
        return answer or NotFound(refund_no=number)

    def redirect(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer:
        """See MemoryGateway."""
        if instruction.refund_no not in self._courses:
            return super().redirect(instruction, at)
        match self.inquire(instruction, at):
            case GatewayAnswer() as answer:
                return answer
            case _:
                raise NotSent("NO_SUCH_REFUND")

    def _next(self, instruction: RefundInstruction, course: _Course, at: datetime) -> GatewayAnswer | None:
        """The next answer if its time has come, or else the last one again; None before the first."""
        answers, began = course.sending.answers, course.began or at
        following = course.heard + 1
        if following < len(answers) and answers[following].at - course.sending.at <= at - began + _EARLY:
            course.heard = following
        if course.heard < 0:
            return None
        event = answers[course.heard]
        return GatewayAnswer.made_of(
            refund_no=instruction.refund_no,
            attempt=instruction.attempt,
            result=_result(event),
            gateway_ref=event.gateway_ref,
            failure=event.failure,
            raw=event.raw,
            settled_at=min(began + (event.as_of - course.sending.at), at),
        )

    def _announce(self, instruction: RefundInstruction, course: _Course, at: datetime) -> None:
        """What it told by itself it tells again, as long after the sending as it did."""
        sending = course.sending
        for event in sending.callbacks:
            due = at + max(event.at - sending.at, timedelta())
            callback = GatewayCallback(
                key=event.source.removeprefix(_CALLBACK),
                by=THE_GATEWAY,
                refund_no=instruction.refund_no,
                result=_result(event),
                gateway_ref=event.gateway_ref,
                failure=event.failure,
                settled_at=min(at + (event.as_of - sending.at), due),
                attempt=event.attempt,
                raw=event.raw,
            )
            self.announce(CallbackToCome(due, callback))


def _not_anothers(answer: GatewayAnswer | None) -> None:
    if answer and answer.failure == AlertKind.NUMBER_CONFLICT:
        raise NumberConflict(found=read(answer.raw))


def _is_answer(event: LegEvent) -> bool:
    """What the gateway has said when it was called, or that it said nothing."""
    silent = event.source == US and event.says is LegState.UNKNOWN
    return silent or (event.source == GATEWAY and event.says in _RESULTS)


def _result(event: LegEvent) -> GatewayResult:
    if event.returned or event.failure == RETURNED:
        return GatewayResult.RETURNED
    return GatewayResult.STRANDED if event.failure == STRANDED else _RESULTS[event.says]


def _paid(instruction: RefundInstruction, at: datetime) -> GatewayAnswer:
    return GatewayAnswer.made_of(
        refund_no=instruction.refund_no, attempt=instruction.attempt, result=GatewayResult.SUCCEEDED, settled_at=at
    )

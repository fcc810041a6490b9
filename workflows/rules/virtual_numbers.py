"""Virtual numbers 虚拟号: who may have one, until when, and how it is called (P3, P4).

| scope | while it lasts | until |
|---|---|---|
| order, sub-order | before its completion | the completion |
| order, sub-order | for 3 calendar months after it | 2 days, again and again |
| order closed unclaimed | the same | the same, with the number that lapsed if it is free |
| order that became a subscription | never again: each sub-order has its own | – |
| case | always | 15 days, renewable |
"""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.virtual_numbers import (
    BecameSubscription,
    Binding,
    NumberCommand,
    NumberFacts,
    NumberStage,
    NumberState,
    NumberSubject,
    NumberTerms,
    NumberView,
    ObtainNumber,
    OrderCompleted,
    ReleaseNumber,
    RenewNumber,
    Scope,
    VirtualNumber,
)
from workflows.rules.bilingual import Language, said
from workflows.rules.local_time import SHANGHAI, local
from workflows.rules.refusals import refused

LONGEST_SMS = 300
"""Characters of a text that is sent to a virtual number: five parts of a long SMS."""

_SKEW = timedelta(minutes=5)
"""By so much a completion may lie ahead that has been accepted: as much was accepted once, and running numbers hold to
it. A new one is accepted up to a minute ahead (R18)."""

_ROLES: Mapping[type[NumberCommand], frozenset[Role]] = {
    ObtainNumber: frozenset({Role.MERCHANT, Role.PLATFORM}),
    RenewNumber: frozenset({Role.MERCHANT, Role.PLATFORM}),
    OrderCompleted: frozenset({Role.PLATFORM}),
    BecameSubscription: frozenset({Role.PLATFORM}),
    ReleaseNumber: frozenset({Role.PLATFORM}),
}

_TITLES = {
    NumberStage.OPENING: "查询中 · being looked up",
    NumberStage.AVAILABLE: "可获取虚拟号 · a number can be obtained",
    NumberStage.BOUND: "虚拟号有效 · a number is bound",
    NumberStage.IN_DOUBT: "等待号码服务商 · the provider has not answered",
    NumberStage.LEAVING: "虚拟号解绑中 · the number is void and is being unbound",
    NumberStage.ENDED: "已结束 · nothing can be obtained any more",
}

_NO_DEADLINE = {
    NumberStage.OPENING: "it is being looked up",
    NumberStage.AVAILABLE: "a number can be obtained until the order completes",
    NumberStage.BOUND: "the number is valid until the order completes",
    NumberStage.IN_DOUBT: "whatever was bound is unbound when the order completes",
    NumberStage.LEAVING: "the provider is told until it answers",
    NumberStage.ENDED: "there is nothing to wait for",
}


@dataclass(frozen=True)
class Grant:
    """A number may be obtained, and is valid until this moment; None: until the order completes."""

    until: datetime | None


def months_after(day: date, months: int) -> date:
    """The same day so many calendar months later, or the last day of that month where it has no such day (P3)."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def window_ends(completed_at: datetime, terms: NumberTerms, zone: str | None = None) -> datetime:
    """When an order's number can no longer be obtained: the end of the last day, in its profile's ``zone`` (P3, G6).

    None for Shanghai's.
    """
    there = ZoneInfo(zone) if zone else SHANGHAI
    last_day = months_after(completed_at.astimezone(there).date(), terms.again_months)
    return datetime.combine(last_day + timedelta(days=1), time.min, there).astimezone(UTC)


def obtainable(
    scope: Scope, facts: NumberFacts, terms: NumberTerms, now: datetime, zone: str | None = None
) -> Grant | Refusal:
    """Whether a number may be obtained now, and until when it is valid then; days are those of ``zone`` (P3, G6)."""
    if facts.released:
        return refused("released", "subject", "P3", "the number was released for good")
    if scope is Scope.CASE:
        return Grant(now + timedelta(days=terms.case_days))
    if facts.became_subscription:
        explanation = "the order became a subscription: each sub-order has a number of its own"
        return refused("parent_void", "subject.scope", "P3", explanation)
    if facts.completed_at is None:
        return Grant(None)
    ends = window_ends(facts.completed_at, terms, zone)
    if now >= ends:
        return refused(
            "too_late", "subject", "P3", f"after the order's completion this was possible until {local(ends, zone)}"
        )
    # Obtained on the last day, it is valid for its whole time all the same.
    return Grant(now + timedelta(days=terms.again_days))


def is_void(binding: Binding, facts: NumberFacts, now: datetime) -> bool:
    """Whether a binding must go: its time is over, or what it was bound for is (P3)."""
    if facts.released or facts.became_subscription:
        return True
    if binding.until is None:
        return facts.completed_at is not None
    return now >= binding.until


def is_over(scope: Scope, state: NumberState, terms: NumberTerms, now: datetime) -> bool:
    """Whether the subject's workflow has nothing left to wait for.

    A case's number can always be obtained: its workflow ends with the number, and another one begins when it is
    asked for again.
    """
    if state.binding:
        return False
    return scope is Scope.CASE or isinstance(obtainable(scope, state.facts, terms, now, state.time_zone), Refusal)


def wanted(state: NumberState) -> VirtualNumber | None:
    """The number to be bound again where an order was closed unclaimed; None where any will do (P3)."""
    return state.lapsed if state.facts.closed_unclaimed else None


def told(command: NumberCommand, facts: NumberFacts) -> NumberFacts:
    """The facts after a command that tells of one."""
    match command:
        case OrderCompleted():
            return facts.model_copy(
                update={"completed_at": command.completed_at, "closed_unclaimed": command.closed_unclaimed}
            )
        case BecameSubscription():
            return facts.model_copy(update={"became_subscription": True})
        case ReleaseNumber():
            because = facts.released_because or command.reason
            return facts.model_copy(update={"released": True, "released_because": because})
        case _:
            return facts


def refusal(
    command: NumberCommand, scope: Scope, state: NumberState, terms: NumberTerms, now: datetime
) -> Refusal | None:
    """Why ``command`` is not obeyed as things stand, or None."""
    if stranger := refused_stranger(command, state):
        return stranger
    match command:
        case ObtainNumber():
            granted = obtainable(scope, state.facts, terms, now, state.time_zone)
            return granted if isinstance(granted, Refusal) else None
        case RenewNumber():
            return _unrenewable(scope, state, now)
        case OrderCompleted():
            return _wrong_completion(command, scope, state.facts, now)
        case BecameSubscription() if command.subject.scope is not Scope.ORDER:
            return refused("wrong_scope", "subject.scope", "P3", "only an order becomes a subscription")
        case _:
            return None


def may_see(by: Actor, state: NumberState | None) -> bool:
    """Whether the number may be shown to ``by``: the platform, and the merchant once it is known whose it is (P2)."""
    return by.role is Role.PLATFORM or bool(state and by.role is Role.MERCHANT and by.id == state.merchant_id)


def refused_stranger(command: NumberCommand, state: NumberState) -> Refusal | None:
    """Why the sender of ``command`` has nothing to say about this number, or None (P2).

    Asked before anything else is looked at, and above all before the command's key: what is refused here is told
    nothing of the number.
    """
    roles = _ROLES[type(command)]
    if command.by.role not in roles:
        allowed = " or ".join(sorted(roles))
        explanation = f"{command.command_name()} is for {allowed}, not for {command.by.role}"
        return refused("wrong_actor", "by.role", "P3", explanation)
    if command.by.role is Role.MERCHANT and command.by.id != state.merchant_id:
        return refused("not_yours", "by.id", "section 12", "the order or case is another merchant's")
    return None


def _unrenewable(scope: Scope, state: NumberState, now: datetime) -> Refusal | None:
    if scope is not Scope.CASE:
        return refused("not_renewable", "subject.scope", "P3", "only a case's number is renewed; obtain another one")
    binding = state.binding
    if binding is None or binding.number is None or is_void(binding, state.facts, now):
        return refused("not_bound", "command", "P3", "no number is bound: obtain one")
    return None


def _wrong_completion(command: OrderCompleted, scope: Scope, facts: NumberFacts, now: datetime) -> Refusal | None:
    if scope is Scope.CASE:
        return refused("wrong_scope", "subject.scope", "P3", "only an order or a sub-order completes")
    if command.completed_at > now + _SKEW:
        return refused("not_yet", "completed_at", "P3", "an order's completion is told once it has happened")
    if facts.completed_at and told(command, facts) != facts:
        return refused("completed_otherwise", "completed_at", "P3", "another completion was told before")
    return None


def view_of(
    subject: NumberSubject, state: NumberState | None, terms: NumberTerms, now: datetime, *, unknown: bool = False
) -> NumberView:
    """The subject's number as it stands; ``unknown`` where there is no such order or case."""
    if state is None:
        stage = NumberStage.ENDED if unknown else NumberStage.OPENING
        return _view(subject, stage, None, why_none="unknown" if unknown else "being_looked_up")
    binding, facts = state.binding, state.facts
    if binding and is_void(binding, facts, now):
        return _view(subject, NumberStage.LEAVING, state, why_none=_why_void(facts))
    if binding and binding.number:
        return _view(subject, NumberStage.BOUND, state, until=binding.until, number=binding.number)
    if binding:
        return _view(subject, NumberStage.IN_DOUBT, state, until=binding.until, why_none="provider_unreachable")
    granted = obtainable(subject.scope, facts, terms, now, state.time_zone)
    if isinstance(granted, Refusal):
        return _view(subject, NumberStage.ENDED, state, why_none=granted.code)
    until = window_ends(facts.completed_at, terms, state.time_zone) if facts.completed_at else None
    why_none = "lapsed" if state.lapsed else "not_obtained"
    return _view(subject, NumberStage.AVAILABLE, state, until=until, why_none=why_none)


def _why_void(facts: NumberFacts) -> str:
    if facts.released:
        return "released"
    if facts.became_subscription:
        return "parent_void"
    return "order_completed" if facts.completed_at else "lapsed"


def _view(
    subject: NumberSubject,
    stage: NumberStage,
    state: NumberState | None,
    *,
    until: datetime | None = None,
    number: VirtualNumber | None = None,
    why_none: str | None = None,
) -> NumberView:
    return NumberView(
        subject=subject,
        stage=stage,
        merchant_id=state.merchant_id if state else None,
        released_because=state.facts.released_because if state else None,
        number=number,
        until=until,
        time_zone=state.time_zone if state else None,
        no_deadline_because="" if until else _no_deadline(subject.scope, stage),
        why_none=why_none,
    )


def _no_deadline(scope: Scope, stage: NumberStage) -> str:
    if scope is Scope.CASE and stage is NumberStage.AVAILABLE:
        return "a case's number can be obtained at any time"
    return _NO_DEADLINE[stage]


def summary(subject: NumberSubject) -> str:
    """One line for the Web UI's lists."""
    return f"virtual number of {subject.scope} {subject.id}"


def page(view: NumberView, language: Language) -> str:
    """A page of Markdown for operators: what it is for, where it stands, until when. No whole number is on it."""
    facts = {
        "规则 · rule": "P3",
        "对象 · for": f"{view.subject.scope} `{view.subject.id}`",
        "商家 · merchant": f"`{view.merchant_id}`" if view.merchant_id else "",
        "虚拟号 · number": f"`{view.number.masked}`" if view.number else "",
        "无号码 · no number": "" if view.number else f"`{view.why_none}`",
        "释放原因 · released because": f"`{view.released_because}`" if view.released_because else "",
        "截止 · until": local(view.until, view.time_zone) if view.until else "",
        "无截止 · no deadline": "" if view.until else view.no_deadline_because,
    }
    lines = [f"- **{said(name, language)}**: {value}" for name, value in facts.items() if value]
    return "\n".join([f"### {said(_TITLES[view.stage], language)}", "", *lines])


@dataclass(frozen=True)
class Call:
    """How a virtual number is called (P4)."""

    dial: str
    """The 11 digits."""
    then: str
    """What is keyed in once the exchange answers: the extension, then ``#``."""


@dataclass(frozen=True)
class Sms:
    """How a text is sent to a virtual number (P4)."""

    to: str
    """The 11 digits."""
    body: str = field(repr=False)
    """``#<extension>#<text>``; the text is a person's own, and stays out of logs."""


def dial(number: VirtualNumber) -> Call:
    """P4: dial the 11 digits, then the extension, then ``#``."""
    return Call(dial=number.number, then=f"{number.extension}#")


def sms(number: VirtualNumber, text: str) -> Sms | Refusal:
    """P4: to the 11 digits, with the body ``#<extension>#<text>``; or why the text cannot be sent."""
    if not text.strip():
        return refused("text_blank", "text", "P4", "a text must not be blank")
    if len(text) > LONGEST_SMS:
        return refused("text_too_long", "text", "P4", f"a text has at most {LONGEST_SMS} characters")
    # A lone surrogate has no encoding; control characters but line ends are none that a phone can show.
    if any((each < " " and each not in "\n\r\t") or each == "\x7f" or "\ud800" <= each <= "\udfff" for each in text):
        return refused("text_illegible", "text", "P4", "a text must not hold characters that are none")
    return Sms(to=number.number, body=f"#{number.extension}#{text}")

"""How a story stands: all of it, to see whether something has changed, and what decides how it goes on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, cast

from pydantic import BaseModel

from starter.interpreter.book import CaseRow
from starter.interpreter.interpreter import Interpreter
from workflows.messages.commands import GatewayResult
from workflows.messages.message import CaseId
from workflows.messages.payouts import LegState

_NEAR: Final = 600
"""Moments within so many seconds count as the same: stories take a second for each turn."""
_NOT_DECIDING: Final = frozenset({
    "steps", "log", "request_key", "key", "half_done", "kept_evidence", "number", "made", "numbered", "submitted_at",
    "looks", "began_at", "as_of", "policies", "notices", "opened", "last", "state", "source", "events", "command_key",
})  # fmt: skip
"""Fields that count or name something, and decide nothing: two situations that differ in them go on alike."""


_OF_LOSSES: Final = frozenset({"cancellation_ignored", "command_refused", "ruling_told"})
"""What the loss of a run leaves in a log besides: a dispute is asked to end, and does not, and
tells its case how it ends; what was refused is told
again, and is refused again."""

_OF_MONEY: Final = frozenset(
    {"refund_submitted", "refund_accepted", "refund_unknown", "refund_processing", "outcome_unknown"}
)


def all_of(world: Interpreter) -> dict[str, Any]:
    """All that a refused, a repeated command or a lost run must leave as it is."""
    return {
        "cases": {case: _written(row) for case, row in world.book.cases.items()},
        "states": {case: _state(world, case) for case in world.cases()},
        "ledger": {
            number: (
                each.leg.amount,
                each.standing.state,
                each.standing.attempt,
                each.standing.paid_by,
                each.retired_at,
            )
            for fund in world.ledger.funds.values()
            for number, each in fund.legs.items()
        },
        "alerts": [(each.kind, each.refund_no) for each in world.ledger.alerts],
        "gateway": {
            number: (row.instruction.amount, row.result, row.attempts) for number, row in world.gateway.refunds.items()
        },
        "accounts": dict(world.shop.accounts),
        "watches": list(world.shop.watches),
    }


def _written(row: CaseRow) -> dict[str, Any]:
    return {
        "stage": (row.kind, row.stage, row.due, row.work_list, row.attention, row.outcome, row.closed_at),
        "money": (row.asked, row.refunded, row.compensated),
        "application": row.application,
        "pieces": row.pieces,
        "talk": row.talk,
        "log": [each for each in row.log if each.event not in _OF_LOSSES],
        "notices": list(row.notices),
        "evidence": [each.model_copy(update={"key": ""}) for each in row.evidence],
        "charges": list(row.charges),
    }


def _decided(row: CaseRow) -> list[str]:
    """What its log tells of besides the way of the money, of which another run hears at another moment."""
    events = [each.event for each in row.log if each.event not in _OF_LOSSES]
    return [each for each in events if each not in _OF_MONEY]


def _state(world: Interpreter, case: CaseId) -> object:
    host = world.host(case)
    if host.over or case not in world.book.cases:
        return "over, or not open"
    state = host.run.running.state
    # How far the steps have come, and what is of the last one alone: another run may write the same in more of them.
    clock, goods = state.clock.but(worked_out=False), state.goods.but(listens=False)
    return state.but(payout=None, steps=0, kept_evidence=frozenset(), clock=clock, goods=goods, follow_up="")


def changed(before: Mapping[Any, Any], after: Mapping[Any, Any], at: str = "") -> str:
    """Where two values differ first; empty where they are the same."""
    for name in before.keys() | after.keys():
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        where = f"{at}.{name}" if at else name
        of_one, of_other = _parts(one), _parts(other)
        if of_one is not None and of_other is not None:
            return changed(of_one, of_other, where)
        return f"{where}: {one!r} became {other!r}"
    return ""


def in_flight(world: Interpreter) -> bool:
    """Whether money is on its way, or stuck: another run asks the gateway before anything else, and may know more."""
    return any(
        each.standing.state not in {LegState.SUCCEEDED, LegState.FAILED}
        for fund in world.ledger.funds.values()
        for each in fund.legs.values()
    )


def came_to(world: Interpreter) -> dict[str, Any]:
    """What every case has come to, and what was paid."""
    return {
        "cases": {
            case: (row.stage, row.outcome, row.refunded, row.compensated, row.kind, _decided(row))
            for case, row in world.book.cases.items()
        },
        "paid": sum(
            row.instruction.amount
            for row in world.gateway.refunds.values()
            if row.by(world.now).result is GatewayResult.SUCCEEDED
        ),
        "ledger": {
            number: each.standing.state for fund in world.ledger.funds.values() for number, each in fund.legs.items()
        },
    }


def _parts(value: Any) -> dict[Any, Any] | None:
    """What a value is made of; None for one that is not made of others."""
    match value:
        case BaseModel():
            return dict(value)
        case dict():
            return {**value}
        case list() | tuple():
            return dict(enumerate(cast("Sequence[Any]", value)))
        case _:
            return None


def situation(world: Interpreter, *, beside: object = None) -> int:
    """What decides how a story goes on, as a number; moments count from now, and those that have passed as passed."""
    now = world.now
    parts: list[object] = [beside]
    for case in world.cases():
        host = world.host(case)
        row = world.book.cases.get(case)
        if host.over:
            parts.append((case.split("/")[0], "over", host.outcome and host.outcome.outcome, _kept(row, now)))
        else:
            state = _told(host.run.running.state, now)
            timer = host.next_timer()
            parts.append((case.split("/")[0], state, timer and _from(timer, now), _kept(row, now)))
    gateway = world.gateway
    for fund, booked in sorted(world.ledger.funds.items()):
        parts.append((fund, tuple(_told(each.standing, now) for each in booked.legs.values())))
    for number, refund in sorted(gateway.refunds.items()):
        parts.append((number[-2:], refund.instruction.amount, refund.result, refund.later, refund.attempts))
    due = gateway.next_callback_at()
    parts.append((due and _from(due, now), len(world.ledger.alerts)))
    for watch in world.shop.watches:
        told = tuple(each.event for each in world.shop.history(watch.parcel))
        parts.append((watch.parcel.tracking_no, watch.purpose, told))
    parts.append(tuple(_told(each, now) for each in world.shop.accounts.values()))
    parts.append(tuple(order.shipped_at is not None for order in world.shop.orders.values()))
    return hash(repr(parts))


def _kept(row: CaseRow | None, now: datetime) -> object:
    if row is None:
        return None
    return row.asked, _told(row.application, now), _told(row.pieces, now), row.refunded, row.compensated


def _from(moment: datetime, now: datetime) -> int | str:
    ahead = (moment - now).total_seconds()
    return round(ahead / _NEAR) if ahead > 0 else "passed"


def _told(value: Any, now: datetime) -> object:
    match value:
        case None | bool() | int() | str() | Enum():
            return value
        case datetime():
            return _from(value, now)
        case timedelta():
            return round(value.total_seconds() / _NEAR)
        case BaseModel():
            found = vars(value).items()
        case dict():
            named = cast("dict[Any, Any]", value)
            return tuple(sorted((str(name), _told(each, now)) for name, each in named.items()))
        case set() | frozenset():
            return tuple(sorted(str(each) for each in cast("Iterable[Any]", value)))
        case tuple() | list():
            return tuple(_told(each, now) for each in cast("Iterable[Any]", value))
        case _ if is_dataclass(value):
            found = ((each.name, getattr(value, each.name)) for each in fields(value))
        case _:
            return repr(value)
    return tuple((name, _told(each, now)) for name, each in found if each and name not in _NOT_DECIDING)

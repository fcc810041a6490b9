"""Playing a script: a case is opened, its own clock is moved from step to step, and what came of it is noted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Final, TypeVar

import asyncpg
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres import allowances, ledger, orders
from activities.postgres.alerts import open_alerts
from activities.postgres.loading import AllowanceRecord, OrderRecord
from starter.client import Aftersales, Case
from starter.demo.script import Act, Look, Move, Result, Script, Spend, Step
from starter.errors import AftersalesError, RefusedCommand, RefusedRequest, Unreachable
from starter.gateway_callbacks import CallbackPump
from workflows.messages.actors import Role, carrier
from workflows.messages.cases import CaseView, Outcome
from workflows.messages.commands import ParcelEvent, ReportParcel
from workflows.messages.message import Message
from workflows.messages.requests import (
    ExpiryRequest,
    MerchantRefundRequest,
    RefundRequest,
    WithdrawalRequest,
)
from workflows.messages.stages import Attention, StageName
from workflows.rules.identity import case_id
from workflows.rules.legs import AlertKind, callback_source

_Seen = TypeVar("_Seen")

_LIMIT: Final = timedelta(days=30)
"""A case that has not ended by then is reported as open."""
_PATIENCE: Final = 30
_LONGEST_PLAY: Final = 120
"""Real seconds for one group of cases; an ordinary machine needs a tenth of it."""
_POLL: Final = 0.02
_PASSING: Final = frozenset({StageName.OPENING, StageName.PAYING})
_OFFICER: Final = "officer-1"
_CARRIER: Final = "sf"


class NothingHappened(Exception):  # noqa: N818 -- it says what is known
    """What was waited for did not come about in time."""


class Played(Message):
    """A case after it was played."""

    script: Script
    case_id: str
    found: Result
    remarks: tuple[str, ...]
    """Steps that did not go as written."""
    virtual_seconds: float

    def differences(self, expected: Result) -> tuple[str, ...]:
        """In what the case differs from what is expected of it; nothing is good."""
        fields = (
            f"{name}: expected {_plain(wanted)}, found {_plain(came)}"
            for name in Result.model_fields
            if (wanted := getattr(expected, name)) != (came := getattr(self.found, name))
        )
        return (*self.remarks, *fields)


@dataclass(frozen=True)
class Theatre:
    """What scripts are played on."""

    aftersales: Aftersales
    skipper: TimeSkipper
    gateway: PaymentGatewayStub
    pump: CallbackPump
    subjects: dict[str, OrderRecord | AllowanceRecord]

    @property
    def pool(self) -> asyncpg.Pool:
        """The database."""
        return self.aftersales.pool


async def play(theatre: Theatre, scripts: Sequence[Script]) -> tuple[Played, ...]:
    """Play the scripts of one group together: at each hour of a step all of their clocks show the same."""
    actors = [_Playing(theatre, script) for script in scripts]
    try:
        async with asyncio.timeout(_LONGEST_PLAY):
            await _play(actors, sorted({step.at for script in scripts for step in script.steps}))
    except (NothingHappened, TimeoutError, AftersalesError, RPCError) as error:
        # The others go on: the report tells of this one what became of it.
        for actor in actors:
            actor.remarks.append(f"stopped: {type(error).__name__}: {error}")
    return tuple([await actor.told() for actor in actors])


async def _play(actors: "Sequence[_Playing]", hours: Sequence[timedelta]) -> None:
    await asyncio.gather(*(actor.open() for actor in actors))
    for at in hours:
        await asyncio.gather(*(actor.advance(at) for actor in actors))
        await asyncio.gather(*(actor.take(at) for actor in actors))
    await asyncio.gather(*(actor.finish() for actor in actors))


def expectations(played: Sequence[Played]) -> tuple[Result, ...]:
    """What is expected of each case of a group; where a race decides, what fits best of what is expected of all."""
    own = tuple(each.script.expected for each in played)
    if not all(each.script.either_way for each in played):
        return own
    return min(
        permutations(own),
        key=lambda order: sum(len(each.differences(wanted)) for each, wanted in zip(played, order, strict=True)),
    )


@dataclass
class _Playing:
    """One script while it is played."""

    theatre: Theatre
    script: Script
    _case: Case | None = None
    _opened_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _refused: str | None = None
    _attention: list[Attention] = field(default_factory=list[Attention])
    remarks: list[str] = field(default_factory=list[str])
    _open: bool = False

    @property
    def subject(self) -> OrderRecord | AllowanceRecord:
        return self.theatre.subjects[self.script.subject]

    @property
    def case(self) -> Case:
        if self._case is None:
            raise ValueError("the case is not open")
        return self._case

    async def open(self) -> None:
        """Tell the gateway, and open the case."""
        script, aftersales = self.script, self.theatre.aftersales
        if script.gateway:
            await self.theatre.gateway.set_behaviour(script.gateway.behaviour(script.subject))
        try:
            match script.request(self.subject):
                case RefundRequest() as request:
                    self._case = await aftersales.open_refund(request)
                case MerchantRefundRequest() as request:
                    self._case = await aftersales.open_merchant_refund(request)
                case WithdrawalRequest() as request:
                    self._case = await aftersales.open_withdrawal(request)
                case ExpiryRequest() as request:
                    self._case = await aftersales.schedule_expiry(request)
        except RefusedRequest as error:
            self._refused = error.refusal.code
            return
        self._open = True
        self._opened_at = (await self.case.handle.describe()).start_time
        await self._at_rest()

    async def advance(self, to: timedelta) -> None:
        """Move the case's clock to this time after its opening, with the gateway's callbacks on the way."""
        target = self._opened_at + to
        while self._open:
            now = await self.theatre.skipper.get_current_time(self.case.handle)
            due = await self.theatre.gateway.next_callback_at(await self._refund_nos())
            if due and due <= now:
                await self._deliver(now)
            elif now >= target:
                break
            else:
                await self._forward(min(target, due or target) - now)
            await self._at_rest()

    async def take(self, at: timedelta) -> None:
        """What the script does at this time."""
        for number, step in enumerate(self.script.steps):
            if step.at == at and self._case:
                await self._take(step, number)
                await self._at_rest()

    async def finish(self) -> None:
        """Let the rest of the case run off; then deliver what the gateway still has to say."""
        await self.advance(_LIMIT)
        if self._case:
            while due := await self.theatre.gateway.next_callback_at(await self._refund_nos()):
                await self._deliver(due)

    async def told(self) -> Played:
        """What came of it all."""
        ended = await self._outcome()
        identifier = case_id(self.script.request(self.subject))
        async with self.theatre.pool.acquire() as connection:
            raised = await open_alerts(connection, limit=1000)
            notices = await connection.fetch(
                "SELECT DISTINCT template || '>' || recipient_role AS told FROM notices.outbox WHERE case_id = $1",
                identifier,
            )
        found = Result(
            outcome=ended.outcome if ended else None,
            refused=self._refused,
            refunded=ended.refunded.amount if ended and ended.refunded else 0,
            bonus_void=ended.bonus_voided.amount if ended and ended.bonus_voided else None,
            decided_by=ended.decided_by if ended else None,
            legs=len(ended.legs) if ended else 0,
            attention=tuple(self._attention),
            alerts=tuple(AlertKind(each.kind) for each in raised if each.case_id == identifier),
            notices=tuple(sorted(row["told"] for row in notices)),
        )
        lived = ended.closed_at - self._opened_at if ended else timedelta(0)
        return Played(
            script=self.script,
            case_id=identifier,
            found=found,
            remarks=tuple(self.remarks),
            virtual_seconds=max(lived.total_seconds(), 0),
        )

    async def _outcome(self) -> Outcome | None:
        return await self.case.outcome() if self._case and not self._open else None

    async def _take(self, step: Step, number: int) -> None:
        now = await self.theatre.skipper.get_current_time(self.case.handle)
        match step:
            case Act():
                await self._act(step, f"{self.script.name}-{number}", now)
            case Move():
                await self._move(step, f"{self.script.name}-{number}", now)
            case Spend():
                await self._spend(step, now)
            case Look():
                await self._look(step)

    async def _act(self, step: Act, key: str, now: datetime) -> None:
        try:
            await self.case.act(step.command(key, self._actor_id(step.by), now))
        except RefusedCommand as error:
            came = error.refusal.code
        else:
            came = None
        if came != step.refused:
            self.remarks.append(f"{step.act}: expected {step.refused or 'obeyed'}, found {came or 'obeyed'}")

    async def _move(self, step: Move, key: str, now: datetime) -> None:
        """The shop's directory and the case learn of it from the same carrier (R3, R7)."""
        marks = {
            ParcelEvent.OUTBOUND: orders.mark_outbound,
            ParcelEvent.SHIPPED: orders.mark_shipped,
            ParcelEvent.ON_DELIVERY_RUN: orders.mark_on_delivery_run,
        }
        if mark := marks.get(step.parcel):
            async with self.theatre.pool.acquire() as connection:
                await mark(connection, self.script.subject, now)
        await self.case.act(
            ReportParcel(
                key=key,
                by=carrier(_CARRIER),
                event=step.parcel,
                carrier=_CARRIER,
                tracking_no=f"SF-{self.script.subject}",
                happened_at=now,
            )
        )

    async def _spend(self, step: Spend, now: datetime) -> None:
        async with self.theatre.pool.acquire() as connection, connection.transaction():
            came = await allowances.spend(connection, self.script.subject, step.spend, now)
        if came is not step.gives:
            self.remarks.append(f"spend: expected {step.gives}, found {came}")

    async def _look(self, step: Look) -> None:
        view = await self._at_rest()
        if view is None or view.stage is not step.stage:
            self.remarks.append(f"stage: expected {step.stage}, found {view.stage if view else 'none yet'}")

    def _actor_id(self, role: Role) -> str:
        match role:
            case Role.BUYER:
                return self.subject.buyer_id
            case Role.MERCHANT:
                return self.subject.merchant_id
            case Role.CARRIER:
                return _CARRIER
            case _:
                return _OFFICER

    async def _forward(self, length: timedelta) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                self._open = await self.theatre.skipper.fast_forward(self.case.handle, length)
        except RPCError as error:
            # It has ended by itself between two looks at it.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            self._open = False

    async def _at_rest(self) -> CaseView | None:
        """The case once nothing is under way in it; None before the start of one that starts later (A6)."""
        if self._case is None:
            return None
        if self.script.open == "expiry" and not await self._begun():
            return None
        view = await _until(self.case.view, lambda view: view.stage not in _PASSING)
        if view.attention and view.attention not in self._attention:
            self._attention.append(view.attention)
        if view.outcome:
            await _until(self.case.handle.describe, lambda now: now.status is not WorkflowExecutionStatus.RUNNING)
            self._open = False
        return view

    async def _begun(self) -> bool:
        try:
            await self.case.view()
        except Unreachable:
            return False
        return True

    async def _refund_nos(self) -> list[str]:
        async with self.theatre.pool.acquire() as connection:
            return [leg.refund_no for leg in await ledger.last_legs(connection, self.case.id)]

    async def _deliver(self, at: datetime) -> None:
        """Hand the callbacks on, and wait until our ledger has them."""
        delivered = await self.theatre.pump.deliver(at, refund_nos=await self._refund_nos())
        for callback in delivered.taken:
            source = callback_source(callback.key)

            async def written(refund_no: str = callback.refund_no, source: str = source) -> bool:
                async with self.theatre.pool.acquire() as connection:
                    return any(event.source == source for event in await ledger.events_of(connection, refund_no))

            await _until(written, bool)


async def _until(look: Callable[[], Awaitable[_Seen]], good: Callable[[_Seen], bool]) -> _Seen:
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while not good(seen := await look()):
        if asyncio.get_running_loop().time() > deadline:
            raise NothingHappened(f"not within {_PATIENCE} s; seen last: {seen}")
        await asyncio.sleep(_POLL)
    return seen


def _plain(value: object) -> str:
    match value:
        case tuple():
            return ", ".join(str(each) for each in value) or "none"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case None:
            return "none"
        case _:
            return str(value)

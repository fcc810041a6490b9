"""Playing a script: a case is opened, its own clock is moved from step to step, and what came of it is noted."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from activities.gateways.order_records import OrderRecord
from activities.gateways.payment_stub import PaymentGatewayStub
from activities.postgres import allowances, ledger, orders
from activities.postgres.loading import AllowanceRecord
from starter.client import Aftersales, Case
from starter.demo.played import Played, came_of
from starter.demo.providers import Provider
from starter.demo.script import Act, Look, Move, Script, Spend, Step, To
from starter.demo.waiting import PATIENCE, TOOK_TOO_LONG, NothingHappened, has_ended, quiet, until
from starter.errors import AftersalesError, RefusedCommand, RefusedRequest, UnknownCase, Unreachable
from starter.gateway_callbacks import CallbackPump
from workflows.messages.actors import Actor, Role, carrier
from workflows.messages.cases import CaseView
from workflows.messages.commands import ReportParcel
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent
from workflows.messages.payouts import TenderKind
from workflows.messages.requests import (
    LateShipmentRequest,
)
from workflows.messages.stages import Attention, CaseKind, StageName
from workflows.messages.statements import WriteStatement
from workflows.rules.compensation import freight_insurance_fund, return_freight_fund
from workflows.rules.dispute import DECIDED
from workflows.rules.identity import case_id
from workflows.rules.legs import callback_source

_LIMIT: Final = timedelta(days=45)
"""A case that has not ended by then is reported as open."""
_LONGEST_PLAY: Final = 120
"""Real seconds for one group of cases; an ordinary machine needs a tenth of it."""
_SLEEPING: Final = frozenset({"expiry", "late_shipment"})
"""What is started long before it opens (A6, L1)."""
_OFFICER: Final = "officer-1"
_CARRIER: Final = "sf"


@dataclass(frozen=True)
class Theatre:
    """What scripts are played on."""

    aftersales: Aftersales
    skipper: TimeSkipper
    gateway: PaymentGatewayStub
    pump: CallbackPump
    subjects: dict[str, OrderRecord | AllowanceRecord]
    references: Mapping[str, str]
    """Under what the vault keeps the demo's accounts and contacts, by what its data call them."""
    provider: Provider | None = None
    """Through whom the worker pays, instead of the stand-in."""

    @property
    def paid_on_delivery(self) -> frozenset[str]:
        """The orders that were paid in cash."""
        records = ((number, each) for number, each in self.subjects.items() if isinstance(each, OrderRecord))
        return frozenset(number for number, each in records if any(t.kind is TenderKind.CASH for t in each.tenders))

    @property
    def pool(self) -> asyncpg.Pool:
        """The database."""
        return self.aftersales.pool


async def play(theatre: Theatre, scripts: Sequence[Script]) -> tuple[Played, ...]:
    """Play the scripts of one group together: at each hour of a step all of their clocks show the same.

    A dispute about a case of the group is played when that case is over.
    """
    first = await _play_together(theatre, [each for each in scripts if each.about is None], {})
    over = {each.script.name: each.case_id for each in first}
    then = await _play_together(theatre, [each for each in scripts if each.about], over)
    return (*first, *then)


async def _play_together(theatre: Theatre, scripts: Sequence[Script], over: Mapping[str, str]) -> tuple[Played, ...]:
    actors = [_Playing(theatre, script, over.get(script.about or "")) for script in scripts]
    try:
        async with asyncio.timeout(_LONGEST_PLAY):
            await _play(actors, sorted({step.at for script in scripts for step in script.steps}))
    except (NothingHappened, TimeoutError, AftersalesError, RPCError) as error:
        # The others go on: the report tells of this one what became of it.
        slow = isinstance(error, (NothingHappened, TimeoutError, Unreachable))
        why = str(error) or f"not played within {_LONGEST_PLAY} s"
        for actor in actors:
            actor.remarks.append(f"{TOOK_TOO_LONG if slow else 'stopped'}: {type(error).__name__}: {why}")
    return tuple([await actor.told() for actor in actors])


async def _play(actors: "Sequence[_Playing]", hours: Sequence[timedelta]) -> None:
    await asyncio.gather(*(actor.open() for actor in actors))
    for at in hours:
        await asyncio.gather(*(actor.advance(at) for actor in actors))
        await asyncio.gather(*(actor.take(at) for actor in actors))
    await asyncio.gather(*(actor.finish() for actor in actors))


@dataclass
class _Playing:
    """One script while it is played."""

    theatre: Theatre
    script: Script
    about: str | None = None
    """The case that it disputes."""
    _case: Case | None = None
    _dispute: Case | None = None
    """The dispute that the buyer has opened on it, while it is open."""
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
            match script.request(self.subject, self.about):
                case LateShipmentRequest() as request:
                    self._case = await aftersales.order_paid(request.order_no)
                case request:
                    self._case = await aftersales.open(request)
        except RefusedRequest as error:
            self._refused = error.refusal.code
            return
        self._open = True
        self._opened_at = (await self.case.handle.describe()).start_time
        await self._at_rest()

    async def advance(self, to: timedelta) -> None:
        """Move the clock to this time after the case's opening, with all that is due on the way.

        While a dispute is open it is the dispute's clock that moves: the server lets a workflow's clock stand while a
        child of it runs. The case's own clock follows when the dispute is over.
        """
        target = self._opened_at + to
        while self._open:
            now = await self._time_of(self._dispute or self.case)
            due = await self.theatre.gateway.next_callback_at(await self._refund_nos())
            if due and due <= now:
                await self._deliver(now)
            elif now >= target:
                break
            elif self._dispute:
                await self._forward_dispute(self._dispute, now, min(target, due or target))
            else:
                self._open = await self._forward(self.case, min(target, due or target) - now)
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
        if self._case is None:
            return
        while due := await self.theatre.gateway.next_callback_at(await self._refund_nos()):
            await self._deliver(due)
        for fund in (freight_insurance_fund(self.case.id), return_freight_fund(self.case.id)):
            with suppress(UnknownCase):  # most cases owe nothing beside the refund
                await self.theatre.aftersales.case(fund).outcome()

    async def told(self) -> Played:
        """What came of it all."""
        ended = await self.case.outcome() if self._case and not self._open else None
        identifier = case_id(self.script.request(self.subject, self.about))
        found, over = await came_of(self.theatre.pool, identifier, self.subject.merchant_id, ended)
        found = found.model_copy(update={"refused": self._refused, "attention": tuple(self._attention)})
        # The case's clock stands still while it is disputed, so that the dispute may have ended later by its own.
        lived = max([ended.closed_at, *over]) - self._opened_at if ended else timedelta(0)
        return Played(
            script=self.script,
            case_id=identifier,
            found=found,
            remarks=tuple(self.remarks),
            virtual_seconds=max(lived.total_seconds(), 0),
        )

    async def _take(self, step: Step, number: int) -> None:
        match step:
            case Act():
                await self._act(step, f"{self.script.name}-{number}")
            case Move():
                await self._move(step, f"{self.script.name}-{number}")
            case Spend():
                await self._spend(step)
            case Look():
                await self._look(step)

    async def _act(self, step: Act, key: str) -> None:
        case = self._addressed(step.on)
        if case is None:
            self.remarks.append(f"{step.act}: there is no dispute")
            return
        try:
            said = await self._say(step, case, key) if step.says else None
            await case.act(step.command(key, self._actor_id(step.by), await self._time_of(case), said))
        except RefusedCommand as error:
            came = error.refusal.code
        else:
            came = None
        if came != step.refused:
            self.remarks.append(f"{step.act}: expected {step.refused or 'obeyed'}, found {came or 'obeyed'}")

    async def _say(self, step: Act, case: Case, key: str) -> str:
        by = Actor(role=step.by, id=self._actor_id(step.by))
        assert step.says
        wish = WriteStatement(case_id=case.id, by=by, text=step.says, key=key)
        return (await self.theatre.aftersales.desk.write_statement(wish)).reference

    async def _move(self, step: Move, key: str) -> None:
        """What becomes of a parcel is told by its carrier; what the warehouse does by the platform (R3, R7, T6)."""
        now = await self._time_of(self.case)
        logistics = self.theatre.aftersales.logistics
        parcel = Parcel(carrier=_CARRIER, tracking_no=step.tracking_no or f"SF-{self.script.subject}")
        if step.tracking_no:
            await logistics.carrier_event(CarrierEvent(key=key, parcel=parcel, event=step.parcel, happened_at=now))
        elif step.parcel is ParcelEvent.SHIPPED:
            await logistics.order_shipped(self.script.subject, parcel, now)
        else:
            await self._report(step, key, now, parcel)

    async def _report(self, step: Move, key: str, now: datetime, parcel: Parcel) -> None:
        marks = {ParcelEvent.OUTBOUND: orders.mark_outbound, ParcelEvent.ON_DELIVERY_RUN: orders.mark_on_delivery_run}
        if mark := marks.get(step.parcel):
            async with self.theatre.pool.acquire() as connection:
                await mark(connection, self.script.subject, now)
        await self.case.act(
            ReportParcel(
                key=key,
                by=carrier(_CARRIER),
                event=step.parcel,
                carrier=parcel.carrier,
                tracking_no=parcel.tracking_no,
                happened_at=now,
            )
        )

    async def _spend(self, step: Spend) -> None:
        now = await self._time_of(self.case)
        async with self.theatre.pool.acquire() as connection, connection.transaction():
            came = await allowances.spend(connection, self.script.subject, step.spend, now)
        if came is not step.gives:
            self.remarks.append(f"spend: expected {step.gives}, found {came}")

    async def _look(self, step: Look) -> None:
        view = await self._at_rest()
        if step.on == "dispute":
            view = await self._dispute.view() if self._dispute else None
        stage = view.stage if view else StageName.CLOSED if self._case and not self._open else None
        if stage is not step.stage:
            self.remarks.append(f"stage: expected {step.stage}, found {stage or 'none yet'}")

    def _addressed(self, to: To) -> Case | None:
        return self.case if to == "case" else self._dispute

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

    async def _time_of(self, case: Case) -> datetime:
        return await self.theatre.skipper.get_current_time(case.handle)

    async def _forward(self, case: Case, length: timedelta) -> bool:
        """Move one clock; False where the case has ended on the way."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.theatre.skipper.fast_forward(case.handle, length)
        except RPCError as error:
            # It has ended by itself between two looks at it.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False

    async def _forward_dispute(self, dispute: Case, now: datetime, stop: datetime) -> None:
        """Move the dispute's clock to ``stop``, but not over its deadline, of which the case hears first."""
        before = await dispute.view()
        if before.due is None or before.due > stop:
            await self._forward(dispute, stop - now)
            return
        if before.due > now:
            await self._forward(dispute, before.due - now)
        await until(dispute.view, lambda view: (view.stage, view.due) != (before.stage, before.due))

    async def _at_rest(self) -> CaseView | None:
        """The case once nothing is under way in it; None before it starts (A6, L1), and after its end."""
        if self._case is None or not self._open:
            return None
        if self.script.open in _SLEEPING and not await self._begun():
            return None
        await self._dispute_at_rest()
        view = await quiet(self.case)
        if view is None:
            self._open = False
            return None
        self._note(view)
        if view.dispute and view.kind is not CaseKind.DISPUTE and self._dispute is None:
            self._dispute = self.theatre.aftersales.case(view.dispute)
            await quiet(self._dispute)
        return view

    async def _dispute_at_rest(self) -> None:
        """The dispute once nothing is under way in it; when it has ended, the case once it knows."""
        dispute = self._dispute
        if dispute is None:
            return
        if view := await quiet(dispute):
            self._note(view)
            return

        async def knows() -> bool:
            if await has_ended(self.case):
                return True
            view = await self.case.view()
            return view.dispute != dispute.id or view.stage in DECIDED

        await until(knows, bool)
        self._dispute = None

    def _note(self, view: CaseView) -> None:
        if view.attention and view.attention not in self._attention:
            self._attention.append(view.attention)

    async def _begun(self) -> bool:
        """Whether what is started ahead of its time has come to it (A6, L1)."""
        starts_at = (await self.case.handle.describe()).execution_time
        return starts_at is None or starts_at <= await self._time_of(self.case)

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

            await until(written, bool)

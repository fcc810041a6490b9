"""Merchants, buyers, carriers and officers who know nothing of what breaks: each opens a case, and goes on with it."""

import asyncio
import random
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
from temporalio.service import RPCError

from activities.gateways.payment import GatewayUnreachable
from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.errors import AftersalesError
from tests.proofs.chaos.ground import Ground
from tests.proofs.moves import WORDS, Now, Parties, command_of
from tests.recovery.endings import driven, forward
from tests.recovery.plans import PLANS, Plan
from tests.workflow.world import World
from workflows.messages.actors import Role
from workflows.messages.parcels import Parcel, ParcelEvent

TROUBLE: Final = (
    AftersalesError,
    AssertionError,
    GatewayUnreachable,
    OSError,
    RPCError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
"""What somebody may meet while servers break. Anything else is a fault of ours, and a difference in the report."""
_PATIENCE: Final = 90.0
_TRIES: Final = 3
_ROLES: Final = (Role.MERCHANT, Role.BUYER, Role.PLATFORM)
_MOODS: Final = (
    Mode.SETTLE_LATER,
    Mode.DECLINE,
    Mode.DECLINE_LATER,
    Mode.ACCOUNT_SHORT,
    Mode.ANSWER_SLOWLY,
    Mode.LOSE_ANSWER,
    Mode.LOSE_REQUEST,
    Mode.CALL_BACK_TWICE,
    Mode.CALL_BACK_LATE,
    Mode.CALL_BACK_NEVER,
    Mode.GARBLE_ANSWER,
    Mode.TURN_AWAY,
    Mode.SUCCESS_AFTER_FAILURE,
)
"""What a gateway does to one submission, and somebody's next step mends."""


@dataclass
class Life:
    """One case as somebody lives it."""

    plan: Plan
    world: World
    case: Case | None = None
    as_planned: bool = True
    """Nobody but those of the plan has acted, and the gateway did as it usually does."""
    given_up: bool = False
    """Something broke on the way; the case, if there is one, is brought to its end by others."""


@dataclass
class People:
    """All of them, some at a time, until they are told to stop."""

    ground: Ground
    dice: random.Random
    cases: int
    at_a_time: int
    plans: str = ""
    """Only those whose name has this in it."""
    lives: list[Life] = field(default_factory=list[Life])
    early: list[str] = field(default_factory=list[str])
    begun: int = 0
    """Cases that somebody has brought to where they are to begin."""
    moods: int = 0
    """How often the gateway was told to misbehave."""
    _may_act: asyncio.Event = field(default_factory=asyncio.Event)
    _acting: int = 0

    async def live(self) -> None:
        """Returns once so many cases were begun, and each was left or has ended."""
        self._may_act.set()
        await asyncio.gather(*(self._one_after_the_other() for _ in range(self.at_a_time)))

    async def pause(self) -> None:
        """Nobody does anything any more when this returns."""
        self._may_act.clear()
        while self._acting:
            await asyncio.sleep(0.05)

    def go_on(self) -> None:
        """After a pause."""
        self._may_act.set()

    async def _one_after_the_other(self) -> None:
        plans: Sequence[Plan] = [plan for plan in PLANS if self.plans in plan.name for _ in range(plan.weight)]
        while self.begun < self.cases:
            life = Life(self.dice.choice(plans), self.ground.world())
            self.lives.append(life)
            try:
                await self._with_patience(self._begin(life))
                await self._with_patience(self._go_on_with(life))
            except TROUBLE as error:
                life.given_up = True
                await asyncio.sleep(1)
                self.ground.met[f"told to somebody: {_what(error)}"] += 1
            except (Exception, asyncio.CancelledError) as error:
                this = asyncio.current_task()
                if this and this.cancelling():
                    raise
                life.given_up = True
                told = f"{type(error).__name__}: {error} ({_where(error)})"
                self.ground.unexpected.append(f"{life.plan.name}: somebody was told {told}")

    async def _with_patience(self, doing: Awaitable[None]) -> None:
        await self._may_act.wait()
        self._acting += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                await doing
        finally:
            self._acting -= 1

    async def _begin(self, life: Life) -> None:
        if self.dice.random() < 0.3:
            mood = Behaviour(
                mode=self.dice.choice(_MOODS), merchant_id=life.world.merchant, answer_after_seconds=1, uses_left=1
            )
            await life.world.behave(mood)
            self.moods += 1
            life.as_planned = False
        life.case = await life.plan.begin(life.world)
        self.begun += 1

    async def _go_on_with(self, life: Life) -> None:
        if self.dice.random() < 0.4:
            life.as_planned = False
            for _ in range(self.dice.randint(1, 4)):
                await self._meddle(life)
        # One in four is left to what the last one does with all.
        if life.case and self.dice.random() < 0.75:
            await driven(life.world, life.case, self.early, closely=life.as_planned)

    async def _meddle(self, life: Life) -> None:
        """Something that somebody may do or not do at this moment."""
        assert life.case
        world = life.world
        parties = Parties(world.merchant, world.buyer, world.parcel(), world.parcel(), world.parcel())
        try:
            match self.dice.random():
                case chance if chance < 0.6:
                    by = parties.actor(self.dice.choice(_ROLES))
                    now = Now(at=datetime.now(UTC))
                    command = command_of(self.dice.choice(WORDS), by, world.fresh("c"), parties, now, asked=10_000)
                    answers = await asyncio.gather(
                        *(life.case.act(command) for _ in range(self.dice.choice((1, 1, 2)))), return_exceptions=True
                    )
                    for answer in answers:
                        if isinstance(answer, BaseException):
                            raise answer
                case chance if chance < 0.8:
                    parcel = await self._some_parcel(life)
                    await world.carrier_tells(parcel, self.dice.choice([*ParcelEvent]), datetime.now(UTC))
                case _:
                    await forward(world, life.case, timedelta(hours=self.dice.choice((1, 25, 49, 200))))
        except TROUBLE as error:
            self.ground.met[f"{type(error).__name__} told to a meddler"] += 1

    async def _some_parcel(self, life: Life) -> Parcel:
        rows = await self.ground.pool.fetch(
            """
            SELECT carrier, tracking_no FROM logistics.watches JOIN casebook.cases USING (case_id)
            WHERE merchant_id = $1
            """,
            life.world.merchant,
        )
        return Parcel(**dict(self.dice.choice(rows))) if rows else life.world.parcel()


def _what(error: BaseException) -> str:
    """An error by its class; what an assertion has seen last, and where it stands where it says nothing."""
    if not isinstance(error, AssertionError):
        return type(error).__name__
    return str(error).partition("\n")[0][:120] or f"an assertion that does not hold ({_where(error)})"


def _where(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


async def end_all(ground: Ground, at_a_time: int, early: list[str], deadline: timedelta) -> list[str]:
    """Bring every open case to its end; what comes to none, and why."""
    failed: dict[str, list[str]] = defaultdict(list)
    gives_up = datetime.now(UTC) + deadline
    while datetime.now(UTC) < gives_up:
        rows = await ground.pool.fetch(
            "SELECT case_id, merchant_id, buyer_id FROM casebook.cases WHERE closed_at IS NULL ORDER BY random()"
        )
        todo = [row for row in rows if len(failed[row["case_id"]]) < _TRIES]
        if not todo:
            break

        async def some(todo: list[asyncpg.Record] = todo) -> None:
            while todo:
                row = todo.pop()
                world = ground.world(row["merchant_id"], row["buyer_id"], direct=True)
                try:
                    await driven(world, world.aftersales.case(row["case_id"]), early, closely=False)
                except TROUBLE as error:
                    failed[row["case_id"]].append(f"{type(error).__name__}: {error}")

        await asyncio.gather(*(some() for _ in range(at_a_time)))
    left = await ground.pool.fetch("SELECT case_id FROM casebook.cases WHERE closed_at IS NULL")
    return [f"{row['case_id']}: {'; '.join(failed[row['case_id']]) or 'time was up'}" for row in left]

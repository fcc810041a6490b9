"""The gateway is away for an hour while cases come; then it is back, and nobody does anything about it.

Before it goes it pays for some seconds and loses its answers. While it is away every call fails, whether it pays or
asks. Where the hour is compressed, each open case's clock is moved by what was left out, before and after it is back:
so that those cases ask, and wait as long, as they would in a whole one.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio.service import RPCError

from activities.gateways.payment_stub import Behaviour, PaymentGatewayStub
from activities.gateways.payment_stub_modes import Mode
from tests.proofs.chaos.ground import Ground
from tests.proofs.load.arrivals import Traffic, commands
from tests.proofs.load.checks import all_right
from tests.proofs.load.figures import Latency, latency
from tests.proofs.load.shop import merchants, orders

_MERCHANTS = 50
_LOSES_ANSWERS = 5.0
_STEP = timedelta(minutes=10)
_MOVED_AT_ONCE = 8
_HELD = 20.0
_LATEST: Final = 2 * 3600.0


@dataclass
class GatewayDown:
    """What was found."""

    rate: float = 0.0
    away: float = 0.0
    """Seconds of wall clock."""
    moved: float = 0.0
    """Seconds that clocks of open cases were moved beside that while it was away."""
    cases: int = 0
    while_away: int = 0
    """Cases that were offered while it was away."""
    open_when_back: int = 0
    calls_not_answered: int = 0
    command_before: Latency = field(default_factory=lambda: latency([]))
    command_while_away: Latency = field(default_factory=lambda: latency([]))
    ended_by: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """Seconds after it was back, and how many of those were open still."""
    moved_after: float = 0.0
    drained: float | None = None
    """Seconds of wall clock after it was back until all had ended."""
    differences: list[str] = field(default_factory=list[str])


async def gateway_down(
    ground: Ground, rate: float, away: float, compress: float, say: Callable[[str], None]
) -> GatewayDown:
    """So many cases a second, before and while it is away for ``away`` seconds, of which one in ``compress`` passes."""
    real = away / compress
    before = min(60.0, real)
    found = GatewayDown(rate, round(real, 1), round(away - real, 1))
    made = await orders(ground, round(rate * (before + _LOSES_ANSWERS + real)) + 6, merchants(_MERCHANTS))
    traffic, gateway = Traffic(ground, iter(made)), PaymentGatewayStub(ground.pool)
    usual = await traffic.offer(rate, before)
    await gateway.set_behaviour(Behaviour(mode=Mode.LOSE_ANSWER))
    lost = await traffic.offer(rate, _LOSES_ANSWERS)
    async with _away(ground):
        meanwhile = await traffic.offer(rate, real)
        await traffic.answered()
        if compress > 1:
            await _moved(ground, found.moved)
        found.open_when_back = await _open(ground)
        await gateway.clear_behaviours()
    back = time.monotonic()
    say(f"the gateway is back; {found.open_when_back} cases wait for it")
    found.cases, found.while_away = len(traffic.offered), len(lost) + len(meanwhile)
    found.command_before = latency(commands(usual))
    found.command_while_away = latency(commands(meanwhile))
    while (left := await _open(ground)) and time.monotonic() < back + _LATEST:
        found.ended_by.append((round(time.monotonic() - back, 1), left))
        if compress > 1 and time.monotonic() > back + real and found.moved_after < 2 * away:
            await _moved(ground, _STEP.total_seconds())
            found.moved_after += _STEP.total_seconds()
        await asyncio.sleep(max(real / 20, 1))
    found.drained = None if left else round(time.monotonic() - back, 1)
    found.calls_not_answered = await ground.pool.fetchval(
        "SELECT coalesce(sum(attempts - 1), 0)::bigint FROM gateway.refunds"
    )
    found.differences = await all_right(ground, traffic.offered, traffic.unexpected)
    return found


@asynccontextmanager
async def _away(ground: Ground) -> AsyncGenerator[None]:
    """The gateway's book is not to be found, so that its stand-in fails whatever it is asked."""
    await ground.pool.execute("ALTER TABLE gateway.refunds RENAME TO refunds_away")
    try:
        yield
    finally:
        await ground.pool.execute("ALTER TABLE gateway.refunds_away RENAME TO refunds")


async def _open(ground: Ground) -> int:
    return await ground.pool.fetchval("SELECT count(*) FROM casebook.cases WHERE closed_at IS NULL")


async def _moved(ground: Ground, seconds: float) -> None:
    """Move the clock of each open case, in steps, so that it can ask in between."""
    while seconds > 0:
        step = min(_STEP, timedelta(seconds=seconds))
        seconds -= step.total_seconds()
        rows = await ground.pool.fetch("SELECT case_id FROM casebook.cases WHERE closed_at IS NULL")
        gate = asyncio.Semaphore(_MOVED_AT_ONCE)

        async def move(case: str, by: timedelta = step, gate: asyncio.Semaphore = gate) -> None:
            async with gate:
                # It has ended meanwhile, or an activity that is under way holds its clock.
                with suppress(RPCError, TimeoutError):
                    async with asyncio.timeout(_HELD):
                        await ground.skipper.fast_forward(ground.direct.temporal.get_workflow_handle(case), by)

        await asyncio.gather(*(move(row["case_id"]) for row in rows))

"""``python -m tests.proofs.chaos.run``: thousands of cases while everything breaks, and what is true afterwards."""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from activities.gateways.payment_stub import PaymentGatewayStub
from starter.errors import AftersalesError
from tests.proofs.chaos import verdict
from tests.proofs.chaos.faults import KINDS, Kind, Scene, compared, make
from tests.proofs.chaos.ground import Ground, prepared
from tests.proofs.chaos.kept import keep_open
from tests.proofs.chaos.page import PAGE, page
from tests.proofs.chaos.people import TROUBLE, People, end_all
from tests.proofs.chaos.report import Report, Scale

_CALLBACKS: Final = 1_000
_SETTLED_SECONDS: Final = 30
_KINDS: Final[dict[str, Callable[[str], Any]]] = {"int": int, "float": float, "str": str}


async def chaos(folder: Path, scale: Scale, say: Callable[[str], None]) -> Report:
    """The whole of it, on servers of its own in ``folder``."""
    report, began = Report(), time.monotonic()
    this = asyncio.current_task()
    assert this
    # Or workers, which have sessions of their own, would outlive it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)

    def passed(what: str) -> None:
        report.seconds[what] = round(time.monotonic() - began - sum(report.seconds.values()), 1)
        say(f"{datetime.now(UTC):%H:%M:%S} {what}: {report.seconds[what]} s")

    async with prepared(folder, scale.workers) as ground:
        dice = random.Random(scale.seed)
        people = People(ground, random.Random(f"{scale.seed} people"), scale.cases, scale.at_a_time, scale.plans)
        scene = Scene(ground, people, dice, timedelta(seconds=scale.behind))
        keeper = asyncio.create_task(ground.see_to_workers())
        gateway = asyncio.create_task(_calls_back(ground))
        passed("start")
        living = asyncio.create_task(people.live())
        try:
            report.kills = await _break(scene, scale, living, say)
            await living
        finally:
            living.cancel()
        passed("chaos")
        await ground.command("recover", "--announce", "--start", "--rate", "200", "--json")
        await PaymentGatewayStub(ground.pool).clear_behaviours()
        passed("raise what was lost")
        report.differences += await end_all(ground, scale.at_a_time, people.early, timedelta(hours=1))
        if scale.keep:
            await keep_open(ground, Path(scale.keep))
        passed("end")
        gateway.cancel()
        await _look(ground, people, report)
        passed("look")
        keeper.cancel()
    return report


async def _break(scene: Scene, scale: Scale, living: "asyncio.Task[None]", say: Callable[[str], None]) -> int:
    """Make faults while people live, and until enough was killed; how many processes were killed.

    Processes are killed evenly over the cases: what is killed when all have ended shows little. Meanwhile, and at the
    same time, everything else breaks by the dice. While a store is put back, nothing else is killed.
    """
    kinds = [kind for kind in KINDS if scale.only in kind.name]
    kills = Counter[str]()

    async def one(kind: Kind) -> None:
        await make(kind, scene)
        kills[kind.name] += kind.kills
        if kind.rare or not sum(scene.ground.faults.values()) % 20:
            say(f"{datetime.now(UTC):%H:%M:%S}   {scene.people.begun} cases, {kills.total()} kills, last: {kind.name}")

    async def kill() -> None:
        killing = [kind for kind in kinds for _ in range(kind.weight) if kind.kills]
        while killing and not (living.done() and kills.total() >= scale.kills):
            if living.done() or kills.total() < scale.kills * scene.people.begun / scale.cases:
                async with scene.alone:
                    await one(scene.dice.choice(killing))
            await asyncio.sleep(scene.dice.expovariate(1 / scale.pause))

    async def others() -> None:
        usual = [kind for kind in kinds for _ in range(kind.weight) if not kind.kills]
        rare = [kind for kind in kinds if kind.rare for _ in range(scale.restored)]
        scene.dice.shuffle(rare)
        apart = scale.cases / (len(rare) + 1)
        made = 0
        while rare or not living.done():
            if rare and (living.done() or scene.people.begun > apart * (made + 1)):
                made += 1
                await one(rare.pop())
            elif usual:
                await one(scene.dice.choice(usual))
            await asyncio.wait({living}, timeout=scene.dice.expovariate(1 / scale.pause))

    async with asyncio.TaskGroup() as both:
        both.create_task(kill())
        both.create_task(others())
    await compared(scene)
    return kills.total()


async def _calls_back(ground: Ground) -> None:
    """The gateway's callbacks, as they fall due for each case's own clock, some of them twice."""
    while True:
        await asyncio.sleep(1)
        with suppress(*TROUBLE):
            gateway, at = PaymentGatewayStub(ground.pool), datetime.now(UTC)
            for due in await gateway.due_callbacks(at + timedelta(days=1), limit=_CALLBACKS):
                told = due.callback.model_copy(update={"settled_at": min(due.callback.settled_at, at)})
                try:
                    await ground.aftersales.gateway_callback(told)
                except AftersalesError as error:
                    ground.met[f"{type(error).__name__} told to the gateway"] += 1
                else:
                    await gateway.mark_delivered(due.id, at)


async def _look(ground: Ground, people: People, report: Report) -> None:
    pool = ground.pool
    rows = await pool.fetch("SELECT case_id, kind, outcome, closed_at FROM casebook.cases")
    report.begun, report.cases = people.begun, len(rows)
    report.kinds = dict(sorted(Counter(row["kind"] for row in rows).items()))
    report.outcomes = dict(sorted(Counter(str(row["outcome"]) for row in rows).items()))
    deadline = time.monotonic() + _SETTLED_SECONDS
    while await pool.fetchval("SELECT count(*) FROM notices.outbox WHERE sent_at IS NULL"):
        if time.monotonic() > deadline:
            break
        await ground.command("notices", "retry", "--json")
        await asyncio.sleep(1)
    wrong, report.money = await verdict.money(ground, restored=any("book restored" in each for each in ground.faults))
    unsent, report.notices = await verdict.told(ground)
    report.differences += [
        *wrong,
        *unsent,
        *await verdict.logs(ground),
        *await verdict.workflows(ground, [row["case_id"] for row in rows if row["closed_at"]]),
        *await verdict.strangers(ground),
        *await verdict.plans(ground, people.lives),
        *await verdict.whole(ground),
        *people.early,
        *ground.unexpected,
    ]
    alerts = await pool.fetch("SELECT kind, count(*) AS number FROM ledger.alerts GROUP BY kind ORDER BY kind")
    report.alerts = {row["kind"]: row["number"] for row in alerts}
    report.faults, report.met = dict(sorted(ground.faults.items())), dict(sorted(ground.met.items()))
    report.moods = people.moods


def main() -> int:
    """Exit code 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual in asdict(Scale()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=_KINDS[type(usual).__name__], default=usual)
    parser.add_argument("--page", action="store_true", help="write docs/chaos.md")
    given = vars(parser.parse_args())
    writes = given.pop("page")
    scale = Scale(**given)
    with tempfile.TemporaryDirectory(prefix="aftersales-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        report = asyncio.run(chaos(Path(folder), scale, lambda line: print(line, file=sys.stderr, flush=True)))
    print(json.dumps(asdict(report), indent=1, ensure_ascii=False))
    if writes:
        PAGE.write_text(page(scale, report), encoding="utf-8")
    return 1 if report.differences else 0


if __name__ == "__main__":
    code = main()
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(code)

"""``make load``: how much the machine holds, who waits for whom, and what is true afterwards."""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starter.settings import PREFIX
from tests.proofs.chaos.ground import Ground, prepared
from tests.proofs.load.checks import books_agree
from tests.proofs.load.fairness import fairness
from tests.proofs.load.gateway_down import gateway_down
from tests.proofs.load.page import PAGE, page, read, write
from tests.proofs.load.parked import parked
from tests.proofs.load.rates import Lengths, rates
from tests.proofs.load.report import PARTS, Report, Scale
from tests.proofs.load.soak import soak

_SHARE = 0.5
"""Of the highest rate, for what is to be moderate."""
_KINDS: Final[dict[str, Callable[[str], Any]]] = {"int": int, "float": float, "str": str}
_USUAL = 4.0
"""Cases a second, where the highest rate is not known."""


async def load(folder: Path, scale: Scale, say: Callable[[str], None]) -> Report:
    """The parts that are asked for, each on servers of its own, so that none has the cases of another before it."""
    this = asyncio.current_task()
    assert this
    # Or workers, which have sessions of their own, would outlive it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    report = Report(busy_before=round(os.getloadavg()[0], 1))
    for part in [each for each in PARTS if each in scale.parts.split(",")]:
        began = time.monotonic()

        def tell(what: str, part: str = part) -> None:
            say(f"{datetime.now(UTC):%H:%M:%S} {part}: {what}")

        home = folder / part
        home.mkdir(mode=0o755)
        async with _ground(home, scale, part) as ground:
            await _carried_out(part, ground, scale, report, tell)
        report.seconds[part] = round(time.monotonic() - began, 1)
        tell(f"{report.seconds[part]:.0f} s, {len(report.differences)} differences so far")
    return report


@asynccontextmanager
async def _ground(folder: Path, scale: Scale, part: str) -> AsyncGenerator[Ground]:
    variables = {f"{PREFIX}MAX_CACHED_WORKFLOWS": str(scale.cache)} if part == "parked" else {}
    if scale.workflow_tasks:
        variables[f"{PREFIX}MAX_CONCURRENT_WORKFLOW_TASKS"] = str(scale.workflow_tasks)
    async with prepared(folder, scale.workers, proxied=False, variables=variables) as ground:
        yield ground


async def _carried_out(part: str, ground: Ground, scale: Scale, report: Report, say: Callable[[str], None]) -> None:
    highest = report.rates.highest if report.rates else 0.0
    moderate = round(_SHARE * highest, 2) or _USUAL
    match part:
        case "rates":
            lengths = Lengths(scale.probe, scale.hold, scale.twice, scale.back, scale.within, scale.rate)
            report.rates = await rates(ground, lengths, say)
            report.differences += report.rates.differences
        case "fairness":
            report.fairness = await fairness(ground, scale.waiting, scale.samples, say)
            report.differences += [*report.fairness.differences, *await books_agree(ground)]
        case "parked":
            report.parked = await parked(ground, scale.parked, scale.cache, scale.samples, say)
            report.differences += report.parked.differences
        case "gateway":
            rate = scale.gateway_rate or moderate
            report.gateway = await gateway_down(ground, rate, scale.away, scale.compress, say)
            report.differences += report.gateway.differences
        case _:
            report.soak = await soak(ground, scale.soak_rate or moderate, scale.soak, say)
            report.differences += report.soak.differences


def main() -> int:
    """Exit code 1 where something is not as it must be: a case, a book, a log. Figures are told and not judged."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.load.run", description=__doc__)
    for name, usual in asdict(Scale()).items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=_KINDS[type(usual).__name__], default=usual, help=f"({usual})"
        )
    parser.add_argument(
        "--page", action="store_true", help=f"write {PAGE.name}; parts that are not run stay as they are"
    )
    given = vars(parser.parse_args())
    writes = given.pop("page")
    scale = Scale(**given)
    unknown = set(scale.parts.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"parts are {', '.join(PARTS)}, with commas between")
    with tempfile.TemporaryDirectory(prefix="aft-load-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        report = asyncio.run(load(Path(folder), scale, lambda line: print(line, file=sys.stderr, flush=True)))
    print(json.dumps(asdict(report), indent=1, ensure_ascii=False))
    if writes:
        write(page(scale, report, read()))
    return 1 if report.differences else 0


if __name__ == "__main__":
    code = main()
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(code)

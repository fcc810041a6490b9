"""How long an ordinary caller of the codec server waits while another posts many notes that are left unclosed (P6).

``make bench-encode`` measures (some seconds) and writes its section of docs/benchmarks.md anew.
The server runs in a process of its own; writing asks no database, so there is none.
"""

import asyncio
import multiprocessing
import os
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Final, cast

import aiohttp
import asyncpg

from activities.privacy.keys import FixedKeys, new_key, read_keys
from starter.codec_server import running
from tests.codec.serving import Caller, json_payload, serving

PAGE: Final = Path(__file__).parents[2] / "docs" / "benchmarks.md"
NOTES: Final = (1_000, 2_500, 5_000, 10_000, 20_000)
ROUNDS: Final = 7
SECONDS: Final = 4
_BEGIN, _END = "<!-- encode -->", "<!-- end of encode -->"
_UNCLOSED: Final = "statement:" + "0" * 32 + " 〔"


def kept(page: str, section: str = "encode") -> str:
    """A section of its own in a page, or nothing: whoever writes the rest of the page leaves it."""
    found = re.search(rf"<!-- {section} -->.*<!-- end of {section} -->\n", page, re.DOTALL)
    return f"\n{found.group()}" if found else ""


def _serve(told: Connection) -> None:
    async def serve() -> None:
        keys = FixedKeys(read_keys(new_key("benchmark")))
        pool, vault = cast("asyncpg.Pool", None), cast("Any", None)
        async with running(serving(requests_per_minute=10_000_000), keys, pool, vault) as address:
            told.send(address)
            await asyncio.Event().wait()

    asyncio.run(serve())


async def _timed(caller: Caller, text: str) -> float:
    began = time.perf_counter()
    answer = await caller.encode(json_payload(text))
    assert answer.status == 200, answer.document
    return (time.perf_counter() - began) * 1000


async def _waits(caller: Caller, seconds: float) -> list[float]:
    """Milliseconds of each ordinary request, each 20 ms after the answer before it."""
    found: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        found.append(await _timed(caller, '{"reason": "damaged"}'))
        await asyncio.sleep(0.02)
    return found


async def _measured(address: str) -> str:
    async with aiohttp.ClientSession() as session:
        ordinary = Caller(session, address).as_("operator", "o-1")
        other = Caller(session, address).as_("operator", "o-2")
        sizes: list[str] = []
        for notes in NOTES:
            text = f'"{_UNCLOSED * notes}"'
            times = [await _timed(other, text) for _ in range(ROUNDS)]
            size = len(text.encode()) / 1024
            sizes.append(
                f"| {notes:,} | {size:,.0f} | {min(times):.1f} / {median(times):.1f} | {min(times) / size:.3f} |"
            )
        alone = await _waits(ordinary, SECONDS)

        async def post() -> None:
            while True:
                await _timed(other, f'"{_UNCLOSED * NOTES[-1]}"')

        posting = asyncio.create_task(post())
        beside = await _waits(ordinary, SECONDS)
        if posting.done():
            posting.result()
        posting.cancel()
    return _section(sizes, alone, beside)


def _section(sizes: Sequence[str], alone: Sequence[float], beside: Sequence[float]) -> str:
    def row(name: str, waits: Sequence[float]) -> str:
        return f"| {name} | {len(waits)} | {median(waits):.1f} | {max(waits):.1f} |"

    rows = "\n".join(sizes)
    return f"""{_BEGIN}
## Unclosed notes at the codec server

Measured on {datetime.now(UTC):%Y-%m-%d} by `make bench-encode` on {os.cpu_count()} cores, load
{os.getloadavg()[0]:.1f} from other programs and itself. An operator posts one string to `/encode` that holds many
references, each with a note that is opened and never closed. *ms* is the least and the median of {ROUNDS}
requests, the way there and back included.

| notes | KiB | ms | least ms for a KiB |
| ---: | ---: | ---: | ---: |
{rows}

Another operator posts a small payload, and 20 ms after its answer the next, for {SECONDS} s each: alone, and while the
largest of these is posted again and again.

| ordinary caller | requests | median ms | longest ms |
| --- | ---: | ---: | ---: |
{row("alone", alone)}
{row("beside unclosed notes", beside)}
{_END}
"""


def main() -> None:
    """Measure, and write the section anew."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        section = asyncio.run(_measured(here.recv()))
    finally:
        server.terminate()
        server.join()
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        page.replace(kept(page), "") + "\n" + section if kept(page) else f"{page}\n{section}", encoding="utf-8"
    )


if __name__ == "__main__":
    main()

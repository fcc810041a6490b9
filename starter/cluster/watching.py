"""Who notices a bad release, and when: the service's own alert rules, and the Temporal server."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from starter.cluster.processes import LOOK_SECONDS
from starter.stack import StackError, ports
from starter.stack.server import last_lines

_RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules" / "temporal-workers.yml"
_EVERY: Final = "5s"
_UP_SECONDS: Final = 30
_BUILD: Final = "temporal_worker_build_id"
"""The label by which metrics tell the version of a worker."""


class Alerts:
    """The alert rules of ``deploy/prometheus/rules``, carried out by a Prometheus on the fleet's metrics."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def naming(self, build: str) -> dict[str, float]:
        """The alerts that name a version now, each with the seconds for which it must last before it fires.

        Raises:
            aiohttp.ClientError: Prometheus does not answer.
        """
        return {
            str(rule["name"]): float(rule["duration"])
            for rule in await self._rules()
            if any(each["labels"].get(_BUILD) == build for each in rule["alerts"])
        }

    async def _rules(self) -> list[dict[str, Any]]:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"{self._address}/api/v1/rules", params={"type": "alert"}) as answer,
        ):
            groups = json.loads(await answer.text())["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@asynccontextmanager
async def alerts_on(targets: Path, folder: Path) -> AsyncGenerator[Alerts | None]:
    """Our alert rules on the workers that ``targets`` lists, for as long as the context lasts.

    None where the machine has no Prometheus, or the rules are not there because this is an installed package.

    Raises:
        StackError: Prometheus does not come up.
    """
    program = shutil.which("prometheus")
    if program is None or not _RULES.exists():
        yield None
        return
    configuration, log = folder / "prometheus.yml", folder / "prometheus.log"
    workers = {"job_name": "aftersales", "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}]}
    # JSON is YAML.
    configuration.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": _EVERY, "evaluation_interval": _EVERY},
                "rule_files": [str(_RULES)],
                "scrape_configs": [workers],
            }
        )
    )
    port = ports.choose(["prometheus"], folder / "prometheus-port.json")["prometheus"]
    address = f"{ports.LOOPBACK}:{port}"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={address}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        await _answers(process, port, log)
        yield Alerts(f"http://{address}")
    finally:
        if process.returncode is None:
            process.kill()  # what it has kept goes with the folder
        await process.wait()


async def _answers(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(_UP_SECONDS):
            while not ports.accepts(port):
                if process.returncode is not None:
                    raise StackError(f"Prometheus ended with code {process.returncode}. {last_lines(log)}")
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise StackError(f"Prometheus does not answer. {last_lines(log)}") from None

"""Worker processes as an orchestrator has them: started with an environment, probed by HTTP, ended by signals."""

import json
import multiprocessing
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

import aiohttp

from starter.settings import Settings
from tests.workflow.world import until

_PROCESSES: Final = multiprocessing.get_context("forkserver")
# Loading the program takes longer than most of these tests: it is done once, and each process is a fork of that.
_PROCESSES.set_forkserver_preload(["worker"])


async def probe(address: str, path: str) -> tuple[int, dict[str, Any]]:
    """Status and document of an answer."""
    async with aiohttp.ClientSession() as session, session.get(f"{address}{path}") as answer:
        return answer.status, json.loads(await answer.text())


@dataclass
class WorkerProcess:
    """A running worker, and the file that it writes its output to."""

    process: ForkServerProcess
    output: Path

    async def said(self, words: str) -> str:
        """All that it has said, once these words are among it."""

        async def look() -> str:
            ended, text = self.process.exitcode is not None, self.output.read_text()
            assert not ended or words in text, f"the worker ended: {text}"
            return text

        return await until(look, lambda text: words in text)

    async def probe(self, path: str) -> tuple[int, dict[str, Any]]:
        """What it answers at this path."""
        found = re.search(r"http://\S+\d", await self.said(": running"))
        assert found is not None
        return await probe(found.group(), path)

    async def terminate(self) -> None:
        """SIGTERM; returns when it was heard."""
        self.process.terminate()
        await self.said("ending within")

    async def ended(self) -> int:
        """Its exit code, once it has ended."""

        async def code() -> int | None:
            return self.process.exitcode

        ended = await until(code, lambda code: code is not None)
        assert ended is not None
        return ended


@asynccontextmanager
async def worker_process(settings: Settings, **environment: str) -> AsyncGenerator[WorkerProcess]:
    """One on the queues of ``settings``; killed at the end at the latest."""
    whole = {
        "AFTERSALES_STATE_DIR": str(settings.state_dir),
        "AFTERSALES_TASK_QUEUE": settings.task_queue,
        "AFTERSALES_WORKFLOW_SANDBOX": "false",
        "AFTERSALES_HEALTH_LISTEN": "127.0.0.1:0",
        **environment,
    }
    with tempfile.NamedTemporaryFile(prefix="worker-", suffix=".log") as log:
        process = _PROCESSES.Process(target=_run, args=(whole, log.name))
        process.start()
        try:
            yield WorkerProcess(process, Path(log.name))
        finally:
            process.kill()
            process.join()
            process.close()


def _run(environment: Mapping[str, str], output: str) -> None:
    """``python -m worker`` with this environment, in a process of its own."""
    handle = os.open(output, os.O_WRONLY | os.O_APPEND)
    for number in (1, 2):
        os.dup2(handle, number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(environment)
    import worker

    code = worker.main()
    sys.stdout.flush()
    os._exit(code)

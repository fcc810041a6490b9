"""Where personal data could be seen by somebody who must not: each place's content, as bytes."""

import asyncio
import io
import json
import logging
import urllib.request
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from google.protobuf.json_format import MessageToJson
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from starter.stack import ports
from starter.stack.state_folder import StateFolder
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from playwright.async_api import Page

_PAGES = 4


@dataclass
class Watched:
    """A process under watch: what it logs, its spans, its metrics."""

    folder: Path
    lines: io.StringIO = field(default_factory=io.StringIO)
    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def __post_init__(self) -> None:
        port = ports.choose(["sdk-metrics"], self.folder / "sdk-metrics.json")["sdk-metrics"]
        self._metrics = f"http://{ports.LOOPBACK}:{port}/metrics"
        self.runtime = Runtime(
            telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=f"{ports.LOOPBACK}:{port}"))
        )
        self._provider = TracerProvider()
        self._provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.tracer = self._provider.get_tracer("tests")
        self.interceptor = TracingInterceptor(self.tracer)

    @contextmanager
    def logging(self) -> Generator[None]:
        """Everything that is logged, down to debug, with what it was formatted from."""
        root, handler = logging.getLogger(), logging.StreamHandler(self.lines)
        handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)

    async def seen(self) -> dict[str, bytes]:
        """The process's own places."""
        files = [each for each in (self.folder / "logs").rglob("*") if each.is_file()]
        return {
            "worker log": self.lines.getvalue().encode(),
            "servers' logs": b"\n".join(each.read_bytes() for each in files),
            "spans": "\n".join(span.to_json() for span in self.spans.get_finished_spans()).encode(),
            "metrics": await _fetched(self._metrics),
        }


async def of_temporal(client: Client, folder: StateFolder, metrics_address: str | None) -> dict[str, bytes]:
    """Temporal's places: its database with its log, every history, every row of its visibility, its metrics."""
    rows = [row async for row in _rows(client)]
    histories = await asyncio.gather(*(_history(client, row.execution) for row in rows))
    database = folder.temporal_database
    return {
        "Temporal's database": database.read_bytes() + database.with_name(f"{database.name}-wal").read_bytes(),
        "histories": b"\n".join(histories),
        "visibility": b"\n".join(row.SerializeToString() + MessageToJson(row).encode() for row in rows),
        "server's metrics": await _fetched(metrics_address) if metrics_address else b"",
    }


async def of_the_web_ui(page: "Page", address: str, client: Client, planted: Sequence[str]) -> bytes:
    """What an operator sees: the list of cases, and the pages of some of them, each with its text and its source.

    Args:
        page: Of the browser.
        address: Of the Web UI.
        client: Lists the cases.
        planted: The marks of which the pages of ``Planted`` workflows show one each.
    """
    seen: list[str] = []
    workflows = f"{address}/namespaces/default/workflows"
    rows = [row async for row in _rows(client)]
    cases = [
        row.execution
        for row in rows
        if row.type.name not in {"ClosedCases", "Planted", "NoticeResend", "Reconciliation"}
    ]
    shown = [*cases[:: max(1, len(cases) // _PAGES)], *(row.execution for row in rows if row.type.name == "Planted")]
    urls = [workflows, *(f"{workflows}/{_quoted(each)}/history" for each in shown)]
    for url in urls:
        await page.goto(url, wait_until="networkidle")
        if url != workflows:
            # The network can be still before the page has drawn what it was told.
            await page.locator('.cm-content[aria-label="Input"]').first.wait_for()
        if "/planted" in url:  # or had it decoded
            drawn = "marks => marks.some(mark => document.body.innerText.includes(mark))"
            await page.wait_for_function(drawn, arg=list(planted))
        seen += [await page.inner_text("body"), await page.content()]
    assert any("refund" in each for each in seen), "the pages were not there yet"
    return "\n".join(seen).encode()


async def plant(client: Client, mark: str) -> None:
    """A workflow that carries ``mark`` wherever a careless program could put it: who has no guard is found out."""
    handle = await client.start_workflow(
        "Planted",
        {"name": mark},
        id=f"planted/{abs(hash(mark))}",
        task_queue="nobody",
        memo={"name": mark},
        static_summary=mark,
    )
    await handle.signal("note", mark)
    await handle.terminate()  # its page would go on asking otherwise, and never be still
    query = f'WorkflowId = "{handle.id}" AND ExecutionStatus = "Terminated"'
    while (await client.count_workflows(query)).count == 0:  # lists are behind what happens
        await asyncio.sleep(0.1)


async def files_of_postgres(pool: asyncpg.Pool, folder: Path) -> bytes:
    """All that PostgreSQL has written, tables and write-ahead log of both databases."""
    await pool.execute("CHECKPOINT")
    return b"".join(each.read_bytes() for each in (folder / "postgres").rglob("*") if each.is_file())


async def _rows(client: Client) -> AsyncGenerator[WorkflowExecutionInfo]:
    token = b""
    while True:
        answer = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(namespace=client.namespace, page_size=200, next_page_token=token)
        )
        for row in answer.executions:
            yield row
        token = answer.next_page_token
        if not token:
            return


async def _history(client: Client, execution: WorkflowExecution) -> bytes:
    service = client.workflow_service
    answer = await service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(namespace=client.namespace, execution=execution, maximum_page_size=1000)
    )
    described = await service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    )
    return b"\n".join(each.SerializeToString() + MessageToJson(each).encode() for each in (answer.history, described))


def _quoted(execution: WorkflowExecution) -> str:
    return f"{execution.workflow_id.replace('/', '%2F')}/{execution.run_id}"


async def _fetched(url: str) -> bytes:
    def fetch() -> bytes:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.read()

    return await asyncio.to_thread(fetch)


def told(places: dict[str, set[str]]) -> str:
    """What was found where, for the message of a test."""
    return json.dumps({place: sorted(marks) for place, marks in places.items() if marks}, ensure_ascii=False)

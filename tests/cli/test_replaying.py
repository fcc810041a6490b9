"""The gate before a deploy, from the command line: its exit codes, and what it says."""

from pathlib import Path
from uuid import uuid4

from temporalio.client import Client
from temporalio.worker import Worker

from starter.commands.failures import Exit
from starter.worker.runner import runner_for
from tests.cli.shell import Shell
from tests.cli.test_cases import opened, order
from tests.worker.test_live_replay import AnotherRelease
from tests.workflow.world import until


async def test_open_cases_go_on_and_one_of_another_release_stops_the_deploy(
    worker_process: Shell, client: Client, tmp_path: Path
) -> None:
    shell = worker_process
    await opened(shell, tmp_path, order())

    good = await shell.run("replay", "--live", "--kind", "Refund", "--rate", "200", "--json")
    assert good.code == Exit.OK, good.err
    assert good.document["differing"] == []
    assert good.document["replayed"]["Refund"] > 0

    other, queue = f"refund/O-{uuid4().hex[:8]}/k-1", f"other-{uuid4().hex[:8]}"
    runner = runner_for(sandboxed=False, versioned=False)
    async with Worker(client, task_queue=queue, workflows=[AnotherRelease], workflow_runner=runner):
        handle = await client.start_workflow("Refund", "of another release", id=other, task_queue=queue)
        try:
            await until(lambda: _is_listed(client, other), bool)
            stopped = await shell.run("replay", "--live", "--rate", "200", "--json")
            page = await shell.run("replay", "--live", "--rate", "200")
        finally:
            await handle.terminate("the test is over")

    assert (stopped.code, page.code) == (Exit.NO, Exit.NO)
    (differing,) = stopped.document["differing"]
    assert (differing["workflow_id"], differing["run_id"]) == (other, handle.first_execution_run_id)
    assert "do not deploy" in page.out
    assert other in page.out
    assert "of another release" not in page.out + stopped.out


async def _is_listed(client: Client, workflow_id: str) -> bool:
    """Whether the server's list, which is late, has it, with its first task done."""
    events = (await client.get_workflow_handle(workflow_id).fetch_history()).events
    found = [each.id async for each in client.list_workflows(f'WorkflowId = "{workflow_id}"')]
    return bool(found) and len(events) > 4


async def test_what_is_to_be_replayed_must_be_said(shell: Shell) -> None:
    for words, field in ((("replay",), "--live"), (("replay", "--live", "--kind", "Refunds"), "--kind")):
        ended = await shell.run(*words, "--json")
        assert (ended.code, ended.failure["field"]) == (Exit.USAGE, field)

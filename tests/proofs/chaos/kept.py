"""What is left of cases that came to no end, so that somebody can look at it when the servers are gone."""

import json
from pathlib import Path

from temporalio.service import RPCError

from tests.proofs.chaos.ground import Ground

_OF_BOOK = """
SELECT row_to_json(found)::text FROM (
    SELECT cases.*, (
        SELECT json_agg(log ORDER BY position) FROM casebook.log WHERE log.case_id = cases.case_id
    ) AS lines
    FROM casebook.cases AS cases WHERE case_id = ANY ($1)
) AS found
"""


async def keep_open(ground: Ground, folder: Path) -> None:
    """Rows, logs and histories of all runs of each open case, and of its dispute."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = await ground.pool.fetch(
        "SELECT case_id, state -> 'dispute' ->> 'current' AS dispute FROM casebook.cases WHERE closed_at IS NULL"
    )
    cases = sorted({each for row in rows for each in (row["case_id"], row["dispute"]) if each})
    for number, line in enumerate(await ground.pool.fetch(_OF_BOOK, cases)):
        (folder / f"book-{number}.json").write_text(json.dumps(json.loads(line[0]), indent=1, ensure_ascii=False))
    for case in cases:
        named = case.replace("/", "_")
        async for run in ground.direct.temporal.list_workflows(f'WorkflowId = "{case}"'):
            handle = ground.direct.temporal.get_workflow_handle(case, run_id=run.run_id)
            try:
                history = await handle.fetch_history()
            except RPCError:
                continue
            (folder / f"{named}-{run.start_time:%H%M%S}-{run.run_id[:8]}.json").write_text(history.to_json())

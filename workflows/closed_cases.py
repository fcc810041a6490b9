"""The scheduled workflow that moves closed cases out of the way, and months of them to the archive."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from workflows.messages.closed_cases import (
    ArchivedMonth,
    ArchiveMonth,
    ClosedCasesRun,
    MoveClosed,
    MovedReport,
    archive_month,
    move_closed_cases,
)
from workflows.queues import queue_for
from workflows.starts import reads_our_start
from workflows.versions import LASTS_MINUTES

_ROUNDS_PER_RUN = 100
"""Keeps the history of a run short; where much is due, it goes on as a new run."""


@workflow.defn(name="ClosedCases", versioning_behavior=LASTS_MINUTES)
@reads_our_start
class ClosedCases:
    """One round: whatever is due. What it was doing when it broke off is due in the next round as well."""

    @workflow.run
    async def run(self, run: ClosedCasesRun) -> MovedReport:
        """Move for as long as there is more, some seconds of batches at a time; then what is old goes to the archive.

        A month that the archive does not take is due in the next round as well.
        """
        at = run.at or workflow.now()
        report = run.so_far
        rounds = 0
        while True:
            if rounds == _ROUNDS_PER_RUN:
                workflow.continue_as_new(run.model_copy(update={"at": at, "so_far": report}))
            moved = await workflow.execute_activity(
                move_closed_cases.__name__,
                MoveClosed(at=at),
                result_type=MovedReport,
                task_queue=queue_for(move_closed_cases),
                start_to_close_timeout=timedelta(minutes=5),
                heartbeat_timeout=timedelta(minutes=1),
                retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=5)),
                summary="move closed cases",
            )
            report, rounds = report.plus(moved), rounds + 1
            if not moved.more:
                break
        for month in report.months:
            await workflow.execute_activity(
                archive_month.__name__,
                ArchiveMonth(at=at, month=month),
                result_type=ArchivedMonth,
                task_queue=queue_for(archive_month),
                start_to_close_timeout=timedelta(hours=6),
                heartbeat_timeout=timedelta(minutes=2),
                retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=10), maximum_attempts=5),
                summary=f"archive {month}",
            )
        return report

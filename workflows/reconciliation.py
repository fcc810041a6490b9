"""Comparing our ledger with the payment gateway's book, page by page; run by a schedule (section 10)."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from workflows.messages.reconciliation import ReconcileReport, ReconcileRequest, ReconciliationRun, reconcile
from workflows.queues import queue_for
from workflows.starts import reads_our_start
from workflows.versions import LASTS_MINUTES

_PAGES_PER_RUN = 100
"""Keeps the history of a run short; a long book continues as a new run."""


@workflow.defn(name="Reconciliation", versioning_behavior=LASTS_MINUTES)
@reads_our_start
class Reconciliation:
    """Goes through both books once."""

    @workflow.run
    async def run(self, run: ReconciliationRun) -> ReconcileReport:
        """Compare page after page; the report counts what differs, the database has the differences."""
        at = run.at or workflow.now()
        report, pages = run.so_far, 0
        while report.next_after is not None:
            if pages == _PAGES_PER_RUN:
                workflow.continue_as_new(run.model_copy(update={"at": at, "so_far": report}))
            page = await workflow.execute_activity(
                reconcile.__name__,
                ReconcileRequest(at=at, after=report.next_after, comparison=run.comparison),
                result_type=ReconcileReport,
                task_queue=queue_for(reconcile),
                start_to_close_timeout=timedelta(minutes=2),
                retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=5)),
                summary=f"compare from {report.next_after or 'the first refund'} on",
            )
            report, pages = report.plus(page), pages + 1
        return report

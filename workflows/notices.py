"""The scheduled workflow that sends notices again until they are through."""

from datetime import timedelta

from temporalio import workflow

from workflows.messages.notices import NoticeResendRequest, ResendNotices, SendReport, resend_notices
from workflows.queues import queue_for
from workflows.starts import reads_our_start
from workflows.versions import LASTS_MINUTES


@workflow.defn(name="NoticeResend", versioning_behavior=LASTS_MINUTES)
@reads_our_start
class NoticeResend:
    """One round of sending what is due and still unsent; a schedule starts the next one."""

    @workflow.run
    async def run(self, request: NoticeResendRequest) -> SendReport:
        """Send up to the request's limit and tell what came of it."""
        return await workflow.execute_activity(
            resend_notices.__name__,
            ResendNotices(at=workflow.now(), limit=request.limit),
            result_type=SendReport,
            task_queue=queue_for(resend_notices),
            start_to_close_timeout=timedelta(minutes=5),
            # What is not through by then is due in the next round as well.
            schedule_to_close_timeout=timedelta(minutes=10),
            summary="send notices that are due",
        )

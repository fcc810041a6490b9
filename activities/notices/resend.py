"""The activity that sends again what could not be sent."""

from temporalio import activity

from activities.notices.sender import NoticeSender
from workflows.messages.notices import ResendNotices, SendReport, resend_notices


class NoticeActivities:
    """What the scheduled workflow calls."""

    def __init__(self, sender: NoticeSender) -> None:
        self._sender = sender

    @activity.defn(name=resend_notices.__name__)
    async def resend_notices(self, resending: ResendNotices) -> SendReport:
        """Send up to ``resending.limit`` notices that are due; a channel's failure is part of the report."""
        return await self._sender.send_due(resending.at, resending.limit)

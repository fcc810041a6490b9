"""A gateway's callback that comes after its case has ended (section 10)."""

from temporalio import workflow

from workflows.messages import activities
from workflows.messages.commands import GatewayCallback
from workflows.messages.settlements import EnterCallback, Settled
from workflows.queues import queue_for
from workflows.shell.answers import until_answered
from workflows.starts import reads_our_start
from workflows.versions import LASTS_MINUTES


@workflow.defn(name="LateCallback", versioning_behavior=LASTS_MINUTES)
@reads_our_start
class LateCallback:
    """Enters the callback into the ledger, which raises an alert where it contradicts what is known.

    Money that has come back opens the case again in the book; whoever handed the callback on starts its workflow anew,
    and ``aftersales recover`` does where nobody has.
    """

    @workflow.run
    async def run(self, callback: GatewayCallback) -> Settled:
        """Enter ``callback``; a repeated one changes nothing. The result is how the payout's legs stand."""
        return await until_answered(
            activities.enter_callback,
            EnterCallback(callback=callback, at=workflow.now(), late=True),
            seconds=30,
            summary=f"late gateway callback: {callback.result}",
            task_queue=queue_for(activities.enter_callback),
        )

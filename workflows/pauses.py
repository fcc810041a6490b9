"""A pause window that was declared or lifted reaches the open cases that it names (section 9)."""

import asyncio
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import FailureError

from workflows.messages.clocks import ClocksAsked, ReachClocks, find_clocks
from workflows.rules.pauses import told_of
from workflows.shell.answers import until_answered
from workflows.starts import reads_our_start
from workflows.versions import LASTS_MINUTES

PAGES_PER_RUN = 10
"""Keeps the history of a run short: each case that is told takes three events."""


@workflow.defn(name="PauseReach", versioning_behavior=LASTS_MINUTES)
@reads_our_start
class PauseReach:
    """Tells case after case to work out its deadline anew; a case that opens meanwhile knows the window already."""

    @workflow.run
    async def run(self, reach: ReachClocks) -> int:
        """How many cases were told."""
        pages = 0
        while True:
            asked = ClocksAsked(kinds=reach.kinds, after=reach.after, limit=reach.page, asleep=reach.asleep)
            found = await until_answered(
                find_clocks, asked, seconds=30, summary=f"cases after {reach.after or 'the first'}"
            )
            await asyncio.gather(*(self._tell(case, reach) for case in found.cases))
            told = reach.told + len(found.cases)
            if len(found.cases) == asked.limit:
                reach = reach.model_copy(update={"after": found.cases[-1], "told": told})
            elif reach.wakes and not reach.asleep:
                reach = reach.model_copy(update={"after": "", "told": told, "asleep": True})
            else:
                return told
            pages += 1
            if pages == PAGES_PER_RUN:
                workflow.continue_as_new(reach)

    async def _tell(self, case: str, reach: ReachClocks) -> None:
        changed = told_of(reach.window, reach.change, reach.by)
        with suppress(FailureError):  # it has ended meanwhile; one that was stopped looks when it goes on
            await workflow.get_external_workflow_handle(case).signal(changed.command_name(), changed)

"""What the platform declares: pause windows that move clocks, and exemptions (section 9, L2)."""

from datetime import UTC, datetime

import asyncpg
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from activities.postgres import pauses
from starter.database import transaction
from starter.errors import Unreachable
from starter.priorities import BEHIND_CASES
from workflows.messages.actors import Actor
from workflows.messages.clocks import ReachClocks
from workflows.messages.pauses import DeclareExemption, DeclarePause, Exemption, LiftPause, PauseWindow
from workflows.messages.stages import CaseKind


class Declarations:
    """Declarations as the platform's staff makes them."""

    def __init__(self, temporal: Client, pool: asyncpg.Pool, task_queue: str) -> None:
        self._temporal = temporal
        self._pool = pool
        self._task_queue = task_queue

    async def declare_pause(self, declaration: DeclarePause) -> PauseWindow:
        """Let the clocks of some kinds of case stand still for a while; open cases are reached by a workflow.

        The same declaration again is harmless: whoever has heard of it does nothing. It is what to do after an error,
        and where a stopped case was reset to a later workflow task than its first, which could not hear of it.

        Raises:
            DeclaredOtherwise: the id is another window's.
            Unreachable: Temporal or the database does not answer; declare it again.
        """
        async with transaction(self._pool) as connection:
            window = await pauses.declare(connection, declaration, datetime.now(UTC))
        await self._reach(window, "declared", window.declared_by)
        return window

    async def lift_pause(self, lifting: LiftPause) -> PauseWindow | None:
        """End a window before its time; None for an unknown one. Errors as in ``declare_pause``.

        One that is over stays as it is.
        """
        async with transaction(self._pool) as connection:
            window = await pauses.lift(connection, lifting.id, lifting.by, datetime.now(UTC))
        if window and window.lifted_by:
            await self._reach(window, "lifted", window.lifted_by)
        return window

    async def pauses(self) -> tuple[PauseWindow, ...]:
        """All windows, the one that starts last first. Unreachable where the database does not answer."""
        async with transaction(self._pool) as connection:
            return await pauses.list_pauses(connection)

    async def declare_exemption(self, declaration: DeclareExemption) -> Exemption:
        """Excuse merchants from shipping late in a certain time (L2). Errors as in ``declare_pause``."""
        async with transaction(self._pool) as connection:
            return await pauses.declare_exemption(connection, declaration, datetime.now(UTC))

    async def _reach(self, window: PauseWindow, change: str, by: Actor) -> None:
        """Tell the open cases: by a workflow, so that a crash on the way loses none of them.

        A case that is to open later looks by itself when its moment has come, which a lifted window has made earlier.
        """
        wakes = change == "lifted" and CaseKind.LATE_SHIPMENT in window.kinds
        try:
            await self._temporal.start_workflow(
                "PauseReach",
                ReachClocks(window=window.id, change=change, by=by, kinds=window.kinds, wakes=wakes),
                id=f"pause-reach/{window.id}/{change}",
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                priority=BEHIND_CASES,
                static_summary=f"pause {window.id} {change}: open cases work out their deadlines anew",
            )
        except RPCError as error:
            raise Unreachable(f"the open cases were not told yet, declare it again: {error.message}") from error

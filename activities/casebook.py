"""The steps of a case, written down one by one."""

from collections.abc import Callable

import asyncpg
from temporalio import activity

from activities import missing_steps
from activities.measures import Measures
from activities.policies import Policies, PolicyError
from activities.postgres import casebook
from activities.tally import Tally
from workflows.messages.activities import record_step
from workflows.messages.cases import Step, Stepped
from workflows.messages.policy import Policy


class CaseBook:
    """Writes what workflows decide."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        policies: Policies,
        wake_notices: Callable[[], None],
        measures: Measures | None = None,
    ) -> None:
        self._measures = measures or Measures()
        self._pool = pool
        self._policies = policies
        self._wake_notices = wake_notices

    @activity.defn(name=record_step.__name__)
    async def record_step(self, step: Step) -> Stepped:
        """Write a step in one transaction; the same step again gives what it gave before.

        Raises:
            StepOutOfOrder, LastStepMissing: the step does not follow the last one.
        """
        tally = Tally()
        async with (
            missing_steps.told(self._pool, step.case.case_id),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            stepped = await casebook.write_step(connection, step, self._in_force, tally)
        self._measures.committed(tally)
        self._wake_notices()
        return stepped

    def _in_force(self, name: str) -> Policy | None:
        """A profile whose file is wrong is not in force: nothing moves to it, and no case waits for it."""
        try:
            return self._policies.get(name)
        except PolicyError:
            return None

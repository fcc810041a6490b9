"""A case book that lacks steps which a case has taken: an answer was made up, or the book was restored (section 11)."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
from temporalio import activity

from activities.postgres import resuming
from activities.postgres.casebook import StepOutOfOrder

_log = logging.getLogger(__name__)


class LastStepMissing(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The book lacks the last step of the run that asks, which has said that it can write it again."""


@asynccontextmanager
async def told(pool: asyncpg.Pool, case_id: str) -> AsyncGenerator[None]:
    """Tell who can mend it what is missing: the run itself, where it is its last step; else a person.

    Raises:
        LastStepMissing: in the place of the following, where the run can mend it.
        StepOutOfOrder: as it came; where steps are missing, the case's row and its log call for a person.
    """
    try:
        yield
    except StepOutOfOrder as error:
        if error.lacking == 1 and _run_can_mend():
            raise LastStepMissing(str(error)) from error
        if error.lacking and not (error.lacking == 1 and _is_tried_locally()):
            _log.error("the case book lacks %d steps of %s", error.lacking, case_id)
            async with pool.acquire() as connection, connection.transaction():
                await resuming.call_for_a_person(connection, case_id)
        raise


def _run_can_mend() -> bool:
    retries = activity.info().retry_policy if activity.in_activity() else None
    return bool(retries) and LastStepMissing.__name__ in (retries.non_retryable_error_types or ())


def _is_tried_locally() -> bool:
    return activity.in_activity() and activity.info().is_local

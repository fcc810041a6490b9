"""Activities whose answer a workflow goes by, tried until there is one that it can go by (section 11).

An activity is retried by the server until it works, but the server is not the only one who ends it: somebody may fail
it, complete it by hand, or forbid another attempt. None of that may end a case, and no answer is believed that does
not bear what only the book, or the ledger, could have put there. Such an activity is begun anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar, get_type_hints

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from workflows.shell.host import LastStepMissingError

Given = TypeVar("Given")
Found = TypeVar("Found")

LAST_STEP_MISSING = "LastStepMissing"
"""The type of the error of an activity that finds the book without the last step that its run has taken."""

LOCAL_TRIES = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3)
UNTIL_IT_WORKS = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))


def untold(activity: str, why: str) -> None:
    """For workflows without a log to write to."""


async def until_answered(
    activity: Callable[[Given], Awaitable[Found]],
    given: Given,
    *,
    seconds: int,
    summary: str,
    task_queue: str | None = None,
    fits: Callable[[Found], bool] = lambda _: True,
    tell: Callable[[str, str], None] = untold,
    mends: bool = False,
) -> Found:
    """A regular activity, tried until it works: operators see it pending with its last failure.

    One that has failed for good, and one whose answer cannot be read or does not ``fit``, is begun anew, at first at
    once and then ever more seldom; ``tell`` learns of its name and why. Only a cancellation is passed on.

    Raises:
        LastStepMissingError: the book lacks the last step, where the caller ``mends`` that.
    """
    retries = replace(UNTIL_IT_WORKS, non_retryable_error_types=[LAST_STEP_MISSING]) if mends else UNTIL_IT_WORKS
    for wait in _waits():
        try:
            answer: RawValue | None = await workflow.execute_activity(
                activity.__name__,
                given,
                result_type=RawValue,
                task_queue=task_queue,
                start_to_close_timeout=timedelta(seconds=seconds),
                retry_policy=retries,
                summary=summary,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if mends and isinstance(error.cause, ApplicationError) and error.cause.type == LAST_STEP_MISSING:
                raise LastStepMissingError from error
            tell(activity.__name__, "failed")
        else:
            model = get_type_hints(activity)["return"]
            found = _read(answer, model)
            if isinstance(found, model) and fits(found):
                return found
            tell(activity.__name__, "unfit")
        if wait:
            await asyncio.sleep(wait)
    raise AssertionError("there is always another wait")


async def soon_answered(
    activity: Callable[[Given], Awaitable[Found]],
    given: Given,
    *,
    one_call: timedelta,
    all_calls: timedelta,
    retries: RetryPolicy,
    summary: str,
    task_queue: str,
    fits: Callable[[Found], bool],
) -> Found | None:
    """A regular activity that somebody waits for: None where it has not worked by then.

    An answer that cannot be read or does not ``fit`` is asked for once more, and is None after that.
    """
    for _ in range(2):
        try:
            answer: RawValue | None = await workflow.execute_activity(
                activity.__name__,
                given,
                result_type=RawValue,
                task_queue=task_queue,
                start_to_close_timeout=one_call,
                schedule_to_close_timeout=all_calls,
                retry_policy=retries,
                summary=summary,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return None
        model = get_type_hints(activity)["return"]
        found = _read(answer, model)
        if isinstance(found, model) and fits(found):
            return found
    return None


async def local_first(
    activity: Callable[[Given], Awaitable[Found]],
    given: Given,
    *,
    fits: Callable[[Found], bool] = lambda _: True,
    tell: Callable[[str, str], None] = untold,
    mends: bool = False,
) -> Found:
    """A short database step: as a local activity while the database answers, else as a regular one.

    The regular one waits for as long as it takes, and raises, as ``until_answered`` does.
    """
    try:
        return await workflow.execute_local_activity(
            activity.__name__,
            given,
            result_type=get_type_hints(activity)["return"],
            schedule_to_close_timeout=timedelta(seconds=5),
            retry_policy=LOCAL_TRIES,
        )
    except FailureError:  # not ActivityError: a local activity's failure comes bare, in a replay its timeout does too
        return await until_answered(
            activity,
            given,
            seconds=30,
            summary="the case book did not answer at once: trying until it does",
            fits=fits,
            tell=tell,
            mends=mends,
        )


def _read(answer: RawValue | None, model: Any) -> Any:
    """What an activity has answered; None where there is nothing that can be read as a ``model``.

    It is read here, because what the SDK cannot read ends the workflow.
    """
    if answer is None or model is type(None):
        return None
    try:
        return workflow.payload_converter().from_payload(answer.payload, model)
    except Exception:  # whatever a converter raises over what somebody has typed
        return None


def _waits() -> Iterator[float]:
    """Seconds before the activity is begun anew: for what fails again and again, up to an hour."""
    yield 0
    wait = 60.0
    while True:
        yield wait
        wait = min(wait * 3, 3600)

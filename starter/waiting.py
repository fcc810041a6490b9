"""How long the client waits for a worker, and how it asks, or sends, what may be asked or sent again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, Final, TypeVar

from temporalio.client import WorkflowHandle
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

Answer = TypeVar("Answer")

PATIENCE = timedelta(seconds=30)
"""How long a command or a look waits for a worker. The tests, on machines with too much to do, set a longer one."""

NO_ANSWER: Final = frozenset({RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
"""What a call that was not answered in time ends with: as the server says it, and as the SDK does."""

UNTIL_THE_NEXT_TASK: Final = 0.2
"""Seconds until what a workflow was not asked is sent again."""

_UNDER_WAY: Final = "concurrent in-flight updates"
"""In what the server says where so many updates (10) wait for a workflow's answer that it takes no other meanwhile."""

_TRIES: Final = 3
"""At least."""
_ONE_TRY: Final = timedelta(seconds=10)
"""At most: who waits longer asks more often."""


async def look(
    handle: WorkflowHandle[Any, Any],
    result_type: type[Answer],
    reject: QueryRejectCondition | None = None,
    patience: timedelta | None = None,
) -> Answer:
    """The answer to a workflow's query ``view``, which is asked again where it gets lost.

    A worker that drops a run from its cache may drop a query with it, and the server waits for the answer until the
    caller has gone. Asking changes nothing. All tries together take ``patience``, else ``PATIENCE``.

    Raises:
        WorkflowQueryRejectedError, WorkflowQueryFailedError: as the SDK has it.
        RPCError: Temporal refuses, or nobody has answered in time (``NO_ANSWER``).
    """
    return await asked_again(
        lambda time: handle.query("view", result_type=result_type, reject_condition=reject, rpc_timeout=time), patience
    )


async def asked_again(ask: Callable[[timedelta], Awaitable[Answer]], patience: timedelta | None = None) -> Answer:
    """What ``ask`` gives, of several tries where one is not answered: for what changes nothing.

    Args:
        ask: Asks Temporal, and waits for the answer for as long as it is told.
        patience: All tries together; ``PATIENCE`` without it.

    Raises:
        RPCError: Temporal refuses, or nobody has answered in time (``NO_ANSWER``).
    """
    patience = patience or PATIENCE
    tries = max(_TRIES, ceil(patience / _ONE_TRY))
    each = patience / tries
    for left in reversed(range(tries)):
        try:
            return await ask(each)
        except RPCError as error:
            if error.status not in NO_ANSWER or not left:
                raise
    raise AssertionError("the last try has answered or raised")


@dataclass
class Sending:
    """A command on its way to its workflow, for as long as its sender waits."""

    turned_away: bool = False
    """The server, asked last, would not take it for those that are under way already."""

    async def comes_later(self, error: RPCError) -> bool:
        """Whether the server has only turned it away for those under way; then it may be sent again now.

        Nobody has looked at the command: the workflow has others to answer first, and it comes later.
        """
        self.turned_away = error.status is RPCStatusCode.RESOURCE_EXHAUSTED and _UNDER_WAY in error.message
        if self.turned_away:
            await asyncio.sleep(UNTIL_THE_NEXT_TASK)
        return self.turned_away

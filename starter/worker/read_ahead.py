"""Keeps a workflow that was read ahead for a query from going on as it stands: another worker could not replay it.

A query that waits for a worker may reach one that has not cached the workflow, when more has happened since its last
workflow task. The SDK then applies that at once, although no workflow task has begun, and answers. A command or signal
of the next task comes after it in this process, and before it wherever the history is replayed, since updates and
signals come first in an activation. From then on each replay fails with a ``NondeterminismError``, and the case stands
still until it is reset (``findings/temporal-query-reads-ahead.sh``). Here such a task fails once: the SDK forgets the
workflow, and the server gives the task again with the whole history.
"""

from typing import Any, Final

_NOTHING_TO_DO: Final = frozenset({"query_workflow", "remove_from_cache"})
_OF_THE_WORKER: Final = frozenset({"initialize_workflow", "notify_has_patch", "update_random_seed"})


class WasReadAhead(RuntimeError):  # noqa: N818 -- it is a finding, not a fault
    """The workflow was read ahead for a query, and its task is to be given again. It says nothing of the case."""

    def __init__(self) -> None:
        super().__init__("read ahead for a query: the task is given again and replayed from the beginning")


class ReadAhead:
    """Whether a workflow has been told what no workflow task of its history has told it yet."""

    def __init__(self) -> None:
        self._at: tuple[int, int] | None = None
        self._replayed = False
        self._ahead = False

    def look(self, act: Any) -> None:
        """Look at an activation before it is carried out.

        The time of a workflow is that of its last task, so that what came with a new one has a later time.

        Raises:
            WasReadAhead: it is to be carried out on what was read ahead.
        """
        jobs = [str(job.WhichOneof("variant")) for job in act.jobs]
        if _NOTHING_TO_DO.issuperset(jobs):
            return
        if self._ahead:
            raise WasReadAhead
        at = (act.timestamp.seconds, act.timestamp.nanos)
        told = any(map(_comes_with_a_task, act.jobs, jobs))
        self._ahead = told and self._replayed and not act.is_replaying and at == self._at
        self._at, self._replayed = at, act.is_replaying


def _comes_with_a_task(job: Any, variant: str) -> bool:
    """Whether a new workflow task tells it; what the worker itself has done is told within one."""
    return variant not in _OF_THE_WORKER and not (variant == "resolve_activity" and job.resolve_activity.is_local)

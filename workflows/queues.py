"""On which task queue a workflow's activities are carried out."""

from collections.abc import Callable
from typing import Any

from temporalio import workflow

from workflows.rules.worker_roles import queue_of, role_of


def queue_for(activity: Callable[..., Any]) -> str:
    """The queue of those who carry ``activity`` out, beside the queue of the workflow that asks."""
    return queue_of(role_of(activity.__name__), workflow.info().task_queue)

"""How many activities of a task queue start per second: kept by Temporal's server, for workers of all versions at once.

A limit that workers bring along would be that of whichever polled last, and a change of it another version of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit, RateLimitConfig, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client

_ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


@dataclass(frozen=True)
class Limits:
    """The limits of one task queue, in activities a second; None where there is none."""

    queue: str
    per_second: float | None = None
    per_merchant: float | None = None
    """What each merchant has at most, times its weight: the fairness key of a case is its merchant."""
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    """Merchants whose share is another than 1."""
    reason: str = ""
    """Why the limit of the queue is what it is, as whoever set it has said."""
    set_by: str = ""
    set_at: datetime | None = None


async def limits_of(client: Client, queue: str) -> Limits:
    """What is set on the server.

    Raises:
        RPCError: Temporal does not answer.
    """
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=_ACTIVITIES,
            report_config=True,
        )
    )
    config, told = described.config, described.config.queue_rate_limit.metadata
    return Limits(
        queue=queue,
        per_second=_rate(config.queue_rate_limit),
        per_merchant=_rate(config.fairness_keys_rate_limit_default),
        weights=dict(config.fairness_weight_overrides),
        reason=told.reason,
        set_by=told.update_identity,
        set_at=told.update_time.ToDatetime(UTC) if told.HasField("update_time") else None,
    )


async def set_limits(
    client: Client,
    queue: str,
    *,
    by: str,
    reason: str,
    per_second: float | None = None,
    per_merchant: float | None = None,
    lift: bool = False,
    weights: Mapping[str, float | None] | None = None,
) -> Limits:
    """Change what is given and leave the rest; ``lift`` takes both rates away, a weight of None that merchant's weight.

    It holds from the next activity on, for workers of every version.

    Raises:
        RPCError: Temporal does not answer, or refuses.
    """
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace, identity=by, task_queue=queue, task_queue_type=_ACTIVITIES
    )
    for update, rate in (
        (request.update_queue_rate_limit, per_second),
        (request.update_fairness_key_rate_limit_default, per_merchant),
    ):
        if lift:
            update.reason = reason
        elif rate is not None:
            update.rate_limit.CopyFrom(RateLimit(requests_per_second=rate))
            update.reason = reason
    for merchant, weight in (weights or {}).items():
        if weight is None:
            request.unset_fairness_weight_overrides.append(merchant)
        else:
            request.set_fairness_weight_overrides[merchant] = weight
    await client.workflow_service.update_task_queue_config(request)
    return await limits_of(client, queue)


def _rate(config: RateLimitConfig) -> float | None:
    return round(config.rate_limit.requests_per_second, 3) if config.HasField("rate_limit") else None

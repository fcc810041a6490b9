"""How ``aftersales doctor`` tells of the workers that the server knows."""

from datetime import UTC, datetime, timedelta

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.worker.v1 import WorkerHeartbeat

from starter.commands.heartbeats import heard_workers

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def heartbeat(queue: str, build: str, seconds_ago: float) -> WorkerHeartbeat:
    found = WorkerHeartbeat(task_queue=queue, deployment_version=WorkerDeploymentVersion(build_id=build))
    found.heartbeat_time.FromDatetime(NOW - timedelta(seconds=seconds_ago))
    return found


def test_workers_are_told_by_queue_and_build_and_by_when_they_were_heard_of() -> None:
    heartbeats = [
        heartbeat("q", "v2", 4),
        heartbeat("q", "v1", 50),
        heartbeat("q-money", "", 7),
        heartbeat("q", "v1", 181),
    ]

    assert heard_workers(heartbeats, NOW) == (
        "q: 2 of build v1, heard of 50 s ago, 1 not within 3 minutes; "
        "q: 1 of build v2, heard of 4 s ago; "
        "q-money: 1 of no version, heard of 7 s ago"
    )


def test_a_clock_that_is_behind_the_servers_makes_no_negative_age() -> None:
    assert heard_workers([heartbeat("q", "v1", -5)], NOW) == "q: 1 of build v1, heard of 0 s ago"


def test_no_worker_is_said_so() -> None:
    assert heard_workers([], NOW).startswith("the server has heard of none")

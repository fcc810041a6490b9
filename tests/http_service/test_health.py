"""The service is ready as long as the database takes what comes; Temporal is not asked."""

from starter.http_service.health import ServiceHealth
from starter.worker.health import State


async def test_it_is_ready_once_it_listens_and_until_it_is_to_end(as_client: str) -> None:
    health = ServiceHealth(as_client, newer_fits=False)
    assert await health.startup() == await health.readiness() == ["starting: it does not listen yet"]

    health.state = State.RUNNING
    assert [await health.startup(), await health.readiness(), await health.liveness()] == [[], [], []]

    health.state = State.DRAINING
    assert await health.readiness() == ["draining: asked to stop, nothing new is taken"]
    assert await health.liveness() == []


async def test_without_the_database_it_is_alive_and_not_ready() -> None:
    health = ServiceHealth("postgresql://nobody@127.0.0.1:1/none", newer_fits=False)
    health.state = State.RUNNING

    (reason,) = await health.readiness()
    assert reason.startswith("database: does not answer")
    assert await health.liveness() == []

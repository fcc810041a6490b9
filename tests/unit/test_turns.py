"""Turns and addresses: one source that floods us keeps nobody else waiting (X3)."""

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from starter.http_service.turns import Turns, address_of


async def test_a_source_with_many_waits_for_itself() -> None:
    turns = Turns(together=2, each=1, most_waiting=10)
    done: list[str] = []

    async def take(source: str) -> None:
        async with turns.turn(source):
            await asyncio.sleep(0)
            done.append(source)

    await asyncio.gather(*(take("noisy") for _ in range(6)), take("quiet"))

    assert done.index("quiet") <= 2


async def test_of_one_source_only_so_many_wait() -> None:
    turns = Turns(together=1, each=1, most_waiting=1)
    go_on = asyncio.Event()

    async def take() -> bool:
        async with turns.turn("noisy") as granted:
            await go_on.wait()
            return granted

    tasks = [asyncio.create_task(take()) for _ in range(3)]
    await asyncio.sleep(0)
    go_on.set()

    assert await asyncio.gather(*tasks) == [True, True, False]
    async with turns.turn("noisy") as granted:
        assert granted


async def test_who_is_still_sending_counts_among_those_who_wait_and_has_no_turn() -> None:
    turns = Turns(together=1, each=1, most_waiting=1)

    async with turns.place("slow") as first, turns.place("slow") as second, turns.place("slow") as third:
        assert third is None
        async with turns.turn("slow") as granted:
            assert not granted
        async with turns.turn("quiet") as granted:
            assert granted, "the only turn is free"
        assert first
        async with first:
            assert second
    async with turns.turn("slow") as granted:
        assert granted


@pytest.mark.parametrize(
    ("headers", "proxies", "address"),
    [
        ({}, 0, "unknown"),
        ({"X-Forwarded-For": "203.0.113.9"}, 0, "unknown"),
        ({"X-Forwarded-For": "203.0.113.9"}, 1, "203.0.113.9"),
        ({"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}, 1, "203.0.113.9"),
        ({"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}, 2, "198.51.100.1"),
        ({"X-Forwarded-For": "203.0.113.9"}, 2, "unknown"),
        ({"X-Forwarded-For": "2001:db8:1:2:3::4"}, 1, "2001:db8:1:2::/64"),
        ({"X-Forwarded-For": "::ffff:203.0.113.9"}, 1, "203.0.113.9"),
        ({"X-Forwarded-For": "' OR 1=1"}, 1, "unknown"),
    ],
)
def test_who_asks_is_whom_our_own_proxies_saw(headers: Mapping[str, str], proxies: int, address: str) -> None:
    assert address_of(make_mocked_request("POST", "/", headers=CIMultiDict(headers)), proxies) == address

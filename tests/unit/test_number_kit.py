"""The kit of number providers finds who breaks a promise, and lets pass who keeps them (X1, P3)."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from pydantic import SecretStr

from activities.gateways.kits.numbers import Ground, run
from activities.gateways.numbers import NotBound, PoolDry, ProviderUnreachable
from workflows.messages.virtual_numbers import VirtualNumber

PHONE = SecretStr("13800138000")
_COUNT = itertools.count(1)


def some(kind: str) -> str:
    return f"{kind}-{next(_COUNT)}"


@dataclass
class Lender:
    """Keeps its promises."""

    bound: dict[tuple[str, str], VirtualNumber] = field(default_factory=dict[tuple[str, str], VirtualNumber])
    ended: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    dry: bool = False
    lost: dict[str, str] = field(default_factory=dict[str, str])

    async def bind(
        self,
        subject: str,
        key: str,
        phone: SecretStr,
        *,
        until: datetime | None,
        at: datetime,
        wanted: VirtualNumber | None = None,
    ) -> VirtualNumber:
        del phone, until, at, wanted
        answered = self._arrives(subject)
        if (subject, key) in self.ended:
            raise NotBound
        if (subject, key) not in self.bound and self.dry:
            raise PoolDry
        number = VirtualNumber(number="10000000009", extension=f"{next(_COUNT):04}")
        number = self.bound.setdefault((subject, key), number)
        if not answered:
            raise ProviderUnreachable
        return number

    async def extend(self, subject: str, key: str, *, until: datetime, at: datetime) -> None:
        del until, at
        answered = self._arrives(subject)
        if (subject, key) not in self.bound:
            raise NotBound
        if not answered:
            raise ProviderUnreachable

    async def unbind(self, subject: str, key: str, *, at: datetime) -> None:
        del at
        answered = self._arrives(subject)
        self.bound.pop((subject, key), None)
        self.ended.add((subject, key))
        if not answered:
            raise ProviderUnreachable

    def _arrives(self, subject: str) -> bool:
        lost = self.lost.pop(subject, "")
        if lost == "request":
            raise ProviderUnreachable
        return lost != "answer"


def lending(lender: Lender) -> Ground:
    async def leads_to(number: VirtualNumber, phone: SecretStr) -> bool:
        return phone == PHONE and number in lender.bound.values()

    @asynccontextmanager
    async def dry() -> AsyncGenerator[None]:
        lender.dry = True
        yield
        lender.dry = False

    async def lose_answer(subject: str) -> None:
        lender.lost[subject] = "answer"

    async def lose_request(subject: str) -> None:
        lender.lost[subject] = "request"

    return Ground(
        provider=lender,
        subject=lambda: some("order"),
        phone=PHONE,
        leads_to=leads_to,
        dry=dry,
        lose_next_answer=lose_answer,
        lose_next_request=lose_request,
    )


class Generous(Lender):
    """Lends another number each time."""

    async def bind(
        self,
        subject: str,
        key: str,
        phone: SecretStr,
        *,
        until: datetime | None,
        at: datetime,
        wanted: VirtualNumber | None = None,
    ) -> VirtualNumber:
        await super().bind(subject, key, phone, until=until, at=at, wanted=wanted)
        number = VirtualNumber(number="10000000009", extension=f"{next(_COUNT):04}")
        self.bound[subject, key] = number
        return number


class Forgetful(Lender):
    """Keeps nothing of what was unbound."""

    async def unbind(self, subject: str, key: str, *, at: datetime) -> None:
        await super().unbind(subject, key, at=at)
        self.ended.clear()


class Talkative(Lender):
    """Says for which phone it has no number."""

    async def bind(
        self,
        subject: str,
        key: str,
        phone: SecretStr,
        *,
        until: datetime | None,
        at: datetime,
        wanted: VirtualNumber | None = None,
    ) -> VirtualNumber:
        try:
            return await super().bind(subject, key, phone, until=until, at=at, wanted=wanted)
        except PoolDry:
            raise PoolDry(f"none for {phone.get_secret_value()}") from None


async def test_who_keeps_all_promises_passes() -> None:
    assert await run(lending(Lender())) == {}


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        (Generous, "one_key_is_one_number"),
        (Forgetful, "what_is_unbound_stays_so"),
        (Talkative, "a_dry_pool_is_told_and_binds_nothing"),
    ],
)
async def test_who_breaks_a_promise_is_found(wrong: type[Lender], broken: str) -> None:
    found = await run(lending(wrong()))
    assert broken in found, found

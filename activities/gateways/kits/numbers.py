"""The promises of a provider of virtual numbers (P3): see `activities.gateways.kits.promise` for how they are tried."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from activities.gateways.kits.promise import AT_ONCE, Kit, raised, tells_nothing_of
from activities.gateways.numbers import NotBound, NumberProvider, PoolDry, ProviderUnreachable
from workflows.messages.virtual_numbers import VirtualNumber

Arranging = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A provider and what can be arranged at the far side for it. Each promise gives its numbers back."""

    provider: NumberProvider
    subject: Callable[[], str]
    """One that nothing was ever bound for: each call another one."""
    phone: SecretStr
    """A phone that numbers may lead to."""
    leads_to: Callable[[VirtualNumber, SecretStr], Awaitable[bool]] | None = None
    """Whether whoever calls the number now reaches the phone."""
    dry: Callable[[], AbstractAsyncContextManager[None]] | None = None
    """While it is entered, no number is free."""
    lose_next_answer: Arranging | None = None
    """Have the next question about this subject carried out, and its answer lost."""
    lose_next_request: Arranging | None = None
    """Have the next question about this subject never arrive."""


_KIT = Kit[Ground]()
promises = _KIT.promises
run = _KIT.run


@_KIT.promise()
async def one_key_is_one_number(ground: Ground) -> None:
    """Asked again and again, and by many at the same moment; another key of the subject is another number."""
    subject = ground.subject()
    found = set(await asyncio.gather(*(_bind(ground, subject) for _ in range(AT_ONCE))))
    assert len(found) == 1, f"one key was bound to {len(found)} numbers"
    assert await _bind(ground, subject) in found
    assert await _bind(ground, subject, "2") not in found
    await _give_back(ground, subject)


@_KIT.promise()
async def two_subjects_have_two_numbers(ground: Ground) -> None:
    """Also when one of them wants the other's."""
    one, two = ground.subject(), ground.subject()
    taken = await _bind(ground, one)
    assert await _bind(ground, two, wanted=taken) != taken
    await _give_back(ground, one, two)


@_KIT.promise()
async def what_is_unbound_stays_so(ground: Ground) -> None:
    """Twice is no error; what comes late under this key is `NotBound`, and a number is had by another key."""
    subject = ground.subject()
    await _bind(ground, subject)
    await ground.provider.unbind(subject, "1", at=_now())
    await ground.provider.unbind(subject, "1", at=_now())
    await raised(NotBound, _bind(ground, subject), "it was unbound under this key")
    await raised(NotBound, _extend(ground, subject), "it was unbound under this key")
    await _bind(ground, subject, "2")
    await _give_back(ground, subject)


@_KIT.promise()
async def unbound_before_it_is_bound_it_is_never_bound(ground: Ground) -> None:
    """What is still on its way under this key arrives too late: a withdrawn case must not lend a number after all."""
    subject = ground.subject()
    await ground.provider.unbind(subject, "1", at=_now())
    await raised(NotBound, _bind(ground, subject), "it was unbound before")


@_KIT.promise()
async def only_what_is_bound_is_extended(ground: Ground) -> None:
    """A binding that there never was is `NotBound`; one that there is keeps its number."""
    subject = ground.subject()
    await raised(NotBound, _extend(ground, subject), "nothing was bound")
    number = await _bind(ground, subject)
    await _extend(ground, subject)
    await _extend(ground, subject)
    assert await _bind(ground, subject) == number
    await _give_back(ground, subject)


@_KIT.promise("leads_to")
async def a_number_leads_to_the_phone_while_it_is_bound(ground: Ground) -> None:
    """And to nobody afterwards."""
    assert ground.leads_to
    subject = ground.subject()
    number = await _bind(ground, subject)
    assert await ground.leads_to(number, ground.phone)
    await _extend(ground, subject)
    assert await ground.leads_to(number, ground.phone)
    await _give_back(ground, subject)
    assert not await ground.leads_to(number, ground.phone)


@_KIT.promise("dry")
async def a_dry_pool_is_told_and_binds_nothing(ground: Ground) -> None:
    """`PoolDry`; who has a number keeps it, and the same key is bound once one is free."""
    assert ground.dry
    bound, waiting = ground.subject(), ground.subject()
    number = await _bind(ground, bound)
    async with ground.dry():
        _discreet(ground, await raised(PoolDry, _bind(ground, waiting), "no number is free"))
        assert await _bind(ground, bound) == number
        await raised(NotBound, _extend(ground, waiting), "nothing was bound")
    await _bind(ground, waiting)
    await _give_back(ground, bound, waiting)


@_KIT.promise("lose_next_answer")
async def a_lost_answer_is_the_same_number_when_asked_again(ground: Ground) -> None:
    """`ProviderUnreachable`: `PoolDry` or `NotBound` would leave a number bound that nobody knows of."""
    assert ground.lose_next_answer
    subject = ground.subject()
    await ground.lose_next_answer(subject)
    _discreet(ground, await raised(ProviderUnreachable, _bind(ground, subject), "the answer was lost"))
    assert await _bind(ground, subject) == await _bind(ground, subject)
    await ground.lose_next_answer(subject)
    await raised(ProviderUnreachable, ground.provider.unbind(subject, "1", at=_now()), "the answer was lost")
    await ground.provider.unbind(subject, "1", at=_now())
    await raised(NotBound, _bind(ground, subject), "it was unbound")


@_KIT.promise("lose_next_request")
async def a_lost_request_is_asked_again(ground: Ground) -> None:
    """Nothing is known, of any of the three; asked again, it is done."""
    assert ground.lose_next_request
    subject = ground.subject()
    await ground.lose_next_request(subject)
    _discreet(ground, await raised(ProviderUnreachable, _bind(ground, subject), "it never arrived"))
    await _bind(ground, subject)
    await ground.lose_next_request(subject)
    await raised(ProviderUnreachable, _extend(ground, subject), "it never arrived")
    await _extend(ground, subject)
    await ground.lose_next_request(subject)
    await raised(ProviderUnreachable, ground.provider.unbind(subject, "1", at=_now()), "it never arrived")
    await _give_back(ground, subject)


async def _bind(ground: Ground, subject: str, key: str = "1", *, wanted: VirtualNumber | None = None) -> VirtualNumber:
    now = _now()
    return await ground.provider.bind(subject, key, ground.phone, until=now + _LENT, at=now, wanted=wanted)


async def _extend(ground: Ground, subject: str) -> None:
    now = _now()
    await ground.provider.extend(subject, "1", until=now + 2 * _LENT, at=now)


async def _give_back(ground: Ground, *subjects: str) -> None:
    for subject in subjects:
        for key in ("1", "2"):
            await ground.provider.unbind(subject, key, at=_now())


def _discreet(ground: Ground, error: Exception) -> None:
    tells_nothing_of(error, ground.phone.get_secret_value())


def _now() -> datetime:
    return datetime.now(UTC)


_LENT = timedelta(days=1)

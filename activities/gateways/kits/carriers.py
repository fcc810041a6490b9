"""The promises of a carrier (R3, R7, T6, X3): see `activities.gateways.kits.promise` for how they are tried."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from activities.gateways.callbacks import CallbackRefused, CallbackRequest, Refused
from activities.gateways.carrier import Carrier, CarrierUnreachable
from activities.gateways.kits.promise import AT_ONCE, Kit, raised
from workflows.messages.parcels import CarrierEvent, Parcel


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A carrier's adapter and what can be arranged at the far side for it."""

    carrier: Carrier
    parcel: Callable[[], Awaitable[Parcel]]
    """One to which two things or more have happened by now, not at the same moment: each call another one."""
    unseen: Callable[[], Parcel]
    """One that the carrier has not seen."""
    lose_next_answer: Callable[[Parcel], Awaitable[None]] | None = None
    """Have the next question about this parcel not answered."""
    callbacks: Callable[[Parcel], Awaitable[Sequence[CallbackRequest]]] | None = None
    """The genuine requests that tell what has happened to the parcel, the first one first, signed now."""
    replay_window: timedelta | None = None
    """How old a request may be, where the signature covers a time stamp."""


_KIT = Kit[Ground]()
promises = _KIT.promises
run = _KIT.run


@_KIT.promise()
async def of_an_unseen_parcel_nothing_is_known(ground: Ground) -> None:
    """No events, and no error: a merchant may type a number before the carrier has the parcel."""
    assert tuple(await _tracked(ground, ground.unseen())) == ()


@_KIT.promise()
async def asked_again_it_tells_the_same(ground: Ground) -> None:
    """Each event by one key of its own, of this parcel, with its moment; by many at the same moment too."""
    parcel = await ground.parcel()
    first, *others = await asyncio.gather(*(_tracked(ground, parcel) for _ in range(AT_ONCE)))
    assert len(first) > 1, "two things have happened to it"
    assert all(each.parcel == parcel for each in first), "what is told must be of the parcel that was asked for"
    assert len({each.key for each in first}) == len(first), "each event has a key of its own"
    assert all(_by_key(each) == _by_key(first) for each in others), "asked again, it was told otherwise"


@_KIT.promise()
async def parcels_are_kept_apart(ground: Ground) -> None:
    """No two events of two parcels have one key."""
    one, two = await ground.parcel(), await ground.parcel()
    keys = [each.key for parcel in (one, two) for each in await _tracked(ground, parcel)]
    assert len(set(keys)) == len(keys)


@_KIT.promise()
async def only_what_has_happened_by_then_is_told(ground: Ground) -> None:
    """A case's clock may be behind: what comes after the moment that is asked for is not told."""
    parcel = await ground.parcel()
    events = await _tracked(ground, parcel)
    first = min(each.happened_at for each in events)
    then = await ground.carrier.track(parcel, first)
    assert _by_key(then) == _by_key([each for each in events if each.happened_at <= first])
    assert tuple(await ground.carrier.track(parcel, first - timedelta(seconds=1))) == ()


@_KIT.promise("lose_next_answer")
async def no_answer_is_told_from_nothing_known(ground: Ground) -> None:
    """`CarrierUnreachable`: no events would mean that the parcel was never handed over. Asked again, it tells all."""
    assert ground.lose_next_answer
    parcel = await ground.parcel()
    before = await _tracked(ground, parcel)
    await ground.lose_next_answer(parcel)
    await raised(CarrierUnreachable, _tracked(ground, parcel), "no answer came")
    assert _by_key(await _tracked(ground, parcel)) == _by_key(before)


@_KIT.promise("callbacks")
async def what_is_told_has_the_key_that_it_has_when_asked_for(ground: Ground) -> None:
    """Else one event would stand in our book twice."""
    parcel, requests = await _told(ground)
    known = _by_key(await _tracked(ground, parcel))
    for request in requests:
        for event in (await ground.carrier.read_events(request)).events:
            assert known.get(event.key) == event, "it is told under another key, or otherwise, than it is tracked"


@_KIT.promise("callbacks")
async def a_genuine_callback_is_read_the_same_each_time(ground: Ground) -> None:
    """It comes twice as often as not; reading it writes nothing."""
    _, requests = await _told(ground)
    for request in requests:
        first, second = await ground.carrier.read_events(request), await ground.carrier.read_events(request)
        assert first.events == second.events
        assert 200 <= first.reply.status < 300, "a carrier that is answered otherwise sends it again"


@_KIT.promise("callbacks")
async def out_of_order_it_tells_the_same(ground: Ground) -> None:
    """Whichever is heard of first, each event has its own moment."""
    _, requests = await _told(ground)
    there = [await ground.carrier.read_events(each) for each in requests]
    back = [await ground.carrier.read_events(each) for each in reversed(requests)]
    assert [each.events for each in there] == [each.events for each in reversed(back)]
    assert any(each.events for each in there), "they tell of the parcel"


@_KIT.promise("callbacks")
async def a_forged_callback_is_refused(ground: Ground) -> None:
    """Another body under a genuine signature, no signature, a broken one."""
    _, (request, *_) = await _told(ground)
    for forged in (
        replace(request, body=request.body.replace(b"1", b"2").replace(b"a", b"b") + b" "),
        replace(request, headers={}, query="", body=_without_signature(request.body)),
        replace(request, headers={name: value[::-1] for name, value in request.headers.items()}, body=b"{}"),
    ):
        error = await raised(CallbackRefused, ground.carrier.read_events(forged), "it is forged")
        assert isinstance(error, CallbackRefused)
        assert error.why is not Refused.STALE, "it is forged, whenever it was signed"


@_KIT.promise("callbacks", "replay_window")
async def a_callback_that_is_played_again_later_is_stale(ground: Ground) -> None:
    """Genuine, and beyond the replay window."""
    assert ground.replay_window
    _, (request, *_) = await _told(ground)
    later = replace(request, received_at=request.received_at + ground.replay_window + timedelta(seconds=1))
    error = await raised(CallbackRefused, ground.carrier.read_events(later), "it is played again")
    assert isinstance(error, CallbackRefused)
    assert error.why is Refused.STALE, f"it is genuine, and only late: not {error.why}"


async def _told(ground: Ground) -> tuple[Parcel, Sequence[CallbackRequest]]:
    assert ground.callbacks
    parcel = await ground.parcel()
    requests = await ground.callbacks(parcel)
    assert requests, "there must be a callback to read"
    return parcel, requests


async def _tracked(ground: Ground, parcel: Parcel) -> Sequence[CarrierEvent]:
    return await ground.carrier.track(parcel, datetime.now(UTC))


def _by_key(events: Sequence[CarrierEvent]) -> dict[str, CarrierEvent]:
    return {each.key: each for each in events}


def _without_signature(body: bytes) -> bytes:
    """For carriers that sign within a form."""
    return b"&".join(part for part in body.split(b"&") if not part.startswith((b"sign=", b"signature=")))

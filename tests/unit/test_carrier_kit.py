"""The kit of carriers finds who breaks a promise, and lets pass who keeps them (X1, X3)."""

import hashlib
import hmac
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from activities.gateways.callbacks import CallbackRefused, CallbackRequest, Refused
from activities.gateways.carrier import Carrier, CarrierUnreachable, ReadEvents
from activities.gateways.kits.carriers import Ground, run
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent
from workflows.messages.reading import read_json

SECRET = b"the carrier's"
WINDOW = timedelta(minutes=5)
_COUNT = itertools.count(1)


def some(kind: str) -> str:
    return f"{kind}-{next(_COUNT)}"


class Courier(Carrier):
    """Keeps its promises; signs its callbacks over a time stamp and the body."""

    def __init__(self) -> None:
        self.known: dict[Parcel, tuple[CarrierEvent, ...]] = {}
        self.silent: set[Parcel] = set()

    async def track(self, parcel: Parcel, asked_at: datetime) -> tuple[CarrierEvent, ...]:
        if parcel in self.silent:
            self.silent.remove(parcel)
            raise CarrierUnreachable
        return tuple(each for each in self.known.get(parcel, ()) if each.happened_at <= asked_at)

    async def read_events(self, request: CallbackRequest) -> ReadEvents:
        sent = request.headers.get("sent", "")
        if not hmac.compare_digest(request.headers.get("mac", ""), mac(sent, request.body)):
            raise CallbackRefused(Refused.FORGED, "mac")
        if request.received_at - datetime.fromtimestamp(int(sent), UTC) > WINDOW:
            raise CallbackRefused(Refused.STALE, "sent")
        return ReadEvents((read_json(CarrierEvent, request.body.decode()),))


def mac(sent: str, body: bytes) -> str:
    return hmac.new(SECRET, sent.encode() + body, hashlib.sha256).hexdigest()


def on_the_road(courier: Courier) -> Ground:
    async def parcel() -> Parcel:
        new, began = Parcel(carrier="kit", tracking_no=some("T")), datetime.now(UTC) - timedelta(days=2)
        courier.known[new] = tuple(
            CarrierEvent(key=some("EV"), parcel=new, event=event, happened_at=began + timedelta(hours=hours))
            for hours, event in enumerate((ParcelEvent.SHIPPED, ParcelEvent.SIGNED))
        )
        return new

    async def callbacks(of: Parcel) -> Sequence[CallbackRequest]:
        now = datetime.now(UTC)
        sent, bodies = str(int(now.timestamp())), [each.model_dump_json().encode() for each in courier.known[of]]
        return [CallbackRequest(body, {"sent": sent, "mac": mac(sent, body)}, now) for body in bodies]

    async def lose(of: Parcel) -> None:
        courier.silent.add(of)

    return Ground(
        carrier=courier,
        parcel=parcel,
        unseen=lambda: Parcel(carrier="kit", tracking_no=some("U")),
        lose_next_answer=lose,
        callbacks=callbacks,
        replay_window=WINDOW,
    )


class Silent(Courier):
    """Takes no answer for nothing known."""

    async def track(self, parcel: Parcel, asked_at: datetime) -> tuple[CarrierEvent, ...]:
        try:
            return await super().track(parcel, asked_at)
        except CarrierUnreachable:
            return ()


class Recounting(Courier):
    """Gives an event another key each time that it is asked."""

    async def track(self, parcel: Parcel, asked_at: datetime) -> tuple[CarrierEvent, ...]:
        told = await super().track(parcel, asked_at)
        return tuple(each.model_copy(update={"key": some("N")}) for each in told)


class Prophet(Courier):
    """Tells all that it knows, whatever moment it is asked for."""

    async def track(self, parcel: Parcel, asked_at: datetime) -> tuple[CarrierEvent, ...]:
        return await super().track(parcel, max(asked_at, datetime.now(UTC)))


class Strict(Courier):
    """Raises for a parcel that it has not seen."""

    async def track(self, parcel: Parcel, asked_at: datetime) -> tuple[CarrierEvent, ...]:
        if parcel not in self.known:
            raise CarrierUnreachable
        return await super().track(parcel, asked_at)


class Trusting(Courier):
    """Looks at no signature."""

    async def read_events(self, request: CallbackRequest) -> ReadEvents:
        sent = str(int(request.received_at.timestamp()))
        return await super().read_events(replace(request, headers={"sent": sent, "mac": mac(sent, request.body)}))


class Unhurried(Courier):
    """Takes a request however old it is."""

    async def read_events(self, request: CallbackRequest) -> ReadEvents:
        sent = int(request.headers.get("sent", "0"))
        return await super().read_events(replace(request, received_at=datetime.fromtimestamp(sent, UTC)))


async def test_who_keeps_all_promises_passes() -> None:
    assert await run(on_the_road(Courier())) == {}


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        (Silent, "no_answer_is_told_from_nothing_known"),
        (Recounting, "asked_again_it_tells_the_same"),
        (Prophet, "only_what_has_happened_by_then_is_told"),
        (Strict, "of_an_unseen_parcel_nothing_is_known"),
        (Trusting, "a_forged_callback_is_refused"),
        (Unhurried, "a_callback_that_is_played_again_later_is_stale"),
    ],
)
async def test_who_breaks_a_promise_is_found(wrong: type[Courier], broken: str) -> None:
    found = await run(on_the_road(wrong()))
    assert broken in found, found

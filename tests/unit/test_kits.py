"""The kits of channels, attachments and orders find who breaks a promise, and let pass who keeps them (X1)."""

import asyncio
import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from activities.gateways.kits import attachments, carriers, channels, keys, numbers, orders
from activities.gateways.kits.promise import Promise
from activities.notices.channels import ChannelName, ChannelUnavailable, NoticeRefused, OutgoingNotice
from workflows.messages.actors import buyer
from workflows.messages.cases import NoticeTemplate

PHONE = SecretStr("13800138000")
_COUNT = itertools.count(1)


def some(kind: str) -> str:
    return f"{kind}-{next(_COUNT)}"


# Channels -----------------------------------------------------------------------------------------------


@dataclass
class Messenger:
    """Keeps its promises."""

    arrived: list[str] = field(default_factory=list[str])
    next: str = ""

    async def send(self, message: OutgoingNotice) -> None:
        wrong, self.next = self.next, ""
        if wrong in {"fail", "hang"}:
            raise ChannelUnavailable
        if wrong == "refuse":
            raise NoticeRefused("unknown_recipient")
        if message.dedup_key not in self.arrived:
            self.arrived.append(message.dedup_key)
        if wrong == "lose":
            raise ChannelUnavailable("timeout")


def telling(messenger: Messenger) -> channels.Ground:
    def once(wrong: str) -> channels.Arranging:
        async def arrange() -> None:
            messenger.next = wrong

        return arrange

    async def arrived() -> Iterable[str]:
        return messenger.arrived

    return channels.Ground(
        channel=messenger,
        notice=lambda: OutgoingNotice(
            dedup_key=some("notice"),
            channel=ChannelName.SMS,
            recipient=buyer("b-of-the-kit"),
            template=NoticeTemplate.GOODS_UNDERWAY,
            language="en",
            text="the goods have shipped",
            address=PHONE,
        ),
        arrived=arrived,
        fail_next=once("fail"),
        refuse_next=once("refuse"),
        lose_next_answer=once("lose"),
        hang_next=once("hang"),
    )


class Renaming(Messenger):
    """Gives each sending a key of its own."""

    async def send(self, message: OutgoingNotice) -> None:
        await super().send(message.model_copy(update={"dedup_key": some("sending")}))


class Definite(Messenger):
    """Refuses for ever what was only not taken now."""

    async def send(self, message: OutgoingNotice) -> None:
        try:
            await super().send(message)
        except ChannelUnavailable:
            raise NoticeRefused("busy") from None


class Quoting(Messenger):
    """Fails with what the far side has said, and that quotes the address."""

    async def send(self, message: OutgoingNotice) -> None:
        try:
            await super().send(message)
        except ChannelUnavailable as error:
            assert message.address
            raise ChannelUnavailable from RuntimeError(f"450 {message.address.get_secret_value()}: {error}")


# Attachments and orders ---------------------------------------------------------------------------------


@dataclass
class Shelf:
    """Keeps its promises, in memory."""

    kept: dict[str, bytes] = field(default_factory=dict[str, bytes])

    async def put(self, name: str, sealed: bytes) -> None:
        self.kept[name] = sealed

    async def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    async def delete(self, name: str) -> None:
        self.kept.pop(name, None)


class Short(Shelf):
    """Cuts off what is too long for it."""

    async def put(self, name: str, sealed: bytes) -> None:
        await super().put(name, sealed[:100_000])


class Once(Shelf):
    """Takes it for an error that nothing is there."""

    async def delete(self, name: str) -> None:
        del self.kept[name]


@dataclass
class Stream:
    """Keeps its promises: orders of a platform, each told until it is answered."""

    told: list[bytes] = field(default_factory=list[bytes])

    def change(self, order_no: str, version: int) -> None:
        line = {"line": "1", "sku": "s", "quantity": 1, "paid": 900}
        order = {"order_no": order_no, "version": version, "marketplace": "douyin", "merchant_id": "m-1"}
        paid = {"buyer_id": "b-1", "currency": "CNY", "paid_at": "2026-03-01T00:00:00Z", "lines": [line]}
        self.told.append(
            json.dumps({**order, **paid, "tenders": [{"tender": "t", "kind": "wallet", "paid": 900}]}).encode()
        )

    async def changes(self) -> AsyncGenerator[bytes]:
        while True:
            if self.told:
                yield self.told[0]
            await asyncio.sleep(0)

    async def answered(self, change: bytes, answer: Mapping[str, Any]) -> None:
        self.told.remove(change)


class Forgetful(Stream):
    """Takes what it has told for written."""

    async def changes(self) -> AsyncGenerator[bytes]:
        while True:
            if self.told:
                yield self.told.pop(0)
            await asyncio.sleep(0)

    async def answered(self, change: bytes, answer: Mapping[str, Any]) -> None:
        pass


class Insisting(Stream):
    """Takes a refusal for an outage: the same is read again for ever, and nothing after it."""

    async def answered(self, change: bytes, answer: Mapping[str, Any]) -> None:
        if answer["outcome"] == "refused":
            raise ConnectionError
        await super().answered(change, answer)


class Ending(Stream):
    """Is over once all is told."""

    async def changes(self) -> AsyncGenerator[bytes]:
        while self.told:
            yield self.told[0]


class Unversioned(Stream):
    """Has one version of everything."""

    def change(self, order_no: str, version: int) -> None:
        super().change(order_no, 1)


class Foreign(Stream):
    """Tells amounts in yuan."""

    def change(self, order_no: str, version: int) -> None:
        super().change(order_no, version)
        self.told[-1] = self.told[-1].replace(b"900", b"9.50")


def streaming(stream: Stream) -> orders.Ground:
    async def change() -> str:
        order_no = some("o")
        stream.change(order_no, 1)
        return order_no

    async def change_again(order_no: str) -> None:
        stream.change(order_no, 2)

    return orders.Ground(source=stream, change=change, change_again=change_again, seconds=0.2, quiet_seconds=0.01)


# --------------------------------------------------------------------------------------------------------


def shelved(shelf: Shelf) -> attachments.Ground:
    return attachments.Ground(store=shelf, largest=200_000)


async def broken_by(adapter: object) -> dict[str, str]:
    match adapter:
        case Messenger():
            return await channels.run(telling(adapter))
        case Shelf():
            return await attachments.run(shelved(adapter))
        case Stream():
            return await orders.run(streaming(adapter))
        case _:
            raise AssertionError(adapter)


@pytest.mark.parametrize("kept", [Messenger, Shelf, Stream])
async def test_who_keeps_all_promises_passes(kept: Callable[[], object]) -> None:
    assert await broken_by(kept()) == {}


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        (Renaming, "sent_again_it_is_one_notice"),
        (Definite, "what_was_not_taken_is_sent_later"),
        (Quoting, "what_was_not_taken_is_sent_later"),
        (Short, "the_largest_content_is_kept_whole"),
        (Once, "to_delete_twice_is_no_error"),
        (Foreign, "each_change_is_an_order_as_it_can_be_taken"),
        (Forgetful, "what_was_not_answered_comes_again"),
        (Insisting, "what_was_refused_stops_nobody"),
        (Ending, "where_nothing_changes_it_waits"),
        (Unversioned, "a_change_has_a_higher_version"),
    ],
)
async def test_who_breaks_a_promise_is_found(wrong: Callable[[], object], broken: str) -> None:
    found = await broken_by(wrong())
    assert broken in found, found


@dataclass
class Broker(Stream):
    """A consumer of a message broker: what is not committed comes again."""

    async def __aiter__(self) -> AsyncGenerator[SimpleNamespace]:
        async for value in super().changes():
            yield SimpleNamespace(value=value)

    async def commit(self) -> None:
        del self.told[0]


async def test_the_stream_of_orders_on_the_page_keeps_its_promises() -> None:
    page = (Path(__file__).parents[2] / "docs" / "orders-in.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(class OrderTopic.*?)\n```", page, re.DOTALL)
    defined: dict[str, Any] = {}
    exec(example, defined)
    topic, broker, refused = defined["OrderTopic"](), Broker(), asyncio.Queue[Any]()
    topic.consumer, topic.refused = broker, refused

    assert await orders.run(replace(streaming(broker), source=topic)) == {}
    assert refused.get_nowait()["problems"][0]["field"] == "freight"


async def test_a_promise_that_nothing_is_arranged_for_is_not_tried() -> None:
    ground = replace(telling(Messenger()), fail_next=None, hang_next=None)
    assert await channels.run(ground) == {}
    (without,) = [each for each in channels.promises() if str(each) == "a_far_side_that_hangs_is_given_up"]
    assert isinstance(without, Promise)
    assert without not in channels.promises("fail_next")
    with pytest.raises(AssertionError, match="needs hang_next"):
        await without(ground)


def test_each_promise_has_a_name_of_its_own() -> None:
    for kit in (attachments, carriers, channels, keys, numbers, orders):
        names = Counter(str(each) for each in kit.promises())
        assert len(names) > 3
        assert max(names.values()) == 1

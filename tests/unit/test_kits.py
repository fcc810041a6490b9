"""The kits of channels, attachments and orders find who breaks a promise, and let pass who keeps them (X1)."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from activities.gateways.kits import attachments, carriers, channels, keys, numbers, orders
from activities.gateways.kits.promise import Promise
from activities.notices.channels import ChannelName, ChannelUnavailable, NoticeRefused, OutgoingNotice
from workflows.messages.actors import buyer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.payouts import TenderKind

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


PAID = OrderFacts(
    order_no="o-1",
    marketplace="douyin",
    merchant_id="m-1",
    buyer_id="b-1",
    currency="CNY",
    lines=(OrderLine(line="1", sku="s", quantity=1, paid=900), OrderLine(line="2", sku="s", quantity=2, paid=100)),
    freight=50,
    tenders=(Tender(tender="t", kind=TenderKind.WALLET, paid=1_050),),
    paid_at=datetime(2026, 3, 1, tzinfo=UTC),
)
LATER = PAID.model_copy(update={"order_no": "o-2", "paid_at": datetime(2026, 3, 2, tzinfo=UTC)})


class Register:
    """Keeps its promises."""

    async def find(self, order_no: str) -> OrderFacts | None:
        return {"o-1": PAID, "o-2": LATER}.get(order_no)

    async def of_buyer(self, merchant_id: str, buyer_id: str) -> list[str]:
        return ["o-2", "o-1"] if (merchant_id, buyer_id) == ("m-1", "b-1") else []


class Raising(Register):
    """Takes it for an error that there is no such order."""

    async def find(self, order_no: str) -> OrderFacts | None:
        found = await super().find(order_no)
        if found is None:
            raise LookupError(order_no)
        return found


class Shuffling(Register):
    """Has no order of lines."""

    def __init__(self) -> None:
        self._forwards = True

    async def find(self, order_no: str) -> OrderFacts | None:
        found = await super().find(order_no)
        self._forwards = not self._forwards
        return found and found.model_copy(update={"lines": found.lines[:: 1 if self._forwards else -1]})


class EarliestFirst(Register):
    async def of_buyer(self, merchant_id: str, buyer_id: str) -> list[str]:
        return (await super().of_buyer(merchant_id, buyer_id))[::-1]


def registered(directory: Register) -> orders.Ground:
    async def order() -> str:
        return "o-1"

    async def buyers_orders() -> orders.BuyersOrders:
        return orders.BuyersOrders("m-1", "b-1", ("o-2", "o-1"))

    return orders.Ground(directory=directory, order=order, buyers_orders=buyers_orders)


# --------------------------------------------------------------------------------------------------------


def shelved(shelf: Shelf) -> attachments.Ground:
    return attachments.Ground(store=shelf, largest=200_000)


async def broken_by(adapter: object) -> dict[str, str]:
    match adapter:
        case Messenger():
            return await channels.run(telling(adapter))
        case Shelf():
            return await attachments.run(shelved(adapter))
        case Register():
            return await orders.run(registered(adapter))
        case _:
            raise AssertionError(adapter)


@pytest.mark.parametrize("kept", [Messenger, Shelf, Register])
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
        (Raising, "an_unknown_order_is_none"),
        (Shuffling, "the_same_order_is_the_same_each_time"),
        (EarliestFirst, "a_buyers_orders_come_latest_first"),
    ],
)
async def test_who_breaks_a_promise_is_found(wrong: Callable[[], object], broken: str) -> None:
    found = await broken_by(wrong())
    assert broken in found, found


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

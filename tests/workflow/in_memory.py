"""A world for tests in memory: the same cases, told to the interpreter instead of a worker and servers.

What decides is the same there (``workflows.kinds``, ``workflows.rules`` and the shell around them); what is the
interpreter's own, such as its book, is compared with the servers' by tests/replay/test_in_memory.py, one story for
each way that a case can go.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from activities.postgres.work_lists import WorkQuery
from starter.errors import NotYours, RefusedCommand, RefusedRequest
from starter.interpreter.interpreter import Interpreter
from tests import profiles
from tests.replay.in_memory import MemoryAftersales, MemoryCase, MemoryWorld
from tests.workflow.world import World
from workflows.messages.addresses import ReturnAddress, SaveAddress
from workflows.messages.cases import CaseView, LogEntry, NoticeTemplate, Outcome
from workflows.messages.commands import Command, GatewayCallback, GatewayResult, LineQuantity
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelHistory, ParcelPurpose
from workflows.messages.requests import Request
from workflows.messages.scores import ChargedScore
from workflows.messages.stages import StageName


class CaseInMemory(MemoryCase):
    """As ``starter.client.Case``, refusals included."""

    def __init__(self, interpreter: Interpreter, case: str) -> None:
        super().__init__(interpreter, case)
        self._told = interpreter

    async def act(self, command: Command) -> CaseView:
        """See Case."""
        _catch_up(self._told)
        refusal = self._told.act(self.id, command)
        if refusal is None:
            return self._told.view(self.id)
        raise NotYours(refusal, None) if refusal.code == "not_yours" else RefusedCommand(refusal, await self.view())

    async def tell(self, fact: Command) -> None:
        """See Case."""
        _catch_up(self._told)
        assert self._told.tell(self.id, fact)

    async def log(self) -> list[LogEntry]:
        """See Case."""
        return list(self._told.log(self.id))

    async def outcome(self) -> Outcome:
        """See Case."""
        outcome = await super().outcome()
        if outcome.refusal:
            raise RefusedRequest(outcome.refusal)
        return outcome

    result = outcome


class AftersalesInMemory(MemoryAftersales):
    """As ``starter.client.Aftersales`` and its parts."""

    def __init__(self, interpreter: Interpreter) -> None:
        super().__init__(interpreter)
        self._told = interpreter

    @property
    def logistics(self) -> "AftersalesInMemory":
        """Parcels."""
        return self

    @property
    def desk(self) -> "AftersalesInMemory":
        """The merchant's desk."""
        return self

    def case(self, case: str) -> CaseInMemory:
        """See Aftersales."""
        return CaseInMemory(self._told, case)

    def opened(self, request: Request) -> CaseInMemory:
        """The case that ``request`` opens; refused requests are none."""
        _catch_up(self._told)
        case = self._told.open(request)
        outcome = self._told.outcome(case)
        if outcome and outcome.refusal:
            raise RefusedRequest(outcome.refusal)
        return self.case(case)

    async def open_refund(self, request: Request) -> CaseInMemory:
        """See Aftersales."""
        return self.opened(request)

    open = open_return = open_merchant_refund = open_price_protection = open_resend = open_repair = open_refund
    open_dispute = open_withdrawal = schedule_expiry = open_refund

    async def work_list(self, query: WorkQuery) -> "Page":
        """See Aftersales; of one merchant and one list."""
        rows = [
            row
            for row in self._told.book.cases.values()
            if query.merchant_id in (None, row.merchant_id) and query.work_list in (None, row.work_list)
            if row.closed_at is None and query.order_no in (None, row.order_no)
        ]
        return Page([Item(row.case_id) for row in rows])

    async def score(self, merchant: str) -> int:
        """See MerchantDesk."""
        return sum(each.points for each in await self.score_changes(merchant))

    async def score_changes(self, merchant: str) -> tuple[ChargedScore, ...]:
        """See MerchantDesk: the newest first, which in memory is by case."""
        rows = [row for row in self._told.book.cases.values() if row.merchant_id == merchant]
        charged = [(row, change) for row in rows for change in row.charges]
        return tuple(
            ChargedScore(**change.model_dump(), position=position, case_id=row.case_id, at=self._told.now)
            for position, (row, change) in reversed([*enumerate(charged)])
        )

    async def save_address(self, address: SaveAddress) -> None:
        """See MerchantDesk."""
        book = self._told.shop.addresses.setdefault(address.merchant_id, [])
        before = next((each for each in book if each.address_id == address.address_id), None)
        fields = address.model_dump(include=set(ReturnAddress.model_fields)) | {
            "version": before.version + 1 if before else 1
        }
        kept = ReturnAddress.model_validate(fields)
        book[:] = [each for each in book if each.address_id != address.address_id]
        book.insert(0 if address.is_default else len(book), kept)

    async def carrier_event(self, event: CarrierEvent) -> None:
        """See Logistics."""
        _catch_up(self._told)
        self._told.carrier_tells(event)

    async def order_shipped(
        self, order_no: str, parcel: Parcel, shipped_at: datetime, lines: Iterable[LineQuantity] = ()
    ) -> None:
        """See Logistics; a parcel that stands for all."""
        assert not tuple(lines), "parts of orders are told of on servers"
        order = self._told.shop.orders[order_no]
        self._told.shop.orders[order_no] = order.model_copy(update={"shipped_at": order.shipped_at or shipped_at})
        self._told.shop.watch(parcel, ParcelPurpose.ORDER, order_no=order_no)
        key = f"shipped-{order_no}-{parcel.tracking_no}"
        await self.carrier_event(
            CarrierEvent(key=key, parcel=parcel, event=ParcelEvent.SHIPPED, happened_at=shipped_at)
        )

    async def history(self, parcel: Parcel) -> ParcelHistory:
        """See Logistics."""
        return ParcelHistory(parcel=parcel, events=self._told.shop.history(parcel), answered=True)

    async def gateway_callback(self, callback: GatewayCallback) -> None:
        """See Aftersales."""
        _catch_up(self._told)
        self._told.gateway_calls_back(callback)


class Item:
    """Of a work list."""

    def __init__(self, case_id: str) -> None:
        self.case_id = case_id


class Page:
    """Of a work list: all of it."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items


class WorldInMemory(MemoryWorld):
    """As ``World``."""

    def __init__(self) -> None:
        interpreter = Interpreter(datetime.now(UTC), profiles.ALL)
        super().__init__(interpreter, f"m-{secrets.token_hex(4)}")
        self.marketplace = profiles.NEGOTIATED.name
        self.buyer = f"b-{secrets.token_hex(4)}"
        self.aftersales = AftersalesInMemory(interpreter)

    def wall_clock(self) -> datetime:
        """See World."""
        return datetime.now(UTC)

    async def address(self, address_id: str = "a-1", *, is_default: bool = True) -> str:
        """See World."""
        return await World.address(cast("World", self), address_id, is_default=is_default)

    async def returned(self, amount: int = 10_000, *, order_no: str | None = None, **changes: Any) -> CaseInMemory:
        """See World."""
        return cast("CaseInMemory", await World.returned(cast("World", self), amount, order_no=order_no, **changes))

    async def at(self, case: MemoryCase, stage: StageName) -> CaseView:
        """See World: in memory it is there or will not be."""
        view = await case.view()
        assert view.stage is stage
        return view

    async def now(self, case: MemoryCase) -> datetime:
        """See World."""
        _catch_up(self.interpreter)
        return self.interpreter.time_of(case.id)

    async def events(self, case: CaseInMemory) -> list[str]:
        """See World."""
        return [each.event for each in await case.log()]

    async def notices(self, case: MemoryCase, template: NoticeTemplate) -> int:
        """See World."""
        row = self.interpreter.book.cases[case.id]
        return sum(each.template is template for each in row.notices)

    async def carrier_tells(self, parcel: Parcel, event: ParcelEvent, at: datetime, *, key: str | None = None) -> None:
        """See World."""
        await World.carrier_tells(cast("World", self), parcel, event, at, key=key)

    async def announced(self, order_no: str) -> Parcel:
        """See World."""
        parcel = self.parcel()
        self.interpreter.shop.watch(parcel, ParcelPurpose.ORDER, order_no=order_no)
        return parcel

    async def refunded(self, order_no: str) -> int:
        """See World."""
        return self.interpreter.ledger.refunded(f"order/{order_no}")

    async def compensated(self, fund: str) -> int:
        """See World."""
        return self.interpreter.ledger.refunded(fund)

    async def paid_by_gateway(self, order_no: str) -> int:
        """See World."""
        return await self.paid_from(f"order/{order_no}", f"allowance/{order_no}")

    async def paid_from(self, *funds: str) -> int:
        """See World."""
        return sum(
            each.instruction.amount
            for each in self.interpreter.gateway.refunds.values()
            if each.result is GatewayResult.SUCCEEDED and each.instruction.fund in funds
        )


def _catch_up(interpreter: Interpreter) -> None:
    """Cases' clocks run while a test does, as they do on servers."""
    passed = datetime.now(UTC) - interpreter.now
    if passed > timedelta(0):
        interpreter.pass_time(seconds=passed.total_seconds())

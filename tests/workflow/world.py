"""What the tests of cases need of the world: orders, allowances, a clock that moves, a gateway that obeys."""

import asyncio
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from activities.gateways.order_records import OrderRecord
from activities.gateways.payment import RefundInstruction
from activities.gateways.payment_stub import Behaviour, PaymentGatewayStub
from activities.notices.channel_stubs import fail_next
from activities.notices.channels import ChannelName
from activities.postgres import allowances, ledger, loading, orders, parcels, pauses
from starter.client import Aftersales, Case
from starter.worker.roles import Workers
from tests.patience import PATIENCE
from workflows.messages.actors import Actor, merchant
from workflows.messages.addresses import Region, SaveAddress
from workflows.messages.cases import CaseView, NoticeTemplate
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.pauses import DeclarePause
from workflows.messages.persons import Recipient, in_clear
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest, ReturnRequest, WithdrawalRequest
from workflows.messages.stages import StageName
from workflows.messages.standing_orders import SetStandingOrder
from workflows.messages.statements import WriteStatement
from workflows.rules.allocation import refund_number

Found = TypeVar("Found")

Working = Callable[[], AbstractAsyncContextManager[Workers]]
"""Runs a worker for as long as its context lasts."""

EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)


@dataclass
class World:
    """One merchant and its buyers, unknown to every other test."""

    aftersales: Aftersales
    skipper: TimeSkipper
    pool: asyncpg.Pool
    merchant: str = field(default_factory=lambda: f"m-{secrets.token_hex(4)}")
    buyer: str = field(default_factory=lambda: f"b-{secrets.token_hex(4)}")
    task_queue: str = "aftersales"
    marketplace: str = "douyin"
    """Of orders that name no other."""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def gateway(self) -> PaymentGatewayStub:
        """The gateway's stub, to be told how to behave."""
        return PaymentGatewayStub(self.pool)

    def wall_clock(self) -> datetime:
        """The time outside of all cases, in UTC."""
        return datetime.now(UTC)

    def fresh(self, prefix: str) -> str:
        """An id that nobody has used."""
        return f"{prefix}-{self.merchant[2:]}-{next(self._numbers)}"

    async def order(
        self,
        *,
        marketplace: str | None = None,
        currency: str = "CNY",
        lines: dict[str, int] | None = None,
        pieces: int = 1,
        freight: int = 0,
        tenders: list[tuple[str, str, int]] | None = None,
        spent: dict[str, int] | None = None,
        outbound_at: datetime | None = None,
        shipped_at: datetime | None = None,
        on_delivery_run_at: datetime | None = None,
        paid_at: datetime | None = None,
        freight_insured: int = 0,
        recipient: Recipient | None = None,
        language: str | None = None,
    ) -> str:
        """An order: ``lines`` by number and what was paid for all ``pieces`` of each, in minor units.

        Paid 30 days ago by default, with what was ``spent`` of each allowance and the rest from a wallet.
        """
        lines, spent = lines or {"1": 10_000}, spent or {}
        total = sum(lines.values()) + freight - sum(spent.values())
        record = OrderRecord.model_validate(
            {
                "order_no": self.fresh("o"),
                "marketplace": marketplace or self.marketplace,
                "merchant_id": self.merchant,
                "buyer_id": self.buyer,
                "currency": currency,
                "lines": [
                    {"line": line, "sku": f"sku-{line}", "quantity": pieces, "paid": paid}
                    for line, paid in lines.items()
                ],
                "freight": freight,
                "tenders": [
                    {"tender": tender, "kind": kind, "paid": paid}
                    for tender, kind, paid in tenders or ([("t1", "wallet", total)] if total else [])
                ]
                + [
                    {"tender": f"of-{allowance}", "kind": "allowance", "paid": paid, "allowance_id": allowance}
                    for allowance, paid in spent.items()
                ],
                "paid_at": paid_at or datetime.now(UTC) - timedelta(days=30),
                "freight_insured": freight_insured,
                "language": language,
                "recipient": recipient,
                "outbound_at": outbound_at,
                "shipped_at": shipped_at,
                "on_delivery_run_at": on_delivery_run_at,
            }
        )
        async with self.aftersales.pool.acquire() as connection:
            report = await loading.load_orders(connection, [json.dumps(in_clear(record))], self.aftersales.vault)
        assert not report.problems
        return record.order_no

    async def allowance(
        self,
        *,
        principal: int = 8000,
        bonus: int = 2000,
        spent: int = 0,
        days: int = 90,
        account_name: str | None = None,
    ) -> str:
        """An allowance that is valid for so many days; 80.00 paid, 100.00 got by default (A1)."""
        record = {
            "allowance_id": self.fresh("a"),
            "marketplace": "douyin",
            "merchant_id": self.merchant,
            "buyer_id": self.buyer,
            "currency": "CNY",
            "principal": principal,
            "bonus": bonus,
            "spent": spent,
            "tender_kind": "wallet",
            "account_name": account_name,
            "valid_until": (datetime.now(UTC) + timedelta(days=days)).isoformat(),
        }
        async with self.aftersales.pool.acquire() as connection:
            report = await loading.load_allowances(connection, [json.dumps(record)], self.aftersales.vault)
        assert not report.problems
        return str(record["allowance_id"])

    def refund_request(self, order_no: str, amount: int = 10_000, **changes: Any) -> RefundRequest:
        """A request for ``amount`` minor units on line 1."""
        fields: dict[str, Any] = {
            "request_key": self.fresh("k"),
            "order_no": order_no,
            "merchant_id": self.merchant,
            "buyer_id": self.buyer,
            "lines": (LineAmount(line="1", quantity=1, amount=amount),),
            "reason": RefundReason.NO_LONGER_WANTED,
        }
        return RefundRequest(**(fields | changes))

    async def refund(self, amount: int = 10_000, *, order_no: str | None = None, **changes: Any) -> Case:
        """An open refund case, on a new order unless one is named."""
        order_no = order_no or await self.order()
        return await self.aftersales.open_refund(self.refund_request(order_no, amount, **changes))

    async def shipped_order(self, **changes: Any) -> str:
        """An order whose goods were handed to a carrier 20 days ago."""
        changes.setdefault("shipped_at", datetime.now(UTC) - timedelta(days=20))
        return await self.order(**changes)

    async def written(self, case: Case, by: Actor, text: str, key: str = "w1") -> str:
        """Where it is kept that somebody has written this about a case."""
        wish = WriteStatement.model_validate({"case_id": case.id, "by": by, "text": text, "key": key})
        return (await self.aftersales.desk.write_statement(wish)).reference

    def return_request(
        self, order_no: str, amount: int = 10_000, *, quantity: int = 1, **changes: Any
    ) -> ReturnRequest:
        """A request to send pieces of line 1 back, which are worth ``amount`` minor units in all."""
        fields: dict[str, Any] = {
            "request_key": self.fresh("k"),
            "order_no": order_no,
            "merchant_id": self.merchant,
            "buyer_id": self.buyer,
            "lines": (LineAmount(line="1", quantity=quantity, amount=amount),),
            "reason": RefundReason.NO_LONGER_WANTED,
        }
        return ReturnRequest(**(fields | changes))

    async def returned(self, amount: int = 10_000, *, order_no: str | None = None, **changes: Any) -> Case:
        """A return (or ``exchange=True``) that the merchant is to decide on, on a new shipped order unless named."""
        order_no = order_no or await self.shipped_order(pieces=changes.get("quantity", 1))
        case = await self.aftersales.open_return(self.return_request(order_no, amount, **changes))
        await self.at(case, StageName.RETURN_REVIEW)
        return case

    async def address(self, address_id: str = "a-1", *, is_default: bool = True) -> str:
        """An address in the merchant's book."""
        await self.aftersales.desk.save_address(
            SaveAddress(
                merchant_id=self.merchant,
                address_id=address_id,
                region=Region(province="广东省", city="广州市", district="天河区"),
                details=f"vault:addresses/{address_id}",
                is_default=is_default,
            )
        )
        return address_id

    async def standing_order(self, **terms: Any) -> None:
        """A standing order of the merchant's (G4)."""
        by = merchant(self.merchant)
        wish = {"merchant_id": self.merchant, "profile": self.marketplace, "by": by, "terms": terms}
        await self.aftersales.desk.set_standing_order(SetStandingOrder.model_validate(wish))

    def parcel(self) -> Parcel:
        """A parcel that nobody has heard of."""
        return Parcel(carrier="sf", tracking_no=self.fresh("SF"))

    async def announced(self, order_no: str) -> Parcel:
        """A parcel of an order that the order system has told of, and its carrier has not yet."""
        parcel, at = self.parcel(), datetime.now(UTC)
        async with self.pool.acquire() as connection, connection.transaction():
            await parcels.watch(connection, parcel, purpose=ParcelPurpose.ORDER, at=at, order_no=order_no)
        return parcel

    async def carrier_tells(self, parcel: Parcel, event: ParcelEvent, at: datetime, *, key: str | None = None) -> None:
        """The carrier tells what happened to a parcel, through the client."""
        told = CarrierEvent(key=key or self.fresh("ev"), parcel=parcel, event=event, happened_at=at)
        await self.aftersales.logistics.carrier_event(told)

    async def now(self, case: Case) -> datetime:
        """The case's own time."""
        return await self.skipper.get_current_time(case.handle)

    async def compensated(self, fund: str) -> int:
        """What our ledger says was paid out of a fund of compensation, in minor units (L3)."""
        async with self.pool.acquire() as connection:
            return await ledger.refunded(connection, fund)

    async def withdrawal(self, allowance_id: str) -> Case:
        """An open withdrawal of this allowance."""
        return await self.aftersales.open_withdrawal(
            WithdrawalRequest(
                request_key=self.fresh("k"),
                allowance_id=allowance_id,
                merchant_id=self.merchant,
                buyer_id=self.buyer,
            )
        )

    async def behave(self, behaviour: Behaviour) -> None:
        """Tell the gateway how to treat the refunds that match."""
        await self.gateway.set_behaviour(behaviour)

    async def another_has_the_number(self, case: Case, amount: int, *, order_no: str | None = None) -> str:
        """Have the gateway pay another refund under the number that the case's first payment has or will have.

        Of the tender ``t1`` of this order, or of a payment that nobody here knows; the number.
        """
        number = refund_number(case.id, 1, 1)
        other = RefundInstruction(
            refund_no=number,
            merchant_id=self.merchant,
            fund=f"order/{order_no or 'of-staging'}",
            tender="t1",
            account=None,
            amount=amount,
            currency="CNY",
        )
        await self.gateway.submit(other)
        return number

    async def forgotten_by_the_gateway(self, case: Case) -> None:
        """Have the gateway not know the case's payment any more."""
        number = refund_number(case.id, 1, 1)
        await self.pool.execute("DELETE FROM gateway.refunds WHERE refund_no = $1", number)

    async def forward(self, case: Case, **duration: float) -> None:
        """Move one case's clock; one that has ended meanwhile has none any more."""
        try:
            await self.skipper.fast_forward(case.handle, timedelta(**duration))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def at(self, case: Case, stage: StageName) -> CaseView:
        """The case, once it is in ``stage``."""
        return await until(case.view, lambda view: view.stage is stage)

    async def stage_of(self, case: Case) -> str | None:
        """Where the case book says that a case stands."""
        return await self.pool.fetchval("SELECT stage FROM casebook.cases WHERE case_id = $1", case.id)

    async def declare_pause(self, pause: DeclarePause) -> None:
        """Declare a pause in the book, without telling the open cases of it."""
        async with self.pool.acquire() as connection, connection.transaction():
            await pauses.declare(connection, pause, datetime.now(UTC))

    async def lift_pause(self, window: str, by: Actor) -> None:
        """Lift it again."""
        async with self.pool.acquire() as connection, connection.transaction():
            await pauses.lift(connection, window, by, datetime.now(UTC))

    async def mark_shipped(self, order_no: str, at: datetime) -> None:
        """A carrier has all of an order, and nobody is told."""
        async with self.pool.acquire() as connection:
            await orders.mark_shipped(connection, order_no, at)

    async def prolong(self, allowance_id: str, until: datetime) -> None:
        """Move the end of an allowance's validity."""
        async with self.pool.acquire() as connection:
            assert await allowances.prolong(connection, allowance_id, until)

    async def valid_until(self, allowance_id: str) -> datetime:
        """When an allowance's validity ends."""
        async with self.pool.acquire() as connection:
            facts = await allowances.facts(connection, allowance_id)
        assert facts is not None
        return facts.valid_until

    async def call_back(self) -> str:
        """Deliver the one callback about this merchant; the id of the workflow that a late one is entered by."""
        far = datetime.now(UTC) + timedelta(days=365)
        rows = await self.pool.fetch("SELECT refund_no FROM gateway.refunds WHERE merchant_id = $1", self.merchant)
        numbers = [row["refund_no"] for row in rows]
        (due,) = await self.gateway.due_callbacks(far, refund_nos=numbers)
        # Not from ahead of the case's clock, which has not been moved so far (R18).
        told = due.callback.model_copy(update={"settled_at": min(due.callback.settled_at, datetime.now(UTC))})
        await self.aftersales.gateway_callback(told)
        await self.gateway.mark_delivered(due.id, far)
        return f"late-callback/{due.callback.refund_no}/{due.callback.key}"

    async def refunded(self, order_no: str) -> int:
        """What our ledger says was paid back on an order, in minor units."""
        async with self.pool.acquire() as connection:
            return await ledger.refunded(connection, f"order/{order_no}")

    async def paid_by_gateway(self, order_no: str) -> int:
        """What the gateway's own book says it has paid for an order or allowance, in minor units."""
        return await self.paid_from(f"order/{order_no}", f"allowance/{order_no}")

    async def paid_from(self, *funds: str) -> int:
        """What the gateway's own book says it has paid from these funds, in minor units."""
        return await self.pool.fetchval(
            """
            SELECT coalesce(sum(amount), 0)::bigint FROM gateway.refunds
            WHERE fund = ANY($1) AND result = 'succeeded'
            """,
            [*funds],
        )

    async def notices(self, case: Case, template: NoticeTemplate) -> int:
        """How many notices of this template are queued or sent for a case, by recipient, whatever the channels."""
        return await self.pool.fetchval(
            """
            SELECT count(DISTINCT (step, recipient_role, recipient_id)) FROM notices.outbox
            WHERE case_id = $1 AND template = $2
            """,
            case.id,
            template,
        )

    async def break_channels(self, times: int) -> None:
        """Make every channel of notices fail so many times from now on."""
        async with self.pool.acquire() as connection:
            for channel in ChannelName:
                await fail_next(connection, channel, times)

    def timers(self, case: Case) -> Callable[[], Awaitable[int]]:
        """How many timers the case has started so far, to wait for one."""

        async def count() -> int:
            started = EventType.EVENT_TYPE_TIMER_STARTED
            return len([each async for each in case.handle.fetch_history_events() if each.event_type == started])

        return count

    async def events(self, case: Case) -> list[str]:
        """The case log's events, oldest first."""
        return [entry.event for entry in await case.log()]

    async def left_of(self, allowance_id: str) -> tuple[int, int]:
        """What of an allowance's principal and bonus can be spent, in minor units (A1)."""
        async with self.pool.acquire() as connection:
            account = await allowances.account(connection, allowance_id)
        assert account is not None
        return account.withdrawable, account.balance - account.withdrawable

    async def spend(self, allowance_id: str, amount: int) -> allowances.Spending:
        """Spend from an allowance, as the shop's checkout does."""
        async with self.pool.acquire() as connection, connection.transaction():
            return await allowances.spend(connection, allowance_id, amount, datetime.now(UTC))


async def until(
    look: Callable[[], Awaitable[Found]], good: Callable[[Found], bool], seconds: float = PATIENCE
) -> Found:
    """What ``look`` finds, once it is ``good``; an error with the last finding after so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not good(found := await look()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds} s; last seen: {found}")
        await asyncio.sleep(0.02)
    return found

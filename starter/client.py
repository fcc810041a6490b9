"""The typed client: open cases, send commands, look at cases, wait for outcomes.

async with connected() as aftersales:
    case = await aftersales.open_refund(RefundRequest(...))
    view = await case.act(Approve(key="a-1", by=merchant("m-1")))
    outcome = await case.outcome()
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.askable import AskableQuery, DisputableQuery, askable, disputable_cases
from activities.calendar import working_days
from activities.escalation import RungNow, ladder_at
from activities.gateways.limits import NO_LIMITS, Limits
from activities.opening import Opening
from activities.policies import Policies
from activities.postgres import case_rows, ledger
from activities.postgres.orders import PostgresOrders
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from activities.postgres.work_lists import WorkCounts, WorkPage, WorkQuery, count_work, find_work, with_labels
from activities.privacy.codec import encrypting_converter
from activities.quoting import Asking, quotes_of, with_standing_orders
from activities.time_zones import time_zone_of
from starter.adapters import payment_limits
from starter.allowance_lists import AllowanceLists
from starter.archive_place import archived_cases
from starter.archived_cases import ArchivedCases
from starter.callbacks_as_sent import as_sent
from starter.cases import Case, PostgresCaseBook, reached_with_book
from starter.checking import BeforeOpening
from starter.connection import connect, discover
from starter.database import answering, reading
from starter.declarations import Declarations
from starter.disclosures import Disclosures
from starter.errors import RefusedCommand, RefusedRequest, UnknownCase, Unreachable
from starter.events import Events
from starter.light.case import unreachable
from starter.light.opening import OpensCases, same_request, start_case
from starter.logistics import Logistics
from starter.merchant_desk import MerchantDesk
from starter.orders import Orders
from starter.privacy import Privacy
from starter.recovery import Stranded, start_anew, stranded
from starter.running import Runs
from starter.settings import Settings, load_settings
from starter.stated_requests import OrderPaid, as_stated
from starter.telemetry.spans import call_of_the_client
from starter.vault import key_provider, reachable_vault
from starter.virtual_numbers import NumbersForMerchants, VirtualNumbers
from workflows.kinds.quoting import BY_BUYER, BY_MERCHANT
from workflows.messages.actors import Actor, Role
from workflows.messages.askable import AskablePage, DisputablePage
from workflows.messages.cases import Refusal
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.orders import OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.quotes import Quote
from workflows.messages.requests import LateShipmentRequest, Request
from workflows.rules.admission import Parties, may_see
from workflows.rules.identity import case_id

_LATE_SECONDS: Final = 10.0
"""How long whoever hands on that money has come back waits until that is entered."""

__all__ = ["Aftersales", "Case", "connected"]


@asynccontextmanager
async def connected(settings: Settings | None = None, *, lazy: bool = False) -> AsyncGenerator["Aftersales"]:
    """A client for as long as the context lasts; without ``settings``, by the environment.

    ``lazy`` connects to Temporal when something is asked of it first.

    Raises:
        SettingsError: a setting is wrong.
        Unreachable: Temporal or the database does not answer.
    """
    settings = settings or load_settings()
    working_days.bring_into_force(settings.calendar_overrides)
    try:
        temporal = await connect(
            settings, converter=encrypting_converter(key_provider(settings), shows=True), lazy=lazy
        )
        url = discover(settings).database_url
        pool = await open_pool(url, max_size=settings.database_pool_size, application_name="aftersales-client")
    except (ConnectionError, OSError, asyncpg.PostgresConnectionError) as error:
        raise Unreachable(str(error)) from error
    async with pool, reachable_vault(settings, url) as vault:
        yield Aftersales(
            temporal,
            settings.task_queue,
            pool,
            vault,
            Policies(settings.policies_dir),
            settings.reveals_per_hour,
            limits=payment_limits(settings),
            archived=archived_cases(settings, pool),
        )


class Aftersales(OpensCases[Case]):
    """Cases as a platform's services see them."""

    def __init__(
        self,
        temporal: Client,
        task_queue: str,
        pool: asyncpg.Pool,
        vault: Vault,
        policies: Policies | None = None,
        reveals_per_hour: int = 60,
        *,
        limits: Limits = NO_LIMITS,
        archived: ArchivedCases | None = None,
    ) -> None:
        """``pool`` reaches the case book: for checking requests beforehand, work lists and logs.

        ``limits`` are the payment provider's (X6). ``archived`` reads cases that the database has no
        more of than their slim rows.
        """
        self.temporal = temporal
        self.pool = pool
        self.runs = Runs(temporal)
        self._archived = archived or ArchivedCases(pool)
        self._book = PostgresCaseBook(pool, self._archived)
        self._reached = reached_with_book(temporal, self.runs, self._book)
        self._task_queue = task_queue
        self._orders = PostgresOrders(pool)
        self._policies = policies or Policies()
        self._limits = limits
        opening = Opening(pool, self._policies, lambda: None, limits=limits)
        self._before = BeforeOpening(temporal, pool, self.runs, opening)
        self.logistics = Logistics(self)
        self.orders = Orders(self)
        self.declarations = Declarations(temporal, pool, task_queue)
        self.vault = vault
        self.allowances = AllowanceLists(pool)
        self.desk = MerchantDesk(pool, vault, self._policies, self._archived)
        self.numbers = VirtualNumbers(temporal, task_queue)
        self.disclosures = Disclosures(
            pool, vault, NumbersForMerchants(self.numbers), reveals_per_hour, policies, self._archived
        )
        self.privacy = Privacy(pool, vault, self.numbers)
        self.events = Events(pool)

    async def order_paid(self, order_no: str) -> Case:
        """See to it that late shipment of an order is compensated (L1). To be called when it is paid.

        The workflow starts only when the order must have shipped: a start delay costs one timer and no history, and
        one id per order makes a second call harmless. An order that has shipped by then ends it quietly.

        Raises:
            RefusedRequest: there is no such order, or no policy for it.
            Unreachable: Temporal or the database does not answer; calling again is safe.
        """
        return await self._open(await self.late_shipment_of(order_no))

    async def late_shipment_of(self, order_no: str) -> LateShipmentRequest:
        """The request that ``order_paid`` opens a case with. Errors as there."""
        order, policy = await self._known(order_no, "L1")
        return LateShipmentRequest(
            order_no=order_no,
            merchant_id=order.merchant_id,
            buyer_id=order.buyer_id,
            ships_until=order.paid_at + timedelta(hours=policy.late_shipment.ship_hours),
        )

    async def open(self, request: Request | Mapping[str, object]) -> Case:
        """Open whatever kind of case ``request`` is about. Errors as in ``open_refund``.

        A mapping says of which kind it is in a field more, as a line of ``aftersales open --from`` does: its
        ``request`` is ``refund``, ``return``, ``exchange``, ``resend``, ``repair``, ``dispute``, ``late-shipment``
        (with an ``order_no`` alone), ``price-protection``, ``merchant-refund``, ``withdrawal`` or ``expiry``.
        """
        return await self._open(await self.request(request))

    async def request(self, stated: Request | Mapping[str, object]) -> Request:
        """The request that a mapping states, as ``open`` takes it. Errors as in ``open``; nothing else is checked."""
        request = as_stated(stated)
        return await self.late_shipment_of(request.order_no) if isinstance(request, OrderPaid) else request

    async def check(self, stated: Request | Mapping[str, object]) -> None:
        """Whether ``open`` would open a case now, or it is one already; nothing is opened. Errors as in ``open``."""
        request = await self.request(stated)
        identifier = case_id(request)
        if not await self._before.written_down(identifier, request):
            await self._before.foresee(request, identifier)
            if await self._before.exists(identifier):
                await same_request(self.temporal, identifier, request)

    def case(self, identifier: str) -> Case:
        """The case with this id, whether it exists or not."""
        return Case(self._reached, self._book, identifier)

    async def take_up(self, case: Stranded) -> bool:
        """Start an open case anew that no workflow carries; False where it cannot be, or runs already.

        Raises:
            RPCError: Temporal does not answer.
        """
        return await start_anew(self.temporal, self._task_queue, case)

    async def gateway_callback(self, callback: GatewayCallback) -> None:
        """Hand on what the payment gateway tells (section 10); late and repeated callbacks are welcome.

        Raises:
            UnknownCase: nothing was ever paid under this refund number.
            Unreachable: nothing was handed on; the gateway should call again.
        """
        async with reading(self.pool) as connection:
            payout = await ledger.payout_of(connection, callback.refund_no)
        if payout is None:
            raise UnknownCase(callback.refund_no)
        identifier, _, ours = payout
        callback = as_sent(callback, ours)
        try:
            await self.case(identifier).tell(callback)
        except RefusedCommand:
            await self._enter_late(callback)

    async def _enter_late(self, callback: GatewayCallback) -> None:
        try:
            await self.temporal.start_workflow(
                "LateCallback",
                callback,
                id=f"late-callback/{callback.refund_no}/{callback.key}",
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise unreachable(error) from error
        if callback.result is GatewayResult.RETURNED:
            await self._take_up_again(callback.refund_no, f"late-callback/{callback.refund_no}/{callback.key}")

    async def _take_up_again(self, refund_no: str, entering: str) -> None:
        """Start the workflow of a case whose money came back, once that is entered; else ``recover`` finds it."""
        try:
            async with asyncio.timeout(_LATE_SECONDS):
                await self.temporal.get_workflow_handle(entering).result()
        except (TimeoutError, WorkflowFailureError, RPCError):
            return
        async with reading(self.pool) as connection:
            payout = await ledger.payout_of(connection, refund_no)
        async for case in stranded(self.pool, self.runs, 1, [payout[0]] if payout else ["-"]):
            await self.take_up(case)

    async def quote(
        self,
        order_no: str,
        *,
        goods_received: bool | None = None,
        by: Role = Role.BUYER,
        reader: Actor | None = None,
    ) -> Quote:
        """What may be asked for on an order now, by line and reason, and what may not, and why (G5).

        What an option allows, opens (``workflows.kinds.quoting.request_of`` makes the request).

        Args:
            order_no: The order's number.
            goods_received: Whether the buyer says that it has the goods, which refunds without goods depend on (G1).
            by: Who asks: the buyer, or the merchant for a refund of its own accord (R9).
            reader: Who reads it. The order's merchant and the platform see which standing order would decide (G4).

        Raises:
            RefusedRequest: there is no such order, or no policy for it.
            Unreachable: the database does not answer.
        """
        order, policy = await self._known(order_no, "G5")
        async with reading(self.pool) as connection:
            asking = Asking(
                at=datetime.now(UTC),
                limits=self._limits,
                ways=BY_MERCHANT if by is Role.MERCHANT else BY_BUYER,
                goods_received=goods_received,
            )
            (quoted,) = await quotes_of(connection, [(order, policy)], asking)
            # No buyer is among those who may see a case of nobody's.
            if reader is None or not may_see(reader, Parties(order.merchant_id, None)):
                return quoted
            return await with_standing_orders(connection, quoted, order, policy, asking)

    async def askable(self, query: AskableQuery) -> AskablePage:
        """A buyer's or a merchant's orders, the latest paid first, with what it may ask for on each (G5).

        Each is its quote in short: what it offers opens, what it does not is refused with the same reason. The next
        page is that of the same query with ``after=page.next``.
        """
        async with reading(self.pool) as connection:
            return await askable(connection, query, self._policies.get, self._limits, datetime.now(UTC))

    async def disputable(self, query: DisputableQuery) -> DisputablePage:
        """A buyer's or a merchant's cases, and orders without one, and until when the buyer can dispute each (D1).

        The latest first; of those that cannot be, why; pages as in ``askable``.
        """
        async with reading(self.pool) as connection:
            return await disputable_cases(connection, query, self._policies.get, self._limits, datetime.now(UTC))

    async def currency_of(self, subject: str) -> str | None:
        """The currency of an order or a case (ISO 4217); None where there is no such thing."""
        if "/" in subject:
            async with reading(self.pool) as connection:
                return await case_rows.currency_of(connection, subject)
        order = await self._orders.find(subject)
        return order.currency if order else None

    async def time_zone_of(self, subject: str) -> str | None:
        """In which people read the moments of a case, an order or an allowance, by its profile (G6).

        None for Asia/Shanghai, and where there is no such thing.
        """
        async with self._archived.whole(subject, needed=False) as connection:
            return await time_zone_of(connection, subject, self._policies.get)

    async def orders_of_buyer(self, merchant_id: str, buyer_id: str) -> list[str]:
        """The numbers of a buyer's orders at one merchant, the latest paid first: to open a refund on (R9)."""
        with answering():
            return await self._orders.of_buyer(merchant_id, buyer_id)

    def escalation_ladder(self, profile: str) -> tuple[RungNow, ...]:
        """Whom a buyer can turn to, one after the other, by an order's profile, and who is open now (L4).

        Raises:
            RefusedRequest: there is no such profile.
        """
        policy = self._policies.get(profile)
        if policy is None:
            explanation = f"no profile {profile}"
            raise RefusedRequest(
                Refusal(code="unknown_policy", field="profile", rule="section 2", explanation=explanation)
            )
        return ladder_at(datetime.now(UTC), policy)

    async def work_list(self, query: WorkQuery) -> WorkPage:
        """What a merchant, or the platform, has to do, page by page: by due date (section 12).

        Written in the transaction of each step, and so right as soon as a command has returned. The next page is that
        of the same query with ``after=page.next``.
        """
        async with reading(self.pool) as connection:
            return with_labels(await find_work(connection, query), self._policies.get)

    async def work_counts(self, query: WorkQuery, *, exact: bool = False) -> WorkCounts:
        """How many cases of the query are in each work list, on whichever page.

        Counts of the whole platform may be some minutes old where many cases are open, and then say so
        (``counted_at``); ``exact`` has them counted anew, which takes half a second for a million cases.
        """
        async with reading(self.pool) as connection:
            return await count_work(connection, query, exact=exact)

    async def _known(self, order_no: str, rule: str) -> tuple[OrderFacts, Policy]:
        """The order and the profile that it goes by.

        Raises:
            RefusedRequest: there is none; under this rule.
            Unreachable: the database does not answer.
        """
        with answering():
            order = await self._orders.find(order_no)
        policy = self._policies.get(order.marketplace) if order else None
        if order is None or policy is None:
            explanation = f"there is no order {order_no}" if order is None else f"no profile {order.marketplace}"
            raise RefusedRequest(Refusal(code="unknown_order", field="order_no", rule=rule, explanation=explanation))
        return order, policy

    async def _open(self, request: Request) -> Case:
        with call_of_the_client("open"):
            return await self._opened(request)

    async def _opened(self, request: Request) -> Case:
        identifier = case_id(request)
        if await self._before.written_down(identifier, request):
            return self._existing(identifier)
        foreseen = await self._before.foresee(request, identifier)
        try:
            await start_case(self.temporal, self._task_queue, request, foreseen)
        except WorkflowAlreadyStartedError:
            await same_request(self.temporal, identifier, request)
            return self._existing(identifier)
        return self.case(identifier)

    def _existing(self, identifier: str) -> Case:
        return Case(self._reached, self._book, identifier, existed=True)

"""The world of paths in memory: what they do to cases on servers, done to the interpreter's."""

import hashlib
from collections.abc import Coroutine
from datetime import datetime, timedelta
from itertools import count
from typing import Any, cast

from activities.gateways.payment_stub_modes import Behaviour
from starter.interpreter.interpreter import Interpreter
from tests.replay import ends
from tests.replay.ends import Ends
from tests.replay.registry import CLOCK, Path, merchant_of
from tests.workflow.world import World
from workflows.messages.actors import Actor, merchant
from workflows.messages.addresses import Region, ReturnAddress
from workflows.messages.cases import CaseView, Outcome
from workflows.messages.commands import Command
from workflows.messages.orders import AllowanceFacts, OrderFacts, OrderLine, Tender
from workflows.messages.parcels import Parcel
from workflows.messages.pauses import DeclareExemption, DeclarePause
from workflows.messages.payouts import TenderKind
from workflows.messages.requests import LateShipmentRequest, Request, WithdrawalRequest
from workflows.messages.standing_orders import StandingOrder, StandingOrderVersion
from workflows.rules.balances import Account


def told_in_memory(name: str) -> bool:
    """Whether the path of this name is a story of cases, and of nothing but what can happen in memory.

    The case book always answers there. Virtual numbers, notices and the comparison of books are no cases.
    """
    return name not in _NOT_IN_MEMORY and not name.startswith("virtual_number_")


_NOT_IN_MEMORY = frozenset({"case_book_slow", "case_book_failing", "closed_cases", "notice_resend", "reconciliation"})


def walk(path: Path, began: datetime) -> Ends:
    """What a path comes to that is walked in memory, from this moment on."""
    interpreter = Interpreter(began)
    walk_in(path, MemoryWorld(interpreter, merchant_of(path.name)))
    return ends.in_memory(interpreter, began)


def walk_in(path: Path, world: Any) -> None:
    """Walk a path in a ``MemoryWorld``."""
    before = CLOCK.set(lambda: world.interpreter.now)
    try:
        at_once(path.walk(world))
    finally:
        CLOCK.reset(before)


def at_once(coroutine: Any) -> None:
    """Carry out what never waits: in memory nothing does."""
    try:
        cast("Coroutine[Any, Any, Any]", coroutine).send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something that does not happen in memory")


class RefusedInMemory(AssertionError):  # noqa: N818 -- a story that tells of a refusal has gone another way
    """A case of a story has refused a command."""


class MemoryCase:
    """As ``starter.client.Case``, as far as paths need it."""

    def __init__(self, interpreter: Interpreter, case: str) -> None:
        self._interpreter = interpreter
        self.id = case

    @property
    def handle(self) -> "MemoryCase":
        """Its workflow's."""
        return self

    async def act(self, command: Command) -> CaseView:
        """See Case."""
        refusal = self._interpreter.act(self.id, command)
        if refusal:
            raise RefusedInMemory(refusal.explanation)
        return self._interpreter.view(self.id)

    async def act_and_wait(self, command: Command) -> Outcome:
        """See Case."""
        await self.act(command)
        return await self.outcome()

    async def tell(self, fact: Command) -> None:
        """See Case."""
        assert self._interpreter.tell(self.id, fact)

    async def signal(self, name: str, command: Command) -> None:
        """See WorkflowHandle."""
        assert name == command.command_name()
        await self.tell(command)

    async def view(self) -> CaseView:
        """See Case."""
        return self._interpreter.view(self.id)

    async def outcome(self) -> Outcome:
        """See Case."""
        outcome = self._interpreter.outcome(self.id)
        assert outcome is not None, f"{self.id} has not ended: {self._interpreter.view(self.id)}"
        return outcome

    result = outcome


class MemoryWorld:
    """As ``World``: the same ids for the same story."""

    def __init__(self, interpreter: Interpreter, merchant: str) -> None:
        self.interpreter = interpreter
        self.merchant = merchant
        self.buyer = "b-recorded"
        self.task_queue = "in-memory"
        self.marketplace = "douyin"
        self.aftersales = MemoryAftersales(interpreter)
        self._numbers = count()

    def wall_clock(self) -> datetime:
        """See World."""
        return self.interpreter.now

    def fresh(self, prefix: str) -> str:
        """See World."""
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
        paid_at: datetime | None = None,
        **facts: Any,
    ) -> str:
        """See World."""
        lines, spent = lines or {"1": 10_000}, spent or {}
        total = sum(lines.values()) + freight - sum(spent.values())
        order = OrderFacts(
            order_no=self.fresh("o"),
            marketplace=marketplace or self.marketplace,
            merchant_id=self.merchant,
            buyer_id=self.buyer,
            currency=currency,
            lines=tuple(
                OrderLine(line=line, sku=f"sku-{line}", quantity=pieces, paid=paid) for line, paid in lines.items()
            ),
            freight=freight,
            tenders=(
                *(
                    Tender(tender=tender, kind=TenderKind(kind), paid=paid)
                    for tender, kind, paid in tenders or ([("t1", "wallet", total)] if total else [])
                ),
                *(
                    Tender(tender=f"of-{each}", kind=TenderKind.ALLOWANCE, paid=paid, allowance_id=each)
                    for each, paid in spent.items()
                ),
            ),
            paid_at=paid_at or self.interpreter.now - timedelta(days=30),
            **facts,
        )
        assert self.interpreter.shop.take_order(order) is None
        return order.order_no

    async def shipped_order(self, **changes: Any) -> str:
        """See World."""
        changes.setdefault("shipped_at", self.interpreter.now - timedelta(days=20))
        return await self.order(**changes)

    async def allowance(self, *, principal: int = 8000, bonus: int = 2000, spent: int = 0, days: int = 90) -> str:
        """See World."""
        facts = AllowanceFacts(
            allowance_id=self.fresh("a"),
            marketplace="douyin",
            merchant_id=self.merchant,
            buyer_id=self.buyer,
            currency="CNY",
            principal=principal,
            bonus=bonus,
            spent=spent,
            tender_kind=TenderKind.WALLET,
            valid_until=self.interpreter.now + timedelta(days=days),
        )
        self.interpreter.shop.accounts[facts.allowance_id] = Account(facts)
        return facts.allowance_id

    async def left_of(self, allowance_id: str) -> tuple[int, int]:
        """See World."""
        account = self.interpreter.shop.accounts[allowance_id]
        return account.withdrawable, account.balance - account.withdrawable

    async def refund(self, amount: int = 10_000, *, order_no: str | None = None, **changes: Any) -> MemoryCase:
        """See World."""
        order_no = order_no or await self.order()
        return self.aftersales.opened(World.refund_request(cast("World", self), order_no, amount, **changes))

    def refund_request(self, order_no: str, amount: int = 10_000, **changes: Any) -> Request:
        """See World."""
        return World.refund_request(cast("World", self), order_no, amount, **changes)

    async def written(self, case: MemoryCase, by: Actor, text: str, key: str = "w1") -> str:
        """See World. No vault stands beside what happens in memory."""
        del text
        return f"statement:{hashlib.sha256(f'{case.id} {by.role} {by.id} {key}'.encode()).hexdigest()[:32]}"

    def return_request(self, order_no: str, amount: int = 10_000, **changes: Any) -> Request:
        """See World."""
        return World.return_request(cast("World", self), order_no, amount, **changes)

    async def withdrawal(self, allowance_id: str) -> MemoryCase:
        """See World."""
        request = WithdrawalRequest(
            request_key=self.fresh("k"), allowance_id=allowance_id, merchant_id=self.merchant, buyer_id=self.buyer
        )
        return self.aftersales.opened(request)

    async def address(self, address_id: str = "a-1") -> str:
        """See World."""
        address = ReturnAddress(
            merchant_id=self.merchant,
            address_id=address_id,
            region=Region(province="广东省", city="广州市", district="天河区"),
            details=f"vault:addresses/{address_id}",
            is_default=True,
            version=1,
        )
        self.interpreter.shop.addresses[self.merchant] = [address]
        return address_id

    async def standing_order(self, **terms: Any) -> None:
        """See World."""
        given = StandingOrderVersion(
            merchant_id=self.merchant,
            profile=self.marketplace,
            number=1,
            version=1,
            terms=StandingOrder.model_validate(terms),
            by=merchant(self.merchant),
            at=self.interpreter.now,
        )
        self.interpreter.shop.standing_orders.append(given)

    def parcel(self) -> Parcel:
        """See World."""
        return World.parcel(cast("World", self))

    async def behave(self, behaviour: Behaviour) -> None:
        """See World."""
        self.interpreter.gateway.behave(behaviour)

    async def forward(self, case: MemoryCase, **duration: float) -> None:
        """See World."""
        self.interpreter.forward(case.id, **duration)

    async def stage_of(self, case: MemoryCase) -> str | None:
        """See World."""
        row = self.interpreter.book.cases.get(case.id)
        return row.stage if row else None

    async def declare_pause(self, pause: DeclarePause) -> None:
        """See World."""
        self.interpreter.shop.declare_pause(pause, self.interpreter.now)

    async def lift_pause(self, window: str, by: Actor) -> None:
        """See World."""
        pauses = self.interpreter.shop.pauses
        pauses[window] = pauses[window].model_copy(update={"lifted_by": by, "lifted_at": self.interpreter.now})

    async def mark_shipped(self, order_no: str, at: datetime) -> None:
        """See World."""
        orders = self.interpreter.shop.orders
        orders[order_no] = orders[order_no].model_copy(update={"shipped_at": at})

    async def prolong(self, allowance_id: str, until: datetime) -> None:
        """See World."""
        accounts = self.interpreter.shop.accounts
        facts = accounts[allowance_id].facts.model_copy(update={"valid_until": until})
        accounts[allowance_id] = Account(facts)

    async def valid_until(self, allowance_id: str) -> datetime:
        """See World."""
        return self.interpreter.shop.accounts[allowance_id].facts.valid_until

    async def call_back(self) -> str:
        """See World."""
        now = self.interpreter.now
        (due,) = self.interpreter.gateway.due_callbacks(now + timedelta(days=365))
        told = due.callback.model_copy(update={"settled_at": min(due.callback.settled_at, now)})
        self.interpreter.gateway_calls_back(told)
        self.interpreter.gateway.mark_delivered(due.id)
        return f"late-callback/{due.callback.refund_no}/{due.callback.key}"


class MemoryAftersales:
    """As ``starter.client.Aftersales``, its desks and its Temporal client, as far as paths need them."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    @property
    def declarations(self) -> "MemoryAftersales":
        """The platform's declarations."""
        return self

    @property
    def temporal(self) -> "MemoryAftersales":
        """What starts workflows."""
        return self

    def opened(self, request: Request) -> MemoryCase:
        """The case that ``request`` opens."""
        return self.case(self._interpreter.open(request))

    async def open(self, request: Request) -> MemoryCase:
        """See Aftersales."""
        return self.opened(request)

    open_return = open_merchant_refund = open_price_protection = open_resend = open_repair = open_dispute = (
        schedule_expiry
    ) = open

    def case(self, case: str) -> MemoryCase:
        """See Aftersales."""
        return MemoryCase(self._interpreter, case)

    async def order_paid(self, order_no: str) -> MemoryCase:
        """See Aftersales."""
        order = self._interpreter.shop.orders[order_no]
        policy = self._interpreter.policy(order.marketplace)
        assert policy
        request = LateShipmentRequest(
            order_no=order_no,
            merchant_id=order.merchant_id,
            buyer_id=order.buyer_id,
            ships_until=order.paid_at + timedelta(hours=policy.late_shipment.ship_hours),
        )
        return self.opened(request)

    async def declare_exemption(self, exemption: DeclareExemption) -> DeclareExemption:
        """See Declarations."""
        self._interpreter.shop.exemptions[exemption.id] = exemption
        return exemption

    async def start_workflow(self, name: str, request: Request, **_: str) -> MemoryCase:
        """See Client."""
        assert name
        return self.opened(request)

    def get_workflow_handle(self, workflow: str) -> "_Done":
        """See Client."""
        return _Done(workflow)


class _Done:
    def __init__(self, workflow: str) -> None:
        self.id = workflow

    async def result(self) -> None:
        """A late callback is entered at once."""

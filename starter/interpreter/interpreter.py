"""Cases told as stories: open them, send commands, let time pass, and see what came of it.

>>> from datetime import UTC, datetime
>>> from starter.interpreter.example import approved_refund
>>> interpreter, case = approved_refund(datetime(2026, 3, 2, 2, tzinfo=UTC))
>>> [line.event for line in interpreter.log(case)]
['opened', 'approved', 'refund_succeeded']
>>> interpreter.outcome(case).outcome.value, interpreter.ledger.refunded("order/O-1")
('refunded', 10000)
"""

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from activities.policies import Policies
from starter.interpreter.book import CaseRow, MemoryBook
from starter.interpreter.gateway import MemoryGateway
from starter.interpreter.host import Answer, MemoryHost
from starter.interpreter.ledger import Ledger
from starter.interpreter.opening import MemoryOpening
from starter.interpreter.payments import MemoryDesk, MemoryPayments
from starter.interpreter.returned import open_again
from starter.interpreter.shop import Shop
from workflows.kinds import kind
from workflows.kinds.askable import Listed, ListedOrder, disputable
from workflows.kinds.kind import Kind
from workflows.kinds.quoting import BY_BUYER
from workflows.messages.askable import DisputableCase
from workflows.messages.cases import CaseView, LogEntry, Outcome, Refusal
from workflows.messages.commands import Command, GatewayCallback, GatewayResult
from workflows.messages.message import CaseId
from workflows.messages.parcels import AskCarrier, CarrierEvent, ParcelHistory
from workflows.messages.policy import Policy
from workflows.messages.quotes import Asked, Quote
from workflows.messages.requests import (
    CompensationRequest,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundRequest,
    RepairRequest,
    Request,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.messages.settlements import EnterCallback, Settled
from workflows.rules.identity import case_id
from workflows.rules.parcels import handed_on, report_of
from workflows.shell.host import CaseExistsError

KINDS: Final[Mapping[type[Any], Kind]] = {
    RefundRequest: kind.REFUND,
    ReturnRequest: kind.RETURN,
    MerchantRefundRequest: kind.MERCHANT_REFUND,
    PriceProtectionRequest: kind.PRICE_PROTECTION,
    ResendRequest: kind.RESEND,
    RepairRequest: kind.REPAIR,
    DisputeRequest: kind.DISPUTE,
    LateShipmentRequest: kind.LATE_SHIPMENT,
    CompensationRequest: kind.COMPENSATION,
    WithdrawalRequest: kind.WITHDRAWAL,
    ExpiryRequest: kind.EXPIRY,
}


@cache
def _built_in(name: str) -> Policy | None:
    return Policies().get(name)


class UnansweredError(Exception):
    """A command is under way: the case answers it later, once time has passed or something else has happened."""


class Interpreter:
    """A world of its own, whose clock stands at ``now`` until somebody moves it.

    Args:
        now: Where its clock begins, in UTC.
        policies: The profiles in force, by name; the built-in ones where it is left out.
        gateway: The payment gateway, where it is to behave in a way of its own.
        book: The kind of case book that it has.
    """

    def __init__(
        self,
        now: datetime,
        policies: Mapping[str, Policy] | None = None,
        *,
        gateway: MemoryGateway | None = None,
        book: type[MemoryBook] | None = None,
    ) -> None:
        self.now = now
        self.shop = Shop()
        self.ledger = Ledger(self.shop)
        self.gateway = gateway or MemoryGateway()
        self.policies: dict[str, Policy | None] = dict(policies or {})
        self._built_in = policies is None
        self.book = (book or MemoryBook)(self.shop, self.ledger, self.policy)
        desk = MemoryDesk(self.ledger, self.gateway, self.book.write_step, self._buyer_of)
        payments = MemoryPayments(self.ledger, self.gateway, desk)
        opening = self._opening = MemoryOpening(self.book, self.shop, self.ledger, self.policy)
        self._activities: dict[str, Callable[[Any], Any]] = {
            "open_case": opening.open_case,
            "record_step": self.book.write_step,
            "settle": payments.settle,
            "settle_manually": payments.settle_manually,
            "enter_callback": payments.enter_callback,
            "ask_carrier": self._ask_carrier,
        }
        self._hosts: dict[CaseId, MemoryHost] = {}
        self._to_do: deque[Callable[[], None]] = deque()
        self._expected: list[tuple[datetime, int, MemoryHost]] = []
        self._numbers = 0

    # Telling a story ------------------------------------------------------------------------------------

    def open(self, request: Request) -> CaseId:
        """Start the case that ``request`` opens; the same request again is the same case."""
        identifier = case_id(request)
        if identifier not in self._hosts:
            self.start(request)
            self._run()
        return identifier

    def act(self, case: CaseId, command: Command) -> Refusal | None:
        """Send a command and let the case answer: None once it is carried out, else why it is refused.

        Raises:
            KeyError: there is no such case.
            UnansweredError: the case carries it out later.
        """
        answer = self.send(case, command)
        if not answer.given:
            raise UnansweredError(command.command_name())
        return answer.refusal

    def send(self, case: CaseId, command: Command) -> Answer:
        """The same for whoever does not wait: what came of it stands in the answer once it is given.

        Raises:
            KeyError: there is no such case.
        """
        host, answer = self._hosts[case], Answer()
        intake = host.run.intake
        if (refused := intake.refused_on_sight(command)) is not None or host.over:
            answer.give(refused or intake.refusal_now(command))
            return answer
        host.take(command, answer)
        self._run()
        return answer

    def tell(self, case: CaseId, fact: Command) -> bool:
        """Tell a case something, as a signal: what does not fit is a line of its log. False where it has ended."""
        told = self.hand_on(case, fact)
        self._run()
        return told

    def carrier_tells(self, event: CarrierEvent) -> None:
        """A carrier tells what happened to a parcel: whoever watches it hears of it (R7, T6)."""
        for watch in self.shop.record_event(event):
            if watch.order_no and self.shop.moves(watch.order_no, event):
                cases = [row.case_id for row in self._open_of(watch.order_no)]
            elif watch.case_id and handed_on(watch.purpose, event.event):
                cases = [watch.case_id]
            else:
                continue
            for case in cases:
                self.hand_on(case, report_of(event))
        self._run()

    def gateway_calls_back(self, callback: GatewayCallback) -> Settled | None:
        """What the gateway tells by itself; after the end of its case it is entered late, and answered with its legs.

        Raises:
            KeyError: nothing was ever paid under this number.
        """
        booked = self.ledger.find(callback.refund_no)
        if booked is None:
            raise KeyError(callback.refund_no)
        case = booked.payout.case_id
        if self.tell(case, callback):
            return None
        late = EnterCallback(callback=callback, at=self.now, late=True)
        settled: Settled = self.carry_out("enter_callback", late)
        host = self._hosts[case]
        if callback.result is GatewayResult.RETURNED and open_again(self.book, self.ledger, self.shop, host, self.now):
            self._carry_on(host)
        return settled

    def deliver_callbacks(self) -> None:
        """Let the gateway tell all that is due by now."""
        for due in self.gateway.due_callbacks(self.now):
            self.gateway.mark_delivered(due.id)
            self.gateway_calls_back(due.callback)

    def pass_time(self, **duration: float) -> None:
        """Let time pass, as in ``timedelta``: deadlines decide, looks are taken, the gateway calls back."""
        until = self.now + timedelta(**duration)
        while True:
            self._run()
            host = self._next_expected()
            timer = self._expected[0][0] if host else None
            callback = self.gateway.next_callback_at()
            if callback and callback <= until and (timer is None or callback <= timer):
                self.now = max(self.now, callback)
                self.deliver_callbacks()
            elif host and timer and timer <= until:
                heapq.heappop(self._expected)
                self.now = max(self.now, timer)
                host.ring()
                self.expect(host)
            else:
                break
        self.now = until

    def next_moment(self) -> datetime | None:
        """When something happens next by itself; None where nothing is to."""
        timer = self._expected[0][0] if self._next_expected() else None
        moments = [each for each in (timer, self.gateway.next_callback_at()) if each]
        return max(min(moments), self.now) if moments else None

    def forward(self, case: CaseId, **duration: float) -> None:
        """Let time pass for one case alone: its clock is ahead of all others' from then on."""
        host = self._hosts[case]
        until = host.now() + timedelta(**duration)
        while (at := host.next_timer()) is not None and at <= until:
            host.ahead += max(at - host.now(), timedelta())
            host.ring()
            self._run()
        host.ahead += max(until - host.now(), timedelta())
        self.expect(host)

    def stop(self, case: CaseId) -> None:
        """Stop a case from outside, as an operator terminates a workflow: its row stays open, and nothing reaches it.

        Disputes that it has started are asked to end, and look for it once they have (D8).
        """
        self._hosts[case].stop()
        for host in [each for each in self._hosts.values() if each.parent == case]:
            host.ask_for_cancellation()
        self._run()

    def hold(self, case: CaseId) -> None:
        """Let no worker carry the case for now: what happens meanwhile is looked at all at once by ``release``."""
        self._hosts[case].held = True

    def release(self, case: CaseId) -> None:
        """Carry the case again."""
        self._hosts[case].held = False
        self.do_next(self._hosts[case].go_on)
        self._run()

    def time_of(self, case: CaseId) -> datetime:
        """The case's own time, in UTC."""
        return self._hosts[case].now()

    # What came of it ------------------------------------------------------------------------------------

    def quote(self, order_no: str, *, goods_received: bool | None = None, ways: Sequence[Asked] = BY_BUYER) -> Quote:
        """What may be asked for on an order now (G5)."""
        return self._opening.quote(order_no, self.now, goods_received, ways)

    def disputable(self, case: CaseId) -> DisputableCase:
        """Whether a case can be disputed now, until when, and why not (D1)."""
        return disputable(self.listed(case), self.now)

    def listed(self, case: CaseId) -> Listed:
        """A case of an order, and what there is beside it."""
        return self._opening.listed(case)

    def listed_order(self, order_no: str) -> ListedOrder:
        """An order, and what there is beside it."""
        return self._opening.listed_order(order_no)

    def view(self, case: CaseId) -> CaseView:
        """The case as it stands."""
        return self._hosts[case].run.running.view()

    def log(self, case: CaseId) -> tuple[LogEntry, ...]:
        """The whole log, oldest first; empty where nothing was opened."""
        row = self.book.cases.get(case)
        return tuple(row.log) if row else ()

    def outcome(self, case: CaseId) -> Outcome | None:
        """How the case ended; None while it goes on."""
        return self._hosts[case].outcome

    def host(self, case: CaseId) -> MemoryHost:
        """Who carries the case, for whoever looks closer than ``view`` shows."""
        return self._hosts[case]

    def cases(self) -> tuple[CaseId, ...]:
        """All cases that were started, in the order of their start."""
        return tuple(self._hosts)

    # What hosts ask of it -------------------------------------------------------------------------------

    def policy(self, name: str) -> Policy | None:
        """The profile of this name as it is in force."""
        if name not in self.policies:
            self.policies[name] = _built_in(name) if self._built_in else None
        return self.policies[name]

    def start(self, request: Request, parent: CaseId | None = None) -> MemoryHost:
        """Start a case.

        Raises:
            CaseExistsError: there is, or was, such a case.
        """
        identifier = case_id(request)
        if identifier in self._hosts:
            raise CaseExistsError
        started_by = self._hosts[parent] if parent else None
        return self._begin(MemoryHost(self, request, KINDS[type(request)], started_by))

    def hand_on(self, case: CaseId, fact: Command) -> bool:
        """Give a case a fact; False where there is none that runs."""
        host = self._hosts.get(case)
        if host is None or host.over:
            return False
        self.do_next(lambda: host.take(fact, None))
        return True

    def let_go(self, case: CaseId) -> bool:
        """Ask a case that another one has started for its end: it tells that itself. False where it does not run."""
        host = self._hosts.get(case)
        if host is None or host.over:
            return False
        self.do_next(lambda: host.ask_for_cancellation(lets_go=True))
        return True

    def carry_out(self, activity: str, given: Any) -> Any:
        """What an activity comes to."""
        return self._activities[activity](given)

    def do_next(self, do: Callable[[], None]) -> None:
        """Have something done once all is done that was asked for before."""
        self._to_do.append(do)

    def expect(self, host: MemoryHost) -> None:
        """Wake the case when its next timer rings."""
        if (at := host.next_timer()) is not None:
            heapq.heappush(self._expected, (at - host.ahead, self.next_number(), host))

    def next_number(self) -> int:
        """Counts what was asked for, so that what is due at the same moment comes in the order of asking."""
        self._numbers += 1
        return self._numbers

    def _begin(self, host: MemoryHost) -> MemoryHost:
        self._hosts[host.case_id] = host
        self.do_next(host.begin)
        return host

    def _carry_on(self, ended: MemoryHost) -> None:
        """Carry a case in another run, which goes on from the book."""
        request = ended.run.running.request
        self._begin(MemoryHost(self, request, KINDS[type(request)], None, ahead=ended.ahead))
        self._run()

    def _next_expected(self) -> MemoryHost | None:
        """Whose timer rings next, at the moment that is first in the queue; None where none is to ring."""
        while self._expected:
            moment, _, host = self._expected[0]
            at = host.next_timer()
            if at is not None and at - host.ahead == moment:
                return host
            heapq.heappop(self._expected)
        return None

    def _run(self) -> None:
        to_do = self._to_do
        while to_do:
            to_do.popleft()()

    def _ask_carrier(self, asking: AskCarrier) -> ParcelHistory:
        return ParcelHistory(parcel=asking.parcel, events=self.shop.history(asking.parcel), answered=True)

    def _buyer_of(self, case: CaseId) -> str | None:
        row = self.book.cases.get(case)
        return row.buyer_id if row else None

    def _open_of(self, order_no: str | None) -> list[CaseRow]:
        return [row for row in self.book.of_order(order_no or "") if row.closed_at is None]

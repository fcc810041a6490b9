"""A7: whatever happens to an allowance and the orders paid with it, in whatever order, its money comes out right."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.gateways.payment_stub_modes import Behaviour, Mode
from activities.policies import Policies
from starter.interpreter.interpreter import Interpreter
from starter.interpreter.ledger import BookedLeg
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.commands import Approve, CloseCase, PayOut, Retain, RetryPayment, Withdraw
from workflows.messages.orders import AllowanceFacts, OrderFacts, OrderLine, Tender
from workflows.messages.payouts import LegState, PaidBy, TenderKind
from workflows.messages.requests import ExpiryRequest, LineAmount, RefundReason, RefundRequest, WithdrawalRequest
from workflows.messages.stages import StageName
from workflows.rules.allowance import split
from workflows.rules.balances import Account

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
MERCHANT, BUYER, OFFICER = merchant("M-1"), buyer("B-1"), officer("o-1")
CARD = 70
"""What of each order is paid with a card besides."""


@dataclass
class Story:
    """One allowance, and the orders that it has paid for."""

    principal: int
    bonus: int
    paid: dict[str, int] = field(default_factory=dict[str, int])
    """What each order was paid with the allowance."""
    cases: list[str] = field(default_factory=list[str])
    given_up: bool = False
    keys: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        douyin = Policies().get("douyin")
        assert douyin is not None
        refund = douyin.refund.model_copy(update={"most_applications": 1_000})
        self.world = Interpreter(NOW, {"douyin": douyin.model_copy(update={"refund": refund})})
        facts = AllowanceFacts(
            allowance_id="A-1",
            marketplace="douyin",
            currency="CNY",
            principal=self.principal,
            bonus=self.bonus,
            spent=0,
            tender_kind=TenderKind.WALLET,
            valid_until=NOW + timedelta(days=365),
            merchant_id="M-1",
            buyer_id="B-1",
        )
        self.world.shop.accounts["A-1"] = Account(facts)

    @property
    def account(self) -> Account:
        return self.world.shop.accounts["A-1"]

    # What happens -----------------------------------------------------------------------------------------

    def spend(self, share: int) -> None:
        """Pay an order, with so many hundredths of the balance, and with a card besides."""
        amount, number = max(self.account.balance * share // 100, 1), f"O-{len(self.paid)}"
        order = OrderFacts(
            order_no=number,
            marketplace="douyin",
            currency="CNY",
            lines=(OrderLine(line="1", sku="s-1", quantity=1, paid=amount + CARD),),
            freight=0,
            tenders=(
                Tender(tender="a", kind=TenderKind.ALLOWANCE, paid=amount, allowance_id="A-1"),
                Tender(tender="c", kind=TenderKind.CREDIT_CARD, paid=CARD),
            ),
            paid_at=self.world.now,
            merchant_id="M-1",
            buyer_id="B-1",
        )
        before = self.account
        if self.world.shop.take_order(order) is None:
            assert (before.frozen_by, before.voided_at) == (None, None)
            self.paid[number] = amount
        else:
            assert before.frozen_by or before.voided_at or amount > before.balance
            assert self.account == before

    def refund(self, share: int) -> None:
        """Pay back so many hundredths of what is left of one order."""
        if self.paid:
            self.refund_of(list(self.paid)[share % len(self.paid)], share)

    def refund_of(self, order_no: str, share: int) -> None:
        (line,) = [each for each in self.world.ledger.parts_of(f"order/{order_no}") if each.name == "line:1"] or [None]
        room = line.room if line else self.paid[order_no] + CARD
        if not room:
            return
        request = RefundRequest(
            request_key=self.key(),
            order_no=order_no,
            lines=(LineAmount(line="1", quantity=1, amount=max(room * share // 100, 1)),),
            reason=RefundReason.NO_LONGER_WANTED,
            merchant_id="M-1",
            buyer_id="B-1",
        )
        self.open(request)
        case = self.cases[-1]
        if self.world.outcome(case) is None:
            self.world.act(case, Approve(key=self.key(), by=MERCHANT))

    def withdraw(self, _: int) -> None:
        self.open(WithdrawalRequest(request_key=self.key(), allowance_id="A-1", merchant_id="M-1", buyer_id="B-1"))

    def revoke(self, share: int) -> None:
        for case in self.cases:
            if share % 2:
                self.world.act(case, Retain(key=self.key(), by=MERCHANT))
            self.world.act(case, Withdraw(key=self.key(), by=BUYER))

    def pay_out(self, _: int) -> None:
        for case in self.cases:
            self.world.act(case, PayOut(key=self.key(), by=MERCHANT))

    def expire(self, _: int) -> None:
        facts = self.account.facts
        if facts.valid_until > self.world.now:
            changed = facts.model_copy(update={"valid_until": self.world.now})
            self.world.shop.accounts["A-1"] = replace(self.account, facts=changed)
        self.open(ExpiryRequest(allowance_id="A-1", valid_until=self.world.now, merchant_id="M-1", buyer_id="B-1"))

    def decline(self, _: int) -> None:
        self.world.gateway.behave(Behaviour(mode=Mode.DECLINE, uses_left=1))

    def retry(self, share: int) -> None:
        """An officer has what was declined sent again, or gives it up."""
        for case in self.cases:
            if self.world.view(case).stage is not StageName.PAYMENT_ATTENTION:
                continue
            if share < 80:
                self.world.act(case, RetryPayment(key=self.key(), by=OFFICER, reason="again"))
            else:
                self.given_up = True
                self.world.act(case, CloseCase(key=self.key(), by=OFFICER, reason="given_up", proof="ticket:1"))

    def wait(self, share: int) -> None:
        self.world.pass_time(hours=share)

    def open(self, request: RefundRequest | WithdrawalRequest | ExpiryRequest) -> None:
        case = self.world.open(request)
        if case not in self.cases:
            self.cases.append(case)

    def key(self) -> str:
        return f"k-{next(self.keys)}"

    # What must hold ---------------------------------------------------------------------------------------

    def legs_of_allowance(self) -> list[BookedLeg]:
        orders = (self.world.ledger.funds.get(f"order/{number}") for number in self.paid)
        return [each for fund in orders if fund for each in fund.legs.values() if each.leg.principal is not None]

    def money_out(self) -> int:
        """The principal that has gone out as money, by our ledger, in minor units."""
        as_money = [each for each in self.legs_of_allowance() if each.leg.tender_kind is not TenderKind.ALLOWANCE]
        refunds = sum(each.leg.amount for each in as_money if each.standing.state is LegState.SUCCEEDED)
        return refunds + self.world.ledger.refunded("allowance/A-1")

    def check(self) -> None:
        facts, legs = self.account.facts, self.legs_of_allowance()
        assert self.money_out() <= self.principal
        assert 0 <= facts.spent <= self.principal + self.bonus
        for each in legs:
            if each.leg.booked is None:  # bonus never becomes money
                assert each.leg.amount == each.leg.principal
            else:
                assert each.standing.state is LegState.SUCCEEDED
                assert each.leg.refund_no not in self.world.gateway.refunds
        for number, paid in self.paid.items():
            live = [
                each.leg.amount
                for each in legs
                if each.payout.fund == f"order/{number}" and each.standing.state is not LegState.FAILED
            ]
            assert sum(live) <= paid  # R8
        if self.account.voided_at is None:  # what is spent is what the orders have not got back
            back = sum(each.leg.amount for each in legs if each.standing.paid_by is PaidBy.ALLOWANCE)
            assert facts.spent == sum(self.paid.values()) - back
        gateway = sum(
            line.instruction.amount
            for number, line in self.world.gateway.refunds.items()
            if (booked := self.world.ledger.find(number)) and booked.standing.paid_by is PaidBy.GATEWAY
        )
        ours = sum(
            each.leg.amount
            for fund in self.world.ledger.funds.values()
            for each in fund.legs.values()
            if each.standing.paid_by is PaidBy.GATEWAY
        )
        assert gateway == ours
        assert not self.world.ledger.alerts


HAPPENINGS: tuple[Callable[[Story, int], None], ...] = (
    Story.spend,
    Story.spend,
    Story.refund,
    Story.refund,
    Story.withdraw,
    Story.revoke,
    Story.pay_out,
    Story.expire,
    Story.decline,
    Story.retry,
    Story.wait,
)


@settings(max_examples=150, deadline=None)
@given(
    principal=st.integers(1, 500),
    bonus=st.integers(0, 500),
    happenings=st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(1, 100)), max_size=18),
)
def test_whatever_happens_exactly_what_was_paid_in_comes_out_or_is_left(
    principal: int, bonus: int, happenings: list[tuple[Callable[[Story, int], None], int]]
) -> None:  # A7, A5, A6, R8
    story = Story(principal, bonus)
    for happens, share in happenings:
        happens(story, share)
        story.check()

    story.world.pass_time(days=10)  # open withdrawals end, and refunds that wait for them
    for _ in range(2):
        story.retry(1)
        story.world.pass_time(days=10)
    for number in story.paid:
        story.refund_of(number, 100)
        story.retry(1)
        story.retry(1)
    story.world.pass_time(days=10)
    story.check()

    left = split(principal, bonus, story.account.facts.spent)
    if story.account.voided_at:
        assert story.account.balance == 0
        assert story.money_out() == principal or story.given_up
    else:
        assert (story.money_out(), left.withdrawable, left.bonus_lost) == (0, principal, bonus) or story.given_up

"""Cases with money to pay back, as the storage tests need them: opened in the case book, reserved in the ledger."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg

from activities.gateways.payment_stub import Behaviour, Mode, PaymentGatewayStub
from activities.policies import Policies
from activities.postgres import casebook, ledger, reservations
from workflows.messages.actors import CLOCK, officer
from workflows.messages.cases import CaseKey, NewEntry, Step
from workflows.messages.commands import GatewayCallback, NumberHolds
from workflows.messages.money import Money
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.payouts import (
    Ask,
    PaidBy,
    Part,
    Payer,
    Payout,
    Remainder,
    Reservation,
    ReserveResult,
    TenderKind,
)
from workflows.messages.policy import Policy
from workflows.messages.requests import LineAmount, Method, OriginalRoute, RefundReason, RefundRequest
from workflows.messages.settlements import EnterCallback, Settle, SettleManually
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.allocation import COMPENSATION, FundPart, compensation_parts
from workflows.rules.identity import case_id

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""A Monday, noon in Shanghai."""
PROOF = "vault:proofs/1"


def minutes(count: float) -> datetime:
    """So many minutes after `NOON`."""
    return NOON + timedelta(minutes=count)


def _policy() -> Policy:
    policy = Policies().get("douyin")
    assert policy is not None
    return policy


POLICY = _policy()


def some_id(kind: str) -> str:
    """An id that no other test has."""
    return f"{kind}-{uuid4().hex[:16]}"


async def open_order(
    pool: asyncpg.Pool,
    *,
    lines: Iterable[int] = (10_000,),
    freight: int = 0,
    tenders: Iterable[tuple[str, TenderKind, int]] | None = None,
) -> str:
    """Open the fund of a new order: its lines 1, 2, ... and tenders (one wallet by default); its number."""
    order_no = some_id("o")
    amounts = list(lines)
    paid_with = tenders or [("w", TenderKind.WALLET, sum(amounts) + freight)]
    parts = [
        *(FundPart(f"line:{line}", paid) for line, paid in enumerate(amounts, start=1)),
        FundPart("freight", freight),
        *(FundPart(f"tender:{tender}", paid, kind) for tender, kind, paid in paid_with),
    ]
    async with pool.acquire() as connection, connection.transaction():
        await ledger.open_fund(connection, f"order/{order_no}", "CNY", parts)
    return order_no


def payout(
    order_no: str,
    wanted: dict[str, int],
    *,
    method: Method | None = None,
    case: str | None = None,
    number: int = 1,
    merchant_id: str = "m-1",
    payer: Payer = Payer.MERCHANT,
    remainder: Remainder | None = None,
) -> Payout:
    """What a new case wants back of an order."""
    return Payout(
        case_id=case or f"refund/{order_no}/{some_id('k')}",
        number=number,
        fund=f"order/{order_no}",
        merchant_id=merchant_id,
        currency="CNY",
        method=method or OriginalRoute(),
        wanted=tuple(Part(name=name, amount=amount) for name, amount in wanted.items()),
        tender_order=tuple(TenderKind(kind) for kind in POLICY.payment.tender_order),
        payer=payer,
        remainder=remainder,
    )


async def open_compensation(
    pool: asyncpg.Pool, fund: str, owed: int, *, case: str | None = None, payer: Payer = Payer.MERCHANT
) -> Payout:
    """Open a fund of compensation; the payout of all that is owed."""
    async with pool.acquire() as connection, connection.transaction():
        await ledger.open_fund(connection, fund, "CNY", compensation_parts(owed))
    wish = payout("-", {COMPENSATION: owed}, case=case or f"late/{some_id('o')}", number=2, payer=payer)
    return wish.model_copy(update={"fund": fund})


async def reserve(pool: asyncpg.Pool, wish: Payout) -> ReserveResult:
    """Reserve in a transaction of its own."""
    async with pool.acquire() as connection, connection.transaction():
        return await reservations.reserve(connection, wish, NOON)


async def open_case(
    pool: asyncpg.Pool,
    wanted: dict[str, int] | None = None,
    *,
    order_no: str | None = None,
    method: Method | None = None,
    payer: Payer = Payer.MERCHANT,
    buyer_id: str | None = None,
) -> Payout:
    """A case in the case book, of a merchant of its own and this buyer or one of its own; its payout has its room."""
    wanted = wanted or {"line:1": 10_000}
    order_no = order_no or await open_order(pool)
    request = RefundRequest(
        request_key=some_id("k"),
        order_no=order_no,
        merchant_id=some_id("m"),
        buyer_id=buyer_id or some_id("b"),
        lines=(LineAmount(line="1", quantity=1, amount=1),),
        reason=RefundReason.OTHER,
    )
    wish = payout(order_no, wanted, method=method, case=case_id(request), merchant_id=request.merchant_id, payer=payer)
    opening = OpenCase(case=_key(wish), at=NOON, request=request)
    opened = Opened(
        kind=CaseKind.UNSHIPPED_REFUND,
        stage=StageName.PAYING,
        policy=POLICY,
        asked=Money(amount=wish.amount, currency="CNY"),
    )
    entry = NewEntry(event="opened", by=CLOCK, rule="R1", at=NOON)
    async with pool.acquire() as connection, connection.transaction():
        await casebook.write_opening(
            connection, opening, opened, entry=entry, work_list=None, buyer_id=request.buyer_id
        )
    assert (await reserve(pool, wish)).reservation is Reservation.RESERVED
    return wish


def closing(wish: Payout, *, outcome: OutcomeKind = OutcomeKind.REFUNDED, at: datetime = NOON) -> Step:
    """The step that ends the case."""
    return Step(
        case=_key(wish),
        step=1,
        at=at,
        entries=(NewEntry(event="refund_succeeded", by=CLOCK, rule="section 10", at=at),),
        kind=CaseKind.UNSHIPPED_REFUND,
        stage=StageName.CLOSED,
        work_list=None,
        span=None,
        attention=None,
        outcome=outcome,
        refunded=wish.amount,
    )


def settle(wish: Payout, ask: Ask = Ask.SUBMIT, *, at: datetime = NOON) -> Settle:
    """What the payment activity is given."""
    return Settle(payout=wish, ask=ask, at=at, arrival=POLICY.payment, closing=closing(wish, at=at))


def by_hand(
    wish: Payout,
    *,
    paid_by: PaidBy = PaidBy.OFFICER,
    at: datetime = NOON,
    proof: str = PROOF,
    number_holds: NumberHolds | None = None,
) -> SettleManually:
    """An officer's word that it was paid."""
    outcomes = {PaidBy.OFFICER: OutcomeKind.PAID_MANUALLY, PaidBy.PLATFORM: OutcomeKind.PAID_BY_PLATFORM}
    return SettleManually(
        payout=wish,
        paid_by=paid_by,
        officer=officer("f-1"),
        reason="gateway_down",
        proof=proof,
        at=at,
        closing=closing(wish, outcome=outcomes[paid_by], at=at),
        number_holds=number_holds,
    )


def entering(wish: Payout, callback: GatewayCallback, *, at: datetime) -> EnterCallback:
    """A callback on its way into the ledger."""
    return EnterCallback(callback=callback, at=at, arrival=POLICY.payment, closing=closing(wish, at=at))


async def told(gateway: PaymentGatewayStub, wish: Payout, mode: Mode, **parameters: object) -> None:
    """Tell the stub how to treat this case's merchant."""
    await gateway.set_behaviour(Behaviour.model_validate({"mode": mode, "merchant_id": wish.merchant_id, **parameters}))


async def outcome_of(pool: asyncpg.Pool, wish: Payout) -> str | None:
    """How the case ended, says the case book."""
    return await pool.fetchval("SELECT outcome FROM casebook.cases WHERE case_id = $1", wish.case_id)


def _key(wish: Payout) -> CaseKey:
    return CaseKey(case_id=wish.case_id, run_id="run-1")

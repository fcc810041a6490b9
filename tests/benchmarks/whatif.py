"""How long `aftersales whatif` takes for a book of closed cases (`python -m tests.benchmarks.whatif 100000 2`).

The cases are carried in memory, each of an order of its own, and written into a database: refunds that are approved,
withdrawn or left to the deadline, refunds that are rejected, returns, and disputes that are ruled on.
"""

import asyncio
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg

from activities.policies import Policies
from activities.postgres import schema
from activities.postgres.past_cases import PastStory, Scope
from starter.interpreter.interpreter import Interpreter
from starter.settings import Settings
from starter.whatif.telling import Rules
from starter.whatif.trying import Trial, tried
from tests.servers import servers
from tests.whatif.remembered import RememberingBook, past_of
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.addresses import Region, ReturnAddress
from workflows.messages.commands import (
    AgreeReturn,
    Approve,
    Command,
    ConfirmReceipt,
    EnterTracking,
    OpenDispute,
    Reject,
    RejectReason,
    Rule,
    Withdraw,
)
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.parcels import Parcel
from workflows.messages.payouts import TenderKind
from workflows.messages.policy import Policy
from workflows.messages.requests import DisputeReason, LineAmount, MerchantRefundRequest, RefundRequest, ReturnRequest
from workflows.messages.rulings import Award, Fault

BEGAN: Final = datetime(2026, 1, 5, 2, tzinfo=UTC)
BUYER, OFFICER = buyer("B-1"), officer("f-1")
_EVIDENCE: Final = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)
_PAID: Final = 10_000


def stories(cases: int, policy: Policy, seed: int = 1) -> Iterator[PastStory]:
    """So many closed cases, one after the other within a quarter. The same numbers give the same cases."""
    drawn = random.Random(seed)
    for number in range(cases):
        began = BEGAN + timedelta(days=90) * number / cases
        yield from past_of(_told(f"O-{number:07}", began, policy, drawn))


def _told(order_no: str, began: datetime, policy: Policy, drawn: random.Random) -> Interpreter:
    world = Interpreter(began, {policy.name: policy}, book=RememberingBook)
    what = drawn.random()
    seller = merchant(f"M-{drawn.randrange(200)}")
    world.shop.orders[order_no] = _order(order_no, seller.id, policy.name, began, shipped=what >= 0.45)
    asked = drawn.randrange(10, _PAID // 10 + 1) * 10
    whose: dict[str, Any] = {
        "order_no": order_no,
        "merchant_id": seller.id,
        "lines": _lines(asked),
        "reason": "no_longer_wanted",
    }
    if what < 0.45:
        case = world.open(RefundRequest(request_key="k-1", buyer_id=BUYER.id, **whose))
        _decided(world, case, drawn, Approve(key="c-1", by=seller), Withdraw(key="c-1", by=BUYER))
    elif what < 0.70:
        case = world.open(RefundRequest(request_key="k-1", buyer_id=BUYER.id, **whose))
        rejected = Reject(key="c-1", by=seller, reason=RejectReason.NO_FAULT_SHOWN, evidence=_EVIDENCE)
        _decided(world, case, drawn, Approve(key="c-1", by=seller), rejected)
        if world.outcome(case) is None and drawn.random() < 0.3:
            world.pass_time(hours=5)
            world.act(case, OpenDispute(key="c-2", by=BUYER, reason=DisputeReason.REFUND_REJECTED))
            world.pass_time(hours=30)
            dispute = world.cases()[-1]
            ruling: dict[str, Any] = {"fault": Fault.MERCHANT, "refund": Award.FULL, "reason": "looked_at"}
            if world.outcome(dispute) is None:
                world.act(dispute, Rule(key="d-1", by=OFFICER, **ruling))
    elif what < 0.90:
        world.shop.addresses[seller.id] = [address_of(seller.id)]
        case = world.open(ReturnRequest(request_key="k-1", buyer_id=BUYER.id, **whose))
        _decided(world, case, drawn, AgreeReturn(key="c-1", by=seller), Withdraw(key="c-1", by=BUYER))
        if world.outcome(case) is None and drawn.random() < 0.8:
            parcel = Parcel(carrier="sf", tracking_no=f"T{order_no}")
            world.act(case, EnterTracking(key="c-2", by=BUYER, parcel=parcel))
            world.pass_time(hours=drawn.randrange(24, 96))
            world.act(case, ConfirmReceipt(key="c-3", by=seller))
    else:
        case = world.open(MerchantRefundRequest(request_key="k-1", **whose))
        world.pass_time(hours=drawn.randrange(1, 30))
        if world.outcome(case) is None:
            world.act(case, Approve(key="c-1", by=OFFICER))
    world.pass_time(days=60)
    return world


def _decided(world: Interpreter, case: str, drawn: random.Random, yes: Command, no: Command) -> None:
    """After some hours the merchant decides, in three of five cases; or the deadline does, in one of four."""
    what, hours = drawn.random(), drawn.triangular(0, 60, 8)
    if what < 0.75:
        world.pass_time(hours=hours)
        world.act(case, yes if what < 0.6 else no)
    else:
        world.pass_time(hours=61)


def _order(order_no: str, merchant_id: str, profile: str, began: datetime, *, shipped: bool) -> OrderFacts:
    return OrderFacts(
        order_no=order_no,
        marketplace=profile,
        merchant_id=merchant_id,
        buyer_id=BUYER.id,
        currency="CNY",
        lines=(OrderLine(line="1", sku="sku-1", quantity=1, paid=_PAID),),
        freight=0,
        tenders=(Tender(tender="t1", kind=TenderKind.WALLET, paid=_PAID),),
        paid_at=began - timedelta(days=3),
        shipped_at=began - timedelta(days=2) if shipped else None,
    )


def _lines(amount: int) -> tuple[LineAmount, ...]:
    return (LineAmount(line="1", quantity=1, amount=amount),)


def address_of(merchant_id: str) -> ReturnAddress:
    """Where a merchant takes goods back."""
    return ReturnAddress(
        merchant_id=merchant_id,
        address_id="a-1",
        region=Region(province="浙江省", city="杭州市", district="西湖区"),
        details="vault:address/1",
        is_default=True,
        version=1,
    )


def with_hours(policy: Policy, hours: int) -> Policy:
    """The next version of a profile, in which merchants have so many hours to decide on refunds and returns."""
    return policy.model_copy(
        update={
            "version": policy.version + 1,
            "refund": policy.refund.model_copy(
                update={
                    "unshipped_review_hours": hours,
                    "shipped_review_hours": hours,
                    "reminder_hours": min(policy.refund.reminder_hours, hours // 2),
                }
            ),
            "returns": policy.returns.model_copy(
                update={"review_hours": hours, "reminder_hours": min(policy.returns.reminder_hours, hours // 2)}
            ),
        }
    )


async def _fill(url: str, cases: int, policy: Policy) -> None:
    # Here, because tests are not there for who only reads the stories.
    from tests.whatif.written import write

    connection = await asyncpg.connect(url)
    batch: list[PastStory] = []
    for story in stories(cases, policy):
        batch.append(story)
        if len(batch) == 2_000:
            await write(connection, batch)
            batch.clear()
    await write(connection, batch)
    await connection.execute("ANALYZE")
    await connection.close()


async def _measure(cases: int, processes: int) -> None:
    policy = Policies().get("douyin")
    assert policy
    with tempfile.TemporaryDirectory(prefix="aftersales-", ignore_cleanup_errors=True) as folder:
        async with servers(Settings(state_dir=Path(folder))) as stack:
            await schema.upgrade(stack.database_url)
            began = time.perf_counter()
            await _fill(stack.database_url, cases, policy)
            print(f"{cases:,} orders written in {time.perf_counter() - began:.0f} s", flush=True)
            until = BEGAN + timedelta(days=200)
            trial = Trial(Scope(BEGAN, until), Rules(with_hours(policy, 24)), told_until=until)
            began, before = time.perf_counter(), _processor_time()
            report = await tried(
                stack.database_url, trial, processes=processes, examples=10, progress=lambda done: None
            )
            took, busy = time.perf_counter() - began, _processor_time() - before
    told = f"{report.told:,} of {report.cases:,} cases told again under two rules"
    print(f"{told} by {processes} processes in {took:.0f} s, {busy:.0f} s of processor time")
    print(f"{report.otherwise:,} end otherwise")


def _processor_time() -> float:
    """Of this process and of those that have told cases, in seconds; PostgreSQL's is not in it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Print how long it takes."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    asyncio.run(_measure(cases, int(sys.argv[2]) if len(sys.argv) > 2 else 2))


if __name__ == "__main__":
    main()

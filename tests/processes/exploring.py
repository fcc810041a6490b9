"""Random stories in memory: whatever may be sent, told or left alone, until a case ends or the story does.

``python -m tests.processes.exploring`` looks for stories that take every arrow that is drawn, and keeps the numbers of
those that are enough (``stories.json``), and the arrows that none of them takes. Numbers are all of a story: the seed
of its chances, and then turns at which other seeds take over. So a story that has come far is told on in other ways.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from activities.gateways.payment_stub_modes import Behaviour, Mode
from activities.policies import Policies
from starter.interpreter.book import CaseRow, MemoryBook
from starter.interpreter.interpreter import Interpreter, UnansweredError
from starter.interpreter.shop import Account
from tests.processes.observing import REMARKS
from workflows.kinds.kind import PROCESSES
from workflows.kinds.process import Move
from workflows.messages import commands
from workflows.messages.actors import Actor, Role
from workflows.messages.addresses import Region, ReturnAddress
from workflows.messages.cases import CaseView, OpenCase, OpenCommand, Opened, Step, Stepped
from workflows.messages.commands import Command
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import CaseId
from workflows.messages.orders import AllowanceFacts, OrderFacts, OrderLine, Tender
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.pauses import DeclareExemption, ExemptionReason
from workflows.messages.payouts import TenderKind
from workflows.messages.requests import (
    BankTransfer,
    DisputeReason,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    LineAmount,
    MerchantRefundRequest,
    OriginalRoute,
    PriceFall,
    PriceProtectionRequest,
    RefundReason,
    RefundRequest,
    Request,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.messages.rulings import Award, Fault, FreightBearer
from workflows.messages.stages import CaseKind, StageName

STORIES: Final = Path(__file__).with_name("stories.json")
BEGAN: Final = datetime(2026, 3, 2, 2, tzinfo=UTC)
MERCHANT, BUYER = "M-1", "B-1"
ORDER, ALLOWANCE = "O-1", "A-1"
MOST_TURNS: Final = 30
PROFILES: Final = ("douyin", "jd-pop", "jd-self", "shipped-review", "to-the-working-hour")

_EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)
_IDS = {Role.MERCHANT: MERCHANT, Role.BUYER: BUYER, Role.PLATFORM: "f-1"}
Moves = dict[CaseKind, set[Move]]


class Story:
    """One world, and one thread of chance through it."""

    def __init__(self, seed: int, *others: int) -> None:
        self._chance = random.Random(seed)
        self._later = dict(zip(others[::2], others[1::2], strict=True))
        self.turns = 0
        self._in_memory = Interpreter(BEGAN, _policies())
        self._numbers = iter(range(1, 10_000))
        self._parcels = [Parcel(carrier="sf", tracking_no=f"T{each}") for each in range(3)]

    def tell(self) -> None:
        """Tell it to its end."""
        chance, world = self._chance, self._in_memory
        self._prepare()
        for request in self._requests():
            world.open(request)
            self._turns(chance.randint(0, 3))
        self._turns(chance.randint(5, MOST_TURNS))

    # The world ------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        chance, shop = self._chance, self._in_memory.shop
        paid_at = BEGAN - timedelta(hours=chance.choice((1, 30, 24 * 10)))
        sent = chance.choice((None, None, BEGAN - timedelta(hours=1)))
        total, pieces = chance.choice((10_000, 30_000, 0)), chance.choice((1, 2))
        kind = chance.choice((TenderKind.WALLET, TenderKind.WALLET, TenderKind.CASH))
        freight = chance.choice((0, 1_000)) if total else 0
        halves = (total // 2, total + freight - total // 2) if chance.random() < 0.3 else (total + freight,)
        shop.orders[ORDER] = OrderFacts(
            order_no=ORDER,
            marketplace=chance.choice(PROFILES),
            merchant_id=MERCHANT,
            buyer_id=BUYER,
            currency="CNY",
            lines=(OrderLine(line="1", sku="boots", quantity=pieces, paid=total),),
            freight=freight,
            tenders=tuple(Tender(tender=f"t{n}", kind=kind, paid=each) for n, each in enumerate(halves) if each),
            paid_at=paid_at,
            outbound_at=sent or chance.choice((None, BEGAN - timedelta(hours=1))),
            shipped_at=sent,
            freight_insured=chance.choice((0, 500)),
        )
        if chance.random() < 0.8:
            shop.addresses[MERCHANT] = [_address()]
        if chance.random() < 0.5:
            exemption = DeclareExemption(
                id="peak",
                starts_at=BEGAN - timedelta(days=30),
                ends_at=BEGAN + timedelta(days=30),
                by=self._actor(Role.PLATFORM),
                reason=ExemptionReason.PROMOTION_PEAK,
                merchants=(MERCHANT,),
            )
            shop.exemptions[exemption.id] = exemption
        shop.accounts[ALLOWANCE] = Account(
            AllowanceFacts(
                allowance_id=ALLOWANCE,
                marketplace="douyin",
                merchant_id=MERCHANT,
                buyer_id=BUYER,
                currency="CNY",
                principal=8_000,
                bonus=2_000,
                spent=chance.choice((0, 1_000)),
                tender_kind=TenderKind.WALLET,
                valid_until=BEGAN + timedelta(hours=chance.choice((1, 40))),
            )
        )
        for _ in range(chance.choice((0, 0, 1, 2))):
            self._in_memory.gateway.behave(
                Behaviour(
                    mode=chance.choice(list(Mode)),
                    settle_after_seconds=chance.choice((60, 3_600, 400_000)),
                    uses_left=chance.choice((1, 2, None)),
                )
            )

    def _requests(self) -> Iterator[Request]:
        makers = (
            self._refund,
            self._refund,
            self._merchant_refund,
            self._return,
            self._return,
            self._return,
            self._price_protection,
            self._dispute,
            self._late_shipment,
            self._withdrawal,
            self._expiry,
        )
        for _ in range(self._chance.choice((1, 1, 1, 2, 2, 3))):
            yield self._chance.choice(makers)()

    def _refund(self) -> Request:
        reason = self._chance.choice((RefundReason.NO_LONGER_WANTED, RefundReason.QUALITY_FAULT))
        return RefundRequest(**self._whose(), **self._asked(), reason=reason)

    def _merchant_refund(self) -> Request:
        whose: dict[str, Any] = {name: value for name, value in self._whose().items() if name != "buyer_id"}
        return MerchantRefundRequest(**whose, **self._asked(), reason=RefundReason.PRICE_ADJUSTMENT)

    def _return(self) -> Request:
        asked = self._asked(freight=False)
        reason = self._chance.choice((RefundReason.NO_LONGER_WANTED, RefundReason.QUALITY_FAULT))
        return ReturnRequest(**self._whose(), **asked, reason=reason, exchange=self._chance.random() < 0.5)

    def _price_protection(self) -> Request:
        paid_at = self._order.paid_at
        line = LineAmount(line="1", quantity=1, amount=100)
        fall = PriceFall(line="1", price=1_000, fell_at=paid_at + timedelta(minutes=1))
        return PriceProtectionRequest(**self._whose(), lines=(line,), falls=(fall,))

    def _dispute(self) -> Request:
        about = self._chance.choice((None, *self._in_memory.cases()))
        return DisputeRequest(
            **self._whose(),
            **self._asked(),
            reason=RefundReason.QUALITY_FAULT,
            about=about,
            dispute_reason=DisputeReason.OTHER,
        )

    def _late_shipment(self) -> Request:
        until = self._order.paid_at + timedelta(hours=48)
        return LateShipmentRequest(order_no=ORDER, merchant_id=MERCHANT, buyer_id=BUYER, ships_until=until)

    def _withdrawal(self) -> Request:
        return WithdrawalRequest(request_key=self._key(), allowance_id=ALLOWANCE, merchant_id=MERCHANT, buyer_id=BUYER)

    def _expiry(self) -> Request:
        until = self._in_memory.shop.accounts[ALLOWANCE].facts.valid_until
        return ExpiryRequest(allowance_id=ALLOWANCE, merchant_id=MERCHANT, buyer_id=BUYER, valid_until=until)

    def _whose(self) -> dict[str, Any]:
        return {"request_key": self._key(), "order_no": ORDER, "merchant_id": MERCHANT, "buyer_id": BUYER}

    def _asked(self, *, freight: bool = True) -> dict[str, Any]:
        line = self._order.lines[0]
        pieces = self._chance.randint(1, line.quantity)
        amount = line.paid // line.quantity * pieces
        route = OriginalRoute() if self._chance.random() < 0.9 else BankTransfer(account="vault:account/1")
        asked = self._order.freight if freight and self._chance.random() < 0.2 else 0
        alone = asked and self._chance.random() < 0.2
        lines = () if alone else (LineAmount(line="1", quantity=pieces, amount=amount),)
        return {"lines": lines, "freight": asked, "method": route}

    # What happens ---------------------------------------------------------------------------------------

    def _turns(self, count: int) -> None:
        for _ in range(count):
            self.turns += 1
            if self.turns in self._later:
                self._chance.seed(self._later[self.turns])
            if not (open_cases := [each for each in self._in_memory.cases() if not self._in_memory.outcome(each)]):
                return
            case = self._chance.choice(open_cases)
            view = self._in_memory.view(case)
            match self._chance.choices(("command", "parcel", "time", "a moment"), (10, 4, 3, 2))[0]:
                case "command":
                    self._command(case, view)
                case "parcel":
                    self._parcel_moves()
                case "time" if view.due:
                    self._in_memory.pass_time(seconds=max((view.due - self._in_memory.now).total_seconds(), 0) + 60)
                case _:
                    self._in_memory.pass_time(minutes=self._chance.choice((1, 90, 60 * 26)))

    def _command(self, case: CaseId, view: CaseView) -> None:
        made = [(each, _MADE[each.name]) for each in view.commands if each.name in _MADE]
        if not made:
            return
        opened, make = self._chance.choice(made)
        command = make(self, self._actor(self._role(opened)), view)
        try:
            self._in_memory.act(case, command)
        except UnansweredError:
            return

    def _parcel_moves(self) -> None:
        known = sorted((each.parcel for each in self._in_memory.shop.watches), key=str)
        parcel = self._chance.choice(known or self._parcels)
        if not known or self._chance.random() < 0.2:
            parcel = self._chance.choice(self._parcels)
            self._in_memory.shop.watch(parcel, ParcelPurpose.ORDER, order_no=ORDER)
        event = self._chance.choice(list(ParcelEvent))
        self._in_memory.carrier_tells(
            CarrierEvent(key=self._key(), parcel=parcel, event=event, happened_at=self._in_memory.now)
        )

    # What is sent ---------------------------------------------------------------------------------------

    @property
    def _order(self) -> OrderFacts:
        return self._in_memory.shop.orders[ORDER]

    def _role(self, opened: OpenCommand) -> Role:
        return self._chance.choice(sorted(opened.roles))

    def _actor(self, role: Role) -> Actor:
        return Actor(role=role, id=_IDS[role])

    def _key(self) -> str:
        return f"k-{next(self._numbers)}"

    def some_parcel(self) -> Parcel:
        """One that may have moved before."""
        return self._chance.choice(self._parcels)

    def plain(self, kind: type[Command], by: Actor, **fields: Any) -> Command:
        """A command with these fields."""
        return kind.model_validate({"key": self._key(), "by": by.model_dump(), **fields})

    def reject(self, by: Actor, view: CaseView) -> Command:
        """With proof of shipment where nothing else is a reason (R1)."""
        at = self._in_memory.now
        proof = None
        if view.stage is StageName.MERCHANT_REVIEW:
            proof = {"carrier": "sf", "tracking_no": "T0", "shipped_at": at}
        reason = "goods_shipped" if proof else "out_of_terms"
        return self.plain(commands.Reject, by, reason=reason, evidence=_EVIDENCE, shipping=proof)

    def rule(self, by: Actor, _: CaseView) -> Command:
        """All, a part, or nothing."""
        award = self._chance.choice(list(Award))
        lines = (LineAmount(line="1", quantity=1, amount=100),) if award is Award.PARTIAL else ()
        return self.plain(
            commands.Rule,
            by,
            fault=self._chance.choice(list(Fault)),
            refund=award,
            lines=lines,
            return_freight=self._chance.choice(list(FreightBearer)),
            reason="looked_at",
        )

    def evidence(self, by: Actor, _: CaseView) -> Command:
        """A draft, or the final word (D6)."""
        return self.plain(commands.SubmitEvidence, by, evidence=_EVIDENCE, final=self._chance.random() < 0.5)

    def retry(self, by: Actor, _: CaseView) -> Command:
        """For what is left, or for what there is room for (R14)."""
        return self.plain(commands.RetryPayment, by, reason="again", partly=self._chance.random() < 0.5)

    def amend(self, by: Actor, _: CaseView) -> Command:
        """R6."""
        return self.plain(commands.Amend, by, **self._asked(freight=False), reason=RefundReason.NO_LONGER_WANTED)

    def proof(self, by: Actor, _: CaseView) -> Command:
        """L2."""
        shipped_at = self._order.paid_at + timedelta(minutes=1)
        return self.plain(
            commands.ProveShipment, by, parcel=self.some_parcel(), shipped_at=shipped_at, evidence=_EVIDENCE
        )

    def transferred(self, by: Actor, _: CaseView) -> Command:
        """Section 10."""
        at = self._in_memory.now
        return self.plain(commands.RecordManualTransfer, by, reason="by_hand", proof="ticket:1", transferred_at=at)


Maker = Callable[[Story, Actor, CaseView], Command]


def _just(kind: type[Command], **fields: Any) -> Maker:
    return lambda story, by, _: story.plain(kind, by, **fields)


def _with_parcel(kind: type[Command]) -> Maker:
    return lambda story, by, _: story.plain(kind, by, parcel=story.some_parcel())


_PROVED: Final = {"reason": "looked_at", "proof": "ticket:1"}
_MADE: Final[dict[str, Maker]] = {
    "approve": _just(commands.Approve),
    "reject": Story.reject,
    "withdraw": _just(commands.Withdraw),
    "amend": Story.amend,
    "submit_evidence": Story.evidence,
    "retain": _just(commands.Retain),
    "pay_out": _just(commands.PayOut),
    "refund_directly": _just(commands.RefundDirectly),
    "agree_return": _just(commands.AgreeReturn),
    "enter_tracking": _with_parcel(commands.EnterTracking),
    "give_refund_account": _just(commands.GiveRefundAccount, account="vault:account/1"),
    "confirm_receipt": _just(commands.ConfirmReceipt),
    "extend_receipt": _just(commands.ExtendReceipt),
    "reship": _with_parcel(commands.Reship),
    "send_back": _with_parcel(commands.SendBack),
    "confirm_exchange": _just(commands.ConfirmExchange),
    "convert_to_refund": _just(commands.ConvertToRefund),
    "open_dispute": _just(commands.OpenDispute, reason=DisputeReason.OTHER),
    "resolve": _just(commands.Resolve),
    "offer_settlement": _just(commands.OfferSettlement, lines=(LineAmount(line="1", quantity=1, amount=100),)),
    "accept_settlement": _just(commands.AcceptSettlement, amount=100),
    "rule": Story.rule,
    "confirm_proposal": _just(commands.ConfirmProposal, reason="looked_at"),
    "claim_compensation": _just(commands.ClaimCompensation),
    "prove_shipment": Story.proof,
    "prove_exemption": _just(commands.ProveExemption, exemption="peak"),
    "retry_payment": Story.retry,
    "pay_in_advance": _just(commands.PayInAdvance, **_PROVED),
    "record_manual_transfer": Story.transferred,
    "close_case": _just(commands.CloseCase, **_PROVED),
}
"""How each command is made that a case may be sent."""


@contextmanager
def observed() -> Generator[Moves]:
    """The moves that cases in memory make meanwhile, by the kind that a case was before each."""
    made: Moves = {}
    open_it, write_it = MemoryBook.write_opening, MemoryBook.write_step

    def opening(book: MemoryBook, opening: OpenCase, opened: Opened, *rest: Any, **named: Any) -> CaseRow:
        row = open_it(book, opening, opened, *rest, **named)
        made.setdefault(row.kind, set()).add(Move(StageName.OPENING, "opened", row.stage))
        return row

    def step(book: MemoryBook, step: Step) -> Stepped:
        row = book.cases[step.case.case_id]
        kind, stage = row.kind, row.stage
        stepped = write_it(book, step)
        if row.stage is not stage:
            events = [each.event for each in step.entries if each.event not in REMARKS] or [step.entries[0].event]
            made.setdefault(kind, set()).add(Move(stage, events[0], row.stage, row.outcome if row.closed_at else None))
        return stepped

    with patch.object(MemoryBook, "write_opening", opening), patch.object(MemoryBook, "write_step", step):
        yield made


def _address() -> ReturnAddress:
    return ReturnAddress(
        merchant_id=MERCHANT,
        address_id="a-1",
        region=Region(province="浙江省", city="杭州市", district="西湖区"),
        details="vault:address/1",
        is_default=True,
        version=1,
    )


def _policies() -> dict[str, Any]:
    built_in = Policies()
    douyin = built_in.get("douyin")
    assert douyin
    stays = douyin.refund.model_copy(update={"shipped_meanwhile": "shipped_review"})
    hours = douyin.dispute.model_copy(update={"evidence_silence": "propose"})
    return {
        **{name: built_in.get(name) for name in PROFILES[:3]},
        "shipped-review": douyin.model_copy(update={"name": "shipped-review", "refund": stays}),
        "to-the-working-hour": douyin.model_copy(update={"name": "to-the-working-hour", "dispute": hours}),
    }


def drawn() -> set[tuple[CaseKind, Move]]:
    """Every arrow of every kind."""
    return {(kind, move) for kind, process in PROCESSES.items() for move in process.moves()}


def of(numbers: Sequence[int]) -> tuple[set[tuple[CaseKind, Move]], int]:
    """The moves of one story, and how many turns it had."""
    with observed() as made:
        story = Story(*numbers)
        story.tell()
    return {(kind, move) for kind, moves in made.items() for move in moves}, story.turns


def name(arrow: tuple[CaseKind, Move]) -> str:
    """An arrow in print."""
    kind, move = arrow
    return f"{kind}: {move.come_from} --{move.event}--> {move.end or move.to}"


def main(minutes: float) -> None:
    """Look for stories for so long, and keep those that are enough."""
    chance, until = random.Random(minutes), time.monotonic() + minutes * 60
    kept: list[list[int]] = json.loads(STORIES.read_text(encoding="utf-8"))["stories"] if STORIES.exists() else []
    left, useful = drawn(), list[tuple[list[int], int]]()
    while kept or time.monotonic() < until:
        if kept:
            numbers = kept.pop(0)
        elif useful and chance.random() < 0.8:
            before, turns = chance.choice(useful[-200:])
            numbers = [*before[:9], chance.randint(1, turns), chance.randrange(10**6)]
        else:
            numbers = [chance.randrange(10**6)]
        taken, turns = of(numbers)
        if strange := taken - drawn():
            print(numbers, "takes what is not drawn:", sorted(map(name, strange)))
        if taken & left:
            useful.append((numbers, turns))
            left -= taken
    found = {"stories": [numbers for numbers, _ in useful], "not_taken": sorted(map(name, left))}
    STORIES.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")
    print(f"{len(useful)} stories; {len(left)} of {len(drawn())} arrows are not taken")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5)

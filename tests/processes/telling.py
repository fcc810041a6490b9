"""Stories in memory that are written down: a world in a few words, and turn by turn what happens in it.

A world is said by its words: a profile's name (``jd-self``), ``shipped``, ``cash``, ``free``. A turn is a line:
``open return``; ``0 agree_return merchant`` for a command to the case that was started first; ``parcel 0 signed``, or
``unheard 0 signed`` where the carrier tells it only when it is asked; ``wait 0`` until that case's deadline is over;
``delay 1`` and ``hurry 1`` for a deadline that an officer moves; ``stop 1`` as an operator terminates a workflow;
``hold 0`` and ``release 0`` for a case that no worker carries for a while; ``gateway decline`` for the next refund.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from activities.gateways.payment_stub_modes import Behaviour, Mode
from starter.interpreter.interpreter import Interpreter, UnansweredError
from tests import profiles
from workflows.messages import commands
from workflows.messages.actors import GATEWAY, Actor, Role
from workflows.messages.addresses import Region, ReturnAddress
from workflows.messages.commands import Command, GatewayCallback, GatewayResult
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import CaseId
from workflows.messages.orders import AllowanceFacts, OrderFacts, OrderLine, Tender
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.pauses import DeclareExemption, ExemptionReason
from workflows.messages.payouts import LegState, TenderKind
from workflows.messages.policy import SilencePolicy
from workflows.messages.requests import (
    BankTransfer,
    DisputeReason,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    LineAmount,
    MerchantRefundRequest,
    OriginalRoute,
    PartOfPiece,
    PriceFall,
    PriceProtectionRequest,
    RefundReason,
    RefundRequest,
    RepairRequest,
    Request,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.messages.rulings import Award, Fault, FreightBearer
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.balances import Account

BEGAN: Final = datetime(2026, 3, 2, 2, tzinfo=UTC)
MERCHANT, BUYER = "M-1", "B-1"
ORDER, ALLOWANCE = "O-1", "A-1"
PARCELS: Final = tuple(Parcel(carrier="sf", tracking_no=f"T{each}") for each in range(4))
"""The buyer sends goods back in the first two; the last two are the merchant's."""
PROFILES: Final = (
    "negotiated",
    "douyin",
    "jd-pop",
    "jd-self",
    "shipped-review",
    "to-the-working-hour",
    "silence-opens",
    "silence-closes",
    "intercepts",
    "talks-first",
    "talks-first-and-longer",
)

_SILENT: Final = ("refund_only", "refund_only_received", "return_request", "price_protection", "resend", "repair")
_EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)
_IDS = {Role.MERCHANT: MERCHANT, Role.BUYER: BUYER, Role.PLATFORM: "f-1"}


class Story:
    """One world, and what has happened in it so far."""

    def __init__(self, world: str) -> None:
        self._said = frozenset(world.split())
        self.world = self.made()
        self._numbers = iter(range(1, 10_000))
        self._prepare()

    def made(self) -> Interpreter:
        """The world that it is told in."""
        return Interpreter(BEGAN, _POLICIES)

    def tell(self, turns: Sequence[str]) -> None:
        """Let happen what these lines say."""
        for turn in turns:
            self.turn(turn)

    def turn(self, line: str) -> None:
        """Let one thing happen; what is refused changes nothing."""
        world = self.world
        match line.split():
            case ["open", what, *how]:
                world.open(_REQUESTS[what](self, *how))
            case ["parcel", number, event]:
                world.carrier_tells(self._told(PARCELS[int(number)], ParcelEvent(event)))
            case ["watch", number]:
                world.shop.watch(PARCELS[int(number)], ParcelPurpose.ORDER, order_no=ORDER)
            case ["wait"]:
                world.pass_time(hours=26)
            case ["wait", number]:
                due = world.view(self.case(number)).due
                world.pass_time(seconds=max((due - world.now).total_seconds(), 0) + 60 if due else 60)
            case ["hurry", number]:
                self._set_deadline(self.case(number), timedelta(minutes=2))
                world.pass_time(minutes=3)
            case ["delay", number]:
                self._set_deadline(self.case(number), timedelta(days=80))
            case ["stop", number]:
                world.stop(self.case(number))
            case ["hold", number]:
                world.hold(self.case(number))
            case ["release", number]:
                world.release(self.case(number))
            case ["forget", "order"]:
                del world.shop.orders[ORDER]
            case ["gateway", mode, *amount]:
                only = int(amount[0]) if amount else None
                told = Behaviour(mode=Mode(mode), settle_after_seconds=3_600, uses_left=1, amount=only)
                world.gateway.behave(told)
            case ["order", "ships"]:
                world.shop.orders[ORDER] = self._order.model_copy(update={"shipped_at": world.now})
            case ["address"]:
                world.shop.addresses[MERCHANT] = [_address()]
            case ["unheard", number, event]:
                world.shop.record_event(self._told(PARCELS[int(number)], ParcelEvent(event)))
            case [number, "callback", result]:
                self._call_back(self.case(number), GatewayResult(result))
            case [number, name, role, *how]:
                self._command(self.case(number), COMMANDS[name](self, _actor(Role(role)), self.case(number), *how))
            case _:
                raise ValueError(line)

    def case(self, number: str) -> CaseId:
        """The case that was started as this one, counted from 0."""
        return self.world.cases()[int(number)]

    # The world ------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        said, shop = self._said, self.world.shop
        total = 0 if "free" in said else 10_000 if "small" in said else 30_000
        pieces = 2 if "two" in said else 1
        freight = 1_000 if "freight" in said else 0
        kind = TenderKind.CASH if "cash" in said else TenderKind.WALLET
        sent = BEGAN - timedelta(hours=1) if "shipped" in said else None
        profile = next((each for each in said if each in self.world.policies), PROFILES[0])
        policy = self.world.policy(profile)
        shop.orders[ORDER] = OrderFacts(
            order_no=ORDER,
            marketplace=profile,
            merchant_id=MERCHANT,
            buyer_id=BUYER,
            currency=(policy.place.currency if policy else None) or "CNY",
            lines=(OrderLine(line="1", sku="boots", quantity=pieces, paid=total),),
            freight=freight,
            tenders=(Tender(tender="t0", kind=kind, paid=total + freight),) if total + freight else (),
            paid_at=BEGAN - timedelta(hours=2),
            outbound_at=sent or (BEGAN - timedelta(hours=1) if "outbound" in said else None),
            shipped_at=sent,
            freight_insured=500 if "insured" in said else 0,
        )
        if "addressless" not in said:
            shop.addresses[MERCHANT] = [_address()]
        exemption = DeclareExemption(
            id="peak",
            starts_at=BEGAN - timedelta(days=30),
            ends_at=BEGAN + timedelta(days=30),
            by=_actor(Role.PLATFORM),
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
                spent=1_000 if "spent" in said else 0,
                tender_kind=TenderKind.WALLET,
                valid_until=BEGAN + timedelta(hours=1 if "ending" in said else 40),
            )
        )

    @property
    def _order(self) -> OrderFacts:
        return self.world.shop.orders[ORDER]

    def _key(self) -> str:
        return f"k-{next(self._numbers)}"

    # What is asked for ----------------------------------------------------------------------------------

    def refund(self, *how: str) -> Request:
        """R1, R2, R3."""
        return RefundRequest(**self._whose(), **self._asked(*how), **self._shown())

    def cancellation(self, *how: str) -> Request:
        """R3."""
        return RefundRequest(**self._whose(), **self._asked(*how), reason=RefundReason.NO_LONGER_WANTED)

    def merchant_refund(self, *how: str) -> Request:
        """R9."""
        whose: dict[str, Any] = {name: value for name, value in self._whose().items() if name != "buyer_id"}
        return MerchantRefundRequest(**whose, **self._asked(*how), reason=RefundReason.PRICE_ADJUSTMENT)

    def goods_back(self, *how: str) -> Request:
        """T1."""
        asked = self._asked(*how)
        return ReturnRequest(**self._whose(), **asked, **self._shown(), exchange="exchange" in how)

    def price_protection(self, *how: str) -> Request:
        """B1."""
        line = LineAmount(line="1", quantity=1, amount=100)
        fall = PriceFall(line="1", price=1_000, fell_at=self._order.paid_at + timedelta(minutes=1))
        method = self._asked(*how)["method"]
        return PriceProtectionRequest(**self._whose(), lines=(line,), falls=(fall,), method=method)

    def resend(self, *how: str) -> Request:
        """C1."""
        parts = (PartOfPiece(line="1", sku="charger"),) if "part" in how else ()
        return ResendRequest(**self._whose(), **self._asked(*how), reason=RefundReason.MISSING_PARTS, parts=parts)

    def repair(self, *how: str) -> Request:
        """M1."""
        return RepairRequest(**self._whose(), **self._asked(*how), reason=RefundReason.QUALITY_FAULT)

    def dispute(self, *how: str) -> Request:
        """D1, about the case of this number or about the order."""
        about = next((self.case(each) for each in how if each.isdigit()), None)
        owed: dict[str, Any] = {"compensation": 9_000, "lines": (), "freight": 0} if "claim" in how else {}
        return DisputeRequest(
            **self._whose(),
            **{**self._asked(*how), **owed},
            reason=RefundReason.QUALITY_FAULT,
            about=about,
            dispute_reason=DisputeReason.OTHER,
        )

    def late_shipment(self) -> Request:
        """L1."""
        until = self._order.paid_at + timedelta(hours=48)
        return LateShipmentRequest(order_no=ORDER, merchant_id=MERCHANT, buyer_id=BUYER, ships_until=until)

    def withdrawal(self) -> Request:
        """A1."""
        return WithdrawalRequest(request_key=self._key(), allowance_id=ALLOWANCE, merchant_id=MERCHANT, buyer_id=BUYER)

    def expiry(self) -> Request:
        """A6."""
        until = self.world.shop.accounts[ALLOWANCE].facts.valid_until
        return ExpiryRequest(allowance_id=ALLOWANCE, merchant_id=MERCHANT, buyer_id=BUYER, valid_until=until)

    def _shown(self) -> dict[str, Any]:
        """A fault, with evidence where the profile wants it (G1)."""
        return {"reason": RefundReason.QUALITY_FAULT, "evidence": _EVIDENCE if {"cn-2026", "eu"} & self._said else ()}

    def _whose(self) -> dict[str, Any]:
        return {"request_key": self._key(), "order_no": ORDER, "merchant_id": MERCHANT, "buyer_id": BUYER}

    def _asked(self, *how: str) -> dict[str, Any]:
        line = self._order.lines[0]
        pieces = 1 if "piece" in how else line.quantity
        amount = line.paid // line.quantity * pieces
        amount = line.paid - 50 if "most" in how else 50 if "rest" in how else amount
        lines = () if "alone" in how else (LineAmount(line="1", quantity=pieces, amount=amount),)
        freight = self._order.freight if {"freight", "alone"} & {*how} else 0
        method = BankTransfer(account="vault:account/1") if "bank" in how else OriginalRoute()
        return {"lines": lines, "freight": freight, "method": method}

    # What happens ---------------------------------------------------------------------------------------

    def _command(self, case: CaseId, command: Command) -> None:
        try:
            self.world.act(case, command)
        except UnansweredError:
            return

    def _set_deadline(self, case: CaseId, ahead: timedelta) -> None:
        until = self.world.now + ahead
        officer = _actor(Role.PLATFORM)
        self._command(case, self.plain(commands.MoveDeadline, officer, until=until, reason="agreed_on"))

    def _told(self, parcel: Parcel, event: ParcelEvent) -> CarrierEvent:
        return CarrierEvent(key=self._key(), parcel=parcel, event=event, happened_at=self.world.now)

    def _call_back(self, case: CaseId, result: GatewayResult) -> None:
        open_legs = [each for each in self.world.ledger.legs_of(case) if each.state is not LegState.SUCCEEDED]
        if not open_legs:
            return
        told = GatewayCallback(
            key=self._key(),
            by=GATEWAY,
            refund_no=open_legs[0].refund_no,
            result=result,
            failure="declined" if result is GatewayResult.FAILED else None,
            settled_at=self.world.now,
        )
        self.world.gateway_calls_back(told)

    # What is sent ---------------------------------------------------------------------------------------

    def plain(self, kind: type[Command], by: Actor, **fields: Any) -> Command:
        """A command with these fields."""
        return kind.model_validate({"key": self._key(), "by": by.model_dump(), **fields})

    def reject(self, by: Actor, case: CaseId) -> Command:
        """With proof of shipment where nothing else is a reason (R1)."""
        proof = None
        if self.world.view(case).stage is StageName.MERCHANT_REVIEW:
            proof = {"carrier": "sf", "tracking_no": PARCELS[2].tracking_no, "shipped_at": self.world.now}
        reason = "goods_shipped" if proof else "out_of_terms"
        return self.plain(commands.Reject, by, reason=reason, evidence=_EVIDENCE, shipping=proof)

    def rule(self, by: Actor, _: CaseId, award: str, bearer: str = FreightBearer.BUYER) -> Command:
        """All, a part, or nothing."""
        lines = (LineAmount(line="1", quantity=1, amount=100),) if award == Award.PARTIAL else ()
        return self.plain(
            commands.Rule,
            by,
            fault=Fault.MERCHANT,
            refund=Award(award),
            lines=lines,
            return_freight=FreightBearer(bearer),
            reason="looked_at",
        )

    def evidence(self, by: Actor, _: CaseId, *how: str) -> Command:
        """A draft, or the final word (D6)."""
        return self.plain(commands.SubmitEvidence, by, evidence=_EVIDENCE, final="final" in how)

    def demand(self, by: Actor, _: CaseId, *of: str) -> Command:
        """D4: of those that are named, or of the merchant."""
        return self.plain(commands.DemandEvidence, by, of=of or ("merchant",), wanted="statement:1")

    def retry(self, by: Actor, _: CaseId, *how: str) -> Command:
        """For what is left, or for what there is room for (R14)."""
        return self.plain(commands.RetryPayment, by, reason="again", partly="partly" in how)

    def amend(self, by: Actor, case: CaseId, *how: str) -> Command:
        """R6, C1."""
        goods = self.world.view(case).kind in (CaseKind.RESEND, CaseKind.REPAIR)
        reason = RefundReason.DAMAGED if goods else RefundReason.NO_LONGER_WANTED
        return self.plain(commands.Amend, by, **self._asked(*how), reason=reason)

    def propose(self, by: Actor, case: CaseId, kind: str) -> Command:
        """N1: half of what is asked for, where it is an amount."""
        terms: dict[str, Any] = {"kind": kind}
        match kind:
            case "another_amount" | "keep_goods":
                lines = self.world.view(case).application
                terms["lines"] = [
                    {"line": each.line, "quantity": each.quantity, "amount": each.amount // 2}
                    for each in (lines.lines if lines else ())
                ]
            case "compensation":
                terms["amount"] = 100
            case "more_proof":
                terms["wanted"] = "photo_of_the_label"
            case _:
                pass
        return self.plain(commands.Propose, by, terms=terms)

    def accept(self, by: Actor, case: CaseId, *how: str) -> Command:
        """N3: the other side's, with what it asks for."""
        return self._answer(commands.AcceptProposal, by, case, evidence=_EVIDENCE if "proof" in how else ())

    def decline(self, by: Actor, case: CaseId) -> Command:
        """N1."""
        return self._answer(commands.DeclineProposal, by, case)

    def take_back(self, by: Actor, case: CaseId) -> Command:
        """N1."""
        return self._answer(commands.WithdrawProposal, by, case)

    def _answer(self, kind: type[Command], by: Actor, case: CaseId, **fields: Any) -> Command:
        own = kind is commands.WithdrawProposal
        found = [each for each in self.world.view(case).talk.proposals if (each.by.role is by.role) is own]
        return self.plain(kind, by, number=found[0].number if found else 1, **fields)

    def tracking(self, by: Actor, _: CaseId, number: str) -> Command:
        """T3."""
        return self.plain(commands.EnterTracking, by, parcel=PARCELS[int(number)], freight_paid=800)

    def proof(self, by: Actor, _: CaseId) -> Command:
        """L2."""
        shipped_at = self._order.paid_at + timedelta(minutes=1)
        return self.plain(commands.ProveShipment, by, parcel=PARCELS[2], shipped_at=shipped_at, evidence=_EVIDENCE)

    def transferred(self, by: Actor, _: CaseId) -> Command:
        """Section 10."""
        at = self.world.now
        return self.plain(commands.RecordManualTransfer, by, reason="by_hand", proof="ticket:1", transferred_at=at)


Maker = Callable[..., Command]


def _just(kind: type[Command], **fields: Any) -> Maker:
    def make(story: Story, by: Actor, *_: str) -> Command:
        return story.plain(kind, by, **fields)

    return make


_PROVED: Final = {"reason": "looked_at", "proof": "ticket:1"}
COMMANDS: Final[dict[str, Maker]] = {
    "approve": _just(commands.Approve),
    "reject": Story.reject,
    "withdraw": _just(commands.Withdraw),
    "amend": Story.amend,
    "submit_evidence": Story.evidence,
    "propose": Story.propose,
    "accept_proposal": Story.accept,
    "decline_proposal": Story.decline,
    "withdraw_proposal": Story.take_back,
    "say": _just(commands.Say, words="statement:1"),
    "retain": _just(commands.Retain),
    "pay_out": _just(commands.PayOut),
    "refund_directly": _just(commands.RefundDirectly),
    "agree_return": _just(commands.AgreeReturn),
    "enter_tracking": Story.tracking,
    "give_refund_account": _just(commands.GiveRefundAccount, account="vault:account/1"),
    "confirm_receipt": _just(commands.ConfirmReceipt),
    "extend_receipt": _just(commands.ExtendReceipt),
    "reship": _just(commands.Reship, parcel=PARCELS[2]),
    "send_back": _just(commands.SendBack, parcel=PARCELS[3]),
    "confirm_exchange": _just(commands.ConfirmExchange),
    "convert_to_refund": _just(commands.ConvertToRefund),
    "open_dispute": _just(commands.OpenDispute, reason=DisputeReason.OTHER),
    "resolve": _just(commands.Resolve),
    "offer_settlement": _just(commands.OfferSettlement, lines=(LineAmount(line="1", quantity=1, amount=100),)),
    "accept_settlement": _just(commands.AcceptSettlement, amount=100),
    "rule": Story.rule,
    "demand_evidence": Story.demand,
    "confirm_proposal": _just(commands.ConfirmProposal, reason="looked_at"),
    "claim_compensation": _just(commands.ClaimCompensation),
    "prove_shipment": Story.proof,
    "prove_exemption": _just(commands.ProveExemption, exemption="peak"),
    "retry_payment": Story.retry,
    "pay_in_advance": _just(commands.PayInAdvance, **_PROVED),
    "record_manual_transfer": Story.transferred,
    "close_case": _just(commands.CloseCase, **_PROVED),
}
"""How each command is made that a story may send."""

_REQUESTS: Final[dict[str, Callable[..., Request]]] = {
    "refund": Story.refund,
    "cancellation": Story.cancellation,
    "merchant_refund": Story.merchant_refund,
    "return": Story.goods_back,
    "price_protection": Story.price_protection,
    "resend": Story.resend,
    "repair": Story.repair,
    "dispute": Story.dispute,
    "late_shipment": Story.late_shipment,
    "withdrawal": Story.withdrawal,
    "expiry": Story.expiry,
}
"""How each request is made that opens a case."""


def _actor(role: Role) -> Actor:
    return Actor(role=role, id=_IDS[role])


def _address() -> ReturnAddress:
    return ReturnAddress(
        merchant_id=MERCHANT,
        address_id="a-1",
        region=Region(province="浙江省", city="杭州市", district="西湖区"),
        details="vault:address/1",
        is_default=True,
        version=1,
    )


_TALKS: Final = profiles.NEGOTIATED
_OPENS: Final = SilencePolicy.model_validate(dict.fromkeys(_SILENT, "right_to_intervention"))
_CLOSES: Final = SilencePolicy.model_validate(dict.fromkeys(("unshipped_refund", *_SILENT), "close"))
_POLICIES: Final = {
    **profiles.ALL,
    "silence-opens": _TALKS.model_copy(update={"name": "silence-opens", "silence": _OPENS}),
    "silence-closes": _TALKS.model_copy(update={"name": "silence-closes", "silence": _CLOSES}),
    "intercepts": profiles.BUILT_IN["jd-pop"].model_copy(update={"name": "intercepts", "silence": SilencePolicy()}),
    "shipped-review": _TALKS.model_copy(
        update={
            "name": "shipped-review",
            "refund": _TALKS.refund.model_copy(update={"shipped_meanwhile": "shipped_review"}),
        }
    ),
    "talks-first": _TALKS.model_copy(
        update={
            "name": "talks-first",
            "negotiation": _TALKS.negotiation.model_copy(update={"rejection_needs_proposal": True}),
        }
    ),
    "talks-first-and-longer": _TALKS.model_copy(
        update={
            "name": "talks-first-and-longer",
            "negotiation": _TALKS.negotiation.model_copy(
                update={"rejection_needs_proposal": True, "lengthens_stage": True}
            ),
        }
    ),
    "to-the-working-hour": _TALKS.model_copy(
        update={
            "name": "to-the-working-hour",
            "dispute": _TALKS.dispute.model_copy(update={"evidence_silence": "propose"}),
        }
    ),
}

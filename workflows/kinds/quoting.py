"""Quotes: what may be asked for on an order, tried by the very checks that a case opens with (G5)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from workflows.kinds.opening_checks import look_at_application
from workflows.kinds.stage import STAGES
from workflows.messages.cases import Refusal
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.openings import Opened
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.pieces import PieceUse
from workflows.messages.policy import Policy
from workflows.messages.quotes import Asked, Option, Quote, QuotedLine
from workflows.messages.reasons import Label, Reason
from workflows.messages.requests import (
    LineAmount,
    MerchantRefundRequest,
    RefundRequest,
    RepairRequest,
    ResendRequest,
    ReturnRequest,
)
from workflows.messages.stages import CaseKind
from workflows.rules.allocation import tender_part
from workflows.rules.allowance_refunds import Purse, quoted
from workflows.rules.matters import Matter
from workflows.rules.pieces import Holder, pieces_left, price, taken_of
from workflows.rules.reasons import catalogue, given_with
from workflows.rules.shipping import pieces_sent
from workflows.rules.silence import silence_of
from workflows.rules.windows import Works, weekday, window_ends

_KINDS: Final[dict[Asked, tuple[CaseKind, ...]]] = {
    "refund": (CaseKind.UNSHIPPED_REFUND, CaseKind.SHIPPED_REFUND),
    "return": (CaseKind.RETURN,),
    "exchange": (CaseKind.EXCHANGE,),
    "resend": (CaseKind.RESEND,),
    "repair": (CaseKind.REPAIR,),
    "merchant_refund": (CaseKind.MERCHANT_REFUND,),
}
_USES: Final[dict[Asked, PieceUse]] = {
    "refund": PieceUse.REFUND,
    "return": PieceUse.RETURN,
    "exchange": PieceUse.EXCHANGE,
    "resend": PieceUse.RESEND,
    "repair": PieceUse.REPAIR,
    "merchant_refund": PieceUse.REFUND,
}
BY_BUYER: Final[tuple[Asked, ...]] = ("refund", "return", "exchange", "resend", "repair")
BY_MERCHANT: Final[tuple[Asked, ...]] = ("merchant_refund",)
_OF_SENT_GOODS: Final[tuple[Asked, ...]] = ("return", "exchange", "resend", "repair")
_ALSO_NOT_RECEIVED: Final[tuple[Asked, ...]] = ("refund", "resend")
"""What can be asked for whether or not the buyer has the goods."""
_ANY: Final = Label(zh="-", en="-")
_SHOWN: Final = (Evidence(uri="vault:evidence/quoted", media_type=MediaType.JPEG, bytes=1, sha256="1" * 64),)


Quoted: TypeAlias = RefundRequest | ReturnRequest | ResendRequest | RepairRequest | MerchantRefundRequest
"""What a quote can say something of."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """The order, its profile, and what others have asked for; see ``look_at_application``."""

    order: OrderFacts
    policy: Policy
    at: datetime
    settled: dict[str, int]
    holders: Sequence[Holder]
    others: tuple[Matter, ...]
    works: Works = weekday
    goods_received: bool | None = None
    """Whether the buyer says that it has the goods, in refunds without goods (G1)."""
    purses: Mapping[str, Purse] = field(default_factory=dict[str, Purse])
    """By tender: how the allowances stand that have paid for it (A7)."""

    def look(self, request: Quoted) -> Opened:
        """What opening a case with ``request`` would find."""
        return look_at_application(
            request,
            self.order,
            self.policy,
            self.at,
            settled=self.settled,
            holders=self.holders,
            others=self.others,
            works=self.works,
        )


def quote(known: Known, ways: Sequence[Asked] = BY_BUYER) -> Quote:
    """All that may be asked for in each of these ways, with each reason that can be given (G5)."""
    policy = known.policy
    return Quote(
        order_no=known.order.order_no,
        policy=f"{policy.name}/{policy.version}",
        currency=known.order.currency,
        at=known.at,
        time_zone=policy.time_zone,
        options=tuple(option for asked in ways for option in _options(known, asked)),
        allowances=tuple(
            quoted(known.purses[each.tender], max(each.paid - known.settled.get(tender_part(each.tender), 0), 0))
            for each in known.order.tenders
            if each.tender in known.purses
        ),
    )


def request_of(
    order: OrderFacts,
    option: Option,
    key: str,
    *,
    goods_received: bool | None = None,
    evidence: tuple[Evidence, ...] = (),
) -> Quoted:
    """The request for all that an option allows."""
    lines = [
        LineAmount(line=each.line, quantity=each.pieces, amount=each.amount)
        for each in option.lines
        if not each.refusal
    ]
    return _request(order, option.asked, option.reason, lines, option.freight, key, goods_received, evidence)


def _reasons(known: Known, asked: Asked) -> tuple[Reason, ...]:
    received = known.goods_received if asked in _ALSO_NOT_RECEIVED else None if asked == "merchant_refund" else True
    possible = [each for kind in _KINDS[asked] for each in given_with(known.policy, kind, received)]
    return tuple(each for each in catalogue(known.policy) if each in possible)


def _options(known: Known, asked: Asked) -> Iterator[Option]:
    """One for each reason; what differs in name only is looked at once."""
    alike: dict[Reason, Option] = {}
    for reason in _reasons(known, asked):
        # Of a merchant one code has a meaning of its own: what is paid for a fallen price leaves the goods (R13).
        unnamed = reason if asked == "merchant_refund" else reason.model_copy(update={"code": "-", "label": _ANY})
        if unnamed not in alike:
            alike[unnamed] = _option(known, asked, reason)
        yield alike[unnamed].model_copy(update={"reason": reason})


def _option(known: Known, asked: Asked, reason: Reason) -> Option:
    lines = tuple(_line(known, asked, reason, each) for each in known.order.lines)
    wanted = [
        LineAmount(line=each.line, quantity=each.pieces, amount=each.amount) for each in lines if not each.refusal
    ]
    left = max(known.order.freight - known.settled.get("freight", 0), 0)
    option = Option(asked=asked, reason=reason, lines=lines)
    asks_freight = asked not in ("resend", "repair") and (wanted or asked not in _OF_SENT_GOODS)
    with_freight = _try(known, asked, reason, wanted, left) if left and asks_freight else None
    if with_freight and with_freight.refusal is None:
        return _opens(known, option.model_copy(update={"freight": left}), with_freight)
    option = option.model_copy(update={"freight_refusal": with_freight.refusal if with_freight else None})
    if not wanted:
        first = next((each.refusal for each in lines if each.refusal), None)
        return option.model_copy(update={"refusal": first})
    found = _try(known, asked, reason, wanted, 0)
    return option.model_copy(update={"refusal": found.refusal}) if found.refusal else _opens(known, option, found)


def _line(known: Known, asked: Asked, reason: Reason, line: OrderLine) -> QuotedLine:
    """As many pieces as are left, for what they cost; nothing where that is refused."""
    taken = taken_of(line, known.holders)
    pieces = pieces_left(line, _USES[asked], taken, of_merchant=asked == "merchant_refund")
    if asked in _OF_SENT_GOODS:
        pieces = min(pieces, pieces_sent(known.order, line))
    pieces = max(pieces, 1)
    left = max(line.paid - known.settled.get(f"line:{line.line}", 0), 0)
    by_pieces = asked in _OF_SENT_GOODS or known.policy.refund.by_pieces
    amount = min(price(line.paid, line.quantity, pieces, taken.over), left) if by_pieces else left
    amount = max(amount, 1) if line.paid else 0
    tried = _try(known, asked, reason, [LineAmount(line=line.line, quantity=pieces, amount=amount)], 0)
    return QuotedLine(line=line.line, sku=line.sku, pieces=pieces, amount=amount, refusal=tried.refusal)


def _try(known: Known, asked: Asked, reason: Reason, lines: Sequence[LineAmount], freight: int) -> Opened:
    received = known.goods_received if asked in _ALSO_NOT_RECEIVED else None
    return known.look(_request(known.order, asked, reason, lines, freight, "quote", received, _SHOWN))


def _request(
    order: OrderFacts,
    asked: Asked,
    reason: Reason,
    lines: Sequence[LineAmount],
    freight: int,
    key: str,
    received: bool | None,
    evidence: tuple[Evidence, ...],
) -> Quoted:
    whose = {"request_key": key, "order_no": order.order_no, "merchant_id": order.merchant_id}
    stated = {"lines": tuple(lines), "freight": freight, "reason": reason.code}
    if asked == "merchant_refund":
        return MerchantRefundRequest.model_validate({**whose, **stated})
    by_buyer = {**whose, **stated, "buyer_id": order.buyer_id, "evidence": evidence}
    if asked == "refund":
        return RefundRequest.model_validate({**by_buyer, "goods_received": received})
    if asked == "repair":
        return RepairRequest.model_validate(by_buyer)
    if asked == "resend":
        return ResendRequest.model_validate({**by_buyer, "goods_received": received})
    return ReturnRequest.model_validate({**by_buyer, "exchange": asked == "exchange"})


def _opens(known: Known, option: Option, found: Opened) -> Option:
    assert found.kind is not None
    assert found.stage is not None
    stage = STAGES[found.stage]
    request = request_of(known.order, option, "quote", goods_received=known.goods_received)
    span = stage.span(known.policy) if stage.span else None
    window = window_ends(found.kind, option.reason, known.order, known.policy, known.works)
    ends = [each for each in (window, known.order.refundable_until) if each]
    return option.model_copy(
        update={
            "kind": found.kind,
            "stage": found.stage,
            "until": min(ends, default=None),
            "on_silence": silence_of(found.stage, known.policy, request) or stage.silence,
            "review_minutes": span.minutes if span and span.minutes else None,
        }
    )


def refuse(option: Option, refusal: Refusal) -> Option:
    """The same, of which nothing can be asked for, for a reason that only others know, as the payment provider."""
    return option.model_copy(update={"refusal": refusal, "kind": None, "stage": None, "on_silence": None})

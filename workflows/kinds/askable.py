"""What can be asked for on an order, in short, and whether a case can be disputed (G5, D1).

Nothing is decided here anew: both are tried by the checks of whatever would be sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from workflows.kinds.admission import refused_in_stage
from workflows.kinds.opening_checks import About, look_at_dispute
from workflows.kinds.stage import STAGES
from workflows.messages.actors import buyer
from workflows.messages.askable import Askable, AskableOrder, DisputableCase, DisputableOrder
from workflows.messages.cases import Refusal
from workflows.messages.commands import OpenDispute
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.pieces import CasePieces, PieceUse
from workflows.messages.policy import Policy
from workflows.messages.quotes import Asking, Quote
from workflows.messages.requests import DisputeReason, DisputeRequest, LineAmount, RefundReason
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.admission import Parties
from workflows.rules.dispute import DECIDED, FINAL
from workflows.rules.matters import Matter, refused_dispute_of_case
from workflows.rules.pieces import Holder, pieces_left, price, taken_of
from workflows.rules.reasons import catalogue
from workflows.rules.refusals import refused

_KEY: Final = "listed"


def in_short(quote: Quote, order: OrderFacts) -> AskableOrder:
    """A quote, reasons that allow or refuse the same taken together, in their order (G5)."""
    alike: dict[Asking, list[str]] = {}
    for option in quote.options:
        said = Asking.model_validate({name: getattr(option, name) for name in Asking.model_fields})
        alike.setdefault(said, []).append(option.reason.code)
    return AskableOrder(
        order_no=order.order_no,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        policy=quote.policy,
        currency=order.currency,
        paid_at=order.paid_at,
        time_zone=quote.time_zone,
        ways=tuple(
            Askable.model_validate(
                {**{name: getattr(said, name) for name in Asking.model_fields}, "reasons": tuple(codes)}
            )
            for said, codes in alike.items()
        ),
        allowances=quote.allowances,
    )


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A case of an order, and what there is beside it; see ``look_at_dispute``."""

    case: Matter
    closed_at: datetime | None
    due_at: datetime | None
    order: OrderFacts
    policy: Policy
    """The order's profile as it is in force."""
    pieces: CasePieces | None
    """Those that it names."""
    holders: Sequence[Holder]
    """The cases of the order that name pieces, without this one."""
    others: tuple[Matter, ...]
    """The other cases of the order."""


@dataclass(frozen=True)
class _Disputed:
    """As ``look_at_dispute`` reads a case."""

    listed: Listed

    @property
    def kind(self) -> CaseKind:
        return self.listed.case.kind

    @property
    def stage(self) -> StageName:
        return self.listed.case.stage

    @property
    def outcome(self) -> OutcomeKind | None:
        return self.listed.case.outcome

    @property
    def order_no(self) -> str:
        return self.listed.order.order_no

    @property
    def closed_at(self) -> datetime | None:
        return self.listed.closed_at

    @property
    def return_freight(self) -> int:
        return 0

    @property
    def asked(self) -> int:
        return self.listed.case.asked

    @property
    def pieces(self) -> CasePieces | None:
        return self.listed.pieces


def disputable(listed: Listed, at: datetime) -> DisputableCase:
    """Whether the buyer can dispute a case at ``at``, how, until when, and why not (D1, D10, L5)."""
    case = listed.case
    decided = case.stage in DECIDED
    refusal = _refused_request(listed, at) if decided else _refused_command(listed, at)
    ends = listed.closed_at + timedelta(days=listed.policy.dispute.window_days) if listed.closed_at else None
    return DisputableCase(
        case_id=case.case_id,
        order_no=listed.order.order_no,
        kind=case.kind,
        stage=case.stage,
        outcome=case.outcome,
        how="dispute_request" if decided else "open_dispute",
        until=None if refusal else ends if decided else listed.due_at,
        time_zone=listed.policy.time_zone,
        refusal=refusal,
    )


def request_for(listed: Listed, key: str = _KEY) -> DisputeRequest:
    """The request that disputes a decided case about all that it asked for."""
    case, order = listed.case, listed.order
    asked = case.application
    claim = (
        {name: getattr(asked, name) for name in ("lines", "freight", "reason", "goods_received")}
        if asked and case.kind is not CaseKind.LATE_SHIPMENT
        else {"compensation": case.asked, "reason": RefundReason.LATE_SHIPMENT}
    )
    return DisputeRequest.model_validate(
        {
            "request_key": key,
            "order_no": order.order_no,
            "merchant_id": order.merchant_id,
            "buyer_id": order.buyer_id,
            "about": case.case_id,
            "dispute_reason": DisputeReason.OTHER,
            **claim,
        }
    )


@dataclass(frozen=True, kw_only=True)
class ListedOrder:
    """An order on which nothing was asked for, and what there is beside it; see ``look_at_dispute``."""

    order: OrderFacts
    policy: Policy
    """Its profile as it is in force."""
    holders: Sequence[Holder]
    """Its cases that name pieces: what the merchant paid back of its own accord, and disputes."""
    others: tuple[Matter, ...]


def disputable_order(listed: ListedOrder, at: datetime) -> DisputableOrder:
    """Whether the buyer can dispute an order at ``at``, about how much at most, until when, and why not (D1, D10)."""
    order, policy = listed.order, listed.policy
    each_alone: list[tuple[tuple[LineAmount, ...], int]] = [((_most_of(line, listed),), 0) for line in order.lines]
    if order.freight:
        each_alone.append(((), order.freight))
    refusals = [_refused_order(listed, lines, freight, at) for lines, freight in each_alone]
    claimed = [each for each, refusal in zip(each_alone, refusals, strict=True) if refusal is None]
    return DisputableOrder(
        order_no=order.order_no,
        currency=order.currency,
        lines=tuple(line for lines, _ in claimed for line in lines),
        freight=sum(freight for _, freight in claimed),
        until=order.paid_at + timedelta(days=policy.dispute.order_window_days) if claimed else None,
        time_zone=policy.time_zone,
        refusal=None if claimed else refusals[0],
    )


def request_about(order: OrderFacts, policy: Policy, found: DisputableOrder, key: str = _KEY) -> DisputeRequest:
    """The request that disputes an order about all that can be claimed; the first reason of the profile is given."""
    return _request_about(order, policy, found.lines, found.freight, key)


def _request_about(
    order: OrderFacts, policy: Policy, lines: tuple[LineAmount, ...], freight: int, key: str = _KEY
) -> DisputeRequest:
    return DisputeRequest(
        request_key=key,
        order_no=order.order_no,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        dispute_reason=DisputeReason.OTHER,
        lines=lines,
        freight=freight,
        reason=catalogue(policy)[0].code,
    )


def _most_of(line: OrderLine, listed: ListedOrder) -> LineAmount:
    """All pieces of a line that are left, for what they cost."""
    taken = taken_of(line, listed.holders)
    pieces = max(pieces_left(line, PieceUse.REFUND, taken, by_platform=True), 1)
    amount = price(line.paid, line.quantity, pieces, taken.over) if listed.policy.refund.by_pieces else line.paid
    return LineAmount(line=line.line, quantity=pieces, amount=max(amount, 1) if line.paid else 0)


def _refused_order(listed: ListedOrder, lines: tuple[LineAmount, ...], freight: int, at: datetime) -> Refusal | None:
    request = _request_about(listed.order, listed.policy, lines, freight)
    return look_at_dispute(
        request, listed.order, listed.policy, at, holders=listed.holders, others=listed.others, about=None
    ).refusal


def _refused_request(listed: Listed, at: datetime) -> Refusal | None:
    disputes = [
        each.outcome for each in listed.others if each.kind is CaseKind.DISPUTE and each.about == listed.case.case_id
    ]
    return look_at_dispute(
        request_for(listed),
        listed.order,
        listed.policy,
        at,
        holders=listed.holders,
        others=listed.others,
        about=About(case=_Disputed(listed), disputes=disputes),
    ).refusal


def _refused_command(listed: Listed, at: datetime) -> Refusal | None:
    case, order = listed.case, listed.order
    command = OpenDispute(key=_KEY, by=buyer(order.buyer_id), reason=DisputeReason.OTHER)
    parties = Parties(order.merchant_id, order.buyer_id)
    if refusal := refused_in_stage(command, stage=STAGES[case.stage], parties=parties, now=at, kind=case.kind):
        return refusal
    for each in listed.others:
        if each.kind is not CaseKind.DISPUTE or each.about != case.case_id:
            continue
        if each.outcome is None:
            return refused("dispute_open", "command", "D1", f"{each.case_id} is open on this case")
        if each.outcome in FINAL:
            return refused("ruled_before", "command", "D10", "the case has been ruled on")
    return refused_dispute_of_case(case.application, case.case_id, order, listed.others) if case.application else None

"""The ledger in memory: what was paid in, what is promised back, how each leg stands (section 10).

The same rules as in ``activities.postgres.ledger`` and ``reservations``; who works with it is alone.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from starter.interpreter.shop import Shop
from workflows.messages.message import CaseId
from workflows.messages.payouts import Leg, LegState, LegStatus, PaidBy, Part, Payout, Reservation, ReserveResult
from workflows.messages.pieces import PieceUse
from workflows.rules.allocation import (
    Again,
    FundPart,
    held_by,
    missing_parts,
    plan_again,
    plan_legs,
    still_owed,
    without_own,
)
from workflows.rules.allowance_refunds import Purse, given_back
from workflows.rules.balances import Account
from workflows.rules.identity import order_fund, order_of_fund
from workflows.rules.legs import US, AlertKind, Change, LegEvent, LegRecord, follow
from workflows.rules.matters import Matter
from workflows.rules.paid_before import but_for_goods_back, disputes_that_count
from workflows.rules.pieces import Holder

NO_ROOM = "no_room"


@dataclass(frozen=True)
class BookedLeg:
    """A leg, and all that was said of it."""

    leg: Leg
    payout: Payout
    standing: LegRecord
    events: tuple[LegEvent, ...]
    retired_at: datetime | None = None

    def status(self) -> LegStatus:
        """How it stands."""
        now = self.standing
        return LegStatus.made_of(
            refund_no=self.leg.refund_no,
            amount=self.leg.amount,
            state=now.state,
            tender=self.leg.tender,
            tender_kind=self.leg.tender_kind,
            principal=self.leg.principal,
            paid_by=now.paid_by,
            failure=now.failure,
            raw=now.raw,
            attempt=now.attempt,
            submitted_at=now.submitted_at,
            settled_at=now.settled_at,
            arrives_from=now.arrives_from,
            arrives_until=now.arrives_until,
        )


@dataclass
class Fund:
    """What was paid in on an order or an allowance, or is owed beside; and the legs that use it."""

    currency: str
    parts: tuple[FundPart, ...]
    legs: dict[str, BookedLeg] = field(default_factory=dict[str, BookedLeg])


@dataclass(frozen=True)
class Alert:
    """What a person must look at."""

    kind: AlertKind
    case_id: str
    refund_no: str
    evidence: str
    at: datetime


@dataclass(frozen=True)
class Beside:
    """The other cases of an order, as far as their payments matter to one of it."""

    matters: tuple[Matter, ...] = ()
    holders: tuple[Holder, ...] = ()


class Ledger:
    """All funds. ``shop`` has the allowances that refunds go back to (A7)."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.funds: dict[str, Fund] = {}
        self.alerts: list[Alert] = []
        self._fund_of: dict[str, str] = {}
        self._funds_of_case: dict[str, str] = {}
        self.beside: Callable[[str, CaseId], Beside] = lambda _order_no, _case: Beside()

    def open_fund(self, fund: str, currency: str, parts: Iterable[FundPart]) -> None:
        """Note what was paid on it. Opening it again changes nothing.

        Raises:
            ValueError: the fund is open with other amounts or another currency.
        """
        opened = Fund(currency, tuple(sorted(parts, key=lambda part: part.name)))
        known = self.funds.setdefault(fund, opened)
        if (known.currency, known.parts) != (opened.currency, opened.parts):
            raise ValueError(f"fund {fund} is open with other amounts")

    def parts_of(self, fund: str, cases: Collection[str] | None = None) -> tuple[FundPart, ...]:
        """What was paid on each part, and is settled and held of it, by all cases or these; empty where unknown."""
        booked = self.funds.get(fund)
        if booked is None:
            return ()
        settled: dict[str, int] = {}
        held: dict[str, int] = {}
        for each in booked.legs.values():
            if each.standing.state is LegState.FAILED or (cases is not None and each.payout.case_id not in cases):
                continue
            used = settled if each.standing.state is LegState.SUCCEEDED else held
            for part in each.leg.parts:
                used[part.name] = used.get(part.name, 0) + part.amount
        if not settled and not held:
            return booked.parts
        return tuple(
            replace(part, settled=settled.get(part.name, 0), held=held.get(part.name, 0)) for part in booked.parts
        )

    def refunded(self, fund: str) -> int:
        """What has been paid back of a fund for good, in minor units."""
        booked = self.funds.get(fund)
        legs = booked.legs.values() if booked else ()
        return sum(each.leg.amount for each in legs if each.standing.state is LegState.SUCCEEDED)

    def find(self, refund_no: str) -> BookedLeg | None:
        """The leg of this number, also one that was retired."""
        fund = self._fund_of.get(refund_no)
        return self.funds[fund].legs[refund_no] if fund else None

    def legs_of(self, case_id: str) -> tuple[LegStatus, ...]:
        """How the legs of a case's payout stand, without those that were retired; a case has one payout at most."""
        return tuple(
            each.status()
            for each in self.booked_of(case_id)
            if each.retired_at is None or each.standing.state is not LegState.FAILED
        )

    def was_reserved(self, case_id: str) -> bool:
        """Whether the case's payout was ever reserved."""
        return case_id in self._funds_of_case

    def record(self, refund_no: str, event: LegEvent) -> Change:
        """Enter what was said of a leg. A repeated callback changes nothing; a contradiction raises an alert.

        Raises:
            KeyError: there is no such leg.
        """
        fund = self.funds[self._fund_of[refund_no]]
        booked = fund.legs[refund_no]
        called_back = event.source.startswith("callback:")
        if called_back and any(each.source == event.source for each in booked.events):
            return Change(booked.standing, moved=False)
        change = follow(booked.standing, event)
        if change.moved or change.alert or called_back:
            fund.legs[refund_no] = replace(booked, standing=change.standing, events=(*booked.events, event))
        if change.alert:
            self.alert(change.alert, booked.payout.case_id, refund_no, event.proof or event.source, event.at)
        return change

    def alert(self, kind: AlertKind, case_id: str, refund_no: str, evidence: str, at: datetime) -> None:
        """Raise an alert about a leg; the same one again changes nothing."""
        if not any((each.kind, each.refund_no, each.evidence) == (kind, refund_no, evidence) for each in self.alerts):
            self.alerts.append(Alert(kind, case_id, refund_no, evidence, at))

    def paid_with(self, case_id: str, proof: str) -> bool:
        """Whether a leg of the case was paid by hand with this proof."""
        return any(
            event.says is LegState.MANUAL and event.proof == proof
            for each in self.booked_of(case_id)
            for event in each.events
        )

    def reserve(self, payout: Payout, at: datetime) -> ReserveResult:
        """Take the room that a payout needs in its fund, as far as there is any (R8, R14, D8)."""
        if legs := self.legs_of(payout.case_id):
            return ReserveResult(reservation=Reservation.RESERVED, legs=legs)
        if self.was_reserved(payout.case_id):
            return ReserveResult(reservation=Reservation.EXHAUSTED)
        fund = self._with_purses(payout, self.parts_of(payout.fund))
        counted = self._counted(payout, fund)
        match plan_legs(payout, fund, counted):
            case Reservation.CONTENDED:
                return ReserveResult(reservation=Reservation.CONTENDED, held_by=held_by(fund))
            case Reservation() as refused:
                return ReserveResult(reservation=refused)
            case planned:
                self._take(payout, planned, at)
        return ReserveResult.made_of(
            reservation=Reservation.RESERVED,
            due=sum(missing_parts(payout if payout.waits else _waiting(payout), counted).values()),
            legs=self.legs_of(payout.case_id),
        )

    def reserve_again(self, payout: Payout, at: datetime) -> Again:
        """Take the room anew of legs that have failed, as far as there is any (R8, R14)."""
        legs = self.booked_of(payout.case_id)
        failed: dict[str, Sequence[Part]] = {
            each.leg.refund_no: sorted(each.leg.parts, key=lambda part: part.name)
            for each in legs
            if each.standing.state is LegState.FAILED and each.retired_at is None
        }
        if not failed:
            return Again()
        fund = self.parts_of(payout.fund)
        own = self.parts_of(payout.fund, [payout.case_id])
        counted = self._counted(payout, fund)
        owed = still_owed(payout, counted, own)
        parts = self._with_purses(payout, without_own(fund, own))
        again = plan_again(payout, failed, parts, owed=owed, first=len(legs) + 1)
        for number in again.kept:
            self.record(number, LegEvent(says=LegState.RESERVED, source=US, at=at, as_of=at))
        for number in (*again.held, *again.retired):
            event = LegEvent(says=LegState.FAILED, source=US, at=at, as_of=at, failure=NO_ROOM)
            self.record(number, event)
        self.retire(again.retired, at)
        self._take(payout, again.instead, at)
        return again

    def retire(self, refund_nos: Iterable[str], at: datetime) -> None:
        """Count those of these legs that have failed as no part of their payout any more (R14)."""
        for number in refund_nos:
            booked = self.funds[self._fund_of[number]].legs
            if booked[number].standing.state is LegState.FAILED:
                booked[number] = replace(booked[number], retired_at=at)

    def purse(self, allowance_id: str) -> Purse:
        """An allowance as a refund of what was paid with it finds it (A7)."""
        account = self._shop.accounts[allowance_id]
        if Purse(account).way != "as_money":
            return Purse(account)
        of_it = {
            (order_fund(order.order_no), tender.tender)
            for order in self._shop.orders.values()
            for tender in order.tenders
            if tender.allowance_id == allowance_id
        }
        legs = [
            each.leg
            for fund in {fund for fund, _ in of_it} & self.funds.keys()
            for each in self.funds[fund].legs.values()
            if (fund, each.leg.tender) in of_it
            if each.standing.state is not LegState.FAILED and each.standing.paid_by is not PaidBy.ALLOWANCE
        ]
        returned, principal = sum(leg.amount for leg in legs), sum(leg.principal or 0 for leg in legs)
        return Purse(account, returned=returned, principal_returned=principal)

    def kept(self, fund: str) -> tuple[dict[str, BookedLeg], dict[str, Account]]:
        """The fund's legs and the allowances as they stand, to be put back by ``undo``."""
        return dict(self.funds[fund].legs), dict(self._shop.accounts)

    def undo(self, fund: str, kept: tuple[dict[str, BookedLeg], dict[str, Account]]) -> None:
        """Put legs and allowances back as they stood; numbers that were given since are free."""
        legs, accounts = kept
        for number in self.funds[fund].legs.keys() - legs.keys():
            del self._fund_of[number]
        self.funds[fund].legs = legs
        self._shop.accounts.update(accounts)

    def _counted(self, payout: Payout, fund: tuple[FundPart, ...]) -> tuple[FundPart, ...]:
        """The fund, with what counts as paid already of a remainder (D8): see ``Remainder``."""
        order_no = order_of_fund(payout.fund)
        if payout.remainder is None or order_no is None:
            return fund
        beside = self.beside(order_no, payout.case_id)
        if counts := payout.remainder.counts:
            return self.parts_of(payout.fund, [counts, *disputes_that_count(counts, beside.matters)])
        back = [each for each in beside.holders if each.pieces.use is PieceUse.BACK]
        return but_for_goods_back(fund, ((each.pieces, self.parts_of(payout.fund, [each.case_id])) for each in back))

    def _with_purses(self, payout: Payout, parts: Iterable[FundPart]) -> tuple[FundPart, ...]:
        """The parts, with how the allowances stand that the order was paid with (A7)."""
        order = self._shop.orders.get(order_of_fund(payout.fund) or "")
        if order is None or not order.allowances:
            return tuple(parts)
        purses = {tender: self.purse(allowance_id) for tender, allowance_id in order.allowances.items()}
        return tuple(replace(part, purse=purses.get(part.tender)) if part.tender else part for part in parts)

    def _take(self, payout: Payout, legs: Iterable[Leg], at: datetime) -> None:
        """Reserve legs; of those that no provider is told of, do what they say (A7)."""
        for leg in legs:
            self._insert(payout, leg, at)
            if leg.booked is None:
                continue
            if leg.booked is PaidBy.ALLOWANCE:
                accounts, allowance_id = self._shop.accounts, self._allowance_of(payout, leg)
                accounts[allowance_id] = given_back(accounts[allowance_id], leg.amount)
            done = LegEvent(says=LegState.SUCCEEDED, source=US, at=at, as_of=at, paid_by=leg.booked)
            self.record(leg.refund_no, done)

    def _allowance_of(self, payout: Payout, leg: Leg) -> str:
        return self._shop.orders[order_of_fund(payout.fund) or ""].allowances[leg.tender or ""]

    def booked_of(self, case_id: str) -> list[BookedLeg]:
        """All legs of a case, also those that were retired."""
        fund = self._funds_of_case.get(case_id)
        return [each for each in self.funds[fund].legs.values() if each.payout.case_id == case_id] if fund else []

    def _insert(self, payout: Payout, leg: Leg, at: datetime) -> None:
        event = LegEvent(says=LegState.RESERVED, source=US, at=at, as_of=at)
        standing = follow(None, event).standing
        self.funds[payout.fund].legs[leg.refund_no] = BookedLeg(leg, payout, standing, (event,))
        self._fund_of[leg.refund_no] = payout.fund
        self._funds_of_case[payout.case_id] = payout.fund


def _waiting(payout: Payout) -> Payout:
    return payout.model_copy(update={"waits": True})

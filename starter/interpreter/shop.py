"""What cases know of the world, in memory: orders, allowances, addresses, parcels, what the platform has declared."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from workflows.messages.addresses import ReturnAddress
from workflows.messages.message import CaseId
from workflows.messages.orders import OrderFacts
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.pauses import DeclareExemption, DeclarePause, PauseWindow
from workflows.messages.requests import LineAmount
from workflows.messages.stages import CaseKind
from workflows.messages.standing_orders import StandingOrderVersion
from workflows.messages.step_parts import Thaw
from workflows.rules.allowance_spending import NotSpent, allowances_of, spent_on
from workflows.rules.balances import (
    Account,
    Freezing,
    ValidityEnd,
    Voiding,
    frozen,
    owed_again,
    thawed,
    validity_ended,
    voided,
)
from workflows.rules.parcels import first_word_of_leaving, handed_on, is_out, standing

_MOMENTS: Final = {ParcelEvent.OUTBOUND: "outbound_at", ParcelEvent.SHIPPED: "shipped_at"}


@dataclass(frozen=True)
class Watch:
    """Who wants to know of a parcel: a case, or an order."""

    parcel: Parcel
    purpose: ParcelPurpose
    case_id: CaseId | None
    order_no: str | None


@dataclass
class Shop:
    """The world beside the cases and the money."""

    orders: dict[str, OrderFacts] = field(default_factory=dict[str, OrderFacts])
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    addresses: dict[str, list[ReturnAddress]] = field(default_factory=dict[str, list[ReturnAddress]])
    """Each merchant's; the default one first."""
    pauses: dict[str, PauseWindow] = field(default_factory=dict[str, PauseWindow])
    exemptions: dict[str, DeclareExemption] = field(default_factory=dict[str, DeclareExemption])
    watches: list[Watch] = field(default_factory=list[Watch])
    contents: dict[tuple[str, Parcel], dict[str, int]] = field(default_factory=dict[tuple[str, Parcel], dict[str, int]])
    """How many pieces of which lines of an order a parcel has (R15); one that is not here stands for all."""
    standing_orders: list[StandingOrderVersion] = field(default_factory=list[StandingOrderVersion])
    """Of all merchants (G4); one that is changed takes the place of what it was."""
    _told: dict[Parcel, dict[str, CarrierEvent]] = field(default_factory=dict[Parcel, dict[str, CarrierEvent]])

    # Allowances -----------------------------------------------------------------------------------------

    def take_order(self, order: OrderFacts) -> NotSpent | None:
        """An order as the order system tells it: it spends the allowances that it was paid with, or is refused (A7)."""
        known = self.orders.get(order.order_no)
        before = known.tenders if known else ()
        accounts = {each: self.accounts.get(each) for each in (*allowances_of(order.tenders), *allowances_of(before))}
        match spent_on(order, before, accounts):
            case NotSpent() as refused:
                return refused
            case changed:
                self.accounts.update(changed)
                self.orders[order.order_no] = order
                return None

    def freeze(self, allowance_id: str, case_id: CaseId, at: datetime) -> Freezing:
        """A5: hold the balance for a case."""
        freezing, self.accounts[allowance_id] = frozen(self.accounts[allowance_id], case_id, at)
        return freezing

    def end_validity(self, allowance_id: str, case_id: CaseId, at: datetime) -> ValidityEnd:
        """A6: which case pays the principal back."""
        ended, self.accounts[allowance_id] = validity_ended(self.accounts[allowance_id], case_id, at)
        return ended

    def thaw(self, allowance_id: str, case_id: CaseId, at: datetime, *, paid_back: int) -> Thaw:
        """A5: give the balance back that a case holds, unless its validity has ended meanwhile (A6)."""
        account = self.accounts[allowance_id]
        thaw, self.accounts[allowance_id] = thawed(account, case_id, at, paid_back=paid_back)
        return thaw

    def owe_again(self, allowance_id: str, case_id: CaseId) -> None:
        """A2, A5: a case holds a void balance whose payment has come back, and that is to pay it again."""
        self.accounts[allowance_id] = owed_again(self.accounts[allowance_id], case_id)

    def void(self, allowance_id: str, case_id: CaseId, at: datetime) -> Voiding:
        """A2: the bonus is void."""
        voiding, self.accounts[allowance_id] = voided(self.accounts[allowance_id], case_id, at)
        return voiding

    # Parcels --------------------------------------------------------------------------------------------

    def order(self, order_no: str) -> OrderFacts | None:
        """The order, and when its parcels were signed for as far as carriers have told (G2)."""
        order = self.orders.get(order_no)
        if order is None:
            return None
        if not self.watches:
            return order
        signed = [
            event.happened_at
            for watch in self.watches
            if watch.order_no == order_no and watch.purpose is ParcelPurpose.ORDER
            for event in self.history(watch.parcel)
            if event.event is ParcelEvent.SIGNED
        ]
        told = max(signed, default=None)
        return order.model_copy(update={"signed_at": told}) if told and order.signed_at is None else order

    def record_event(self, event: CarrierEvent) -> tuple[Watch, ...]:
        """Keep what a carrier tells, the first word under a key; who is to be told."""
        self._told.setdefault(event.parcel, {}).setdefault(event.key, event)
        return self.watchers(event.parcel)

    def moves(self, order_no: str, event: CarrierEvent) -> bool:
        """Whether what a carrier tells of an order's parcel matters to its cases; the order has it noted (R7, R15)."""
        order = self.orders.get(order_no)
        if order is None or event.happened_at < order.paid_at:  # R18
            return False
        told = (each for each in self.history(event.parcel) if each.happened_at >= order.paid_at)
        if not handed_on(ParcelPurpose.ORDER, event.event) and not first_word_of_leaving(event, told):
            return False
        if not self.carried(order_no, event.parcel):  # of one that names its lines, whoever packs it tells the order
            name = _MOMENTS.get(event.event, "on_delivery_run_at")
            self.orders[order_no] = order.model_copy(update={name: getattr(order, name) or event.happened_at})
        return True

    def history(self, parcel: Parcel) -> tuple[CarrierEvent, ...]:
        """What is known of a parcel, by the moments at which things happened."""
        return tuple(sorted(self._told.get(parcel, {}).values(), key=lambda event: event.happened_at))

    def watchers(self, parcel: Parcel) -> tuple[Watch, ...]:
        """Who has registered a parcel, first come first."""
        return tuple(each for each in self.watches if each.parcel == parcel)

    def watch(
        self, parcel: Parcel, purpose: ParcelPurpose, *, case_id: CaseId | None = None, order_no: str | None = None
    ) -> tuple[CarrierEvent, ...]:
        """Register a parcel for a case or an order, and learn what has been told of it already."""
        watch = Watch(parcel, purpose, case_id, order_no)
        if watch not in self.watches:
            self.watches.append(watch)
        return self.history(parcel)

    def unwatch(self, parcel: Parcel, case_id: CaseId) -> None:
        """Take a return's watch away, as when the buyer corrects a mistyped number (T3)."""
        gone = Watch(parcel, ParcelPurpose.RETURN, case_id, None)
        self.watches = [each for each in self.watches if each != gone]

    def return_parcel(self, case_id: CaseId) -> str | None:
        """The parcel in which a return's goods come back, as ``<carrier>/<number>``; None where none was named."""
        if not self.watches:
            return None
        named = [
            each.parcel for each in self.watches if each.case_id == case_id and each.purpose is ParcelPurpose.RETURN
        ]
        return f"{named[-1].carrier}/{named[-1].tracking_no}" if named else None

    def underway(self, order_no: str, lines: Iterable[LineAmount]) -> tuple[Parcel, ...]:
        """The parcels that are out with these lines of an order, or stand for all of it (R3, R15)."""
        asked = {each.line for each in lines}
        paid_at = self.orders[order_no].paid_at
        parcels = dict.fromkeys(
            each.parcel for each in self.watches if each.order_no == order_no and each.purpose is ParcelPurpose.ORDER
        )
        found: list[Parcel] = []
        for parcel in sorted(parcels, key=lambda each: (each.tracking_no, each.carrier)):
            stands = standing(each for each in self.history(parcel) if paid_at <= each.happened_at)
            named = self.carried(order_no, parcel)
            if stands and is_out(stands) and (not named or asked & named.keys()):
                found.append(parcel)
        return tuple(found)

    def carried(self, order_no: str, parcel: Parcel) -> dict[str, int]:
        """How many pieces of which lines a parcel has; empty for one that names none and stands for all (R15)."""
        return self.contents.get((order_no, parcel), {})

    # Declarations ---------------------------------------------------------------------------------------

    def declare_pause(self, declaration: DeclarePause, at: datetime) -> PauseWindow:
        """Section 9: let clocks stand still; open cases hear of it by ``PausesChanged``."""
        window = PauseWindow(
            id=declaration.id,
            reason=declaration.reason,
            kinds=tuple(declaration.kinds),
            starts_at=declaration.starts_at,
            ends_at=declaration.ends_at,
            declared_by=declaration.by,
            declared_at=at,
        )
        return self.pauses.setdefault(declaration.id, window)

    def windows_for(self, kind: CaseKind, after: datetime) -> tuple[PauseWindow, ...]:
        """The windows that can move a deadline of this kind whose time began at ``after``."""
        if not self.pauses:
            return ()
        found = [
            each for each in self.pauses.values() if kind in each.kinds and each.resumes_at > max(each.starts_at, after)
        ]
        return tuple(sorted(found, key=lambda each: (each.starts_at, each.id)))

"""What cases know of the world, in memory: orders, allowances, addresses, parcels, what the platform has declared."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from workflows.messages.addresses import ReturnAddress
from workflows.messages.cases import Thaw
from workflows.messages.message import CaseId
from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelPurpose
from workflows.messages.pauses import DeclareExemption, DeclarePause, PauseWindow
from workflows.messages.requests import LineAmount
from workflows.messages.stages import CaseKind
from workflows.rules.allowance import split
from workflows.rules.parcels import is_out, standing


@dataclass(frozen=True)
class Account:
    """An allowance account (A2, A5, A6)."""

    facts: AllowanceFacts
    frozen_by: CaseId | None = None
    validity_ended_at: datetime | None = None
    voided_at: datetime | None = None

    @property
    def withdrawable(self) -> int:
        """What is left of the principal, in minor units (A1)."""
        facts = self.facts
        return 0 if self.voided_at else split(facts.principal, facts.bonus, facts.spent).withdrawable


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
    _told: dict[Parcel, dict[str, CarrierEvent]] = field(default_factory=dict[Parcel, dict[str, CarrierEvent]])

    # Allowances -----------------------------------------------------------------------------------------

    def freeze(self, allowance_id: str, case_id: CaseId) -> CaseId | None:
        """A5: hold the balance for a case; the case that holds it now, or None where nothing is left."""
        account = self.accounts[allowance_id]
        if not account.withdrawable:
            return None
        if account.frozen_by is None:
            account = self.accounts[allowance_id] = replace(account, frozen_by=case_id)
        return account.frozen_by

    def end_validity(self, allowance_id: str, case_id: CaseId, at: datetime) -> CaseId | datetime | None:
        """A6: the case that pays the principal back; until when it is valid still; or None where nothing is left."""
        account = self.accounts[allowance_id]
        if account.voided_at:
            return None
        if account.facts.valid_until > at:
            return account.facts.valid_until
        if account.frozen_by is None and not account.withdrawable:
            self.accounts[allowance_id] = replace(account, validity_ended_at=at, voided_at=at)
            return None
        holder = account.frozen_by or case_id
        ended = account.validity_ended_at or at
        self.accounts[allowance_id] = replace(account, frozen_by=holder, validity_ended_at=ended)
        return holder

    def thaw(self, allowance_id: str, case_id: CaseId) -> Thaw:
        """A5: give the balance back that a case holds, unless its validity has ended meanwhile (A6)."""
        account = self.accounts[allowance_id]
        if account.frozen_by == case_id and not account.voided_at:
            if account.validity_ended_at:
                return Thaw.VALIDITY_ENDED
            self.accounts[allowance_id] = replace(account, frozen_by=None)
        return Thaw.THAWED

    def void(self, allowance_id: str, case_id: CaseId, at: datetime) -> bool:
        """A2: the bonus is void; False where the case does not hold the balance."""
        account = self.accounts[allowance_id]
        if account.frozen_by != case_id:
            return False
        self.accounts[allowance_id] = replace(account, voided_at=account.voided_at or at)
        return True

    # Parcels --------------------------------------------------------------------------------------------

    def record_event(self, event: CarrierEvent) -> tuple[Watch, ...]:
        """Keep what a carrier tells, the first word under a key; who is to be told."""
        self._told.setdefault(event.parcel, {}).setdefault(event.key, event)
        return self.watchers(event.parcel)

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

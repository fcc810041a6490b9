"""What stands against a step when it is written: a policy, a declaration, a parcel, pieces, other cases of the order.

Each function looks at what was read for it, and says why the step cannot be written, or None.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Refusal, Step
from workflows.messages.openings import Opened
from workflows.messages.orders import OrderFacts
from workflows.messages.parcels import CarrierEvent, ParcelPurpose
from workflows.messages.pieces import CasePieces
from workflows.messages.policy import Policy
from workflows.messages.stages import CaseKind
from workflows.messages.step_parts import ParcelWatch, ShipmentClaim
from workflows.rules.matters import Matter, refused_application_again, refused_dispute_of_case
from workflows.rules.moments import refused_claim, refused_proof
from workflows.rules.pieces import Holder, refused_pieces
from workflows.rules.refusals import refused
from workflows.rules.shipping import parcel_concerns, pieces_sent


def refused_policy(version: int, in_force: Policy | None, moves_from: str) -> Refusal | None:
    """Section 2: a case moves to the version in force, from another one; ``moves_from`` is ``<name>/<version>``."""
    if in_force is None or in_force.version != version:
        explanation = f"{f'version {in_force.version}' if in_force else 'no version'} is in force"
        return refused("version_not_in_force", "version", "section 2", explanation)
    if moves_from == f"{in_force.name}/{version}":
        return refused("same_version", "version", "section 2", "the case goes by this version already")
    return None


class DeclaredExemption(Protocol):
    """An exemption, as it was declared."""

    @property
    def merchants(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def starts_at(self) -> datetime: ...  # noqa: D102
    @property
    def ends_at(self) -> datetime: ...  # noqa: D102


def refused_exemption(
    exemption_id: str, exemption: DeclaredExemption | None, merchant_id: str, opened: Opened
) -> Refusal | None:
    """L2: declared by the platform, for this merchant, within the time in which the order was to ship."""
    if exemption is None or opened.order is None or opened.ships_until is None:
        return refused("unknown_exemption", "exemption", "L2", f"no exemption {exemption_id} is declared")
    if exemption.merchants and merchant_id not in exemption.merchants:
        return refused("exemption_of_others", "exemption", "L2", "the exemption is for other merchants")
    if exemption.starts_at >= opened.ships_until or exemption.ends_at <= opened.order.paid_at:
        return refused("exemption_elsewhen", "exemption", "L2", "it does not touch the time in which to ship")
    return None


class Watcher(Protocol):
    """Who has registered a parcel, and for what."""

    @property
    def purpose(self) -> ParcelPurpose: ...  # noqa: D102
    @property
    def case_id(self) -> str | None: ...  # noqa: D102
    @property
    def order_no(self) -> str | None: ...  # noqa: D102


def refused_parcel(
    watch: ParcelWatch, case_id: str, order_no: str | None, watchers: Iterable[Watcher]
) -> Refusal | None:
    """T3, T6, T14: why the sign-off of one parcel would pass for that of another one.

    The order's own parcel brought the goods to the buyer; a return's does not carry what is sent to the buyer after it.
    """
    proves = watch.purpose is ParcelPurpose.ORDER
    if any(
        (each.purpose is ParcelPurpose.ORDER and each.order_no == order_no and not proves)
        or (each.case_id == case_id and each.purpose is not watch.purpose)
        for each in watchers
    ):
        field = "shipping.tracking_no" if proves else "parcel"
        return refused("own_parcel", field, "T3", "this parcel has carried other goods of this order")
    return None


def refused_leaving(
    shipped_at: datetime,
    kind: CaseKind,
    pieces: CasePieces | None,
    order: OrderFacts,
    contents: Mapping[str, int],
    history: Sequence[CarrierEvent],
) -> Refusal | None:
    """R1: what is known of a parcel stands against the claim that a case's goods have left in it (R15, R18)."""
    held = pieces.lines if pieces else ()
    unshipped = kind is CaseKind.UNSHIPPED_REFUND
    in_it = parcel_concerns(held, order, contents, {}) if unshipped else any(each.line in contents for each in held)
    if contents and held and not in_it:
        explanation = "this parcel is known to carry other goods of the order"
        return refused("not_in_it", "shipping.tracking_no", "R15", explanation)
    return refused_proof(shipped_at, order, history)


def refused_shipment(
    claim: ShipmentClaim, order: OrderFacts, contents: Mapping[str, int], history: Sequence[CarrierEvent]
) -> Refusal | None:
    """L2: what is known of the order and of the parcel stands against the claim that it has shipped (R15, R18)."""
    if contents and any(
        max(contents.get(line.line, 0), pieces_sent(order, line)) < line.quantity for line in order.lines
    ):
        return refused("not_all_of_it", "parcel", "L2", "this parcel is known to carry a part of the order only")
    return refused_claim(claim.shipped_at, order, history)


def refused_claim_of_pieces(pieces: CasePieces, order: OrderFacts, others: Iterable[Holder]) -> Refusal | None:
    """R13: why the case cannot have the pieces that it claims.

    What a refund without goods may come to was looked at before: it depends on the case's profile.
    """
    return refused_pieces(pieces.lines, pieces.use, order, others, by_pieces=False)


def refused_step_beside_others(
    step: Step, opened: Opened, applied: ApplicationVersion, others: tuple[Matter, ...]
) -> Refusal | None:
    """R16, D10: what other cases of the order have to do with what is applied for anew, or disputed.

    ``applied`` is what the case asks for before the step.
    """
    if opened.order is None:
        return None
    if step.application and step.application.proposal:  # N3: agreed on, and not applied for
        return None
    if step.application and opened.policy:
        most = opened.policy.refund.most_applications
        return refused_application_again(step.application, step.application.applied_for, others, most)
    return refused_dispute_of_case(applied, step.case.case_id, opened.order, others)

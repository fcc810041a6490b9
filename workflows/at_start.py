"""What operators see of a case from its start: search attributes for lists, a summary and details for its page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from workflows.messages import search_attributes as attributes
from workflows.messages.message import EARLIEST, LATEST
from workflows.messages.openings import Opened
from workflows.messages.requests import (
    Application,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    RefundRequest,
    RepairRequest,
    Request,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.messages.stages import CaseKind, StageName
from workflows.rules import bilingual
from workflows.rules.bilingual import said
from workflows.rules.identity import subject, workflow_name
from workflows.rules.wording import KINDS

AS_OPENED = (
    "建单时的申请（第 1 版）；当前版本见 Current Details"
    " · the request as it was opened, version 1; Current Details have the version that counts"
)


def whole_minute(moment: datetime) -> datetime:
    """``moment`` rounded up, so that whoever starts a case can tell its due date beforehand.

    Never raises: a moment that cannot be told in UTC, or rounded up, is shown as the last or first that can (R18).
    """
    try:
        floor = moment.astimezone(UTC).replace(second=0, microsecond=0)
        return floor if floor == moment else floor + timedelta(minutes=1)
    except OverflowError:
        return LATEST if moment.year > LATEST.year else EARLIEST


@dataclass(frozen=True)
class Shown:
    """What lists show of a case."""

    kind: str | None
    stage: str
    merchant_id: str
    subject: str
    """The order number or the allowance's id."""
    attention: str | None
    outcome: str | None
    policy: str | None
    due: datetime | None
    customer: tuple[str, ...]
    """The keyed hashes by which the customer is found."""


_OF_ONE_KIND: Final[Mapping[type[Request], CaseKind]] = {
    DisputeRequest: CaseKind.DISPUTE,
    LateShipmentRequest: CaseKind.LATE_SHIPMENT,
    ExpiryRequest: CaseKind.EXPIRY,
    WithdrawalRequest: CaseKind.WITHDRAWAL,
}
"""Requests of which nothing need be looked up to say what kind of case they open: a dispute starts as a child."""


def foreseen(request: Request, opened: Opened | None) -> TypedSearchAttributes:
    """The attributes to start a case with, which cost nothing; without ``opened`` what the request tells."""
    shown = Shown(
        kind=opened.kind if opened else None,
        stage=opened.stage if opened and opened.stage else StageName.OPENING,
        merchant_id=request.merchant_id,
        subject=subject(request),
        attention=None,
        outcome=None,
        policy=f"{opened.policy.name}/{opened.policy.version}" if opened and opened.policy else None,
        due=opened.due.at if opened and opened.due else None,
        customer=opened.customer if opened else (),
    )
    pairs = [SearchAttributePair(key, value) for key, value in keywords(shown).items() if value]
    due = [SearchAttributePair(attributes.DUE, whole_minute(shown.due))] if shown.due else []
    customer = [SearchAttributePair(attributes.CUSTOMER, shown.customer)] if shown.customer else []
    return TypedSearchAttributes([*pairs, *customer, *due])


def summary(request: Request, foreseen: Opened | None) -> str:
    """One line for the Web UI's lists: ids and amounts only (P6).

    It stays as it is for good: what can be amended stands there without its amount (R10).
    """
    amendable = isinstance(request, RefundRequest | ReturnRequest | ResendRequest | RepairRequest)
    asked = f" {foreseen.asked}" if foreseen and foreseen.asked and not amendable else ""
    kind = foreseen.kind if foreseen else _OF_ONE_KIND.get(type(request))
    title = said(KINDS[kind], bilingual.in_force()) if kind else workflow_name(request)
    return f"{title} {subject(request)}{asked}"


def details(request: Request) -> str:
    """What the case was opened for, as Markdown for its page in the Web UI: ids and amounts only (P6).

    It stays as it is for good, and says so: what is asked for now stands in the current details (R10).
    """
    plain = request.model_dump(mode="json", exclude={"lines", "method", "evidence"}, exclude_defaults=True)
    rows = [f"- **{name}**: `{value}`" for name, value in plain.items()]
    if isinstance(request, Application):
        rows.append(f"- **method**: `{request.method.route}`")
        rows += [f"- **line {each.line}**: {each.quantity} pcs, {each.amount} minor units" for each in request.lines]
    return "\n".join([f"*{said(AS_OPENED, bilingual.in_force())}*", "", *rows])


def keywords(shown: Shown) -> dict[SearchAttributeKey[str], str | None]:
    """The attributes of one word each; None for those that the case does not have."""
    return {
        attributes.KIND: shown.kind,
        attributes.STAGE: shown.stage,
        attributes.MERCHANT: shown.merchant_id,
        attributes.ORDER: shown.subject,
        attributes.ATTENTION: shown.attention,
        attributes.OUTCOME: shown.outcome,
        attributes.POLICY: shown.policy,
    }

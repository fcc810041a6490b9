"""For each command that is open: a payload that the case takes as it stands, to be pasted and changed (section 12)."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from workflows.messages.actors import Role
from workflows.messages.cases import CaseView, OpenCommand
from workflows.messages.commands import (
    AcceptSettlement,
    Amend,
    CloseCase,
    Command,
    ConfirmProposal,
    EnterTracking,
    GiveRefundAccount,
    MoveDeadline,
    MovePolicy,
    OfferSettlement,
    OpenDispute,
    PayInAdvance,
    ProveExemption,
    ProveShipment,
    RecordManualTransfer,
    Reject,
    RejectReason,
    Reship,
    RetryPayment,
    Rule,
    SubmitEvidence,
)
from workflows.messages.requests import Application, DisputeReason, Request
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import StageName
from workflows.rules.stages import STAGES, accepted

OFFICER: Final = "officer-1"
"""Stands for whoever pastes it: to be replaced by one's own id."""

EVIDENCE: Final = ({"uri": "vault:evidence/replace-me", "media_type": "image/jpeg", "bytes": 1, "sha256": "0" * 64},)
PARCEL: Final = {"carrier": "sf", "tracking_no": "SF-replace-me"}
REASON: Final = "replace_me"
A_DAY: Final = timedelta(days=1)

Fields = dict[str, Any]


def example(command: OpenCommand, view: CaseView, request: Request) -> str:
    """One line of JSON that the case obeys, if what it names exists (addresses, accounts, declarations)."""
    kind = next(each for each in accepted(STAGES[view.stage]) if each.command_name() == command.name)
    role = Role.PLATFORM if Role.PLATFORM in command.roles else command.roles[0]
    who = {Role.MERCHANT: view.merchant_id, Role.BUYER: view.buyer_id or "b-1"}.get(role, OFFICER)
    # One key for each command and state of the case: pasted twice it is one command, and later another.
    key = f"ui-{command.name}-{view.steps}".replace("_", "-")
    says = _BY_CASE[kind](view, request) if kind in _BY_CASE else _FIXED.get(kind, {})
    return json.dumps({"key": key, "by": {"role": role, "id": who}, **says}, ensure_ascii=False)


def _reject(view: CaseView, _: Request) -> Fields:
    if view.stage is not StageName.MERCHANT_REVIEW:
        return {"reason": RejectReason.OTHER, "evidence": EVIDENCE}
    shipping = {**PARCEL, "shipped_at": _moment(view.opened_at)}
    return {"reason": RejectReason.GOODS_SHIPPED, "evidence": EVIDENCE, "shipping": shipping}


def _application(_: CaseView, request: Request) -> Fields:
    if not isinstance(request, Application):
        return {}
    return request.model_dump(mode="json", include={"lines", "freight", "reason", "method"}, exclude_defaults=True)


def _lines(_: CaseView, request: Request) -> Fields:
    return {"lines": [each.model_dump() for each in request.lines]} if isinstance(request, Application) else {}


def _by_hand(view: CaseView, request: Request) -> Fields:
    return {**_officer(view, request), "transferred_at": _moment(view.log[-1].at if view.log else view.opened_at)}


def _officer(view: CaseView, _: Request) -> Fields:
    return {"reason": REASON, "proof": f"ticket:{view.merchant_id}/replace-me"}


def _shipment(view: CaseView, _: Request) -> Fields:
    return {"parcel": PARCEL, "shipped_at": _moment(view.opened_at), "evidence": EVIDENCE}


def _policy(view: CaseView, _: Request) -> Fields:
    return {"version": int(view.policy.partition("/")[2] or 0) + 1, "reason": REASON}


def _deadline(view: CaseView, _: Request) -> Fields:
    return {"until": _moment((view.due or view.opened_at) + A_DAY), "reason": REASON}


def _settlement(view: CaseView, _: Request) -> Fields:
    offered = [entry.facts["amount"] for entry in view.log if entry.event == "settlement_offered"]
    return {"amount": offered[-1] if offered else view.asked.amount if view.asked else 1}


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


_FIXED: Final[Mapping[type[Command], Fields]] = {
    SubmitEvidence: {"evidence": EVIDENCE},
    EnterTracking: {"parcel": PARCEL},
    GiveRefundAccount: {"account": "vault:account/replace-me"},
    Reship: {"parcel": PARCEL},
    OpenDispute: {"reason": DisputeReason.OTHER},
    Rule: {"fault": Fault.MERCHANT, "refund": Award.FULL, "reason": REASON},
    ConfirmProposal: {"reason": REASON},
    ProveExemption: {"exemption": "replace-me"},
    RetryPayment: {"reason": REASON},
}
"""What a command says beside its key and its sender, whatever the case."""

_BY_CASE: Final[Mapping[type[Command], Callable[[CaseView, Request], Fields]]] = {
    Reject: _reject,
    Amend: _application,
    OfferSettlement: _lines,
    AcceptSettlement: _settlement,
    ProveShipment: _shipment,
    MovePolicy: _policy,
    MoveDeadline: _deadline,
    PayInAdvance: _officer,
    RecordManualTransfer: _by_hand,
    CloseCase: _officer,
}
"""What it says of this case."""

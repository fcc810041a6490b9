"""For each command that is open: a payload to be pasted and completed (section 12).

What only the sender knows, beginning with who it is, is a placeholder. Validation refuses each of them, so that an
example that was pasted as it stands moves no money and proves nothing.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from workflows.kinds.admission import accepted
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Role
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import CaseView, OpenCommand
from workflows.messages.commands import (
    AcceptProposal,
    AcceptSettlement,
    Amend,
    CloseCase,
    Command,
    ConfirmProposal,
    DeclineProposal,
    DemandEvidence,
    EnterTracking,
    GiveRefundAccount,
    MoveDeadline,
    MovePolicy,
    OfferSettlement,
    OpenDispute,
    PayInAdvance,
    Propose,
    ProveExemption,
    ProveShipment,
    RecordManualTransfer,
    Reject,
    RejectReason,
    Reship,
    RetryPayment,
    Rule,
    Say,
    SendBack,
    SubmitEvidence,
    WithdrawProposal,
)
from workflows.messages.message import LATEST, NO_DIGEST, PLACEHOLDER
from workflows.messages.proposals import MoreProof, Proposal, ProposalKind
from workflows.messages.requests import Application, DisputeReason, DisputeRequest, Request
from workflows.messages.rulings import Award, Fault
from workflows.messages.seen import Deciding
from workflows.messages.stages import StageName
from workflows.rules.negotiation import OPEN_TERMS
from workflows.rules.number_conflicts import is_in_conflict, read

EVIDENCE: Final = (
    {"uri": f"vault:evidence/{PLACEHOLDER}", "media_type": "image/jpeg", "bytes": 1, "sha256": NO_DIGEST},
)
PARCEL: Final = {"carrier": "sf", "tracking_no": f"SF-{PLACEHOLDER}"}
REASON: Final = PLACEHOLDER.replace("-", "_")
A_DAY: Final = timedelta(days=1)

Fields = dict[str, Any]


def example(command: OpenCommand, view: CaseView, request: Request) -> str:
    """One line of JSON that the case obeys once each placeholder in it has been replaced by what is true."""
    kind = next(each for each in accepted(STAGES[view.stage]) if each.command_name() == command.name)
    role = Role.PLATFORM if Role.PLATFORM in command.roles else command.roles[0]
    # One key for each command and state of the case: pasted twice it is one command, and later another.
    key = f"ui-{command.name}-{view.steps}".replace("_", "-")
    says = _BY_CASE[kind](view, request) if kind in _BY_CASE else _FIXED.get(kind, {})
    # R11: what is pasted decides on what this page shows, and on nothing that has come since.
    seen = {"expects": view.seen.model_dump()} if view.seen and issubclass(kind, Deciding) else {}
    sent = {"key": key, "by": {"role": role, "id": PLACEHOLDER}, "case": view.case_id, **says, **seen}
    return json.dumps(sent, ensure_ascii=False)


def _reject(view: CaseView, _: Request) -> Fields:
    if view.stage is not StageName.MERCHANT_REVIEW:
        return {"reason": RejectReason.OTHER, "evidence": EVIDENCE}
    shipping = {**PARCEL, "shipped_at": _moment(view.opened_at)}
    return {"reason": RejectReason.GOODS_SHIPPED, "evidence": EVIDENCE, "shipping": shipping}


def _application(view: CaseView, request: Request) -> Fields:
    """R10: the current version, to be changed."""
    if not isinstance(request, Application):
        return {}
    said = {"lines", "freight", "reason", "goods_received"}
    given = request.model_dump(mode="json", include={*said, "method"}, exclude_defaults=True)
    if view.application is None:
        return given
    now = view.application.model_dump(mode="json", include=said, exclude_defaults=True)
    if view.application.route == "original":
        return now
    return {**now, "method": {"route": "bank_transfer", "account": f"vault:account/{PLACEHOLDER}"}}


def _offer(_: CaseView, request: Request) -> Fields:
    """D2: what is claimed."""
    if not isinstance(request, Application):
        return {}
    return request.model_dump(mode="json", include={"lines", "freight", "compensation"}, exclude_defaults=True)


def _by_hand(view: CaseView, request: Request) -> Fields:
    told = {**_officer(view, request), "transferred_at": _moment(view.log[-1].at if view.log else view.opened_at)}
    others = [read(leg.raw) for leg in view.legs if is_in_conflict(leg)]
    if not others:
        return told
    # R11: what was seen; whose it is, only who has looked can say.
    seen = sum(each.amount for each in others if each)
    return {**told, "number_holds": {"amount": seen, "whose": PLACEHOLDER}}


def _proposal(view: CaseView, request: Request) -> Fields:
    """N1: the first of what may be proposed here that fits what is asked for."""
    open_terms = OPEN_TERMS.get((view.kind, view.stage), frozenset()) if view.kind else frozenset[ProposalKind]()
    asked = view.application.amount if view.application else 0
    fitting = (each for each in _SAID_FIRST if each in open_terms and (asked > 1 or each is not ProposalKind.AMOUNT))
    kind = next(fitting, ProposalKind.RETURN)
    owed = request.compensation if isinstance(request, DisputeRequest) else 0
    if kind is ProposalKind.COMPENSATION or owed:
        most = owed or (view.asked.amount if view.asked else 1)
        return {"terms": {"kind": ProposalKind.COMPENSATION, "amount": max(most - 1, 1)}}
    if kind is ProposalKind.AMOUNT and view.application:
        return {"terms": {"kind": kind, **_a_little_less(view.application)}}
    return {"terms": {"kind": kind}}


_SAID_FIRST: Final = (
    ProposalKind.AMOUNT,
    ProposalKind.COMPENSATION,
    ProposalKind.RETURN,
    ProposalKind.REFUND,
    ProposalKind.SEND_AGAIN,
)


def _a_little_less(now: ApplicationVersion) -> Fields:
    """One minor unit less of the first amount that there is."""
    lines = [each.model_dump() for each in now.lines]
    less = next((each for each in lines if each["amount"]), None)
    if less is None:
        return {"lines": lines, "freight": max(now.freight - 1, 0)}
    less["amount"] -= 1
    return {"lines": lines, "freight": now.freight}


def _answer(view: CaseView, _: Request) -> Fields:
    """R11: to the newest one that is open, by the other side."""
    newest = _newest(view)
    if newest is None:
        return {"number": 1}
    return {**_of(Role.MERCHANT if newest.by.role is Role.BUYER else Role.BUYER), "number": newest.number}


def _acceptance(view: CaseView, request: Request) -> Fields:
    newest = _newest(view)
    shown = {"evidence": EVIDENCE} if newest and isinstance(newest.terms, MoreProof) else {}
    return {**_answer(view, request), **shown}


def _own_proposal(view: CaseView, _: Request) -> Fields:
    newest = _newest(view)
    return {**_of(newest.by.role), "number": newest.number} if newest else {"number": 1}


def _newest(view: CaseView) -> Proposal | None:
    return max(view.talk.proposals, key=lambda each: each.number, default=None)


def _of(role: Role) -> Fields:
    return {"by": {"role": role, "id": PLACEHOLDER}}


def _officer(view: CaseView, _: Request) -> Fields:
    return {"reason": REASON, "proof": f"ticket:{view.merchant_id}/{PLACEHOLDER}"}


def _shipment(view: CaseView, _: Request) -> Fields:
    return {"parcel": PARCEL, "shipped_at": _moment(view.opened_at), "evidence": EVIDENCE}


def _policy(view: CaseView, _: Request) -> Fields:
    return {"version": int(view.policy.partition("/")[2] or 0) + 1, "reason": REASON}


def _deadline(view: CaseView, _: Request) -> Fields:
    return {"until": _moment(view.due or view.opened_at, later=A_DAY), "reason": REASON}


def _settlement(view: CaseView, _: Request) -> Fields:
    offered = [entry.facts["amount"] for entry in view.log if entry.event == "settlement_offered"]
    return {"amount": offered[-1] if offered else view.asked.amount if view.asked else 1}


def _moment(moment: datetime, *, later: timedelta = timedelta()) -> str:
    try:
        moment = moment.astimezone(UTC) + later
    except OverflowError:  # the page must not fail (R18)
        moment = LATEST
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


_FIXED: Final[Mapping[type[Command], Fields]] = {
    SubmitEvidence: {"evidence": EVIDENCE},
    Say: {"words": f"statement:{PLACEHOLDER}"},
    EnterTracking: {"parcel": PARCEL},
    GiveRefundAccount: {"account": f"vault:account/{PLACEHOLDER}"},
    Reship: {"parcel": PARCEL},
    SendBack: {"parcel": PARCEL},
    OpenDispute: {"reason": DisputeReason.OTHER},
    Rule: {"fault": Fault.MERCHANT, "refund": Award.FULL, "reason": REASON},
    ConfirmProposal: {"reason": REASON},
    DemandEvidence: {"of": [Role.MERCHANT], "wanted": f"statement:{PLACEHOLDER}"},
    ProveExemption: {"exemption": PLACEHOLDER},
    RetryPayment: {"reason": REASON},
}
"""What a command says beside its key and its sender, whatever the case."""

_BY_CASE: Final[Mapping[type[Command], Callable[[CaseView, Request], Fields]]] = {
    Reject: _reject,
    Propose: _proposal,
    AcceptProposal: _acceptance,
    DeclineProposal: _answer,
    WithdrawProposal: _own_proposal,
    Amend: _application,
    OfferSettlement: _offer,
    AcceptSettlement: _settlement,
    ProveShipment: _shipment,
    MovePolicy: _policy,
    MoveDeadline: _deadline,
    PayInAdvance: _officer,
    RecordManualTransfer: _by_hand,
    CloseCase: _officer,
}
"""What it says of this case."""

"""Which commands a case offers: those of its stage, but for what would be refused whatever it said (section 12)."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from workflows.kinds import disputed
from workflows.kinds.admission import accepted
from workflows.kinds.case import Case
from workflows.kinds.incoming import may_enter
from workflows.kinds.order_money import takes_account
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import OpenCommand, Refusal
from workflows.messages.commands import (
    AcceptProposal,
    AcceptSettlement,
    Amend,
    Command,
    ConfirmProposal,
    ConfirmReceipt,
    ConvertToRefund,
    DeclineProposal,
    EnterTracking,
    ExtendReceipt,
    GiveRefundAccount,
    OpenDispute,
    Propose,
    Reject,
    RejectReason,
    Say,
    SubmitEvidence,
    Withdraw,
    WithdrawProposal,
)
from workflows.messages.proposals import MoreProof
from workflows.messages.requests import Application
from workflows.messages.seen import Deciding, Seen
from workflows.rules.negotiation import is_proposable

Refuses: TypeAlias = Callable[[Case, Command], Refusal | None]

_KEY: Final = "offered"
_STANDS: Final = frozenset({"command", "by.role", "order_no"})
"""Fields of refusals that are about how the case stands, and not about what the command says."""


def offered(case: Case, refuses: Refuses) -> tuple[OpenCommand, ...]:
    """What is open in the case, and to whom. ``refuses`` weighs the content of a command, as its kind does."""
    found: list[OpenCommand] = []
    for kind, roles in accepted(case.stage, case.state.kind).items():
        left = [role for role in roles if case.state.kind is None or _is_open(case, kind, role, refuses)]
        if left:
            found.append(OpenCommand(name=kind.command_name(), roles=tuple(sorted(left))))
    return tuple(found)


def _is_open(case: Case, kind: type[Command], role: Role, refuses: Refuses) -> bool:
    if kind in _PLAIN:
        return _PLAIN[kind](case, role)
    if kind not in _WEIGHED:
        return True
    if kind is Propose and not _proposable(case):
        return False
    perhaps, says = _WEIGHED[kind]
    if not perhaps(case, role):
        return True
    refusal = refuses(case, _tried(case, kind, role, says(case)))
    return refusal is None or refusal.field not in _STANDS


_PLAIN: Final[Mapping[type[Command], Callable[[Case, Role], bool]]] = {
    AcceptProposal: lambda case, role: any(each.by.role is not role for each in case.state.talk.proposals),  # N1
    DeclineProposal: lambda case, role: any(each.by.role is not role for each in case.state.talk.proposals),
    WithdrawProposal: lambda case, role: any(each.by.role is role for each in case.state.talk.proposals),
    Say: lambda case, role: case.state.talk.said.get(role, 0) < case.policy.negotiation.most_messages,  # R16
    ExtendReceipt: lambda case, _: not case.state.goods.extended,  # T7
    EnterTracking: may_enter,  # T13
    GiveRefundAccount: lambda case, _: takes_account(case),  # T4
    ConvertToRefund: lambda case, role: case.state.goods.exchange and role not in case.state.goods.wants_money,  # T9
    OpenDispute: lambda case, _: disputed.refused_another(case) is None,  # D1, D10
    AcceptSettlement: lambda case, _: case.state.claim.offer is not None,  # D2
    ConfirmProposal: lambda case, _: case.state.claim.proposal is not None,  # D5
}
"""Commands of which it is plain from the state whether they can be obeyed."""


def _tried(case: Case, kind: type[Command], role: Role, says: Mapping[str, Any]) -> Command:
    fields = dict(says)
    if issubclass(kind, Deciding) and case.opened.asked:
        fields["expects"] = Seen.made_of(version=case.version, amount=case.asked.amount)  # R11: it is seen
    return kind.made_of(key=_KEY, by=Actor.made_of(role=role, id=_KEY), **fields)


def _nothing(_: Case) -> Mapping[str, Any]:
    return {}


def _application(case: Case) -> Mapping[str, Any]:
    """The same again."""
    now = case.state.amended or case.request
    if not isinstance(now, Application):
        return {"lines": (), "freight": 0}
    return {"lines": now.lines, "freight": now.freight, "reason": now.reason, "method": now.method}


def _goods_move(case: Case, _: Role) -> bool:
    return case.state.goods.received or case.state.goods.outgoing is not None


def _talk_or_receipt(case: Case, _: Role) -> bool:
    return case.policy.negotiation.rejection_needs_proposal or case.state.goods.confirmed


def _said_before(case: Case, role: Role) -> bool:
    most = case.policy.limits.evidence_of_a_party
    return role in case.state.claim.finals or case.state.evidence.get(role, 0) >= most


def _proposable(case: Case) -> bool:
    """N1: where an amount alone could be proposed, and there is no smaller one, nothing can."""
    least = case.opened.payable.least if case.opened.payable else 1
    return is_proposable(case.kind, case.stage.name, case.asked.amount, least)


def _proposed_often(case: Case, role: Role) -> bool:
    return case.state.talk.made.get(role, 0) >= case.policy.negotiation.most_proposals


def _disputed(case: Case, _: Role) -> bool:
    return case.state.dispute.standstill is not None


_WEIGHED: Final[Mapping[type[Command], tuple[Callable[[Case, Role], bool], Callable[[Case], Mapping[str, Any]]]]] = {
    Withdraw: (_goods_move, _nothing),  # T15, T8
    Reject: (_talk_or_receipt, lambda _: {"reason": RejectReason.OTHER, "evidence": ()}),  # N4, T6
    Amend: (lambda _, __: True, _application),  # R6
    SubmitEvidence: (_said_before, _nothing),  # D6, R16
    ConfirmReceipt: (_disputed, _nothing),  # T5, D3
    Propose: (_proposed_often, lambda _: {"terms": MoreProof.made_of(wanted=_KEY)}),  # R16
}
"""Commands that are weighed as if they had been sent: when there may be something against them, and what they say."""

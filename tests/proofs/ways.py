"""All that may happen next in a story: what is told to its cases, and what they have to refuse."""

from collections.abc import Iterator
from typing import Final

from starter.interpreter.host import MemoryHost
from tests.processes.exploring import ENDS, PAYING, TO_THE_BUYER
from tests.processes.telling import COMMANDS, ORDER, PARCELS
from tests.proofs.proof_story import ProofStory
from tests.proofs.retelling import Turns
from workflows.messages.actors import Role
from workflows.messages.commands import GatewayResult
from workflows.messages.parcels import ParcelEvent, ParcelPurpose
from workflows.messages.proposals import ProposalKind
from workflows.messages.stages import CaseKind
from workflows.rules.negotiation import OPEN_TERMS

_HOW: Final = {
    "rule": ("full merchant", "nothing buyer", "partial buyer"),
    "submit_evidence": ("", "final"),
    "demand_evidence": ("merchant", "buyer"),
    "retry_payment": ("", "partly"),
    "enter_tracking": ("0", "1"),
    "amend": ("", "rest"),
    "accept_proposal": ("", "proof"),
}
"""What is to be said beside a command's name."""
_ASIDE: Final = frozenset({"say", "propose", "submit_evidence"})
"""Commands that may be sent without end, and lead nowhere by themselves."""
_ROLES: Final = (Role.BUYER, Role.MERCHANT, Role.PLATFORM)
_GATEWAY: Final = {
    GatewayResult.PROCESSING: (GatewayResult.SUCCEEDED, GatewayResult.FAILED, GatewayResult.ABNORMAL),
    GatewayResult.ABNORMAL: (GatewayResult.SUCCEEDED, GatewayResult.FAILED),
    GatewayResult.FAILED: (GatewayResult.SUCCEEDED,),
    GatewayResult.SUCCEEDED: (GatewayResult.RETURNED,),
}
"""How a gateway can go on from what it has said."""


def ways_on(story: ProofStory, opens: Turns = ()) -> Iterator[Turns]:
    """Whatever may happen next: commands that are open, facts, time; ``opens`` are requests that open another case."""
    hosts = [story.told.host(each) for each in story.told.cases()]
    for number, host in enumerate(hosts):
        yield from _gateway(story, number, host)
        if host.over:
            continue
        yield from _commands(story, number, host)
        yield from _time(story, number, host)
    yield from _carriers(story, hosts)
    opened = sum(host.parent is None for host in hosts)
    if opened < 2:
        yield from ((each,) for each in opens)


def _commands(story: ProofStory, number: int, host: MemoryHost) -> Iterator[Turns]:
    state = host.run.running.state
    for each in story.told.view(host.case_id).commands:
        if each.name == "propose":
            for role in sorted(each.roles):
                for terms in sorted(OPEN_TERMS.get((state.kind, state.stage), ()) if state.kind else ()):
                    if not any(one.by.role is role for one in state.talk.proposals):
                        yield (f"{number} propose {role} {ProposalKind(terms)}",)
        elif each.name in COMMANDS and (each.name not in _ASIDE or state.kind is CaseKind.DISPUTE):
            for role in sorted(set(each.roles) & {*_ROLES}):
                yield from ((f"{number} {each.name} {role} {how}".strip(),) for how in _HOW.get(each.name, ("",)))


def refused_ways(story: ProofStory) -> Iterator[tuple[int, str]]:
    """Every command that is not open for who sends it, by the number of the case: each has to be refused."""
    for number, case in enumerate(story.told.cases()):
        host = story.told.host(case)
        commands = () if host.over else story.told.view(case).commands
        taken = {(each.name, role) for each in commands for role in each.roles}
        for name in COMMANDS:
            for role in _ROLES:
                if (name, role) not in taken:
                    yield number, f"{number} {name} {role} {_first(name)}".strip()


def _first(name: str) -> str:
    return "another_amount" if name == "propose" else _HOW.get(name, ("",))[0]


def _time(story: ProofStory, number: int, host: MemoryHost) -> Iterator[Turns]:
    view = story.told.view(host.case_id)
    if view.due:
        yield (f"wait {number}",)
    if view.stage in PAYING or view.talk.proposals or host.case_id not in story.told.book.cases:
        yield ("wait",)  # also until a case opens that is started before (A6, L1)


def _gateway(story: ProofStory, number: int, host: MemoryHost) -> Iterator[Turns]:
    world = story.told
    for leg in world.ledger.legs_of(host.case_id):
        if (row := world.gateway.refunds.get(leg.refund_no)) is not None:
            yield from ((f"settle {number} {result}",) for result in _GATEWAY.get(row.result, ()))
            yield (f"call {number}",)
            return


def _carriers(story: ProofStory, hosts: list[MemoryHost]) -> Iterator[Turns]:
    shop = story.told.shop
    for number, parcel in enumerate(PARCELS):
        watched = {each.purpose for each in shop.watchers(parcel)}
        early = number == 0 and any(
            not host.over and host.run.running.state.goods.agreed_at and not host.run.running.state.goods.parcel
            for host in hosts
        )
        known = {each.event for each in shop.history(parcel)}
        if ParcelPurpose.ORDER in watched:
            yield from ((f"parcel {number} {event}",) for event in TO_THE_BUYER if event not in known)
        elif watched or early:
            yield from ((f"parcel {number} {event}",) for event in ENDS if event not in known)
        if watched and ParcelEvent.SIGNED not in known:
            yield (f"late {number} signed",)
            yield (f"unheard {number} signed",)
    order = shop.orders.get(ORDER)
    if order and order.shipped_at is None and any(not host.over for host in hosts):
        yield ("order ships",)

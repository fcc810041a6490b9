"""Where the orders of what may happen begin: each kind of case, under each profile that has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.processes.exploring import kept
from tests.processes.telling import PROFILES, Story
from tests.proofs.retelling import Turns
from workflows.messages.stages import CaseKind, StageName

_MODES: Final = ("settle_later", "decline", "account_short", "lose_answer", "lose_request", "strand")
"""What the gateway does with the first refund, where it does not pay at once."""
_UNUSUAL: Final = frozenset({"forget", "hold", "stop"})
"""Turns from which on a kept story is not gone on from: the world is not as it should be then."""
_PROFILES: Final = ("douyin", "jd-pop", "jd-self", "eu", "cn-2026")


@dataclass(frozen=True)
class Beginning:
    """A world, how a story begins in it, and what may be opened besides."""

    name: str
    world: str
    turns: Turns
    opens: Turns = ()
    mode: str = ""


def also_from(beginning: Beginning) -> tuple[Turns, ...]:
    """The shortest kept story, or beginning of one, that comes to each stage from here, under whichever profile."""
    if beginning.mode:
        return ()
    words = frozenset(beginning.world.split()) - _BESIDE
    return _stages_from(words, next(turn for turn in beginning.turns if turn.startswith("open ")))


@cache
def _stages_from(words: frozenset[str], opens: str) -> tuple[Turns, ...]:
    shortest: dict[tuple[CaseKind | None, StageName], Turns] = {}
    for world, turns in kept():
        if frozenset(world.split()) - _BESIDE != words or opens not in turns:
            continue
        story, so_far = Story(world), list[str]()
        for turn in turns:
            if turn.split()[0] in _UNUSUAL:
                break
            story.turn(turn)
            so_far.append(turn)
            for case in story.world.cases():
                state = story.world.host(case).run.running.state
                known = shortest.get((state.kind, state.stage))
                if known is None or len(so_far) < len(known):
                    shortest[state.kind, state.stage] = tuple(so_far)
    return tuple(dict.fromkeys(shortest.values()))


def _beginnings() -> Iterator[Beginning]:
    for kind, words, turns, opens, profiles in _KINDS:
        for profile in profiles:
            world = f"{profile} {words}".strip()
            yield Beginning(f"{kind}, {profile}", world, turns, opens)
        for mode in _MODES if kind in _PAYS else ():
            world = f"{profiles[0]} {words}".strip()
            yield Beginning(
                f"{kind}, {profiles[0]}, {mode}", world, (*turns, f"gateway {mode} {_PAYS[kind]}"), (), mode
            )


_ALL: Final = _PROFILES
_PAYS: Final = {
    "shipped refund": 30_000,
    "return": 30_000,
    "dispute about an order": 30_000,
    "late shipment": 9_000,
    "withdrawal": 7_200,
}
"""Kinds of which each way of paying is told (from an order, for goods, by ruling, beside the order, of an allowance),
and which amount the gateway treats otherwise."""
_BESIDE: Final = frozenset({*_PROFILES, *PROFILES, "insured"})
"""Words of a world that do not decide to which stages a case comes."""
_KINDS: Final = (
    ("unshipped refund", "", ("watch 2", "open refund"), (), ("douyin", "jd-pop", "eu", "cn-2026")),
    ("cancellation", "", ("watch 2", "open cancellation"), (), ("jd-self",)),
    ("cancellation, outbound", "outbound", ("watch 2", "open cancellation"), (), ("jd-self",)),
    ("shipped refund", "shipped", ("open refund",), (), _ALL),
    ("return", "shipped insured", ("open return",), (), _ALL),
    ("return, cash on delivery", "shipped cash", ("open return",), (), ("douyin",)),
    ("exchange", "shipped", ("open return exchange",), (), _ALL),
    ("resend", "shipped", ("open resend",), (), ("douyin", "jd-pop", "jd-self")),
    ("repair", "shipped", ("open repair",), (), ("douyin", "jd-pop", "jd-self")),
    ("merchant refund", "", ("open merchant_refund",), (), _ALL),
    ("price protection", "", ("open price_protection",), (), ("douyin", "jd-pop", "jd-self", "cn-2026")),
    ("dispute about an order", "shipped", ("open dispute",), (), _ALL),
    ("late shipment", "", ("open late_shipment", "wait", "wait"), (), ("douyin", "jd-pop", "jd-self", "cn-2026")),
    ("withdrawal", "spent", ("open withdrawal",), ("open expiry",), ("douyin",)),
    ("expiry", "spent ending", ("open expiry",), ("open withdrawal",), ("douyin",)),
    ("expiry, paid late", "spent ending", ("open expiry", "gateway account_short", "wait"), (), ("douyin",)),
    ("two refunds of an order", "", ("open refund", "open merchant_refund"), (), ("douyin", "jd-pop")),
    ("refund and merchant refund", "shipped", ("open refund",), ("open merchant_refund", "open return"), ("douyin",)),
)
"""A new kind joins by a line here: its name, the world, how it opens, what else may open, its profiles."""

BEGINNINGS: Final = tuple(_beginnings())

"""States that were written by this release or an older one, read and gone on from by today's code.

A failure here means that open cases, raised from the case book, would lose something or go another way: give a field
that has a new name its old one too (``AliasChoices``), a missing one its default. What is kept is not to be written
anew: docs/changing-cases.md.
"""

from pathlib import Path
from typing import cast

import pytest

from tests.states.keeping import FOLDER, Kept, all_kept, next_of
from workflows.kinds.decisions import Booked
from workflows.kinds.kind import PROCESSES
from workflows.kinds.resuming import resumed_state
from workflows.kinds.settling import pay_by_hand
from workflows.kinds.state import State
from workflows.kinds.steps import kept as as_written
from workflows.messages.actors import officer
from workflows.messages.cases import Refusal, Resumed
from workflows.messages.commands import PayInAdvance
from workflows.messages.payouts import LegState
from workflows.messages.reading import read_own
from workflows.messages.settlements import Settled
from workflows.messages.stages import Attention, CaseKind, StageName

FILES = all_kept()


def read(path: Path) -> Kept:
    return Kept.model_validate_json(path.read_text(encoding="utf-8"))


def lost(before: object, after: object, where: str = "") -> list[str]:
    """What of one value is not in another."""
    if isinstance(before, dict):
        fields = cast("dict[str, object]", before)
        found = cast("dict[str, object]", after) if isinstance(after, dict) else {}
        return [each for name in fields for each in lost(fields[name], found.get(name), f"{where}.{name}")]
    if isinstance(before, list) and isinstance(after, list):
        one, other = cast("list[object]", before), cast("list[object]", after)
        if len(one) == len(other) and all(isinstance(each, dict) for each in one):  # which may have got new fields
            pairs = enumerate(zip(one, other, strict=True))
            return [each for at, (was, now) in pairs for each in lost(was, now, f"{where}.{at}")]
        # Sets are written in any order.
        before = sorted(map(str, cast("list[object]", before)))
        after = sorted(map(str, cast("list[object]", after)))
    return [] if before == after or before in (None, [], {}, "", 0, False) else [where]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_of_a_state_is_lost(path: Path) -> None:
    written = read(path).resumed["state"]
    assert lost(written, as_written(read_own(State, written))) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_case_goes_on_as_the_release_did_that_wrote_it(path: Path) -> None:
    kept = read(path)
    assert next_of(kept) == (kept.goes_on, kept.in_silence)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_state_of_a_newer_release_is_read_with_what_is_known_of_it(path: Path) -> None:
    kept = read(path)
    resumed = read_own(Resumed, {**kept.resumed, "state": {**kept.resumed["state"], "of_tomorrow": {"a": 1}}})
    assert resumed_state(resumed) == kept.case().state


@pytest.mark.parametrize(
    ("state", "failure", "was", "means"),
    [
        (LegState.ABNORMAL, "number_conflict", Attention.MERCHANT_ACCOUNT_SHORT, Attention.NUMBER_CONFLICT),
        (LegState.ABNORMAL, "not_found", Attention.MERCHANT_ACCOUNT_SHORT, Attention.REFUND_LOST),
        (LegState.FAILED, "merchant_account_short", Attention.REFUND_DECLINED, Attention.MERCHANT_ACCOUNT_SHORT),
    ],
)
def test_what_was_called_otherwise_is_called_what_it_is_at_the_next_answer(
    state: LegState, failure: str, was: Attention, means: Attention
) -> None:
    """Section 10: a refusal of a command of an officer's is such an answer; nothing of the payment is done anew."""
    case = read(FOLDER / "unshipped_refund-payment_attention.json").case()
    legs = tuple(leg.model_copy(update={"state": state, "failure": failure}) for leg in case.state.legs)
    case = case.but(legs=legs, attention=was)
    by_hand = PayInAdvance(key="c", by=officer("o-1"), reason="buyer_waits", proof="ticket:1")
    asked = pay_by_hand(case, by_hand)
    assert asked.then
    refusal = Refusal(code="number_in_use", field="number_holds", rule="section 10", explanation="looked at first")

    decision = asked.then(case, Booked(Settled(legs=legs, refusal=refusal), None))

    assert decision.step
    assert (decision.step.stage.name, decision.step.attention) == (StageName.PAYMENT_ATTENTION, means)
    assert (decision.refuse, decision.effect) == (refusal, None)
    assert decision.mark
    assert decision.before
    assert decision.as_before().step is None, "a run of the release that has called it so waits on"


def test_every_kind_is_kept() -> None:
    kinds = {CaseKind(read(path).resumed["state"]["kind"]) for path in FILES}
    assert kinds >= set(PROCESSES)

"""All is as it has to be, whatever happens in whatever order: ``interleavings`` in short, and what it notices."""

import random
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from starter.interpreter.gateway import MemoryGateway
from starter.interpreter.ledger import Ledger
from tests.proofs.beginnings_of_orders import BEGINNINGS, Beginning
from tests.proofs.crashing import CrashingInterpreter
from tests.proofs.interleavings import Search, Wrong, retold
from tests.proofs.retelling import shrunk, tell, wrong_in
from workflows.kinds import admission, resuming
from workflows.kinds.decisions import Decision
from workflows.messages.cases import Refusal
from workflows.messages.payouts import ReserveResult
from workflows.messages.stages import CaseKind
from workflows.rules.allocation import FundPart

NAMES = {each.name: each for each in BEGINNINGS}
SHORT = (
    "unshipped refund, jd-pop",
    "cancellation, jd-self",
    "shipped refund, cn-2026",
    "merchant refund, eu",
    "price protection, jd-pop",
    "late shipment, douyin",
    "withdrawal, douyin, account_short",
    "expiry, douyin",
)
"""Of which all orders of two events are told from the opening."""
FROM_EACH_STAGE = ("exchange, douyin",)
"""Of which each event is told in each stage."""


def found(name: str, **how: Any) -> Search:
    search = Search(NAMES[name], random.Random(f"short/{name}"))
    search.run(**how)
    return search


@pytest.mark.parametrize("name", SHORT)
def test_every_order_of_two_events_leaves_all_as_it_must_be(name: str) -> None:
    search = found(name, deepest=2, from_stages=False)

    assert search.wrong == [], "\n\n".join(map(str, search.wrong))
    assert search.told.orders() > 3
    assert search.told.lost > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", FROM_EACH_STAGE)
def test_every_event_in_every_stage_leaves_all_as_it_must_be(name: str) -> None:
    search = found(name, deepest=1)

    assert search.wrong == [], "\n\n".join(map(str, search.wrong))
    assert len(search.told.first) > 15


def test_every_kind_has_a_beginning() -> None:
    """A kind that is new joins by a line in ``beginnings_of_orders``."""
    begun = {row.kind for each in BEGINNINGS for row in tell(each.world, each.turns).told.book.cases.values()}
    owed = {CaseKind.FREIGHT_INSURANCE, CaseKind.RETURN_FREIGHT}  # by a return, once its goods are received (T10)

    assert begun | owed == {*CaseKind}


# What is wrong is noticed ------------------------------------------------------------------------------------


def nothing(*_: object) -> Decision:
    return Decision()


def no_state(*_: object) -> None:
    return None


def noticed(name: str = "shipped refund, douyin", deepest: int = 2) -> list[Wrong]:
    return found(name, deepest=deepest, from_stages=False).wrong


def sorts(wrong: list[Wrong]) -> set[str]:
    return {each.what.partition(":")[0] for each in wrong}


def test_that_a_ledger_pays_beyond_its_cap_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:  # R8
    parts_of, reserve, reserving = Ledger.parts_of, Ledger.reserve, list[Ledger]()

    def forgetful(self: Ledger, fund: str, cases: Collection[str] | None = None) -> tuple[FundPart, ...]:
        parts = parts_of(self, fund, cases)
        return tuple(replace(each, settled=0, held=0) for each in parts) if reserving else parts

    def reserved(self: Ledger, *given: Any) -> ReserveResult:
        reserving.append(self)
        try:
            return reserve(self, *given)
        finally:
            reserving.pop()

    monkeypatch.setattr(Ledger, "parts_of", forgetful)
    monkeypatch.setattr(Ledger, "reserve", reserved)

    assert "cap" in sorts(noticed("two refunds of an order, douyin"))


def test_that_a_gateway_is_told_another_amount_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    submit = MemoryGateway.submit

    def generous(self: MemoryGateway, instruction: Any, at: Any) -> object:
        return submit(self, instruction.model_copy(update={"amount": instruction.amount + 1}), at)

    monkeypatch.setattr(MemoryGateway, "submit", generous)

    assert "gateway" in sorts(noticed(deepest=1))


def test_that_a_refused_command_is_carried_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = admission.refused_in_stage

    def lenient(command: Any, **stands: Any) -> Refusal | None:
        return None if command.by.role == "platform" else refused(command, **stands)

    monkeypatch.setattr("workflows.shell.intake.refused_in_stage", lenient)

    assert sorts(noticed(deepest=1)) & {"refusal", "failure"}


def test_that_a_lost_run_forgets_what_follows_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "go_on", nothing)

    assert wrong_in("douyin shipped", ("open refund", "crash 1", "0 approve merchant")).startswith("loss: ")


def test_that_a_lost_run_goes_on_from_an_old_state_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CrashingInterpreter, "_resumed", no_state)

    assert wrong_in("douyin shipped", ("open refund", "0 reject merchant", "lose 0")).startswith("loss: ")


def test_what_is_wrong_is_shrunk_and_can_be_told_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resuming, "go_on", nothing)
    turns = ("open refund", "0 reject merchant", "0 amend buyer", "crash 1", "0 approve merchant")

    short = shrunk("douyin shipped", turns)

    assert short == ("open refund", "crash 1", "0 approve merchant")
    assert retold("douyin shipped", short) == 1
    assert "=> loss: " in capsys.readouterr().out
    assert '--story "douyin shipped" "open refund; crash 1' in str(Wrong("a", "douyin shipped", short, "loss: x"))


def test_a_beginning_that_opens_nothing_is_noticed() -> None:
    empty = Beginning("nothing", "douyin", ("watch 2",))

    with pytest.raises(ValueError, match="opens nothing"):
        Search(empty, random.Random("1")).run(deepest=1)

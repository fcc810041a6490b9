"""Stories told to the interpreter: time, refusals, other cases, money; and what it needs to run."""

import doctest
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.gateways.payment_stub_modes import Behaviour, Mode
from starter.interpreter import interpreter as module
from starter.interpreter.example import order, refund_of
from starter.interpreter.interpreter import Interpreter
from workflows.messages.actors import CLOCK, buyer, merchant, officer
from workflows.messages.commands import Approve, CloseCase, OpenDispute, Reject, RejectReason, Withdraw
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import CaseId
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent, ParcelPurpose
from workflows.messages.requests import DisputeReason
from workflows.messages.stages import Attention, OutcomeKind, StageName

ROOT = Path(__file__).parents[2]
MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)
MERCHANT, BUYER, OFFICER = merchant("M-1"), buyer("B-1"), officer("f-1")
EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)


def opened(interpreter: Interpreter, number: str = "O-1", **facts: object) -> CaseId:
    """A refund of all of an order that was paid a day ago."""
    placed = order(number, interpreter.now - timedelta(days=1)).model_copy(update=facts)
    interpreter.shop.orders[number] = placed
    return interpreter.open(refund_of(number))


def test_the_example_says_what_comes_of_it() -> None:
    assert doctest.testmod(module) == (0, doctest.testmod(module).attempted)
    assert doctest.testmod(module).attempted > 0


def test_silence_decides_when_its_time_is_over() -> None:  # R1
    interpreter = Interpreter(MONDAY)
    case = opened(interpreter)

    interpreter.pass_time(hours=47, minutes=59)
    before = interpreter.outcome(case)
    interpreter.pass_time(minutes=1)

    assert before is None
    outcome = interpreter.outcome(case)
    assert outcome
    assert (outcome.outcome, outcome.decided_by, outcome.closed_at) == (
        OutcomeKind.REFUNDED,
        CLOCK.role,
        MONDAY + timedelta(hours=48),
    )


def test_time_passes_for_all_cases_in_the_order_of_what_is_due() -> None:
    interpreter = Interpreter(MONDAY)
    first = opened(interpreter, "O-1")
    interpreter.pass_time(hours=1)
    second = opened(interpreter, "O-2")

    interpreter.pass_time(days=30)

    outcomes = [interpreter.outcome(case) for case in (first, second)]
    assert [each.closed_at if each else None for each in outcomes] == [
        MONDAY + timedelta(hours=48),
        MONDAY + timedelta(hours=49),
    ]


def test_a_refused_command_changes_nothing_and_is_told() -> None:  # section 11, section 12
    interpreter = Interpreter(MONDAY)
    case = opened(interpreter)

    stranger = interpreter.act(case, Approve(key="c-1", by=merchant("M-2")))
    other = interpreter.act(case, CloseCase(key="c-2", by=OFFICER, reason="by_mistake", proof="vault:proof/1"))
    approved = interpreter.act(case, Approve(key="c-3", by=MERCHANT))
    late = interpreter.act(case, Withdraw(key="c-4", by=BUYER))

    assert stranger
    assert other
    assert approved is None
    assert late
    assert [line.event for line in interpreter.log(case)] == ["opened", "approved", "refund_succeeded"]


def test_a_request_that_does_not_fit_opens_nothing() -> None:  # R4
    interpreter = Interpreter(MONDAY)

    case = interpreter.open(refund_of("O-none"))

    outcome = interpreter.outcome(case)
    assert outcome
    assert outcome.refusal
    assert (outcome.outcome, outcome.refusal.code) == (OutcomeKind.REFUSED, "unknown_order")
    assert interpreter.log(case) == ()


def test_an_outcome_that_is_not_known_is_asked_for_and_nothing_is_paid_twice() -> None:  # section 10
    interpreter = Interpreter(MONDAY)
    interpreter.gateway.behave(Behaviour(mode=Mode.LOSE_ANSWER))
    case = opened(interpreter)

    interpreter.act(case, Approve(key="c-1", by=MERCHANT))
    before = interpreter.view(case).stage
    interpreter.pass_time(hours=1)

    outcome = interpreter.outcome(case)
    assert before is StageName.SETTLING
    assert outcome
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert [each.attempts for each in interpreter.gateway.refunds.values()] == [1]
    assert interpreter.ledger.refunded("order/O-1") == 10_000


def test_the_gateway_calls_back_as_time_passes() -> None:  # section 10
    interpreter = Interpreter(MONDAY)
    interpreter.gateway.behave(Behaviour(mode=Mode.DECLINE_LATER, settle_after_seconds=600))
    case = opened(interpreter)
    interpreter.act(case, Approve(key="c-1", by=MERCHANT))

    interpreter.pass_time(minutes=10)

    assert interpreter.view(case).attention is Attention.REFUND_DECLINED


def test_a_dispute_is_a_case_of_its_own_and_its_ruling_is_carried_out() -> None:  # D2, D4, D8
    interpreter = Interpreter(MONDAY)
    case = opened(interpreter, shipped_at=MONDAY - timedelta(hours=12))
    rejected = Reject(key="c-1", by=MERCHANT, reason=RejectReason.GOODS_RECEIVED_AS_DESCRIBED, evidence=EVIDENCE)

    assert interpreter.act(case, rejected) is None
    assert interpreter.act(case, OpenDispute(key="c-2", by=BUYER, reason=DisputeReason.REFUND_REJECTED)) is None
    interpreter.pass_time(days=4)

    dispute = interpreter.cases()[1]
    outcomes = [interpreter.outcome(each) for each in (case, dispute)]
    assert [each.outcome if each else None for each in outcomes] == [OutcomeKind.REFUNDED, OutcomeKind.RULED]


def test_a_carrier_s_word_reaches_whoever_watches_the_parcel() -> None:  # R7
    interpreter = Interpreter(MONDAY)
    case = opened(interpreter)
    parcel = Parcel(carrier="sf", tracking_no="T1")
    interpreter.shop.watch(parcel, purpose=ParcelPurpose.ORDER, order_no="O-1")

    told = CarrierEvent(key="e-1", parcel=parcel, event=ParcelEvent.SHIPPED, happened_at=MONDAY)
    interpreter.carrier_tells(told)

    assert interpreter.view(case).stage is StageName.RETURN_REVIEW


def test_another_policy_can_be_tried_on_the_same_story() -> None:  # section 2
    built_in = Interpreter(MONDAY).policy("douyin")
    assert built_in
    shorter = built_in.model_copy(update={"refund": built_in.refund.model_copy(update={"unshipped_review_hours": 24})})
    interpreter = Interpreter(MONDAY, {"douyin": shorter})
    case = opened(interpreter)

    interpreter.pass_time(hours=24)

    assert interpreter.outcome(case)


def test_nothing_of_temporal_or_a_database_is_loaded_and_nothing_reaches_outside() -> None:
    program = """
import sys, threading
for name in ("temporalio", "asyncpg"):
    sys.modules[name] = None
def audit(event, args):
    if event.startswith(("socket.", "subprocess.")) or (event == "open" and "w" in str(args[1])):
        raise AssertionError(event)
from datetime import UTC, datetime
from starter.interpreter.example import approved_refund
sys.addaudithook(audit)
interpreter, case = approved_refund(datetime(2026, 3, 2, 2, tzinfo=UTC))
interpreter.pass_time(days=30)
assert interpreter.outcome(case)
assert threading.active_count() == 1
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr


def test_the_same_story_comes_to_the_same_every_time() -> None:
    def told() -> list[object]:
        interpreter = Interpreter(MONDAY)
        for number in range(3):
            opened(interpreter, f"O-{number}")
        interpreter.pass_time(days=3)
        return [interpreter.view(case) for case in interpreter.cases()]

    assert told() == told()


def test_a_case_that_fails_is_told_of_with_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = Interpreter(MONDAY)
    first, second = opened(interpreter, "O-1"), opened(interpreter, "O-2")

    def fails(*_: object) -> None:
        raise ZeroDivisionError("no such thing")

    monkeypatch.setattr(interpreter.ledger, "reserve", fails)
    with pytest.raises(ZeroDivisionError, match="no such thing") as failed:
        interpreter.act(second, Approve(key="c-1", by=MERCHANT))

    assert failed.value.__notes__ == [f"the case is {second}"]
    assert interpreter.view(first).stage is StageName.MERCHANT_REVIEW


def test_a_gateway_that_asks_for_more_than_a_day_is_asked_again_after_one() -> None:  # section 10
    interpreter = Interpreter(MONDAY)
    three_days = 3 * 24 * 60 * 60
    interpreter.gateway.behave(Behaviour(mode=Mode.TURN_AWAY, settle_after_seconds=three_days))
    case = opened(interpreter)

    interpreter.act(case, Approve(key="c-1", by=MERCHANT))

    payout = interpreter.host(case).run.running.state.payout
    assert payout
    assert payout.ask_again_at == MONDAY + timedelta(days=1)

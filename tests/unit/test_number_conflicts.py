"""Section 10: the provider has another refund under our number, and nothing is paid twice because of it."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from activities.gateway_answers import NumberTaken, may_be_paid_by_hand
from activities.gateways.payment import NumberConflict, RefundInstruction
from activities.gateways.payment_stub_modes import Behaviour, Mode
from starter.interpreter.example import order, refund_of
from starter.interpreter.interpreter import Interpreter
from starter.whatif.gateway import PastGateway, sendings
from workflows.kinds.details import page
from workflows.kinds.settling import attention_for
from workflows.messages.actors import GATEWAY as THE_GATEWAY
from workflows.messages.actors import merchant, officer
from workflows.messages.cases import Refusal
from workflows.messages.commands import (
    Approve,
    CloseCase,
    GatewayCallback,
    GatewayResult,
    NumberHolds,
    PayInAdvance,
    RecordManualTransfer,
    RetryPayment,
    Whose,
)
from workflows.messages.message import PLACEHOLDER, CaseId
from workflows.messages.payouts import LegState, LegStatus, PaidBy
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.rules.allocation import refund_number
from workflows.rules.bilingual import Language
from workflows.rules.legs import (
    GATEWAY,
    US,
    AlertKind,
    LegEvent,
    LegRecord,
    callback_source,
    fold,
    follow,
)
from workflows.rules.number_conflicts import OtherRefund, number_in_use, read, refused_for_number

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
OFFICER = officer("o-1")
HELD = 10_000
"""What the case is to pay."""


def leg(
    state: LegState, failure: str | None = None, *, number: str = "RF-1", submitted_at: datetime | None = NOON
) -> LegStatus:
    return LegStatus(refund_no=number, amount=HELD, state=state, failure=failure, submitted_at=submitted_at)


def other(
    amount: int = 6_000,
    *,
    result: GatewayResult = GatewayResult.SUCCEEDED,
    same_payment: bool = True,
    currency: str = "CNY",
    gateway_ref: str | None = "re_1",
) -> OtherRefund:
    return OtherRefund(
        amount=amount, currency=currency, result=result, same_payment=same_payment, gateway_ref=gateway_ref
    )


# What a person is told ------------------------------------------------------------------------------------

F, A = LegState.FAILED, LegState.ABNORMAL


@pytest.mark.parametrize(
    ("legs", "attention"),
    [
        ([(A, "number_conflict")], Attention.NUMBER_CONFLICT),
        ([(A, "not_found")], Attention.REFUND_LOST),
        ([(A, "stranded")], Attention.MONEY_STRANDED),
        ([(A, "merchant_account_short")], Attention.MERCHANT_ACCOUNT_SHORT),
        ([(A, None)], Attention.MERCHANT_ACCOUNT_SHORT),
        ([(F, "merchant_account_short")], Attention.MERCHANT_ACCOUNT_SHORT),
        ([(F, "declined")], Attention.REFUND_DECLINED),
        ([(F, None)], Attention.REFUND_DECLINED),
        ([(F, "returned")], Attention.REFUND_RETURNED),
        ([(A, "held_by_provider")], Attention.REFUND_DECLINED),
        # Of several the one that bars most.
        ([(F, "merchant_account_short"), (F, "declined")], Attention.REFUND_DECLINED),
        ([(F, "merchant_account_short"), (A, "number_conflict")], Attention.NUMBER_CONFLICT),
        ([(A, "merchant_account_short"), (A, "not_found")], Attention.REFUND_LOST),
        ([(A, "number_conflict"), (A, "stranded")], Attention.MONEY_STRANDED),
        ([(F, "merchant_account_short"), (A, "merchant_account_short")], Attention.MERCHANT_ACCOUNT_SHORT),
        ([(LegState.UNKNOWN, None)], None),
    ],
)
def test_why_a_person_is_called_goes_by_the_failure(
    legs: list[tuple[LegState, str | None]], attention: Attention | None
) -> None:
    assert attention_for(tuple(leg(*each) for each in legs), overdue=False) is attention


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (other(), "60.00 CNY succeeded, this payment, re_1"),
        (other(60, currency="JPY", same_payment=False, gateway_ref=None), "60 JPY succeeded, another payment"),
        (other(1_005, currency="KWD", result=GatewayResult.CLOSED), "1.005 KWD closed, this payment, re_1"),
    ],
)
def test_what_the_provider_has_is_told_in_words_and_read_again(told: OtherRefund, words: str) -> None:
    assert told.in_words == words
    assert read(words) == told


@pytest.mark.parametrize("words", [None, "", "declined", "60.00 CNY succeeded", "6000 CNY, this payment"])
def test_other_words_tell_of_no_refund(words: str | None) -> None:
    assert read(words) is None


# What an officer may say ----------------------------------------------------------------------------------


def refusal(
    said: NumberHolds | None, *others: OtherRefund, currency: str = "CNY", left: int | None = None
) -> tuple[str, str] | None:
    legs = [leg(A, "number_conflict", number=f"RF-{index}") for index in range(len(others) if left is None else left)]
    found = {f"RF-{index}": each for index, each in enumerate(others)}
    told = refused_for_number(said, legs, found, currency)
    return (told.code, told.field) if told else None


def seen(amount: int, whose: Whose) -> NumberHolds:
    return NumberHolds(amount=amount, whose=whose)


ANOTHERS, BUYERS = Whose.ANOTHERS, Whose.BUYERS


def test_nobody_pays_before_having_looked() -> None:  # R11
    refused = refused_for_number(None, [leg(A, "number_conflict")], {"RF-1": other()}, "CNY")
    assert refused
    assert (refused.code, refused.field) == ("number_in_use", "number_holds")
    assert "60.00 CNY succeeded, this payment, re_1" in refused.explanation


@pytest.mark.parametrize("amount", [5_999, 6_001, HELD])
def test_a_word_on_another_amount_than_there_is_counts_for_nothing(amount: int) -> None:  # R11
    for whose in Whose:
        assert refusal(seen(amount, whose), other(same_payment=False)) == ("number_in_use", "number_holds.amount")


def test_what_went_back_to_this_payment_is_the_buyers_whatever_anybody_says() -> None:
    for result in (GatewayResult.SUCCEEDED, GatewayResult.PROCESSING, GatewayResult.STRANDED, GatewayResult.UNKNOWN):
        told = other(result=result)
        assert refusal(seen(6_000, ANOTHERS), told) == ("number_in_use", "number_holds.whose")
    for result in (GatewayResult.FAILED, GatewayResult.CANCELED, GatewayResult.CLOSED, GatewayResult.RETURNED):
        assert refusal(seen(6_000, ANOTHERS), other(result=result)) is None, "the buyer has nothing of it"


def test_of_another_payment_the_officer_says_whose_it_is() -> None:
    for whose in Whose:
        assert refusal(seen(6_000, whose), other(same_payment=False)) is None


def test_only_what_has_arrived_in_the_same_currency_is_counted() -> None:
    under_way = other(result=GatewayResult.PROCESSING)
    assert refusal(seen(6_000, BUYERS), under_way) == ("outcome_open", "number_holds.whose")
    assert refusal(seen(6_000, BUYERS), other(currency="USD")) == ("outcome_open", "number_holds.whose")
    assert refusal(seen(6_000, BUYERS), other()) is None


def test_numbers_of_several_legs_are_seen_together() -> None:
    others = other(6_000), other(1_000)
    assert refusal(seen(6_000, BUYERS), *others) == ("number_in_use", "number_holds.amount")
    assert refusal(seen(7_000, BUYERS), *others) is None


def test_a_word_on_a_number_that_is_free_counts_for_nothing() -> None:  # R11
    assert refusal(seen(6_000, BUYERS), left=1) == ("number_free", "number_holds")
    assert refusal(None, left=1) is None


def test_the_answer_is_certain_only_where_it_tells_what_there_is_and_nobody_is_sending() -> None:
    held, sent = leg(A, "number_conflict"), leg(LegState.SUBMITTED)
    assert may_be_paid_by_hand(held, held, NumberTaken(other()))
    assert not may_be_paid_by_hand(held, held, NumberTaken(None))
    assert not may_be_paid_by_hand(sent, held, NumberTaken(other()))
    assert not may_be_paid_by_hand(leg(A, submitted_at=None), held, NumberTaken(other()))


# What is said of a leg ------------------------------------------------------------------------------------


def event(says: LegState, minute: int, source: str = GATEWAY, paid_by: PaidBy | None = None) -> LegEvent:
    at = NOON + timedelta(minutes=minute)
    return LegEvent(says=says, source=source, at=at, as_of=at, paid_by=paid_by)


def conflict() -> LegRecord:
    said = (event(LegState.RESERVED, 0, US), event(LegState.SUBMITTED, 1, US))
    return fold((*said, number_in_use(NOON + timedelta(minutes=2), other())))


@pytest.mark.parametrize("says", [LegState.SUCCEEDED, LegState.FAILED, LegState.PROCESSING])
def test_a_callback_under_the_number_tells_of_the_other_refund(says: LegState) -> None:
    told = event(says, 3, callback_source("cb"), PaidBy.GATEWAY if says is LegState.SUCCEEDED else None)
    change = follow(conflict(), told)
    assert (change.moved, change.alert) == (False, None)
    assert change.standing.failure == AlertKind.NUMBER_CONFLICT


def test_a_callback_about_an_attempt_before_the_conflict_tells_of_ours() -> None:
    standing = replace(conflict(), attempt=2)
    told = event(LegState.SUCCEEDED, 3, callback_source("cb"), PaidBy.GATEWAY)
    first, second, third = (follow(standing, replace(told, attempt=attempt)) for attempt in (1, 2, 3))
    assert (first.standing.state, first.alert) == (LegState.SUCCEEDED, AlertKind.SUCCESS_AFTER_FAILURE)
    assert (second.moved, third.moved) == (False, False), "nothing of ours was sent under these"


def test_an_answer_about_our_refund_is_taken_also_after_a_conflict() -> None:
    paid = follow(conflict(), event(LegState.SUCCEEDED, 3, paid_by=PaidBy.GATEWAY)).standing
    assert (paid.state, paid.failure, paid.raw) == (LegState.SUCCEEDED, None, None)


# Whole stories --------------------------------------------------------------------------------------------


def opened() -> tuple[Interpreter, CaseId]:
    """A refund of an order of which nothing was paid back."""
    told = Interpreter(NOON)
    told.shop.orders["O-1"] = order("O-1", told.now - timedelta(days=1))
    return told, told.open(refund_of("O-1"))


def there_is(told: Interpreter, case: CaseId, amount: int, *, same_payment: bool = True) -> str:
    """The provider pays so much under the number that the case is going to use."""
    (tender,) = told.shop.orders["O-1"].tenders
    number = refund_number(case, 1, 1)
    told.gateway.submit(
        RefundInstruction(
            refund_no=number,
            merchant_id="M-1",
            fund="order/O-1",
            tender=tender.tender if same_payment else "of_staging",
            account=None,
            amount=amount,
            currency="CNY",
        ),
        told.now,
    )
    return number


def approve(told: Interpreter, case: CaseId) -> None:
    assert told.act(case, Approve(key="approve", by=merchant("M-1"))) is None


def transfer(
    told: Interpreter, holds: NumberHolds | None = None, amount: int | None = None, key: str = "t"
) -> RecordManualTransfer:
    return RecordManualTransfer(
        key=key,
        by=OFFICER,
        reason="number_in_use",
        proof=f"ticket:{key}",
        transferred_at=told.now,
        amount=amount,
        number_holds=holds,
    )


def alerts(told: Interpreter) -> list[tuple[str, str]]:
    return [(each.kind, each.evidence) for each in told.ledger.alerts]


def code(refused: Refusal | None) -> str | None:
    return refused.code if refused else None


def test_a_number_that_another_installation_has_used_ends_by_a_transfer_of_all() -> None:
    told, case = opened()
    there_is(told, case, 6_000, same_payment=False)
    approve(told, case)
    view = told.view(case)
    assert (view.stage, view.attention) == (StageName.PAYMENT_ATTENTION, Attention.NUMBER_CONFLICT)
    (held,) = view.legs
    assert (held.failure, held.raw) == (
        "number_conflict",
        f"60.00 CNY succeeded, another payment, GW-{held.refund_no}-1",
    )
    assert held.raw
    assert alerts(told) == [("number_conflict", held.raw)]

    assert told.act(case, RetryPayment(key="again", by=OFFICER, reason="looked")) is None
    advance = PayInAdvance(key="a", by=OFFICER, reason="buyer_waits", proof="ticket:1")
    close = CloseCase(key="c", by=OFFICER, reason="settled", proof="ticket:1")
    blind = transfer(told, key="blind")
    assert [code(told.act(case, each)) for each in (advance, blind, close)] == [
        "number_in_use",
        "number_in_use",
        "outcome_open",
    ]
    assert code(told.act(case, transfer(told, seen(6_001, ANOTHERS), key="wrong"))) == "number_in_use"
    assert told.view(case).attention is Attention.NUMBER_CONFLICT
    assert told.act(case, transfer(told, seen(6_000, ANOTHERS), amount=HELD)) is None

    outcome = told.outcome(case)
    assert outcome
    assert outcome.outcome is OutcomeKind.PAID_MANUALLY
    assert [(each.state, each.paid_by, each.amount) for each in outcome.legs] == [
        (LegState.SUCCEEDED, PaidBy.OFFICER, HELD)
    ]
    assert told.ledger.refunded("order/O-1") == HELD
    (paid,) = [line for line in told.log(case) if line.event == "paid_manually"]
    assert {"number_holds": 6_000, "whose": "anothers"}.items() <= paid.facts.items()
    assert len(alerts(told)) == 1, "the same conflict, met again, is one alert"


def test_the_page_shows_what_there_is_and_offers_to_say_it() -> None:  # R11, section 12
    told, case = opened()
    number = there_is(told, case, 6_000, same_payment=False)
    approve(told, case)

    shown = page(told.view(case), refund_of("O-1"), Language.EN)

    (money,) = [line for line in shown.splitlines() if line.startswith(f"- **refund no.** `{number}`")]
    assert money.endswith(f"abnormal `number_conflict` `60.00 CNY succeeded, another payment, GW-{number}-1`")
    (offered,) = re.findall(r"record_manual_transfer\*\* \(platform\): `(.*)`", shown)
    body = json.loads(offered)
    assert body["number_holds"] == {"amount": 6_000, "whose": PLACEHOLDER}
    holds = {"number_holds": {"amount": 6_000, "whose": "anothers"}}
    true = json.loads(offered.replace("replace_me", "number_in_use").replace(PLACEHOLDER, "o-1")) | holds
    assert told.act(case, RecordManualTransfer.model_validate_json(json.dumps(true))) is None


@pytest.mark.parametrize(("had", "missing"), [(6_000, 4_000), (1, 9_999)])
def test_what_an_earlier_run_of_the_case_has_paid_counts(had: int, missing: int) -> None:  # R8, R11
    """The book was restored, and the case has decided another amount: the rest alone is transferred."""
    told, case = opened()
    there_is(told, case, had)
    approve(told, case)

    assert code(told.act(case, transfer(told, seen(had, ANOTHERS), key="a"))) == "number_in_use"
    twice = told.act(case, transfer(told, seen(had, BUYERS), amount=HELD, key="b"))
    assert code(twice) == "amount_differs"
    assert ("paid_beyond_cap", "ticket:b") in alerts(told), "more has been transferred than was missing"
    assert told.act(case, transfer(told, seen(had, BUYERS), amount=missing, key="c")) is None

    assert told.ledger.refunded("order/O-1") == HELD
    assert ("paid_beyond_cap", "ticket:c") not in alerts(told)


def test_what_the_buyer_has_had_beyond_it_calls_a_person() -> None:  # R8
    told, case = opened()
    there_is(told, case, 12_000)
    approve(told, case)

    assert code(told.act(case, transfer(told, seen(12_000, BUYERS), amount=1, key="a"))) == "amount_differs"
    assert told.act(case, transfer(told, seen(12_000, BUYERS), key="b")) is None

    outcome = told.outcome(case)
    assert outcome
    assert outcome.outcome is OutcomeKind.PAID_MANUALLY
    assert ("paid_beyond_cap", "ticket:b") in alerts(told)


def test_a_conflict_that_only_asking_finds_is_no_unknown_outcome() -> None:
    """Our request was lost, and the number is taken by the time that the gateway is asked."""
    told, case = opened()
    told.gateway.behave(Behaviour(mode=Mode.LOSE_REQUEST, uses_left=1))
    approve(told, case)
    assert told.view(case).legs[0].state is LegState.UNKNOWN
    there_is(told, case, 6_000, same_payment=False)

    told.pass_time(hours=1)

    assert told.view(case).attention is Attention.NUMBER_CONFLICT
    assert told.act(case, transfer(told, seen(6_000, ANOTHERS))) is None


def test_a_callback_of_another_amount_pays_nothing_and_asking_finds_the_conflict() -> None:
    told, case = opened()
    told.gateway.behave(Behaviour(mode=Mode.LOSE_REQUEST, uses_left=1))
    approve(told, case)
    number = there_is(told, case, 6_000)
    callback = GatewayCallback(
        key="cb",
        by=THE_GATEWAY,
        refund_no=number,
        result=GatewayResult.SUCCEEDED,
        settled_at=told.now,
        amount=6_000,
    )

    told.gateway_calls_back(callback)
    assert told.view(case).legs[0].state is LegState.UNKNOWN
    assert alerts(told) == [("number_conflict", "callback:cb")]
    told.pass_time(hours=1)

    assert told.view(case).attention is Attention.NUMBER_CONFLICT
    assert told.ledger.refunded("order/O-1") == 0


def test_a_number_that_has_become_free_is_sent_again() -> None:
    told, case = opened()
    number = there_is(told, case, 6_000)
    approve(told, case)
    del told.gateway.refunds[number]

    assert code(told.act(case, transfer(told, seen(6_000, BUYERS)))) == "number_free"
    assert told.act(case, RetryPayment(key="again", by=OFFICER, reason="looked")) is None

    outcome = told.outcome(case)
    assert outcome
    assert (outcome.outcome, outcome.legs[0].paid_by) == (OutcomeKind.REFUNDED, PaidBy.GATEWAY)


def test_a_refund_that_the_gateway_has_lost_is_looked_at_and_sent_again() -> None:
    told, case = opened()
    told.gateway.behave(Behaviour(mode=Mode.NEVER_SETTLE, uses_left=1))
    approve(told, case)
    told.gateway.refunds.clear()

    told.pass_time(hours=1)

    assert told.view(case).attention is Attention.REFUND_LOST
    assert told.act(case, RetryPayment(key="again", by=OFFICER, reason="looked")) is None
    outcome = told.outcome(case)
    assert outcome
    assert outcome.outcome is OutcomeKind.REFUNDED


def test_a_story_that_is_told_again_meets_the_same_conflict() -> None:  # G7
    at = NOON + timedelta(minutes=1)
    said = (event(LegState.SUBMITTED, 0, US), number_in_use(at, other()))
    gateway = PastGateway(past={"RF-1": sendings(said)})
    wish = RefundInstruction(
        refund_no="RF-1", merchant_id="M-1", fund="order/O-1", tender="t", account=None, amount=HELD, currency="CNY"
    )
    for tell in (gateway.submit, gateway.inquire):
        with pytest.raises(NumberConflict) as conflict:
            tell(wish, at)
        assert conflict.value.found == other()

"""What of a return is accepted, what that is worth (T5, T6, T11), and how an extension counts (T7)."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.deadlines import due
from workflows.messages.actors import merchant
from workflows.messages.cases import Span
from workflows.messages.commands import ConfirmReceipt, LineQuantity, RejectReason
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.requests import Application, LineAmount, RefundReason
from workflows.rules.refund import wanted_parts
from workflows.rules.returns import extended, received_parts, refused_receipt

EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)

NOON = datetime(2026, 11, 28, 4, tzinfo=UTC)

Pieces = dict[str, int]


def application(lines: dict[str, tuple[int, int]], freight: int = 0) -> Application:
    """``lines`` by number: pieces, and minor units for all of them."""
    return Application(
        lines=tuple(
            LineAmount(line=line, quantity=quantity, amount=amount) for line, (quantity, amount) in lines.items()
        ),
        freight=freight,
        reason=RefundReason.QUALITY_FAULT,
    )


def receipt(accepted: Pieces | None, *, reasoned: bool = True) -> ConfirmReceipt:
    return ConfirmReceipt(
        key="c1",
        by=merchant("m1"),
        accepted=None
        if accepted is None
        else tuple(LineQuantity(line=line, quantity=pieces) for line, pieces in accepted.items()),
        reason=RejectReason.OTHER if reasoned else None,
        evidence=EVIDENCE if reasoned else (),
    )


def worth(asked: Application, accepted: Pieces | None) -> dict[str, int]:
    return {part.name: part.amount for part in received_parts(asked, receipt(accepted))}


def refused(asked: Application, accepted: Pieces | None, *, exchange: bool = False, reasoned: bool = True) -> str:
    """The code of the refusal, and the field; empty where there is none."""
    refusal = refused_receipt(receipt(accepted, reasoned=reasoned), asked, exchange=exchange)
    assert refusal is None or refusal.rule == "T11"
    return f"{refusal.code} {refusal.field}" if refusal else ""


quantities = st.integers(min_value=1, max_value=1_000)
amounts = st.integers(min_value=1, max_value=10**9)
applications = st.builds(
    application,
    st.dictionaries(st.sampled_from("12345"), st.tuples(quantities, amounts), min_size=1),
    st.integers(min_value=0, max_value=10**6),
)


@st.composite
def asked_and_accepted(draw: st.DrawFn) -> tuple[Application, Pieces]:
    """What is asked for, and pieces of some of its lines, never more than are sent back."""
    asked = draw(applications)
    lines = {each.line: each.quantity for each in asked.lines}
    named = draw(st.sets(st.sampled_from(sorted(lines))))
    return asked, {line: draw(st.integers(min_value=0, max_value=lines[line])) for line in sorted(named)}


# What it is worth ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "amount"),
    [
        pytest.param(4, 10_001, id="all-to-the-last-unit"),
        pytest.param(3, 7_500, id="three-of-four-rounded-down"),
        pytest.param(1, 2_500, id="one-of-four-rounded-down"),
    ],
)
def test_a_line_gives_its_amount_in_proportion(accepted: int, amount: int) -> None:  # T11
    assert worth(application({"1": (4, 10_001)}), {"1": accepted}) == {"line:1": amount}


def test_a_line_that_is_not_accepted_gives_nothing_and_freight_goes_back_as_asked() -> None:  # T11
    asked = application({"1": (4, 10_000), "2": (1, 500), "3": (1, 700)}, freight=300)

    assert worth(asked, {"1": 2, "2": 0}) == {"line:1": 5_000, "freight": 300}


@given(applications)
def test_without_a_word_all_that_was_asked_for_counts_as_received(asked: Application) -> None:  # T6
    everything = {each.line: each.quantity for each in asked.lines}

    assert received_parts(asked, None) == received_parts(asked, receipt(None)) == wanted_parts(asked)
    assert received_parts(asked, receipt(everything)) == wanted_parts(asked)


@given(asked_and_accepted())
def test_never_more_than_was_asked_on_any_part(given: tuple[Application, Pieces]) -> None:  # T11, R8
    asked, accepted = given
    most = {part.name: part.amount for part in wanted_parts(asked)}

    paid = worth(asked, accepted)

    assert set(paid) <= set(most)
    assert all(0 < amount <= most[name] for name, amount in paid.items())


@given(asked_and_accepted())
def test_each_line_gives_its_share_rounded_down(given: tuple[Application, Pieces]) -> None:  # T11
    asked, accepted = given

    paid = worth(asked, accepted)

    for line in asked.lines:
        share = Fraction(line.amount * accepted.get(line.line, 0), line.quantity)
        assert 0 <= share - paid.get(f"line:{line.line}", 0) < 1
    assert paid.get("freight", 0) == asked.freight


@given(asked_and_accepted(), st.data())
def test_who_accepts_more_pieces_never_pays_less(given: tuple[Application, Pieces], data: st.DataObject) -> None:  # T11
    asked, accepted = given
    more = {
        each.line: data.draw(st.integers(min_value=accepted.get(each.line, 0), max_value=each.quantity))
        for each in asked.lines
    }

    less_worth, more_worth = worth(asked, accepted), worth(asked, more)

    assert all(amount <= more_worth[name] for name, amount in less_worth.items())


@given(asked_and_accepted())
def test_two_halves_of_a_receipt_are_never_worth_more_than_the_whole(given: tuple[Application, Pieces]) -> None:
    """T11, R8: rounding down loses at most one minor unit a line, and gives none away."""
    asked, accepted = given
    rest = {each.line: each.quantity - accepted.get(each.line, 0) for each in asked.lines}

    first, second = worth(asked, accepted), worth(asked, rest)

    for line in asked.lines:
        name = f"line:{line.line}"
        assert line.amount - 1 <= first.get(name, 0) + second.get(name, 0) <= line.amount


# What does not fit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "reasoned", "refusal"),
    [
        pytest.param(None, False, "", id="without-a-word"),
        pytest.param({"1": 4, "2": 1}, False, "", id="everything"),
        pytest.param({"1": 3, "2": 1}, True, "", id="less-with-a-reason"),
        pytest.param({"1": 4}, True, "", id="a-line-left-out"),
        pytest.param({"1": 4}, False, "reason_missing reason", id="a-line-left-out-without-a-reason"),
        pytest.param({"1": 4, "2": 0}, False, "reason_missing reason", id="less-without-a-reason"),
        pytest.param({"3": 1}, True, "unknown_line accepted.0.line", id="a-line-that-is-not-sent-back"),
        pytest.param({"1": 4, "2": 2}, True, "quantity_too_high accepted.1.quantity", id="more-than-was-sent"),
        pytest.param({"1": 0, "2": 0}, True, "nothing_accepted accepted", id="nothing"),
        pytest.param({}, True, "nothing_accepted accepted", id="no-line"),
    ],
)
def test_what_a_merchant_may_say_it_has_received(accepted: Pieces | None, reasoned: bool, refusal: str) -> None:  # T11
    asked = application({"1": (4, 10_000), "2": (1, 500)})

    assert refused(asked, accepted, reasoned=reasoned) == refusal


def test_a_line_stands_once() -> None:  # T11
    twice = (LineQuantity(line="1", quantity=1), LineQuantity(line="1", quantity=2))
    said = receipt({"1": 1}).model_copy(update={"accepted": twice})

    refusal = refused_receipt(said, application({"1": (4, 10_000)}), exchange=False)

    assert refusal
    assert refusal.code == "line_twice"


def test_less_takes_evidence_beside_the_reason() -> None:  # T11
    said = receipt({"1": 1}).model_copy(update={"evidence": ()})

    refusal = refused_receipt(said, application({"1": (4, 10_000)}), exchange=False)

    assert refusal
    assert (refusal.code, refusal.field) == ("evidence_missing", "evidence")


def test_what_is_worth_less_than_a_minor_unit_is_not_accepted_for_nothing() -> None:  # T11
    asked = application({"1": (3, 2)})

    assert refused(asked, {"1": 1}) == "worth_nothing accepted"
    assert refused(asked, {"1": 2}) == ""


def test_an_exchange_is_for_all_of_it() -> None:  # T8, T11
    asked = application({"1": (4, 10_000)})

    assert refused(asked, {"1": 3}, exchange=True) == "partial_exchange accepted"
    assert refused(asked, {"1": 4}, exchange=True) == refused(asked, None, exchange=True) == ""


@given(asked_and_accepted())
def test_what_is_let_through_has_something_to_pay(given: tuple[Application, Pieces]) -> None:
    """T11: a payout of nothing cannot be planned."""
    asked, accepted = given

    if refused(asked, accepted) == "":
        assert worth(asked, accepted)


spans = st.one_of(
    st.builds(Span, minutes=st.integers(1, 10**5), since=st.just(NOON)),
    st.builds(Span, seconds=st.integers(1, 10**7), since=st.just(NOON)),
    st.builds(Span, until=st.integers(1, 2000).map(lambda days: NOON + timedelta(days=days))),
)


@given(running=spans, days=st.integers(1, 365))
def test_an_extension_is_added_to_whatever_clock_runs(running: Span, days: int) -> None:  # T7
    assert due(extended(running, days), NOON).at == due(running, NOON).at + timedelta(days=days)

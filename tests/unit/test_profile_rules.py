"""G1, G2: what a profile's catalogue, windows and patterns say, as pure rules."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from activities.policies import Policies
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.policy import Policy, WindowsPolicy
from workflows.messages.requests import LineAmount, ReturnRequest
from workflows.messages.stages import CaseKind
from workflows.rules.reasons import USUAL, given_with, label_of
from workflows.rules.windows import refused_by_profile

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def profile(**windows: object) -> Policy:
    found = Policies().get("douyin")
    assert found is not None
    return found.model_copy(update={"windows": WindowsPolicy.model_validate(windows)})


def order(**moments: datetime) -> OrderFacts:
    return OrderFacts(
        order_no="o",
        marketplace="douyin",
        merchant_id="m",
        buyer_id="b",
        currency="CNY",
        lines=(OrderLine(line="1", sku="food-rice", quantity=1, paid=100),),
        freight=0,
        tenders=(),
        paid_at=NOON,
        shipped_at=NOON,
    ).model_copy(update=moments)


def request(reason: str = "no_longer_wanted") -> ReturnRequest:
    lines = (LineAmount(line="1", quantity=1, amount=100),)
    return ReturnRequest(request_key="k", order_no="o", merchant_id="m", buyer_id="b", lines=lines, reason=reason)


@pytest.mark.parametrize("since", ["payment", "sign_off", "completion"])
def test_a_window_ends_to_the_second(since: str) -> None:  # G2
    policy = profile(returns={"days": 7, "since": since})
    of = order(signed_at=NOON, completed_at=NOON)
    last = NOON + timedelta(days=7)

    assert refused_by_profile(request(), CaseKind.RETURN, of, policy, last) is None
    late = refused_by_profile(request(), CaseKind.RETURN, of, policy, last + timedelta(seconds=1))
    assert late is not None
    assert (late.code, late.field, late.rule) == ("window_over", "order_no", "G2")
    assert last.isoformat() in late.explanation
    assert refused_by_profile(request(), CaseKind.EXCHANGE, of, policy, last + timedelta(days=1)) is None


@pytest.mark.parametrize("since", ["sign_off", "completion"])
def test_what_has_not_happened_ends_no_window(since: str) -> None:  # G2
    policy = profile(returns={"days": 7, "since": since})

    assert refused_by_profile(request(), CaseKind.RETURN, order(), policy, NOON + timedelta(days=300)) is None


def test_goods_that_cannot_come_back_do_where_they_are_at_fault() -> None:  # G2
    policy = profile(not_returnable_skus=("food-*",))

    kept = refused_by_profile(request(), CaseKind.RETURN, order(), policy, NOON)

    assert kept is not None
    assert (kept.code, kept.field, kept.rule) == ("line_excluded", "lines.0.line", "G2")
    assert refused_by_profile(request("damaged"), CaseKind.RETURN, order(), policy, NOON) is None


def test_a_profile_that_says_nothing_takes_the_usual_reasons_for_ever() -> None:  # G1, G2
    policy = profile()

    assert given_with(policy, CaseKind.SHIPPED_REFUND, None) == tuple(
        each for each in USUAL if CaseKind.SHIPPED_REFUND in (each.asked_with or CaseKind)
    )
    assert (
        refused_by_profile(request(), CaseKind.RETURN, order(signed_at=NOON), policy, NOON.replace(year=2040)) is None
    )


def test_a_code_stands_once_in_a_catalogue() -> None:  # G1
    with pytest.raises(ValidationError, match="stands more than once"):
        Policy.model_validate({**profile().model_dump(), "reasons": [USUAL[0], USUAL[0]]})


@pytest.mark.parametrize(
    ("language", "label"),
    [(None, "不想要了 · no longer wanted"), ("zh", "不想要了"), ("en", "no longer wanted")],
)
def test_a_reason_is_read_in_the_profiles_language(language: str | None, label: str) -> None:  # G1, G6
    place = profile().place.model_copy(update={"language": language})
    policy = profile().model_copy(update={"place": place})

    assert label_of("no_longer_wanted", policy) == label
    assert label_of("a_reason_of_long_ago", policy) is None
    assert label_of("no_longer_wanted", None) is label_of(None, policy) is None

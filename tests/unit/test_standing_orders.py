"""G4: what a merchant's standing orders decide, as pure rules and as stories told in memory."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.policies import Policies
from starter.interpreter import opening
from starter.interpreter.example import order, refund_of
from starter.interpreter.interpreter import Interpreter
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.addresses import ReturnAddress
from workflows.messages.commands import Amend, Approve, Reject, RejectReason
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import CaseId
from workflows.messages.openings import Opened
from workflows.messages.place import Place
from workflows.messages.policy import Policy
from workflows.messages.requests import LineAmount, RefundReason, ReturnRequest
from workflows.messages.stages import OutcomeKind, StageName
from workflows.messages.standing_orders import SetStandingOrder, StandingOrder, StandingOrderVersion
from workflows.rules.standing_orders import Known, day_began, deciding, refused_terms

LATE = datetime(2026, 3, 2, 15, tzinfo=UTC)
"""A Monday, eleven in the evening in Shanghai."""
MERCHANT, BUYER = merchant("M-1"), buyer("B-1")
EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)
KINDS = ("unshipped_refund", "shipped_refund")


def terms(**fields: object) -> StandingOrder:
    return StandingOrder.model_validate({"kinds": KINDS, "up_to": 10_000, "most_a_day": 15_000} | fields)


def standing(number: int = 1, *, version: int = 1, ended: bool = False, **fields: object) -> StandingOrderVersion:
    return StandingOrderVersion(
        merchant_id="M-1",
        profile="douyin",
        number=number,
        version=version,
        terms=terms(**fields),
        ended=ended,
        by=MERCHANT,
        at=LATE,
    )


def told(*orders: StandingOrderVersion) -> Interpreter:
    interpreter = Interpreter(LATE)
    interpreter.shop.standing_orders.extend(orders)
    return interpreter


def refunds(interpreter: Interpreter, number: str, amount: int = 10_000, *, shipped: bool = False) -> CaseId:
    placed = order(number, interpreter.now - timedelta(days=1), amount)
    if shipped:
        placed = placed.model_copy(update={"shipped_at": interpreter.now - timedelta(hours=5)})
    interpreter.shop.orders[number] = placed
    return interpreter.open(refund_of(number, amount))


def returns(interpreter: Interpreter, *, amount: int = 3_000, address: bool = True) -> CaseId:
    shipped = {"shipped_at": interpreter.now - timedelta(hours=20)}
    interpreter.shop.orders["O-R"] = order("O-R", interpreter.now - timedelta(days=1), amount).model_copy(
        update=shipped
    )
    if address:
        interpreter.shop.addresses["M-1"] = [
            ReturnAddress.model_validate(
                {
                    "merchant_id": "M-1",
                    "address_id": "a",
                    "version": 1,
                    "region": {"province": "广东省", "city": "广州市", "district": "天河区"},
                    "details": "vault:addresses/1",
                    "is_default": True,
                }
            )
        ]
    asked = LineAmount(line="1", quantity=1, amount=amount)
    return interpreter.open(
        ReturnRequest(
            request_key="k-r",
            order_no="O-R",
            merchant_id="M-1",
            buyer_id="B-1",
            lines=(asked,),
            reason=RefundReason.NO_LONGER_WANTED,
        )
    )


def stage(interpreter: Interpreter, case: CaseId) -> StageName:
    return interpreter.view(case).stage


def test_what_fits_is_paid_at_once_and_the_log_says_by_which_order() -> None:  # G4, R1
    interpreter = told(standing(3, version=2))

    case = refunds(interpreter, "O-1")
    interpreter.pass_time(minutes=10)

    outcome = interpreter.outcome(case)
    assert outcome
    assert (outcome.outcome, outcome.decided_by) == (OutcomeKind.REFUNDED, Role.MERCHANT)
    (line,) = (each for each in interpreter.log(case) if each.event == "approved")
    assert (line.by, line.at, line.rule) == (MERCHANT, LATE, "R1")
    assert (line.facts["standing_order"], line.facts["standing_order_version"]) == (3, 2)
    assert interpreter.ledger.refunded("order/O-1") == 10_000


@pytest.mark.parametrize(
    "without",
    [
        (),
        (standing(ended=True),),
        (standing(up_to=9_999),),
        (standing(reasons=("damaged",)),),
        (standing(kinds=("shipped_refund",)),),
        (standing().model_copy(update={"merchant_id": "M-2"}),),
        (standing().model_copy(update={"profile": "cn-2026"}),),
    ],
    ids=["none", "ended", "dearer", "reason", "kind", "merchant", "profile"],
)
def test_what_does_not_fit_waits_for_the_merchant(without: tuple[StandingOrderVersion, ...]) -> None:  # G4
    interpreter = told(*without)

    case = refunds(interpreter, "O-1")

    assert stage(interpreter, case) is StageName.MERCHANT_REVIEW
    assert [each.event for each in interpreter.log(case)] == ["opened"]
    assert interpreter.act(case, Approve(key="c-1", by=MERCHANT)) is None


def test_one_that_has_none_writes_no_more_steps_than_before() -> None:  # G4
    with_others, alone = told(standing(up_to=1)), told()

    cases = [refunds(each, "O-1") for each in (with_others, alone)]

    steps = [each.view(case).steps for each, case in zip((with_others, alone), cases, strict=True)]
    assert steps == [0, 0]


def test_a_day_has_its_limit_and_the_next_one_its_own() -> None:  # G4, G6
    interpreter = told(standing())
    first, second = refunds(interpreter, "O-1"), refunds(interpreter, "O-2")
    cheap = refunds(interpreter, "O-3", 5_000)

    assert [stage(interpreter, each) is StageName.MERCHANT_REVIEW for each in (first, second, cheap)] == [
        False,
        True,
        False,
    ]
    interpreter.pass_time(hours=1)  # midnight in Shanghai, and four in the afternoon in UTC
    assert stage(interpreter, refunds(interpreter, "O-4")) is not StageName.MERCHANT_REVIEW
    assert stage(interpreter, second) is StageName.MERCHANT_REVIEW


def test_a_buyer_with_many_cases_waits() -> None:  # G4
    interpreter = told(standing(most_cases=1, days=30, up_to=100, most_a_day=1000))

    decided = [stage(interpreter, refunds(interpreter, f"O-{each}", 100)) for each in range(3)]
    interpreter.pass_time(days=31)
    later = stage(interpreter, refunds(interpreter, "O-9", 100))

    assert [each is StageName.MERCHANT_REVIEW for each in (*decided, later)] == [False, False, True, False]


def test_a_return_is_agreed_to_where_there_is_an_address_for_it() -> None:  # G4, T1, T2
    order_for_returns = standing(kinds=("return",))
    there, nowhere = told(order_for_returns), told(order_for_returns)

    agreed, waits = returns(there), returns(nowhere, address=False)

    assert stage(there, agreed) is StageName.AWAITING_RETURN
    assert stage(nowhere, waits) is StageName.RETURN_REVIEW
    assert [each.event for each in nowhere.log(waits)] == ["opened"]


def test_cheap_goods_need_not_come_back() -> None:  # G4, T1
    cheap = standing(kinds=("return",), does="refund_without_return", up_to=3_000)
    interpreter, dear = told(cheap), told(cheap)

    case, other = returns(interpreter), returns(dear, amount=3_001)
    interpreter.pass_time(minutes=10)

    assert stage(dear, other) is StageName.RETURN_REVIEW
    outcome = interpreter.outcome(case)
    assert outcome
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert "refunded_directly" in {each.event for each in interpreter.log(case)}
    assert interpreter.ledger.refunded("order/O-R") == 3_000


def test_what_is_applied_for_again_may_fit() -> None:  # G4, R6
    interpreter = told(standing(up_to=4_000))
    case = refunds(interpreter, "O-1", shipped=True)
    assert stage(interpreter, case) is StageName.SHIPPED_REVIEW
    reject = Reject(key="c-1", by=MERCHANT, reason=RejectReason.AMOUNT_TOO_HIGH, evidence=EVIDENCE)
    assert interpreter.act(case, reject) is None
    asked = {"lines": (LineAmount(line="1", quantity=1, amount=4_000),), "reason": RefundReason.OTHER}

    assert interpreter.act(case, Amend.model_validate({"key": "c-2", "by": BUYER, **asked})) is None
    interpreter.pass_time(minutes=10)

    lines = {each.event: each for each in interpreter.log(case)}
    assert lines["approved"].facts["standing_order"] == 1
    assert lines["approved"].by == MERCHANT
    assert interpreter.ledger.refunded("order/O-1") == 4_000


def test_goods_that_ship_while_the_case_opens_are_not_paid_blindly(monkeypatch: pytest.MonkeyPatch) -> None:  # G4, R7
    def shipped(_request: object, found: Opened, *_: object) -> Opened:
        return found.model_copy(update={"shipped_since": LATE})

    monkeypatch.setattr(opening, "shipped_meanwhile", shipped)
    interpreter = told(standing())

    case = refunds(interpreter, "O-1")
    interpreter.pass_time(minutes=10)

    assert stage(interpreter, case) is StageName.RETURN_REVIEW
    assert interpreter.ledger.refunded("order/O-1") == 0


def profile(**fields: object) -> Policy:
    found = Policies().get("douyin")
    assert found
    return found.model_copy(update={"standing_orders": found.standing_orders.model_copy(update=fields)})


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kinds": ("return",)}, "kinds"),
        ({"reasons": ("no_such",)}, "reasons"),
        ({"up_to": 20_001, "most_a_day": 30_000}, "up_to"),
        ({"kinds": ("return",), "does": "refund_without_return", "up_to": 5_001}, "kinds"),
        ({"most_a_day": 1_000_001}, "most_a_day"),
    ],
)
def test_a_merchant_may_not_order_more_than_its_profile_allows(fields: dict[str, object], field: str) -> None:  # G4
    policy = profile(kinds=KINDS)

    refusal = refused_terms(terms(**fields), policy)

    assert refusal
    assert (refusal.code, refusal.field, refusal.rule) == ("not_allowed", field, "G4")
    assert refused_terms(terms(), policy) is None


def test_a_profile_that_allows_less_than_it_did_is_kept_to() -> None:  # G4
    interpreter = told(standing())
    interpreter.policies["douyin"] = profile(up_to=9_999)

    assert stage(interpreter, refunds(interpreter, "O-1")) is StageName.MERCHANT_REVIEW
    assert stage(interpreter, refunds(interpreter, "O-2", 9_999)) is not StageName.MERCHANT_REVIEW


def test_a_profile_allows_none_unless_it_says_so() -> None:  # G4
    for name in Policies().names():
        found = Policies().get(name)
        assert found
        assert bool(found.standing_orders.kinds) is (name in {"douyin", "cn-2026"})


@given(
    amounts=st.lists(st.integers(1, 20_000), max_size=40),
    caps=st.lists(st.integers(1, 50_000), min_size=1, max_size=4),
    in_all=st.integers(0, 80_000),
)
def test_no_day_costs_more_than_was_said(amounts: list[int], caps: list[int], in_all: int) -> None:  # G4
    orders = [standing(number, up_to=20_000, most_a_day=cap) for number, cap in enumerate(caps, start=1)]
    policy = profile(most_a_day=in_all)
    spent: dict[int, int] = {}

    for amount in amounts:
        by = deciding(orders, policy, amount, Known(by_number=spent, cases={}))
        if by:
            spent[by.number] = spent.get(by.number, 0) + amount
        else:
            no_room = sum(spent.values()) + amount > in_all
            assert no_room or all(spent.get(each.number, 0) + amount > each.terms.most_a_day for each in orders)

    assert sum(spent.values()) <= in_all
    assert all(spent.get(each.number, 0) <= each.terms.most_a_day for each in orders)


def test_a_day_begins_where_the_profile_is() -> None:  # G4, G6
    assert day_began(LATE, Place()) == datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert day_began(LATE + timedelta(hours=1), Place()) == datetime(2026, 3, 2, 16, tzinfo=UTC)


def test_only_a_merchant_gives_its_orders_and_only_returns_can_do_without_the_goods() -> None:  # G4
    asked = {"merchant_id": "M-1", "profile": "douyin", "terms": terms().model_dump()}
    for by in (merchant("M-2"), buyer("M-1")):
        with pytest.raises(ValidationError, match="G4"):
            SetStandingOrder.model_validate({**asked, "by": by})
    with pytest.raises(ValidationError, match="G4"):
        terms(does="refund_without_return")

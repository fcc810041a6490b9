"""Which legs a payout takes (R4, R8)."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from workflows.messages.message import Identifier
from workflows.messages.orders import AllowanceFacts, OrderFacts, OrderLine, Tender
from workflows.messages.payouts import Leg, Part, Payout, Reservation, TenderKind
from workflows.messages.requests import BankTransfer, Method, OriginalRoute
from workflows.rules.allocation import (
    FundPart,
    allowance_parts,
    order_parts,
    plan_legs,
    refund_number,
)

ORDER = (TenderKind.WALLET, TenderKind.DEBIT_CARD)
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def payout(
    wanted: dict[str, int],
    *,
    number: int = 1,
    method: Method | None = None,
    order: tuple[TenderKind, ...] = ORDER,
) -> Payout:
    return Payout(
        case_id="refund/2001/k1",
        number=number,
        fund="order/2001",
        merchant_id="m1",
        currency="CNY",
        method=method or OriginalRoute(),
        wanted=tuple(Part(name=name, amount=amount) for name, amount in wanted.items()),
        tender_order=order,
    )


def fund(lines: dict[str, int], tenders: dict[str, tuple[TenderKind, int]]) -> list[FundPart]:
    return [
        *(FundPart(name, paid) for name, paid in lines.items()),
        *(FundPart(f"tender:{name}", paid, kind) for name, (kind, paid) in tenders.items()),
    ]


def planned(plan: tuple[Leg, ...] | Reservation) -> tuple[Leg, ...]:
    assert isinstance(plan, tuple), plan
    return plan


def amounts(leg: Leg) -> dict[str, int]:
    return {part.name: part.amount for part in leg.parts}


def test_the_original_route_goes_back_in_the_policys_order() -> None:
    parts = fund(
        {"line:1": 900, "freight": 100},
        {
            "z": (TenderKind.CREDIT_CARD, 300),
            "c": (TenderKind.DEBIT_CARD, 200),
            "b": (TenderKind.WALLET, 250),
            "a": (TenderKind.WALLET, 250),
        },
    )

    legs = planned(plan_legs(payout({"line:1": 850, "freight": 50}), parts))

    assert [(leg.tender, leg.tender_kind, leg.amount) for leg in legs] == [
        ("a", TenderKind.WALLET, 250),
        ("b", TenderKind.WALLET, 250),
        ("c", TenderKind.DEBIT_CARD, 200),
        ("z", TenderKind.CREDIT_CARD, 200),
    ]
    assert amounts(legs[3]) == {"line:1": 150, "freight": 50, "tender:z": 200}
    assert len({leg.refund_no for leg in legs}) == 4


def test_a_tender_that_is_used_up_takes_no_leg() -> None:
    parts = fund({"line:1": 500}, {"a": (TenderKind.WALLET, 200), "c": (TenderKind.DEBIT_CARD, 300)})
    parts[0] = replace(parts[0], settled=200)
    parts[1] = replace(parts[1], settled=200)

    (leg,) = planned(plan_legs(payout({"line:1": 100}), parts))

    assert (leg.tender, amounts(leg)) == ("c", {"line:1": 100, "tender:c": 100})


def test_a_bank_transfer_is_one_leg_that_uses_the_tenders_up() -> None:
    parts = fund({"line:1": 500}, {"a": (TenderKind.WALLET, 200), "c": (TenderKind.DEBIT_CARD, 300)})

    (leg,) = planned(plan_legs(payout({"line:1": 450}, method=BankTransfer(account="vault:a/1")), parts))

    assert (leg.tender, leg.tender_kind, leg.amount) == (None, None, 450)
    assert amounts(leg) == {"line:1": 450, "tender:a": 200, "tender:c": 250}


def test_an_allowance_goes_back_to_what_it_was_paid_in_with() -> None:
    """A1: the guide's example, 72.00 of 80.00."""
    allowance = AllowanceFacts(
        allowance_id="al1",
        marketplace="douyin",
        merchant_id="m1",
        buyer_id="b1",
        currency="CNY",
        principal=8000,
        bonus=2000,
        spent=1000,
        tender_kind=TenderKind.DEBIT_CARD,
        valid_until=NOON,
    )
    (leg,) = planned(plan_legs(payout({"principal": 7200}), allowance_parts(allowance)))
    assert (leg.tender, leg.tender_kind) == ("principal", TenderKind.DEBIT_CARD)
    assert amounts(leg) == {"principal": 7200, "tender:principal": 7200}


def test_an_orders_parts() -> None:
    order = OrderFacts(
        order_no="2001",
        marketplace="douyin",
        merchant_id="m1",
        buyer_id="b1",
        currency="CNY",
        lines=(OrderLine(line="1", sku="s", quantity=1, paid=500), OrderLine(line="2", sku="s", quantity=1, paid=0)),
        freight=20,
        tenders=(Tender(tender="w", kind=TenderKind.WALLET, paid=520),),
        paid_at=NOON,
    )
    assert order_parts(order) == (
        FundPart("line:1", 500),
        FundPart("line:2", 0),
        FundPart("freight", 20),
        FundPart("tender:w", 520, TenderKind.WALLET),
    )


@pytest.mark.parametrize(
    ("settled", "held", "wanted", "expected"),
    [
        (0, 0, 500, None),
        (0, 0, 501, Reservation.EXHAUSTED),
        (0, 400, 101, Reservation.CONTENDED),
        (400, 0, 101, Reservation.EXHAUSTED),
        (300, 100, 200, Reservation.CONTENDED),
        (300, 100, 201, Reservation.EXHAUSTED),
        (300, 100, 100, None),
        (600, 0, 1, Reservation.EXHAUSTED),
    ],
)
def test_room_now_room_later_or_never(settled: int, held: int, wanted: int, expected: Reservation | None) -> None:
    parts = [
        replace(part, settled=settled, held=held) for part in fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)})
    ]
    plan = plan_legs(payout({"line:1": wanted}), parts)
    assert plan is expected if expected else isinstance(plan, tuple)


def test_one_part_without_room_refuses_the_whole_payout() -> None:
    parts = fund({"line:1": 500, "freight": 10}, {"a": (TenderKind.WALLET, 510)})
    assert plan_legs(payout({"line:1": 100, "freight": 11}), parts) is Reservation.EXHAUSTED
    assert plan_legs(payout({"line:1": 100, "line:9": 1}), parts) is Reservation.EXHAUSTED


def test_the_tenders_have_a_cap_of_their_own() -> None:
    parts = fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)})
    parts[1] = replace(parts[1], settled=100, held=300)
    assert plan_legs(payout({"line:1": 101}), parts) is Reservation.CONTENDED
    assert plan_legs(payout({"line:1": 401}), parts) is Reservation.EXHAUSTED


def test_the_same_part_twice_counts_twice() -> None:
    twice = payout({"line:1": 300}).model_copy(
        update={"wanted": (Part(name="line:1", amount=300), Part(name="line:1", amount=300))}
    )
    parts = fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)})
    assert plan_legs(twice, parts) is Reservation.EXHAUSTED


@pytest.mark.parametrize("wanted", [{}, {"tender:a": 5}, {"line:1": 5, "tender:a": 5}])
def test_a_payout_wants_goods_not_tenders(wanted: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="parts"):
        plan_legs(payout(wanted), fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)}))


def test_a_refund_number_is_made_of_what_it_pays() -> None:
    number = refund_number("refund/2001/" + "k" * 64, 3, 12)
    assert TypeAdapter(Identifier).validate_python(number) == number
    assert number == refund_number("refund/2001/" + "k" * 64, 3, 12)
    assert len({refund_number(case, payout, leg) for case in ("a", "b") for payout in (1, 2) for leg in (1, 2)}) == 8


_kinds = st.sampled_from(TenderKind)
_lines = st.dictionaries(st.sampled_from(["line:1", "line:2", "line:3", "freight"]), st.integers(1, 500), min_size=1)


@st.composite
def _funds(draw: st.DrawFn) -> list[FundPart]:
    """A fund whose tenders sum to its lines, as every order's do."""
    lines = draw(_lines)
    total = sum(lines.values())
    cuts = sorted({*draw(st.lists(st.integers(1, total), max_size=3)), total})
    tenders = {
        f"t{index}": (draw(_kinds), cut - before)
        for index, (before, cut) in enumerate(zip([0, *cuts], cuts, strict=False))
    }
    return fund(lines, tenders)


@given(
    parts=_funds(),
    wishes=st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from(["line:1", "line:2", "line:3", "freight"]), st.integers(1, 300), min_size=1
            ),
            st.booleans(),
            st.sampled_from(["held", "settled", "failed"]),
        ),
        max_size=12,
    ),
    order=st.permutations(list(TenderKind)).map(tuple),
)
def test_no_sequence_of_payouts_gives_more_than_was_paid(
    parts: list[FundPart], wishes: list[tuple[dict[str, int], bool, str]], order: tuple[TenderKind, ...]
) -> None:
    book = {part.name: part for part in parts}
    for number, (wanted, by_bank, fate) in enumerate(wishes, start=1):
        method = BankTransfer(account="vault:a/1") if by_bank else OriginalRoute()
        wish = payout(wanted, number=number, method=method, order=order)
        plan = plan_legs(wish, book.values())
        assert plan == plan_legs(wish, reversed(book.values())), "the order of the fund's parts does not matter"
        if isinstance(plan, Reservation):
            lacking = [name for name, amount in wanted.items() if name not in book or amount > book[name].room]
            assert lacking, "none is refused while there is room"
            never = any(name not in book or amount > book[name].room_at_best for name, amount in wanted.items())
            assert plan is (Reservation.EXHAUSTED if never else Reservation.CONTENDED)
            continue
        given_back: dict[str, int] = {}
        for leg in plan:
            tenders = sum(part.amount for part in leg.parts if part.name.startswith("tender:"))
            goods = sum(part.amount for part in leg.parts if not part.name.startswith("tender:"))
            assert leg.amount == tenders == goods
            for part in leg.parts:
                given_back[part.name] = given_back.get(part.name, 0) + part.amount
        assert {name: amount for name, amount in given_back.items() if not name.startswith("tender:")} == wanted
        for name, amount in given_back.items():
            part = book[name]
            match fate:
                case "held":
                    book[name] = replace(part, held=part.held + amount)
                case "settled":
                    book[name] = replace(part, settled=part.settled + amount)
                case _:
                    pass
            assert book[name].settled + book[name].held <= part.paid

"""Which legs a payout takes (R4, R8, R14, D8, L3, T4)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from workflows.messages.message import Identifier
from workflows.messages.orders import AllowanceFacts, OrderFacts, OrderLine, Tender
from workflows.messages.payouts import Leg, Part, Payout, Remainder, Reservation, TenderKind
from workflows.messages.requests import BankTransfer, Method, OriginalRoute
from workflows.rules.allocation import (
    Again,
    FundPart,
    allowance_parts,
    compensation_parts,
    order_parts,
    plan_again,
    plan_legs,
    refund_number,
)

ORDER = (TenderKind.WALLET, TenderKind.DEBIT_CARD)
BANK = BankTransfer(account="vault:a/1")
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def payout(
    wanted: dict[str, int],
    *,
    number: int = 1,
    method: Method | None = None,
    order: tuple[TenderKind, ...] = ORDER,
    remainder: Remainder | None = None,
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
        remainder=remainder,
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

    (leg,) = planned(plan_legs(payout({"line:1": 450}, method=BANK), parts))

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


def test_compensation_goes_to_the_wallet_up_to_what_is_owed() -> None:
    # L3
    parts = compensation_parts(3_000)
    (leg,) = planned(plan_legs(payout({"compensation": 3_000}), parts))
    assert (leg.tender, leg.tender_kind) == ("wallet", TenderKind.WALLET)
    assert amounts(leg) == {"compensation": 3_000, "tender:wallet": 3_000}
    (leg,) = planned(plan_legs(payout({"compensation": 3_001}), parts))
    assert leg.amount == 3_000
    assert plan_legs(payout({"line:1": 1}), parts) is Reservation.EXHAUSTED


def test_cash_goes_back_by_bank_transfer_only() -> None:
    # T4
    parts = fund({"line:1": 500}, {"c": (TenderKind.CASH, 500)})

    assert plan_legs(payout({"line:1": 1}), parts) is Reservation.EXHAUSTED
    (leg,) = planned(plan_legs(payout({"line:1": 500}, method=BANK), parts))

    assert (leg.tender, leg.tender_kind) == (None, None)
    assert amounts(leg) == {"line:1": 500, "tender:c": 500}


def test_cash_has_no_room_for_the_original_route_whatever_holds_it() -> None:
    # T4
    parts = fund({"line:1": 500}, {"c": (TenderKind.CASH, 300), "w": (TenderKind.WALLET, 200)})

    (leg,) = planned(plan_legs(payout({"line:1": 200}), parts))
    assert amounts(leg) == {"line:1": 200, "tender:w": 200}
    (leg,) = planned(plan_legs(payout({"line:1": 201}), parts))
    assert amounts(leg) == {"line:1": 200, "tender:w": 200}
    parts[2] = replace(parts[2], held=1)
    assert plan_legs(payout({"line:1": 200}), parts) is Reservation.CONTENDED


def test_a_bank_transfer_leaves_to_the_cards_what_can_go_back_to_them() -> None:
    # T4
    parts = fund({"line:1": 500}, {"c": (TenderKind.CASH, 300), "w": (TenderKind.WALLET, 200)})
    (leg,) = planned(plan_legs(payout({"line:1": 350}, method=BANK, order=tuple(TenderKind)), parts))
    assert amounts(leg) == {"line:1": 350, "tender:c": 300, "tender:w": 50}


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
        (0, 0, 500, 500),
        (0, 0, 501, 500),
        (0, 400, 101, Reservation.CONTENDED),
        (400, 0, 101, 100),
        (300, 100, 200, Reservation.CONTENDED),
        (300, 100, 201, Reservation.CONTENDED),
        (300, 100, 100, 100),
        (499, 0, 500, 1),
        (500, 0, 1, Reservation.EXHAUSTED),
        (600, 0, 1, Reservation.EXHAUSTED),
        (0, 500, 1, Reservation.CONTENDED),
    ],
)
def test_what_is_left_now_later_or_never(settled: int, held: int, wanted: int, expected: Reservation | int) -> None:
    # R8, R14
    parts = [
        replace(part, settled=settled, held=held) for part in fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)})
    ]
    plan = plan_legs(payout({"line:1": wanted}), parts)
    assert (
        plan is expected if isinstance(expected, Reservation) else [leg.amount for leg in planned(plan)] == [expected]
    )


@pytest.mark.parametrize(
    ("settled", "held", "wanted", "expected"),
    [
        (0, 400, 101, 100),
        (300, 100, 201, 100),
        (300, 200, 1, Reservation.CONTENDED),
        (500, 0, 1, Reservation.EXHAUSTED),
    ],
)
def test_who_does_not_wait_takes_what_there_is(
    settled: int, held: int, wanted: int, expected: Reservation | int
) -> None:  # R14
    parts = [
        replace(part, settled=settled, held=held) for part in fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)})
    ]
    plan = plan_legs(payout({"line:1": wanted}).model_copy(update={"waits": False}), parts)
    assert (
        plan is expected if isinstance(expected, Reservation) else [leg.amount for leg in planned(plan)] == [expected]
    )


def test_who_does_not_wait_takes_what_counts_and_is_in_flight_for_paid() -> None:
    # D8, R14: nothing is paid twice
    parts = fund({"line:1": 1_000, "line:2": 100}, {"w": (TenderKind.WALLET, 1_100)})
    used(parts, held={"line:1": 300, "tender:w": 300})
    hasty = payout({"line:1": 800}, remainder=ALL).model_copy(update={"waits": False})

    (leg,) = planned(plan_legs(hasty, parts))

    assert amounts(leg) == {"line:1": 500, "tender:w": 500}
    small = payout({"line:1": 300}, remainder=ALL).model_copy(update={"waits": False})
    assert plan_legs(small, parts) is Reservation.CONTENDED, "it is not paid yet"
    used(parts, {"line:1": 300, "tender:w": 300}, {"line:1": -300, "tender:w": -300})
    assert plan_legs(small, parts) is Reservation.COVERED


def test_each_part_pays_what_is_left_of_it() -> None:
    # R14
    parts = fund({"line:1": 500, "line:2": 300, "freight": 10}, {"a": (TenderKind.WALLET, 810)})
    used(parts, {"line:1": 1, "freight": 10, "tender:a": 11})
    (leg,) = planned(plan_legs(payout({"line:1": 500, "line:2": 300, "freight": 10, "line:9": 1}), parts))
    assert amounts(leg) == {"line:1": 499, "line:2": 300, "tender:a": 799}


def test_the_tenders_have_a_cap_of_their_own() -> None:
    parts = fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)})
    parts[1] = replace(parts[1], settled=100, held=300)
    assert plan_legs(payout({"line:1": 101}), parts) is Reservation.CONTENDED
    parts[1] = replace(parts[1], held=0)
    (leg,) = planned(plan_legs(payout({"line:1": 401}), parts))
    assert leg.amount == 400


def test_the_same_part_twice_counts_twice() -> None:
    twice = payout({"line:1": 300}).model_copy(
        update={"wanted": (Part(name="line:1", amount=300), Part(name="line:1", amount=300))}
    )
    parts = fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)})
    (leg,) = planned(plan_legs(twice, parts))
    assert amounts(leg) == {"line:1": 500, "tender:a": 500}


@pytest.mark.parametrize("wanted", [{}, {"tender:a": 5}, {"line:1": 5, "tender:a": 5}])
def test_a_payout_wants_goods_not_tenders(wanted: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="parts"):
        plan_legs(payout(wanted), fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)}))


def test_a_refund_number_is_made_of_what_it_pays() -> None:
    number = refund_number("refund/2001/" + "k" * 64, 3, 12)
    assert TypeAdapter(Identifier).validate_python(number) == number
    assert number == refund_number("refund/2001/" + "k" * 64, 3, 12)
    assert len({refund_number(case, payout, leg) for case in ("a", "b") for payout in (1, 2) for leg in (1, 2)}) == 8


OWN = Remainder(counts="refund/2001/k0")
ALL = Remainder(counts=None)


def used(parts: list[FundPart], settled: dict[str, int] | None = None, held: dict[str, int] | None = None) -> None:
    """Enter in ``parts`` what of them is used, by the names of the parts."""
    settled, held = settled or {}, held or {}
    parts[:] = [
        replace(part, settled=part.settled + settled.get(part.name, 0), held=part.held + held.get(part.name, 0))
        for part in parts
    ]


@pytest.mark.parametrize(
    ("had", "expected"),
    [
        (0, 800),
        (300, 500),
        (799, 1),
        (800, Reservation.COVERED),
        (900, Reservation.COVERED),
    ],
)
def test_a_remainder_is_what_the_counted_case_has_not_paid(had: int, expected: int | Reservation) -> None:
    # D8
    parts = fund({"line:1": 1_000}, {"w": (TenderKind.WALLET, 1_000)})
    counted = list(parts)
    for each in (parts, counted):
        used(each, {"line:1": had, "tender:w": had})

    for remainder, of_the_case in ((OWN, counted), (ALL, None)):
        plan = plan_legs(payout({"line:1": 800}, remainder=remainder), parts, of_the_case)
        assert (
            plan is expected
            if isinstance(expected, Reservation)
            else [leg.amount for leg in planned(plan)] == [expected]
        )


def test_what_other_cases_paid_does_not_count_but_takes_its_room() -> None:
    # D8, R8
    parts = fund({"line:1": 1_000, "freight": 50}, {"w": (TenderKind.WALLET, 1_050)})
    nobody = list(parts)
    used(parts, {"line:1": 700, "tender:w": 700})
    wish = payout({"line:1": 800, "freight": 50}, remainder=OWN)

    (leg,) = planned(plan_legs(wish, parts, nobody))
    assert amounts(leg) == {"line:1": 300, "freight": 50, "tender:w": 350}

    used(parts, {"line:1": 300, "tender:w": 300})
    (leg,) = planned(plan_legs(wish, parts, nobody))
    assert amounts(leg) == {"freight": 50, "tender:w": 50}

    used(parts, {"freight": 50, "tender:w": 50})
    assert plan_legs(wish, parts, nobody) is Reservation.EXHAUSTED


def test_a_counted_payment_in_flight_is_waited_for_where_it_matters() -> None:
    # D8: dispute while a refund settles
    parts = fund({"line:1": 1_000, "line:2": 1_000}, {"w": (TenderKind.WALLET, 2_000)})
    used(parts, {"line:2": 500, "tender:w": 500}, {"line:1": 100, "tender:w": 100})

    assert plan_legs(payout({"line:1": 800}, remainder=ALL), parts) is Reservation.CONTENDED
    assert plan_legs(payout({"line:1": 100, "line:2": 600}, remainder=ALL), parts) is Reservation.CONTENDED
    assert plan_legs(payout({"line:2": 500}, remainder=ALL), parts) is Reservation.COVERED
    (leg,) = planned(plan_legs(payout({"line:2": 600}, remainder=ALL), parts))
    assert amounts(leg) == {"line:2": 100, "tender:w": 100}
    used(parts, {"line:1": 300, "tender:w": 300})
    (leg,) = planned(plan_legs(payout({"line:1": 300, "line:2": 600}, remainder=ALL), parts))
    assert amounts(leg) == {"line:2": 100, "tender:w": 100}, "what is missing hangs on nothing in flight"


def test_room_that_others_hold_is_waited_for_where_it_is_needed() -> None:
    # D8, R8
    parts = fund({"line:1": 1_000}, {"w": (TenderKind.WALLET, 1_000)})
    nobody = list(parts)
    used(parts, {"line:1": 100, "tender:w": 100}, {"line:1": 400, "tender:w": 400})

    (leg,) = planned(plan_legs(payout({"line:1": 500}, remainder=OWN), parts, nobody))
    assert leg.amount == 500
    assert plan_legs(payout({"line:1": 501}, remainder=OWN), parts, nobody) is Reservation.CONTENDED
    assert plan_legs(payout({"line:1": 5_000}, remainder=OWN), parts, nobody) is Reservation.CONTENDED


def test_where_the_tenders_lack_room_the_last_part_goes_short_first() -> None:
    # D8
    parts = fund({"line:1": 600, "line:2": 400}, {"c": (TenderKind.CASH, 300), "w": (TenderKind.WALLET, 700)})

    (leg,) = planned(plan_legs(payout({"line:2": 400, "line:1": 600}, remainder=ALL), parts))
    assert amounts(leg) == {"line:2": 400, "line:1": 300, "tender:w": 700}

    used(parts, {}, {"tender:w": 1})
    assert plan_legs(payout({"line:2": 400, "line:1": 600}, remainder=ALL), parts) is Reservation.CONTENDED
    used(parts, {"tender:w": 699})
    assert plan_legs(payout({"line:2": 400, "line:1": 600}, remainder=ALL), parts) is Reservation.CONTENDED
    used(parts, {"tender:w": 1}, {"tender:w": -1})
    assert plan_legs(payout({"line:2": 400, "line:1": 600}, remainder=ALL), parts) is Reservation.EXHAUSTED


def test_a_part_that_the_fund_does_not_have_gets_nothing() -> None:
    parts = fund({"line:1": 500}, {"w": (TenderKind.WALLET, 500)})
    (leg,) = planned(plan_legs(payout({"line:9": 100, "line:1": 100}, remainder=ALL), parts))
    assert amounts(leg) == {"line:1": 100, "tender:w": 100}
    assert plan_legs(payout({"line:9": 100}, remainder=ALL), parts) is Reservation.EXHAUSTED


_kinds = st.sampled_from([kind for kind in TenderKind if kind is not TenderKind.ALLOWANCE])  # A7: test_allowance_money
_names = st.sampled_from(["line:1", "line:2", "line:3", "freight"])
_lines = st.dictionaries(_names, st.integers(1, 500), min_size=1)


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


def _usable(wish: Payout, parts: Iterable[FundPart]) -> list[FundPart]:
    """T4: cash does not go back by the original route."""
    by_bank = isinstance(wish.method, BankTransfer)
    return [part for part in parts if part.tender and (by_bank or part.tender_kind is not TenderKind.CASH)]


def _left(wish: Payout, parts: Iterable[FundPart], room: Callable[[FundPart], int]) -> int:
    """What of ``wish`` there is room for (R14)."""
    book = {part.name: part for part in parts}
    by_part = sum(min(part.amount, room(book[part.name])) for part in wish.wanted if part.name in book)
    return min(by_part, sum(map(room, _usable(wish, book.values()))))


@given(
    parts=_funds(),
    wishes=st.lists(
        st.tuples(
            st.dictionaries(_names, st.integers(1, 300), min_size=1),
            st.booleans(),
            st.sampled_from(["held", "settled", "failed"]),
        ),
        max_size=12,
    ),
    order=st.permutations(list(TenderKind)).map(tuple),
)
def test_every_payout_gives_what_is_left_and_none_more_than_was_paid(
    parts: list[FundPart], wishes: list[tuple[dict[str, int], bool, str]], order: tuple[TenderKind, ...]
) -> None:
    book = {part.name: part for part in parts}
    for number, (wanted, by_bank, fate) in enumerate(wishes, start=1):
        wish = payout(wanted, number=number, method=BANK if by_bank else OriginalRoute(), order=order)
        plan = plan_legs(wish, book.values())
        assert plan == plan_legs(wish, reversed(book.values())), "the order of the fund's parts does not matter"
        at_best = _left(wish, book.values(), lambda part: part.room_at_best)
        if isinstance(plan, Reservation):
            assert (plan is Reservation.EXHAUSTED) == (at_best == 0), "R14: only where nothing is left is nothing paid"
            assert plan is Reservation.EXHAUSTED or any(part.held for part in book.values())
            continue
        assert sum(leg.amount for leg in plan) == at_best, "what is in flight does not change what is paid"
        given_back: dict[str, int] = {}
        for leg in plan:
            tenders = sum(part.amount for part in leg.parts if part.name.startswith("tender:"))
            goods = sum(part.amount for part in leg.parts if not part.name.startswith("tender:"))
            assert leg.amount == tenders == goods
            assert leg.tender_kind is not TenderKind.CASH
            for part in leg.parts:
                given_back[part.name] = given_back.get(part.name, 0) + part.amount
        goods_back = {name: amount for name, amount in given_back.items() if not name.startswith("tender:")}
        assert all(amount <= wanted[name] for name, amount in goods_back.items())
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


@dataclass
class _Uses:
    """What of each part one case has had back, and what its payments in flight hold."""

    settled: dict[str, int] = field(default_factory=dict[str, int])
    held: dict[str, int] = field(default_factory=dict[str, int])

    def take(self, legs: Iterable[Leg], fate: str) -> None:
        if fate != "failed":
            uses = self.settled if fate == "settled" else self.held
            for part in (part for leg in legs for part in leg.parts):
                uses[part.name] = uses.get(part.name, 0) + part.amount

    def end(self, fate: str) -> None:
        """All that is in flight settles or fails."""
        if fate == "settled":
            for name, amount in self.held.items():
                self.settled[name] = self.settled.get(name, 0) + amount
        self.held = {}


def _fund_of(paid: list[FundPart], cases: Iterable[_Uses]) -> list[FundPart]:
    parts = list(paid)
    for case in cases:
        used(parts, case.settled, case.held)
    return parts


def _by_name(legs: Iterable[Leg]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for part in (part for leg in legs for part in leg.parts if not part.name.startswith("tender:")):
        sums[part.name] = sums.get(part.name, 0) + part.amount
    return sums


@given(
    paid=_funds(),
    wishes=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.dictionaries(_names, st.integers(1, 600), min_size=1),
            st.sampled_from(["none", "all", 0, 1, 2]),
            st.booleans(),
            st.sampled_from(["held", "settled", "failed"]),
            st.none() | st.tuples(st.integers(0, 2), st.sampled_from(["settled", "failed"])),
        ),
        min_size=1,
        max_size=10,
    ),
)
def test_a_remainder_is_exactly_what_is_missing(
    paid: list[FundPart],
    wishes: list[tuple[int, dict[str, int], str | int, bool, str, tuple[int, str] | None]],
) -> None:
    """D8, R8: whatever three cases do on one order, in whatever order, and whatever is in flight."""
    cases = [_Uses(), _Uses(), _Uses()]
    for number, (who, wanted, counts, by_bank, fate, ending) in enumerate(wishes, start=1):
        if ending:
            cases[ending[0]].end(ending[1])
        method = BANK if by_bank else OriginalRoute()
        if counts == "none":
            plan = plan_legs(payout(wanted, number=number, method=method), _fund_of(paid, cases))
            if not isinstance(plan, Reservation):
                cases[who].take(plan, fate)
            continue
        counting = [cases[counts]] if isinstance(counts, int) else cases
        remainder = Remainder(counts=f"case/{counts}" if isinstance(counts, int) else None)
        wish = payout(wanted, number=number, method=method, remainder=remainder)

        def ask(wish: Payout = wish, counting: list[_Uses] = counting) -> tuple[Leg, ...] | Reservation:
            fund, counted = _fund_of(paid, cases), _fund_of(paid, counting)
            return plan_legs(wish, fund, None if counting is cases else counted)

        book = {part.name: part for part in _fund_of(paid, cases)}
        had = {part.name: part for part in _fund_of(paid, counting)}
        missing = {name: amount - had[name].settled if name in had else amount for name, amount in wanted.items()}
        missing = {name: amount for name, amount in missing.items() if amount > 0}
        due = {name: min(amount, book[name].room_at_best) for name, amount in missing.items() if name in book}
        purse = sum(part.room_at_best for part in _usable(wish, book.values()))
        plan = ask()
        match plan:
            case Reservation.COVERED:
                assert not missing
            case Reservation.EXHAUSTED:
                assert missing
                assert min(sum(due.values()), purse) == 0
            case Reservation.CONTENDED:
                counted_in_flight = any(name in had and had[name].held for name in missing)
                assert counted_in_flight or any(part.held for part in book.values())
                assert (
                    counted_in_flight
                    or any(amount > book[name].room for name, amount in due.items())
                    or min(sum(due.values()), purse) > sum(part.room for part in _usable(wish, book.values()))
                ), "none waits while there is room"
            case Reservation.RESERVED:
                raise AssertionError("a plan is its legs")
            case legs:
                assert not any(name in had and had[name].held for name in missing), "counted legs are waited for"
                given_back = _by_name(legs)
                assert sum(given_back.values()) == min(sum(due.values()), purse)
                short = False
                for name, amount in due.items():
                    got = given_back.get(name, 0)
                    assert got <= min(amount, book[name].room), "never more than is missing, nor than there is room"
                    assert not (short and got), "the last part goes short first"
                    short = short or got < amount
                before = [_Uses(dict(case.settled), dict(case.held)) for case in cases]
                for end in ("settled", "failed"):
                    for case in cases:
                        case.end(end)
                    after = ask()
                    assert isinstance(after, tuple)
                    assert _by_name(after) == given_back, "what is in flight does not change what is paid"
                    for case, earlier in zip(cases, before, strict=True):
                        case.settled, case.held = dict(earlier.settled), dict(earlier.held)
                cases[who].take(legs, fate)
        for part in _fund_of(paid, cases):
            assert part.settled + part.held <= part.paid


def _failed(legs: Iterable[Leg]) -> dict[str, tuple[Part, ...]]:
    return {leg.refund_no: leg.parts for leg in legs}


def test_a_failed_leg_keeps_its_number_as_long_as_its_amount() -> None:
    # R14, section 10: a provider knows a number by its amount
    parts = fund({"line:1": 500}, {"a": (TenderKind.WALLET, 200), "c": (TenderKind.DEBIT_CARD, 300)})
    wish = payout({"line:1": 400})
    of_a, of_c = planned(plan_legs(wish, parts))
    used(parts, {"line:1": 200, "tender:a": 200})

    assert plan_again(wish, _failed([of_c]), parts, owed=None, first=3) == Again(kept=(of_c.refund_no,))

    used(parts, {"line:1": 150, "tender:c": 150})
    less = plan_again(wish, _failed([of_c]), parts, owed=None, first=3)
    assert (less.kept, less.retired, less.held) == ((), (of_c.refund_no,), ())
    (instead,) = less.instead
    assert (instead.refund_no, amounts(instead)) == (
        refund_number(wish.case_id, 1, 3),
        {"line:1": 150, "tender:c": 150},
    )
    assert instead.refund_no not in {of_a.refund_no, of_c.refund_no}

    used(parts, {"line:1": 150, "tender:c": 150})
    assert plan_again(wish, _failed([of_c]), parts, owed=None, first=3) == Again(retired=(of_c.refund_no,))


def test_what_is_left_is_paid_by_whatever_tender_has_room() -> None:
    # R14, R4
    parts = fund({"line:1": 60, "line:2": 40}, {"a": (TenderKind.WALLET, 50), "b": (TenderKind.WALLET, 50)})
    wish = payout({"line:1": 60})
    of_a, of_b = planned(plan_legs(wish, parts))
    used(parts, {"line:1": 10, "tender:b": 10})
    (other,) = planned(plan_legs(payout({"line:2": 40}, number=2), parts))
    used(parts, amounts(other))
    assert (amounts(of_a), amounts(of_b), amounts(other)) == (
        {"line:1": 50, "tender:a": 50},
        {"line:1": 10, "tender:b": 10},
        {"line:2": 40, "tender:a": 40},
    )

    again = plan_again(wish, _failed([of_a]), parts, owed=None, first=3)

    assert again.retired == (of_a.refund_no,)
    assert [amounts(leg) for leg in again.instead] == [
        {"line:1": 10, "tender:a": 10},
        {"line:1": 40, "tender:b": 40},
    ]


def test_room_that_is_held_is_waited_for_unless_an_officer_says_otherwise() -> None:
    # R8, R14
    parts = fund({"line:1": 500}, {"a": (TenderKind.WALLET, 500)})
    wish = payout({"line:1": 400})
    (leg,) = planned(plan_legs(wish, parts))
    used(parts, held={"line:1": 300, "tender:a": 300})

    assert plan_again(wish, _failed([leg]), parts, owed=None, first=2) == Again(held=(leg.refund_no,))

    hasty = wish.model_copy(update={"waits": False})
    again = plan_again(hasty, _failed([leg]), parts, owed=None, first=2)
    assert (again.retired, [each.amount for each in again.instead]) == ((leg.refund_no,), [200])


def test_a_remainder_that_was_paid_meanwhile_is_not_paid_again() -> None:
    # D8, A6: there is room, and nothing is owed any more
    parts = fund({"principal": 8_000}, {"principal": (TenderKind.WALLET, 8_000)})
    wish = payout({"principal": 7_200}, remainder=ALL)
    (leg,) = planned(plan_legs(wish, parts))
    used(parts, {"principal": 7_200, "tender:principal": 7_200})

    assert plan_again(wish, _failed([leg]), parts, owed={}, first=2) == Again(retired=(leg.refund_no,))
    again = plan_again(wish, _failed([leg]), parts, owed={"principal": 50}, first=2)
    assert [amounts(each) for each in again.instead] == [{"principal": 50, "tender:principal": 50}]


@given(
    parts=_funds(),
    wanted=st.dictionaries(_names, st.integers(1, 600), min_size=1),
    by_bank=st.booleans(),
    fates=st.lists(st.booleans(), min_size=4, max_size=4),
    others=st.lists(
        st.tuples(st.dictionaries(_names, st.integers(1, 300), min_size=1), st.booleans(), st.booleans()), max_size=4
    ),
    waits=st.booleans(),
)
def test_what_was_declined_is_paid_as_far_as_it_is_left(
    parts: list[FundPart],
    wanted: dict[str, int],
    by_bank: bool,
    fates: list[bool],
    others: list[tuple[dict[str, int], bool, bool]],
    waits: bool,
) -> None:
    """R8, R14, section 10: whatever others do between the failure and the retry."""
    wish = payout(wanted, method=BANK if by_bank else OriginalRoute()).model_copy(update={"waits": waits})
    legs = plan_legs(wish, parts)
    if isinstance(legs, Reservation):
        return
    failed = [leg for leg, fails in zip(legs, fates, strict=False) if fails]
    for leg in legs:
        if leg not in failed:
            used(parts, amounts(leg))
    for number, (theirs, bank, settles) in enumerate(others, start=2):
        plan = plan_legs(payout(theirs, number=number, method=BANK if bank else OriginalRoute()), parts)
        for leg in plan if isinstance(plan, tuple) else ():
            used(parts, *((amounts(leg), {}) if settles else ({}, amounts(leg))))

    again = plan_again(wish, _failed(failed), parts, owed=None, first=len(legs) + 1)

    numbers = {leg.refund_no for leg in failed}
    assert sorted((*again.kept, *again.retired, *again.held)) == sorted(numbers), "each has one fate"
    assert not {leg.refund_no for leg in again.instead} & {leg.refund_no for leg in legs}, "a number has one amount"
    asked = _by_name(failed)
    paid = [*(leg for leg in failed if leg.refund_no in again.kept), *again.instead]
    assert all(amount <= asked[name] for name, amount in _by_name(paid).items())
    for name, amount in ((part.name, part.amount) for leg in paid for part in leg.parts):
        place = next(index for index, part in enumerate(parts) if part.name == name)
        assert amount <= parts[place].room
        parts[place] = replace(parts[place], held=parts[place].held + amount)
    before = [replace(part) for part in parts]
    left = payout(asked, method=wish.method) if asked else None
    if left and not again.held and waits:
        in_hand = {
            part.name: sum(each.amount for leg in paid for each in leg.parts if each.name == part.name)
            for part in parts
        }
        at_best = [replace(part, held=part.held - in_hand[part.name]) for part in before]
        assert sum(leg.amount for leg in paid) == _left(left, at_best, lambda part: part.room_at_best)
    assert (
        waits
        or not again.held
        or not any(
            _left(payout({name: amount}, method=wish.method), before, lambda part: part.room)
            for name, amount in asked.items()
        )
    ), "who does not wait is held up only where there is no room at all"

"""D8, R13: what counts as paid already where a ruling pays only the remainder."""

from hypothesis import given
from hypothesis import strategies as st

from workflows.messages.pieces import CasePieces, LinePieces, PieceUse
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.allocation import FundPart
from workflows.rules.matters import Matter
from workflows.rules.paid_before import but_for_goods_back, disputes_that_count


def back(**amounts: int) -> CasePieces:
    lines = (LinePieces(line=line.removeprefix("line_"), quantity=1, amount=paid) for line, paid in amounts.items())
    return CasePieces(use=PieceUse.BACK, lines=tuple(lines))


def test_only_what_was_paid_for_what_is_back_is_left_out() -> None:  # D8, R13
    fund = [
        FundPart("line:1", 300, settled=200),
        FundPart("line:2", 100, settled=50),
        FundPart("freight", 9, settled=9),
    ]
    of_case = [FundPart("line:1", 300, settled=130), FundPart("freight", 9, settled=9)]

    counted = but_for_goods_back(fund, [(back(line_1=100, line_3=7), of_case)])

    assert {part.name: part.settled for part in counted} == {"line:1": 100, "line:2": 50, "freight": 9}


def test_what_was_promised_for_them_and_not_paid_takes_nothing_away() -> None:  # D8, R14
    fund = [FundPart("line:1", 300, settled=40, held=10)]

    (counted,) = but_for_goods_back(fund, [(back(line_1=100), [FundPart("line:1", 300, settled=30, held=10)])])

    assert (counted.settled, counted.held) == (10, 0)


@given(paid=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 90)), max_size=4))
def test_nothing_is_left_out_twice(paid: list[tuple[int, int, int]]) -> None:  # R8
    fund = [FundPart("line:1", 400, settled=sum(each[0] for each in paid), held=sum(each[1] for each in paid))]
    cases = [(back(line_1=amount), [FundPart("line:1", 400, settled=s, held=h)]) for s, h, amount in paid]

    (counted,) = but_for_goods_back(fund, cases)

    assert counted.settled == sum(max(settled - amount, 0) for settled, _, amount in paid)
    assert counted.settled + counted.held == sum(max(settled + held - amount, 0) for settled, held, amount in paid)


def test_disputes_about_a_case_and_about_its_lines_as_a_whole_count() -> None:  # D8, D10
    def matter(case_id: str, about: str | None, kind: CaseKind = CaseKind.DISPUTE) -> Matter:
        closed = OutcomeKind.CLOSED_BY_OFFICER
        return Matter(case_id, kind, StageName.CLOSED, StageName.CLOSED, closed, about, 100, 60, None)

    others = [
        matter("d1", "c1"),
        matter("d2", None),
        matter("d3", "c2"),
        matter("c2", None, CaseKind.SHIPPED_REFUND),
        matter("f1", "c1", CaseKind.RETURN_FREIGHT),
    ]

    assert disputes_that_count("c1", others) == ["d1", "d2"]

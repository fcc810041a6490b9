"""Workers rolled from one version to the next under load: every case ends right, and what does not is found."""

import math
import shutil
from collections import Counter
from datetime import UTC, datetime

import pytest

from activities.postgres.books import BookLine
from starter.cluster.check import noticed, on_versions, paid_once, written
from starter.cluster.load import AMOUNT, Life, Plan, problems
from starter.cluster.roll import BadRelease
from starter.cluster.run import Scale, roll_on
from starter.settings import Settings
from starter.stack import Stack
from workflows.messages.actors import Role
from workflows.messages.cases import Outcome
from workflows.messages.commands import GatewayResult
from workflows.messages.money import Money
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.stages import CaseKind, OutcomeKind
from workflows.rules.allocation import refund_number


@pytest.mark.slow  # fourteen processes, and a payment whose worker is killed waits for its time limit
async def test_a_roll_under_load_loses_nothing(stack: Stack, settings: Settings, database: str) -> None:
    said: list[str] = []

    # However long it takes: how soon a bad release is named depends on what else the machine does.
    scale = Scale(versions=2, at_a_time=4, named_within=math.inf)

    report = await roll_on(settings, stack, scale, lambda event: said.append(event.what))

    assert report.differences == ()
    assert report.ok
    expected = Counter({"refunded by merchant": 0, "refunded by clock": 0, "withdrawn by buyer": 0})
    for plan, number in report.plans.items():
        kind, who = Plan(plan).ends
        expected[f"{kind} by {who}"] += number
    assert report.outcomes == dict(expected)
    assert all(expected.values())
    assert report.moved >= 1
    assert sum(report.versions.values()) + report.moved == report.opened
    assert {"v1", "v2"} <= set(report.versions) <= {"v1", "v2", "bad"}
    codes = Counter((each.ending, each.exit_code) for each in report.workers)
    assert codes == {("drained", 0): 13, ("killed", -9): 2}
    # The payment in whose middle a worker was killed was tried again, and paid once.
    assert report.activities_again >= 1
    refunds = report.opened - expected["withdrawn by buyer"]
    assert report.money.refunds == refunds
    assert report.money.cases == report.money.ledger == report.money.gateway == refunds * AMOUNT
    assert report.unsent_notices == 0
    assert "v2 is current" in said
    # The third release fails at what cases are told: it is named, takes no new cases, and its cases are moved.
    assert report.workflow_tasks.failed >= 1
    assert report.bad_release is not None
    expected_name = "TemporalWorkflowTasksFail" if shutil.which("prometheus") else "TemporalReportedProblems"
    assert report.bad_release.named_by == expected_name
    assert said.index("bad takes 5 % of new cases") < said.index("bad takes no new cases")


def ended(outcome: OutcomeKind, by: Role, paid: int) -> Outcome:
    return Outcome(
        case_id="refund/o/k",
        kind=CaseKind.UNSHIPPED_REFUND,
        outcome=outcome,
        refunded=Money(amount=paid, currency="CNY") if paid else None,
        decided_by=by,
        rule="R1",
        closed_at=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    ("life", "found"),
    [
        (Life("o", Plan.SILENT, 0, outcome=ended(OutcomeKind.REFUNDED, Role.CLOCK, AMOUNT)), ""),
        (Life("o", Plan.WITHDRAWN, 0, outcome=ended(OutcomeKind.WITHDRAWN, Role.BUYER, 0)), ""),
        (Life("o", Plan.APPROVED, 0, outcome=ended(OutcomeKind.REFUNDED, Role.CLOCK, AMOUNT)), "by clock"),
        (Life("o", Plan.APPROVED, 0, outcome=ended(OutcomeKind.REFUNDED, Role.MERCHANT, 1)), "1 paid back"),
        (Life("o", Plan.WITHDRAWN, 0, outcome=ended(OutcomeKind.REFUNDED, Role.CLOCK, AMOUNT)), "found refunded"),
        (Life("o", Plan.APPROVED, 0), "has not ended"),
        (Life("o", Plan.APPROVED, 0, problem="UnknownCase: o"), "UnknownCase"),
    ],
)
def test_a_case_that_did_not_end_as_planned_is_named(life: Life, found: str) -> None:
    named = problems([life])
    assert [found in each and "the case on o" in each for each in named] == ([True] if found else [])


def line(number: int, *, ours: int | None = AMOUNT, theirs: int | None = AMOUNT) -> BookLine:
    return BookLine(
        refund_no=refund_number("c", number, 1),
        case_id=None if ours is None else "c",
        currency="CNY",
        ours=ours,
        our_state=None if ours is None else LegState.SUCCEEDED,
        paid_by=None if ours is None else PaidBy.GATEWAY,
        theirs=theirs,
        their_result=None if theirs is None else GatewayResult.SUCCEEDED,
        equal=ours == theirs,
    )


@pytest.mark.parametrize(
    ("says", "lines", "right"),
    [
        (AMOUNT, [line(1)], True),
        (0, [], True),
        (AMOUNT, [], False),
        (AMOUNT, [line(1), line(2)], False),
        (AMOUNT, [line(1), line(2, ours=None)], False),
        (AMOUNT, [line(1, theirs=AMOUNT + 1)], False),
        (AMOUNT, [line(1, theirs=None)], False),
        (0, [line(1)], False),
        (0, [line(1, ours=None)], False),
    ],
)
def test_money_that_is_not_paid_exactly_once_is_named(says: int, lines: list[BookLine], right: bool) -> None:
    paid, found = paid_once({"c": says}, lines)
    assert [each.startswith("c: ") for each in found] == ([] if right else [True])
    assert paid.gateway == sum(each.theirs or 0 for each in lines)
    assert paid.refunds == sum(each.theirs is not None for each in lines)


def test_a_case_that_changed_its_version_is_named_and_a_version_that_had_none() -> None:
    carried = {
        "a": ("v1",),
        "b": ("v2",),
        "c": ("v1", "v2"),
        "d": ("",),
        "e": (),
        "f": ("bad", "v2"),
        "g": ("bad",),
        "h": ("bad", "v1"),
    }
    assert on_versions(carried, ("v1", "v2", "v3"), moved=("bad", "v2")) == (
        "c: carried by v1 and v2",
        "d: carried by (no version)",
        "e: carried by nobody",
        "h: carried by bad and v1",
        "no case began on v3",
    )
    assert on_versions({"a": ("v1",)}, ("v1",), moved=("bad", "v1")) == ("no case began on bad",)


def test_a_bad_release_that_nobody_names_in_time_is_a_difference() -> None:
    bad = BadRelease(build="bad", percentage=5, named_by="TemporalWorkflowTasksFail", seconds=180)
    assert noticed(bad, 180) == ()
    assert noticed(bad.model_copy(update={"seconds": 181.0}), 180) == (
        "TemporalWorkflowTasksFail named bad after 181 s, more than 180",
    )


def test_a_case_book_that_says_something_else_is_named() -> None:
    rows = {"a": ("refunded", 3, [1, 2, 3]), "b": ("withdrawn", 2, [1, 2]), "c": ("refunded", 3, [1, 3])}
    assert written(rows, {"a": "refunded", "b": "refunded", "c": "refunded", "d": "withdrawn"}) == (
        "d: not in the case book",
        "b: the case book says withdrawn",
        "c: its log has the positions [1, 3] of 1 to 3",
    )

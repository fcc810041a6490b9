"""The demo's data fit the models, and the demo plays as its files say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from activities.postgres.books import Books, BookTotal
from starter.commands.failures import UsageError
from starter.commands.printing import answer
from starter.demo import script, shop
from starter.demo.played import Played, expectations
from starter.demo.report import CaseReport, DemoReport, page, whole_differences
from starter.demo.run import run_demo
from starter.demo.script import Act, Look, Move, Result, Script, Spend
from starter.demo.waiting import TOOK_TOO_LONG
from tests.cli.shell import Shell
from workflows.messages.money import Money
from workflows.messages.reconciliation import ReconcileReport
from workflows.messages.requests import Application
from workflows.messages.rulings import Fault
from workflows.messages.statements import EvidenceStanding
from workflows.rules.identity import case_id

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_there_is_enough_to_show() -> None:
    orders = {each.order_no: each for each in shop.orders(START)}
    scripts = script.scripts()

    assert len(orders) >= 50
    assert len(scripts) >= 70
    assert {each.open for each in scripts} == set(get_args(Script.model_fields["open"].annotation))
    assert {each.marketplace for each in orders.values()} == {"douyin", "jd-pop", "jd-self", "cn-2026"}
    assert any(len(each.lines) > 1 for each in orders.values())
    assert any(len(each.tenders) > 1 for each in orders.values())
    assert any(each.freight for each in orders.values())
    assert len({each.name for each in scripts}) == len(scripts)


def test_every_rule_that_a_case_can_show_is_shown() -> None:
    shown = {rule for each in script.scripts() for rule in each.rules}

    # R5 (arrival) has no case of its own: it shows in every payment. A4, D7 and L4 are about what is beside a case.
    assert {
        *(f"R{number}" for number in range(1, 10) if number != 5),
        *(f"T{number}" for number in range(1, 12)),
        *(f"D{number}" for number in range(1, 10) if number != 7),
        *(f"A{number}" for number in (1, 2, 3, 5, 6)),
        *(f"L{number}" for number in (1, 2, 3)),
        *(f"N{number}" for number in range(1, 6)),
    } <= shown


def test_disputes_end_in_every_way() -> None:  # D2, D4, D5, D8
    expected = [each.expected for each in script.scripts()]

    assert {each.dispute for each in expected} == {None, "resolved", "settled", "ruled"}
    assert {each.fault for each in expected} == {None, *Fault}
    assert {each.outcome for each in expected} >= {"dismissed", "exchanged", "not_returned", "compensated", "exempt"}
    assert {giving.partition(":")[2] for each in expected for giving in each.evidence} == set(EvidenceStanding)


def test_a_dispute_is_about_a_case_of_its_group() -> None:  # D1
    groups = script.groups(script.scripts())
    disputes = [(each, group) for group in groups for each in group if each.about]

    assert disputes
    for each, group in disputes:
        (disputed,) = [other for other in group if other.name == each.about]
        assert disputed.subject == each.subject


def test_only_one_merchant_has_no_address() -> None:  # T2
    without = {each.merchant_id for each in shop.orders(START) if each.marketplace != "jd-self"} - {
        each.merchant_id for each in shop.addresses()
    }

    assert without == {"m-orchid"}


@pytest.mark.parametrize("each", script.scripts(), ids=lambda each: each.name)
def test_every_script_can_be_played(each: Script) -> None:
    subjects = {order.order_no: order for order in shop.orders(START)}
    subjects |= {allowance.allowance_id: allowance for allowance in shop.allowances(START)}
    request = each.request(subjects[each.subject], "refund/O-1/k-1" if each.about else None)

    assert case_id(request)
    if isinstance(request, Application):
        assert each.expected.refunded <= request.amount
    for number, step in enumerate(each.steps):
        match step:
            case Act():
                said = "statement:1" if step.says else None
                assert step.command(f"k-{number}", "somebody", START, said).command_name() == step.act
            case Move() | Spend() | Look():
                pass


def test_the_guides_own_example_is_among_them() -> None:  # A1
    example = next(each for each in script.scripts() if each.name == "allowance-guide-example")
    allowance = next(each for each in shop.allowances(START) if each.allowance_id == example.subject)

    assert (allowance.principal, allowance.bonus, allowance.spent) == (8000, 2000, 1000)
    assert (example.expected.refunded, example.expected.bonus_void) == (7200, 1800)


def test_the_data_move_with_the_start() -> None:
    early, late = shop.orders(START), shop.orders(START + timedelta(days=1))

    assert {b.paid_at - a.paid_at for a, b in zip(early, late, strict=True)} == {timedelta(days=1)}
    assert all(each.paid_at < START for each in early)
    assert all(each.valid_until > START for each in shop.allowances(START))


def played(name: str, found: Result) -> Played:
    own = next(each for each in script.scripts() if each.name == name)
    return Played(script=own, case_id=name, found=found, remarks=(), virtual_seconds=0)


def test_a_race_may_end_either_way_but_not_both_ways() -> None:  # R8
    won = next(each.expected for each in script.scripts() if each.name == "race-one")
    lost = next(each.expected for each in script.scripts() if each.name == "race-two")
    either = [(won, lost), (lost, won)]

    for first, second in either:
        group = [played("race-one", first), played("race-two", second)]
        assert [each.differences(wanted) for each, wanted in zip(group, expectations(group), strict=True)] == [(), ()]
    both = [played("race-one", won), played("race-two", won)]
    assert sum(len(each.differences(wanted)) for each, wanted in zip(both, expectations(both), strict=True)) > 0


def test_a_difference_says_what_was_expected_and_what_came() -> None:
    expected = next(each.expected for each in script.scripts() if each.name == "withdrawn")
    came = expected.model_copy(update={"refunded": 1, "notices": ()})

    assert played("withdrawn", came).differences(expected) == (
        "refunded: expected 0, found 1",
        "notices: expected case_closed>buyer, case_closed>merchant, request_opened>merchant, found none",
    )


def test_money_that_no_case_knows_of_is_a_difference() -> None:
    books = Books(lines=(), totals=(BookTotal(currency="CNY", ours=5, by_hand=0, theirs=5),), equal=True)

    assert whole_differences((), books, ReconcileReport(), 0) == (
        "the cases paid back 0 minor units, the ledger says 5",
    )
    assert whole_differences((), books.model_copy(update={"totals": ()}), ReconcileReport(), 0) == ()


def test_what_a_busy_machine_has_broken_off_is_told_as_that(capsys: pytest.CaptureFixture[str]) -> None:
    whole = DemoReport(
        cases=(reported("withdrawn"),),
        orders=1,
        allowances=0,
        books=Books(lines=(), totals=(), equal=True),
        alerts=(),
        reconciliation=ReconcileReport(),
        notices={},
        unsent=0,
        differences=(),
        real_seconds=1,
        virtual_seconds=1,
    )
    slow = reported("withdrawn").model_copy(update={"differences": (f"{TOOK_TOO_LONG}: TimeoutError: not in time",)})
    wrong = reported("withdrawn").model_copy(update={"differences": ("stopped: RefusedCommand: not_open",)})

    told: list[str] = []
    for case in (slow, wrong):
        answer(False, whole, page(whole.model_copy(update={"cases": (case,)})))
        told.append(" ".join(capsys.readouterr().out.split()))
    assert ["this machine is too busy" in each for each in told] == [True, False]


def test_compensation_is_summed_apart_from_refunds() -> None:  # L3
    case = reported("return-insured")
    refunds, beside = case.found.refunded, case.found.compensated
    paid = BookTotal(currency="CNY", ours=refunds + beside - 7, by_hand=7, compensation=beside, theirs=0)
    books = Books(lines=(), totals=(paid,), equal=True)
    mixed = books.model_copy(update={"totals": (paid.model_copy(update={"compensation": 0}),)})

    assert beside > 0
    assert whole_differences((case,), books, ReconcileReport(), 0) == ()
    assert whole_differences((case,), mixed, ReconcileReport(), 0) == (
        f"the cases paid back {refunds} minor units, the ledger says {refunds + beside}",
        f"the cases compensated {beside} minor units, the ledger says 0",
    )


def reported(name: str) -> CaseReport:
    """A case that ended as expected."""
    own = next(each for each in script.scripts() if each.name == name)
    return CaseReport(
        name=name,
        title=own.title,
        rules=own.rules,
        case_id=name,
        expected=own.expected,
        found=own.expected,
        differences=(),
        virtual_seconds=0,
    )


async def test_the_demo_does_not_empty_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")

    with pytest.raises(UsageError, match="not the demo's"):
        await run_demo(keep=False, state_dir=tmp_path, as_json=True)

    assert (tmp_path / "precious").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_whole_demo_plays_as_its_files_say(
    shell: Shell, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # An environment that points at other servers must not matter: the demo is not for them.
    elsewhere = shell.having(
        TEMPORAL_ADDRESS="127.0.0.1:1",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
    )

    # As a run of before left it, but that no server could start on it: the folder is emptied first.
    (state_dir / "aftersales-demo").touch()
    (state_dir / "left-over").touch()
    (state_dir / "postgres").mkdir()
    (state_dir / "postgres" / "PG_VERSION").write_text("9.6\n")

    ended = await elsewhere.run("demo", "--json", "--state-dir", state_dir)
    report = ended.document

    differences = {each["name"]: each["differences"] for each in report["cases"] if each["differences"]}
    assert (differences, report["differences"]) == ({}, [])
    assert (ended.code, report["ok"]) == (0, True)
    assert not (state_dir / "left-over").exists()
    assert len(report["cases"]) == len(script.scripts())
    assert report["books"]["equal"] is True
    (total,) = report["books"]["totals"]
    assert total["ours"] == total["theirs"] > 0
    found = [each["found"] for each in report["cases"]]
    assert total["compensation"] == sum(each["compensated"] for each in found) > 0
    assert (total["to_allowances"], total["lost_bonus"]) == (1_000, 200)  # A7
    refunds = total["ours"] + total["by_hand"] + total["to_allowances"] - total["compensation"]
    assert refunds == sum(each["refunded"] for each in found)
    assert report["reconciliation"]["differences"] == {}
    assert [alert["kind"] for alert in report["alerts"]] == ["success_after_failure"]
    assert report["virtual_seconds"] > timedelta(days=60).total_seconds()
    guide = next(each for each in report["cases"] if each["name"] == "allowance-guide-example")
    paid, void = guide["found"]["refunded"], guide["found"]["bonus_void"]
    assert str(Money(amount=paid, currency="CNY")) == "72.00 CNY"
    assert str(Money(amount=void, currency="CNY")) == "18.00 CNY"

    told_as_json = DemoReport.model_validate(report)
    answer(False, told_as_json, page(told_as_json))
    told = capsys.readouterr().out
    assert "the books are equal" in told
    compensation = Money(amount=total["compensation"], currency="CNY")
    assert f"refunds: {Money(amount=refunds, currency='CNY')}, compensation: {compensation}" in told
    every = len(script.scripts())
    proven = f"{every} of {every} cases as expected, and both books agree on every payment"
    assert " ".join(told.splitlines()[-1].split()) == proven, "the last line says what was shown"
    wrong = told_as_json.model_copy(update={"differences": ("a notice was not sent",)})
    answer(False, wrong, page(wrong))
    assert "agree" not in capsys.readouterr().out.splitlines()[-1]

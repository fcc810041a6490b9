"""What the pages for operators tell people to type and to press, and which test does it.

Commands of ``aftersales`` need no entry: ``tests/cli/test_pages.py`` types each as it stands on the page, and
``tests/workflow/test_runbook.py`` those that answer a reason for attention. What they cannot type is named here.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = ("operations", "alerts", "running")

TYPED_ELSEWHERE: Final[Mapping[str, str]] = {
    "aftersales watch": "tests/cli/test_watch.py::test_in_a_real_terminal",
    "aftersales worker": "tests/cli/conftest.py::worker_process",
    "python -m worker": "tests/worker/test_starting.py::test_a_database_that_does_not_serve_yet_is_told_in_one_line",
    "make recovery": "tests/recovery/small_drill.py::test_cases_of_all_kinds_go_on_where_temporal_was_lost",
    "aftersales recover --announce --start --rate 100": (
        "tests/recovery/small_drill.py::test_cases_of_all_kinds_go_on_where_temporal_was_lost"
    ),
    "aftersales setup": "tests/cli/test_usage.py::test_setup_shows_what_differs_and_puts_it_right",
    "make cluster": "tests/cluster/test_cluster.py::test_a_roll_under_load_loses_nothing",
    'make cluster ARGS="--versions 2 --at-a-time 30"': (
        "tests/cluster/test_cluster.py::test_a_roll_under_load_loses_nothing"
    ),
    "make cluster ARGS=--json": "tests/cluster/test_cluster.py::test_a_roll_under_load_loses_nothing",
    "temporal workflow reset --workflow-id CASE --type FirstWorkflowTask --reason stopped_by_mistake": (
        "tests/workflow/test_buttons.py::test_a_stopped_case_is_taken_up_where_it_stopped"
    ),
    'temporal workflow reset --query \'MerchantId = "m-laurel" AND ExecutionStatus = "Terminated"\' '
    "--type FirstWorkflowTask --reason stopped_by_mistake --yes": (
        "tests/workflow/test_buttons.py::test_stopped_cases_are_taken_up_many_at_once"
    ),
    "temporal workflow unpause --workflow-id CASE --reason looked_at": (
        "tests/workflow/test_buttons.py::test_a_paused_case_is_found_and_goes_on"
    ),
    "temporal workflow reset --workflow-id CASE --type FirstWorkflowTask --reason restored": (
        "tests/workflow/test_buttons.py::test_a_case_book_that_was_restored_is_written_anew_from_the_history"
    ),
    'temporal workflow count --query \'CaseStage = "merchant_review" AND ExecutionStatus = "Running"\'': (
        "tests/workflow/test_queries.py::test_cases_of_a_stage_are_counted"
    ),
    "temporal workflow update-options --workflow-id CASE --versioning-override-behavior one_time "
    "--versioning-override-deployment-name NAME --versioning-override-build-id BUILD": (
        "tests/worker/test_versions.py::test_a_case_is_moved_to_another_version_and_stays_there"
    ),
}
"""By the line as it stands on a page."""

PRESSED: Final[Mapping[str, tuple[str, ...]]] = {
    "Send an Update, Send a Signal": (
        "tests/browser/test_operators.py::test_cases_are_listed_and_filtered_and_an_update_is_refused_and_accepted",
        "tests/workflow/test_stopped_cases.py::test_a_signal_of_another_kind_leaves_a_line_in_the_log",
    ),
    "Request Cancellation": ("tests/workflow/test_commands.py::test_a_cancellation_from_outside_does_not_end_a_case",),
    "Terminate": ("tests/workflow/test_stopped_cases.py::test_a_terminated_case_says_so_and_offers_nothing",),
    "Reset": (
        "tests/workflow/test_buttons.py::test_a_stopped_case_is_taken_up_where_it_stopped",
        "tests/workflow/test_buttons.py::test_a_run_that_takes_another_way_than_its_book_goes_on_where_that_stands",
    ),
    "Pause": (
        "tests/workflow/test_stopped_cases.py::test_a_paused_case_says_so_and_takes_no_command",
        "tests/workflow/test_stopped_cases.py::test_what_is_signalled_to_a_paused_case_comes_before_its_silence",
        "tests/workflow/test_stopped_cases.py::test_a_deadline_that_passes_while_a_case_is_paused_is_decided_afterwards",
    ),
    "Pause, Unpause or Reset an activity": (
        "tests/workflow/test_buttons.py::test_a_payment_whose_activity_was_paused_and_reset_pays_once",
    ),
    "Complete, Fail or Update an activity (command line: `complete`, `fail`, `update-options`)": (
        "tests/workflow/test_answers.py::test_a_step_that_is_ended_from_outside_is_written",
        "tests/workflow/test_command_line_of_temporal.py::test_an_activity_that_is_ended_by_hand_is_begun_anew",
        "tests/workflow/test_resume.py::test_a_case_whose_end_was_made_up_is_found_and_goes_on_from_its_book",
    ),
    "Batch: Signal": (
        "tests/workflow/test_buttons.py::test_a_batch_of_signals_is_checked_like_each_of_them",
        "tests/workflow/test_buttons.py::test_a_batch_of_signals_that_is_sent_twice_is_one",
    ),
    "Batch: Terminate, Cancel, Reset": (
        "tests/workflow/test_buttons.py::test_stopped_cases_are_taken_up_many_at_once",
    ),
}
"""By the button as the table of the runbook names it."""

_TYPED: Final = re.compile(r"(aftersales|temporal|make|python|curl|docker|kubectl) [^|]")
_ATTRIBUTE: Final = re.compile(
    r"\b(?:Case[A-Z]\w+|MerchantId|OrderNo|ExecutionStatus|Temporal[A-Z]\w+) (?:[=<>]|I[NS]\b)"
)


def text_of(page: str) -> str:
    """A page, as it stands in docs/."""
    return (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")


def code_of(page: str) -> list[str]:
    """What stands on a page as code: each typed line of a console, each span in the running text."""
    text = text_of(page)
    consoles = [re.sub(r"\s+# .*", "", line) for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE)]
    running = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", running)]
    return list(dict.fromkeys(consoles + spans))


def queries() -> list[str]:
    """The queries for lists of workflows."""
    return [each for page in PAGES for each in code_of(page) if _ATTRIBUTE.search(each) and not _TYPED.match(each)]


def commands() -> list[str]:
    """The lines that are typed into a shell."""
    return list(dict.fromkeys(each for page in PAGES for each in code_of(page) if _TYPED.match(each)))


def options() -> list[str]:
    """Options that are named apart from a command."""
    return list(dict.fromkeys(each for page in PAGES for each in code_of(page) if each.startswith("--")))


def answers_to_attention() -> list[str]:
    """The commands of the sections on reasons for attention."""
    sections = re.search(r"^## Reasons for attention\n(.*?)^## ", text_of("operations"), re.DOTALL | re.MULTILINE)
    assert sections
    return re.findall(r"^\$ (aftersales act CASE .*)$", sections[1], re.MULTILINE)


def typed_at_the_command_line() -> list[str]:
    """The commands of ``aftersales`` that ``tests/cli/test_pages.py`` types."""
    elsewhere = {*TYPED_ELSEWHERE, *answers_to_attention()}
    return [each for each in commands() if each.startswith("aftersales ") and each not in elsewhere]


def through_the_codec_server() -> list[str]:
    """Temporal's commands that need the codec server, as ``tests/workflow/test_command_line_of_temporal.py`` types."""
    return [each for each in commands() if "--codec-endpoint" in each]


def buttons() -> list[str]:
    """The buttons that the runbook says something of."""
    table = re.search(r"^\| button \|.*?\n\n", text_of("operations"), re.DOTALL | re.MULTILINE)
    assert table
    return [row.split(" | ")[0].removeprefix("| ") for row in table[0].splitlines()[2:] if row]

"""A case log as people read it: what they type is in decimals and in their own time, and so is what they read."""

from datetime import UTC, datetime

import pytest

from starter.commands.log_lines import facts_in_words, log_table, who
from starter.commands.printing import CommandLine, answer
from workflows.messages.actors import CLOCK, GATEWAY, merchant
from workflows.messages.cases import LogEntry

OPENED: dict[str, str | int] = {"lines": "1:2:8800 2:1:4900", "amount": 13_700, "reason": "damaged", "version": 1}


@pytest.mark.parametrize(
    ("facts", "currency", "said"),
    [
        (OPENED, "CNY", "version 1, amount 137.00 CNY, lines 1 × 2: 88.00 2 × 1: 49.00, reason damaged"),
        ({"amount": 5000}, "JPY", "amount 5000 JPY"),
        ({"amount": 5000, "currency": "EUR"}, "CNY", "amount 50.00 EUR"),
        ({"proposed_amount": 4000}, None, "proposed_amount 4000 minor units"),
        ({"number": 4000, "pieces": "1:2"}, "CNY", "number 4000, pieces 1:2"),
        ({"amount": "unknown"}, "CNY", "amount unknown"),
    ],
)
def test_amounts_are_told_in_the_currency(facts: dict[str, str | int], currency: str | None, said: str) -> None:
    assert facts_in_words(facts, currency, None) == said


def test_moments_are_told_in_the_time_of_the_case() -> None:  # G6
    facts: dict[str, str | int] = {"until": "2026-11-30T18:06:34.935584+00:00", "reason": "2026-13-01T99:99 is none"}

    told = facts_in_words(facts, "EUR", "Europe/Berlin")

    assert told == "until 2026-11-30 19:06 Europe/Berlin, reason 2026-13-01T99:99 is none"


def test_the_clock_and_the_gateway_are_told_once() -> None:
    assert [who(CLOCK), who(GATEWAY), who(merchant("m-1"))] == ["clock", "gateway", "merchant m-1"]


def test_a_log_has_what_a_party_wrote_as_it_is() -> None:
    line = LogEntry(event="said", by=CLOCK, rule="N5", at=datetime(2026, 11, 29, tzinfo=UTC), facts={"note": "[bold]"})

    (shown,) = log_table([line]).columns[-1].cells

    assert str(shown) == "note [bold]", "nothing of it is taken for markup"


def test_a_command_to_be_copied_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    command = f"next: aftersales show {'refund/O-1/k-1 ' * 40}end"

    answer(False, {}, CommandLine(command, style="dim"))

    assert capsys.readouterr().out == f"{command}\n"

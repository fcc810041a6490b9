"""The recipes of ``docs/architecture.md`` for a command and a stage, carried out in a copy: a story is told there."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
KIND: Final = "workflows/kinds/price_protection.py"

STAGE: Final = """
PRICE_PROOF = Stage(
    StageName.PRICE_PROOF,
    "B3",
    "待买家举证 · the buyer is to prove the price",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_REJECTED,
    span=lambda policy: hours(policy.price_protection.review_hours),
    work_list=WorkList.AWAITING_BUYER,
)


def _ask_for_proof(case: Case, command: AskForProof) -> Decision:
    return case.enter(PRICE_PROOF, case.obeyed(command, "proof_asked_for"))


def process() -> Process:"""
ROW: Final = """
                PRICE_PROOF: (
                    takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN),
                    hears(ReportParcel, every_case.note_parcel),
                    silence(rejecting.close_as_rejected, closed_as_rejected=OutcomeKind.REJECTED),
                ),
                REJECTED: ("""

RECIPES: Final = (
    # Step, file, what stands there, what stands there afterwards
    (
        "stage: name",
        "workflows/messages/stages.py",
        r'(    PRICE_REVIEW = "price_review"\n)',
        r'\1    PRICE_PROOF = "p"\n',
    ),
    (
        "command: class",
        "workflows/messages/commands.py",
        r"\Z",
        '\n\nclass AskForProof(Command):\n    """Prove it."""\n',
    ),
    ("command: import", KIND, r"(commands import )", r"\1AskForProof, "),
    ("stage: its row", KIND, r"\n                REJECTED: \(", ROW),
    (
        "command: its line",
        KIND,
        r"(PRICE_REVIEW: \()",
        r"\1takes(AskForProof, MERCHANT, _ask_for_proof, proof_asked_for=PRICE_PROOF),",
    ),
    ("stage: what it is", KIND, r"\ndef process\(\) -> Process:", STAGE),
    ("command: import", "workflows/definitions/price_protection.py", r"(commands import \()", r"\1AskForProof, "),
    (
        "command: its update",
        "workflows/definitions/price_protection.py",
        r'(has bought."""\n)',
        r"\1    ask_for_proof = update(AskForProof)\n",
    ),
    (
        "command: its words",
        "workflows/rules/wording.py",
        r'(        "approved_by_silence":)',
        r'        "proof_asked_for": "要求举证 · proof asked for",\n\1',
    ),
)

STORY: Final = """
from datetime import UTC, datetime, timedelta
from starter.interpreter.example import order
from starter.interpreter.interpreter import Interpreter
from workflows.definitions import every_kind
from workflows.kinds.diagrams import page
from workflows.messages.actors import merchant
from workflows.messages.commands import AskForProof
from workflows.messages.requests import LineAmount, PriceFall, PriceProtectionRequest

paid_at = datetime(2026, 3, 1, tzinfo=UTC)
interpreter = Interpreter(paid_at + timedelta(days=2))
interpreter.shop.orders["O-1"] = order("O-1", paid_at)
case = interpreter.open(PriceProtectionRequest(
    request_key="k", order_no="O-1", merchant_id="M-1", buyer_id="B-1",
    lines=(LineAmount(line="1", quantity=1, amount=1_000),),
    falls=(PriceFall(line="1", price=9_000, fell_at=paid_at + timedelta(days=1)),),
))
assert interpreter.act(case, AskForProof(key="c-1", by=merchant("M-1"))) is None
print(interpreter.view(case).stage)
interpreter.pass_time(hours=24)
print(interpreter.outcome(case).outcome)
print("proof_asked_for" in page())
"""


@pytest.fixture
def told(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Carries the recipes out in a copy of the code, all but the step that is named, and tells the story there."""

    def carry_out(forgotten: str) -> subprocess.CompletedProcess[str]:
        for folder in ("workflows", "activities", "starter"):
            shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
        for step, file, before, after in RECIPES:
            path = tmp_path / file
            text = path.read_text(encoding="utf-8")
            assert re.search(before, text), f"{step}: {file} has no {before}"
            if step != forgotten:
                path.write_text(re.sub(before, after, text, count=1), encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-c", STORY], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )

    return carry_out


def test_a_new_command_and_a_new_stage_work_once_their_recipes_are_carried_out(
    told: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    ended = told("nothing")

    assert ended.stderr == ""
    assert ended.stdout.split() == ["p", "rejected", "True"]


def test_a_command_without_its_update_does_not_load(
    told: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    assert "do not take the same commands: ask_for_proof" in told("command: its update").stderr

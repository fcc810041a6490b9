"""The page of a case in the Web UI (section 12)."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows import at_start
from workflows.kinds.admission import accepted, open_commands, refused_in_stage
from workflows.kinds.details import counted, current_details
from workflows.kinds.stage import STAGES, Stage
from workflows.messages.actors import CLOCK, merchant
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import CaseView, Clock, LogEntry, Refusal, Span
from workflows.messages.commands import Command
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import NO_DIGEST, PLACEHOLDER
from workflows.messages.money import Money
from workflows.messages.openings import Opened
from workflows.messages.payouts import LegState, LegStatus
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason, RefundRequest
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName
from workflows.rules import wording
from workflows.rules.admission import Parties, read
from workflows.rules.bilingual import SEPARATOR, Language, said

OPENED = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
REQUEST = RefundRequest(
    request_key="k-1",
    order_no="o-1",
    merchant_id="m-1",
    buyer_id="b-1",
    lines=(LineAmount(line="1", quantity=1, amount=7250),),
    reason=RefundReason.NO_LONGER_WANTED,
)
ENTRY = LogEntry(event="opened", by=merchant("m-1"), rule="R4", at=OPENED, facts={"lines": 1})
HAN = re.compile(r"[一-鿿]")


def seen(stage: Stage, **changes: object) -> CaseView:
    view = CaseView(
        case_id="refund/o-1/k-1",
        kind=CaseKind.UNSHIPPED_REFUND,
        stage=stage.name,
        rule=stage.rule,
        merchant_id="m-1",
        buyer_id="b-1",
        order_no="o-1",
        asked=Money(amount=7250, currency="CNY"),
        refunded=Money(amount=0, currency="CNY"),
        opened_at=OPENED,
        due=OPENED + timedelta(hours=48) if stage.span else None,
        clock=Clock(since=OPENED, span=Span(minutes=48 * 60)) if stage.span else None,
        no_deadline_because=stage.no_deadline,
        on_silence=stage.silence,
        commands=open_commands(stage),
        attention=None,
        outcome=None,
        legs=(),
        policy="douyin/1",
        warnings=(),
        log=(ENTRY,),
    )
    return view.model_copy(update=changes)


def examples(page: str) -> list[str]:
    return re.findall(r"^- \*\*[a-z_]+\*\* \([a-z/]+\): `(.*)`$", page, re.MULTILINE)


def completed(text: str) -> str:
    """An example in which what stands for something else has been replaced, as an operator does it."""
    said = json.loads(text)
    assert said["by"]["id"] == PLACEHOLDER
    said["by"]["id"] = {"merchant": "m-1", "buyer": "b-1"}.get(said["by"]["role"], "o-7")
    plain = json.dumps(said).replace(NO_DIGEST, "5" * 64)
    return plain.replace(PLACEHOLDER, "7").replace(PLACEHOLDER.replace("-", "_"), "as_agreed")


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_each_open_command_stands_there_with_a_payload_that_is_obeyed_once_it_is_completed(stage: Stage) -> None:
    kinds = list(accepted(stage))
    page = current_details(seen(stage), REQUEST, Language.BOTH)
    pasted = examples(page)

    assert len(pasted) == len(kinds)
    for kind, text in zip(kinds, pasted, strict=True):
        command: Command = kind.model_validate_json(completed(text))
        refused = refused_in_stage(command, stage=stage, parties=Parties(merchant_id="m-1", buyer_id="b-1"), now=OPENED)
        assert refused is None, (kind, refused)
        assert f"- **{kind.command_name()}** (" in page


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_a_payload_that_is_pasted_as_it_stands_is_refused(stage: Stage) -> None:  # section 12
    pasted = examples(current_details(seen(stage), REQUEST, Language.BOTH))

    for kind, text in zip(accepted(stage), pasted, strict=True):
        refused = read([json.loads(text)], kind)
        assert isinstance(refused, Refusal), kind
        assert (refused.code, "placeholder" in refused.explanation) == ("malformed", True), (kind, refused)
        said = json.loads(text) | {"by": json.loads(completed(text))["by"]}  # which is not enough where more is stated
        more = PLACEHOLDER in json.dumps(said).replace("_", "-")
        assert isinstance(read([said], kind), Refusal) == more, kind


def test_a_command_pasted_twice_is_one_and_after_the_next_step_another() -> None:  # section 11
    stage = STAGES[StageName.MERCHANT_REVIEW]
    first, again, later = (
        examples(current_details(seen(stage, steps=steps), REQUEST, Language.EN))[0] for steps in (3, 3, 4)
    )

    assert json.loads(first) == json.loads(again)
    assert json.loads(first)["key"] != json.loads(later)["key"]


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_the_page_is_in_the_language_that_is_set(stage: Stage) -> None:
    english = current_details(seen(stage), REQUEST, Language.EN).replace("北京时间", "")
    chinese = current_details(seen(stage), REQUEST, Language.ZH)
    both = current_details(seen(stage), REQUEST, Language.BOTH)

    assert not HAN.search(english)
    title, _, translated = stage.title.partition(SEPARATOR)
    assert f"### {title}\n" in chinese
    assert f"### {translated}\n" in english
    assert f"### {title} · {translated}\n" in both


def test_the_page_says_until_when_and_why_then_and_what_silence_does() -> None:
    page = current_details(seen(STAGES[StageName.MERCHANT_REVIEW]), REQUEST, Language.EN)

    assert "**until**: **2026-05-03 10:00 北京时间** (48 h from 2026-05-01 10:00)" in page
    assert "**on silence**: the refund is paid" in page


@pytest.mark.parametrize(
    ("clock", "warnings", "said_in_english"),
    [
        (Clock(since=OPENED, span=Span(minutes=90)), (), "1.5 h from 2026-05-01 10:00"),
        (Clock(since=OPENED, span=Span(seconds=3600)), (), "1 h from 2026-05-01 10:00"),
        (
            Clock(since=OPENED, span=Span(working_minutes=18 * 60), calendar="CN/1.11"),
            (),
            "18 working hours from 2026-05-01 10:00; calendar CN/1.11",
        ),
        (
            Clock(since=OPENED, span=Span(working_days=3), calendar="CN/1.11"),
            ("calendar_unknown_year",),
            (
                "3 working days from 2026-05-01 10:00; calendar CN/1.11; "
                "that year's calendar is not known yet: counted by the holidays of the law"
            ),
        ),
        (Clock(since=OPENED, span=Span(until=OPENED)), (), "set to this moment"),
        (
            Clock(since=OPENED, span=Span(until=OPENED, arrival=OPENED), calendar="CN/1.11"),
            (),
            "the money is to arrive by 2026-05-01 10:00, and a grace; calendar CN/1.11",
        ),
        (
            Clock(since=OPENED, span=Span(minutes=60)),
            ("paused",),
            "1 h from 2026-05-01 10:00; later because of a declared pause",
        ),
    ],
)
def test_a_deadline_says_how_it_was_counted(clock: Clock, warnings: tuple[str, ...], said_in_english: str) -> None:
    assert counted(clock, warnings, Language.EN) == said_in_english


@pytest.mark.parametrize("attention", list(Attention))
def test_attention_says_what_it_means_and_names_commands_that_are_open_where_it_is_raised(attention: Attention) -> None:
    page = current_details(seen(STAGES[StageName.PAYMENT_ATTENTION], attention=attention), REQUEST, Language.EN)

    assert f"needs attention: `{attention}`** {said(wording.ATTENTION_MEANS[attention], Language.EN)}" in page


def test_money_is_told_in_all_and_by_refund_number() -> None:
    leg = LegStatus(refund_no="RF-1", tender="t1", amount=7000, state=LegState.PROCESSING)
    stage = STAGES[StageName.SETTLING]
    view = seen(stage, legs=(leg,), refunded=Money(amount=250, currency="CNY"))

    page = current_details(view, REQUEST, Language.EN)

    assert "**money** (CNY): asked 72.50, paid back 2.50, in flight 70.00" in page
    assert "| `RF-1` | 70.00 | processing |" in page


def test_the_application_is_on_the_page_with_its_version_and_its_evidence() -> None:  # R10
    given = Evidence(uri="vault:evidence/lid", media_type=MediaType.JPEG, bytes=1024, sha256="a" * 64)
    lines = tuple(LineAmount(line=str(number), quantity=2, amount=100) for number in range(25))
    asks = ApplicationVersion(
        version=3,
        lines=lines,
        freight=50,
        reason=RefundReason.DAMAGED,
        route="bank_transfer",
        evidence=(given,),
        at=OPENED,
    )

    page = current_details(seen(STAGES[StageName.SHIPPED_REVIEW], application=asks), REQUEST, Language.EN)

    assert "**application**: **version 3** (2026-05-01 10:00 北京时间): 25.50 CNY, `damaged`, `bank_transfer`" in page
    assert "**lines**: `0` × 2: 1.00, `1` × 2: 1.00" in page
    assert "`19` × 2: 1.00, + 5, freight 0.50" in page, "a page is no list of hundreds"
    assert "**evidence**: `vault:evidence/lid` (image/jpeg, 1024 B, `aaaaaaaaaaaa…`)" in page


def test_a_long_fact_of_the_log_is_cut_on_the_page() -> None:
    entry = ENTRY.model_copy(update={"facts": {"lines": "1:1:100 " * 100}})

    page = current_details(seen(STAGES[StageName.SHIPPED_REVIEW], log=(entry,)), REQUEST, Language.EN)

    assert "1:1:100 …) |" in page
    assert len(page) < 5_000


def test_what_stands_for_good_has_no_amount_that_an_amendment_changes() -> None:  # R10
    opened = Opened(kind=CaseKind.SHIPPED_REFUND, asked=Money(amount=7250, currency="CNY"))
    by_merchant = MerchantRefundRequest.model_validate(REQUEST.model_dump(exclude={"buyer_id", "evidence"}))

    assert "72.50" not in at_start.summary(REQUEST, opened)
    assert "72.50" in at_start.summary(by_merchant, opened), "which cannot be amended"
    assert at_start.details(REQUEST).startswith("*建单时的申请（第 1 版）")


def test_a_dispute_is_linked_from_the_page_of_its_case() -> None:
    view = seen(STAGES[StageName.LOCKED], dispute="dispute/refund/o-1/k-1/d1")

    page = current_details(view, REQUEST, Language.EN)

    assert "[`dispute/refund/o-1/k-1/d1`](../../dispute%2Frefund%2Fo-1%2Fk-1%2Fd1)" in page


def test_a_closed_case_says_how_it_ended_and_offers_nothing() -> None:
    page = current_details(seen(STAGES[StageName.CLOSED], outcome=OutcomeKind.REFUNDED), REQUEST, Language.EN)

    assert "**outcome**: refunded (`refunded`)" in page
    assert not examples(page)


def test_the_log_is_in_words_with_its_facts() -> None:
    entries = (ENTRY, LogEntry(event="approved_by_silence", by=CLOCK, rule="R1", at=OPENED))

    page = current_details(seen(STAGES[StageName.PAYING], log=entries), REQUEST, Language.EN)

    assert "| 2026-05-01 10:00 | opened (lines=1) | merchant `m-1` | R4 |" in page
    assert "| approved by silence | silence `clock` | R1 |" in page


def test_every_code_has_its_words_in_both_languages() -> None:
    tables = {
        Silence: wording.SILENCE_MEANS,
        Attention: wording.ATTENTION_MEANS,
        CaseKind: wording.KINDS,
        OutcomeKind: wording.OUTCOMES,
    }
    for codes, words in tables.items():
        assert set(words) == set(codes)
    for text in (*(text for words in tables.values() for text in words.values()), *wording.EVENTS.values()):
        chinese, english = text.split(SEPARATOR)
        assert HAN.search(chinese)
        assert not HAN.search(english)


@given(chinese=st.text(min_size=1), english=st.text(min_size=1))
def test_a_language_takes_its_half(chinese: str, english: str) -> None:
    if SEPARATOR in chinese:
        return
    text = f"{chinese}{SEPARATOR}{english}"
    assert (said(text, Language.ZH), said(text, Language.EN)) == (chinese, english)
    assert said(text, Language.BOTH) == text

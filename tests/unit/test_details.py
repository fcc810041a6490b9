"""The page of a case in the Web UI (section 12)."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from activities.postgres.timelines import Stay
from starter.commands.viewing import Known, known_page
from workflows import at_start
from workflows.kinds import details
from workflows.kinds.admission import accepted, open_commands, refused_in_stage
from workflows.kinds.details import counted
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
from workflows.messages.proposals import Talk
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason, RefundRequest
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName
from workflows.rules import wording
from workflows.rules.admission import Parties, read
from workflows.rules.applications import version_facts
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
    page = details.page(seen(stage), REQUEST, Language.BOTH)
    pasted = examples(page)

    assert len(pasted) == len(kinds)
    for kind, text in zip(kinds, pasted, strict=True):
        command: Command = kind.model_validate_json(completed(text))
        refused = refused_in_stage(command, stage=stage, parties=Parties(merchant_id="m-1", buyer_id="b-1"), now=OPENED)
        assert refused is None, (kind, refused)
        assert f"- **{kind.command_name()}** (" in page


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_a_payload_that_is_pasted_as_it_stands_is_refused(stage: Stage) -> None:  # section 12
    pasted = examples(details.page(seen(stage), REQUEST, Language.BOTH))

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
        examples(details.page(seen(stage, steps=steps), REQUEST, Language.EN))[0] for steps in (3, 3, 4)
    )

    assert json.loads(first) == json.loads(again)
    assert json.loads(first)["key"] != json.loads(later)["key"]


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_the_page_is_in_the_language_that_is_set(stage: Stage) -> None:
    english = details.page(seen(stage), REQUEST, Language.EN).replace("北京时间", "")
    chinese = details.page(seen(stage), REQUEST, Language.ZH)
    both = details.page(seen(stage), REQUEST, Language.BOTH)

    assert not HAN.search(english)
    title, _, translated = stage.title.partition(SEPARATOR)
    assert f"### {title}\n" in chinese
    assert f"### {translated}\n" in english
    assert f"### {title} · {translated}\n" in both


def test_the_page_says_until_when_and_why_then_and_what_silence_does() -> None:
    page = details.page(seen(STAGES[StageName.MERCHANT_REVIEW]), REQUEST, Language.EN)

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
    page = details.page(seen(STAGES[StageName.PAYMENT_ATTENTION], attention=attention), REQUEST, Language.EN)

    assert f"needs attention: `{attention}`** {said(wording.ATTENTION_MEANS[attention], Language.EN)}" in page


def test_money_is_told_in_all_and_by_refund_number() -> None:
    leg = LegStatus(refund_no="RF-1", tender="t1", amount=7000, state=LegState.PROCESSING)
    stage = STAGES[StageName.SETTLING]
    view = seen(stage, legs=(leg,), refunded=Money(amount=250, currency="CNY"))

    page = details.page(view, REQUEST, Language.EN)

    assert "**money** (CNY): asked 72.50, paid back 2.50, in flight 70.00" in page
    assert "- **refund no.** `RF-1`: 70.00, processing\n" in page


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

    page = details.page(seen(STAGES[StageName.SHIPPED_REVIEW], application=asks), REQUEST, Language.EN)

    assert "**application**: **version 3** (2026-05-01 10:00 北京时间): 25.50 CNY, `damaged`, `bank_transfer`" in page
    assert "**lines**: `0` × 2: 1.00, `1` × 2: 1.00" in page
    assert "`19` × 2: 1.00, + 5, freight 0.50" in page, "a page is no list of hundreds"
    assert "**evidence**: `vault:evidence/lid` (image/jpeg, 1024 B, `aaaaaaaaaaaa…`)" in page


def test_a_long_fact_of_the_log_is_cut_on_the_page() -> None:
    entry = ENTRY.model_copy(update={"facts": {"lines": "1:1:100 " * 100}})

    page = details.page(seen(STAGES[StageName.SHIPPED_REVIEW], log=(entry,)), REQUEST, Language.EN)

    assert "1 × 1: 1.00 …) |" in page
    assert len(page) < 5_000


def test_what_stands_for_good_has_no_amount_that_an_amendment_changes() -> None:  # R10
    opened = Opened(kind=CaseKind.SHIPPED_REFUND, asked=Money(amount=7250, currency="CNY"))
    by_merchant = MerchantRefundRequest.model_validate(REQUEST.model_dump(exclude={"buyer_id", "evidence"}))

    assert "72.50" not in at_start.summary(REQUEST, opened)
    assert "72.50" in at_start.summary(by_merchant, opened), "which cannot be amended"
    assert at_start.details(REQUEST).startswith("*建单时的申请（第 1 版）")


def test_a_dispute_is_linked_from_the_page_of_its_case() -> None:
    view = seen(STAGES[StageName.LOCKED], dispute="dispute/refund/o-1/k-1/d1")

    page = details.page(view, REQUEST, Language.EN)

    assert "[`dispute/refund/o-1/k-1/d1`](../../dispute%2Frefund%2Fo-1%2Fk-1%2Fd1)" in page


def test_a_closed_case_says_how_it_ended_and_offers_nothing() -> None:
    page = details.page(seen(STAGES[StageName.CLOSED], outcome=OutcomeKind.REFUNDED), REQUEST, Language.EN)

    assert "**outcome**: refunded (`refunded`)" in page
    assert not examples(page)


def test_the_log_is_in_words_with_its_facts() -> None:
    entries = (ENTRY, LogEntry(event="approved_by_silence", by=CLOCK, rule="R1", at=OPENED))

    page = details.page(seen(STAGES[StageName.PAYING], log=entries), REQUEST, Language.EN)

    assert "| 2026-05-01 10:00 | opened (lines=1) | merchant `m-1` | R4 |" in page
    assert "| approved by silence | silence `clock` | R1 |" in page


@pytest.mark.parametrize("name", [StageName.MERCHANT_REVIEW, StageName.RETURN_RECEIVED, StageName.CLOSED])
def test_moments_are_told_in_the_zone_of_the_cases_profile(name: StageName) -> None:  # G6
    page = details.page(seen(STAGES[name], time_zone="Europe/Berlin"), REQUEST, Language.BOTH)

    assert "北京时间" not in page
    assert "| 时间 · when (Europe/Berlin) |" in page
    assert "| 2026-05-01 04:00 | " in page
    if STAGES[name].span:
        assert "**2026-05-03 04:00 Europe/Berlin** (自 2026-05-01 04:00 起 48 小时" in page


@pytest.mark.parametrize(("zone", "shown"), [("Europe/Berlin", "04:00 Europe/Berlin"), (None, "10:00 北京时间")])
def test_the_command_line_shows_the_same_moments(zone: str | None, shown: str) -> None:  # G6
    view = seen(STAGES[StageName.MERCHANT_REVIEW], time_zone=zone)
    stay = Stay(stage=view.stage, since=OPENED, until=None, due=view.due, event="opened", by=merchant("m-1"), rule="R4")
    console = Console(width=200, record=True)

    console.print(known_page(Known(view, view.log, (stay,), OPENED, ())))

    printed = console.export_text()
    assert f"2026-05-03 {shown}  2 d left" in printed
    assert f"2026-05-01 {shown}" in printed, "the log"
    assert ("since (Europe/Berlin)" in printed) is bool(zone)
    assert ("北京时间" in printed) is not zone


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


def test_a_page_says_how_much_time_is_left() -> None:
    view = seen(STAGES[StageName.MERCHANT_REVIEW])
    assert view.due

    soon = details.page(view, REQUEST, Language.EN, view.due - timedelta(hours=25, minutes=3, seconds=59))
    over = details.page(view, REQUEST, Language.ZH, view.due + timedelta(minutes=2))

    assert "北京时间**, 1 d 1 h 3 min left (48 h" in soon
    assert "**, 已超时 2 分钟 (" in over


def test_a_page_says_what_the_current_version_has_changed() -> None:  # R10, R12
    lines = (LineAmount(line="1", quantity=1, amount=5_900),)
    first = ApplicationVersion(version=1, lines=lines, freight=0, reason="damaged", route="original", at=OPENED)
    second = first.model_copy(
        update={"version": 2, "lines": (lines[0].model_copy(update={"amount": 4_000}),), "freight": 500}
    )
    told = [
        LogEntry(event=event, by=merchant("m-1"), rule="R6", at=OPENED, facts=facts)
        for event, facts in (
            ("opened", version_facts(first)),
            ("amended", version_facts(second)),
            ("proposed", {"version": 2, "lines": "1:1:100", "amount": 100}),
        )
    ]
    view = seen(STAGES[StageName.SHIPPED_REVIEW], application=second, log=tuple(told))

    page = details.page(view, REQUEST, Language.EN)

    assert (
        "- **changed**: since version 1: amount `59.00 CNY` → **`45.00 CNY`**; lines `1 × 1: 59.00` →"
        " **`1 × 1: 40.00`**; freight `–` → **`5.00 CNY`**\n" in page
    )
    alone = details.page(view.model_copy(update={"log": tuple(told[1:])}), REQUEST, Language.EN)
    assert "**changed**" not in alone, "what it was before is not among the last lines"


def test_what_was_said_comes_before_what_can_be_done() -> None:  # D8, N5
    lines = (LineAmount(line="1", quantity=1, amount=5_900),)
    asks = ApplicationVersion(version=1, lines=lines, freight=0, reason="damaged", route="original", at=OPENED)
    quiet = seen(STAGES[StageName.SHIPPED_REVIEW], application=asks)
    talked = quiet.model_copy(update={"talk": Talk(messages=1)})
    disputed = quiet.model_copy(update={"kind": CaseKind.DISPUTE})

    pages = [details.page(view, REQUEST, Language.EN) for view in (quiet, talked, disputed)]

    places = [[page.count(each), page.find(each)] for page in pages for each in ("dossier:refund/o-1/k-1", "#### open")]
    assert [count for count, _ in places] == [1] * 6
    first = [places[number][1] < places[number + 1][1] for number in (0, 2, 4)]
    assert first == [False, True, True]

"""Notices in words: every template in each language, from typed fields, with nothing left out."""

from collections.abc import Mapping
from dataclasses import fields
from string import Formatter
from typing import get_args

import pytest

from activities.notices.languages import TEXTS
from activities.notices.languages.texts import Texts
from activities.notices.templates import FIELDS, Amount, NotKnownHere, NotRenderable, render
from workflows.messages.actors import Role
from workflows.messages.addresses import ReturnClause
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import RejectReason
from workflows.messages.place import Language
from workflows.messages.proposals import ProposalEnd, ProposalKind
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName

LANGUAGES: tuple[Language, ...] = get_args(Language)

# What the workflows pass, template by template.
PASSED: dict[NoticeTemplate, dict[str, str | int]] = {
    NoticeTemplate.REQUEST_OPENED: {
        "subject": "DY-1001",
        "amount": 7200,
        "currency": "CNY",
        "due": "2026-03-05T09:30:00+00:00",
    },
    NoticeTemplate.REQUEST_AMENDED: {
        "subject": "DY-1001",
        "version": 2,
        "amount": 7200,
        "currency": "CNY",
        "due": "2026-03-05T09:30:00+00:00",
        "on_silence": Silence.REFUND,
    },
    NoticeTemplate.SETTLEMENT_OFFERED: {"subject": "DY-1001", "amount": 7200, "currency": "CNY"},
    NoticeTemplate.PROPOSAL_MADE: {
        "subject": "DY-1001",
        "number": 3,
        "by": Role.MERCHANT,
        "terms": ProposalKind.KEEP_GOODS,
        "amount": 1440,
        "currency": "CNY",
        "until": "2026-03-05T09:30:00+00:00",
        "on_silence": Silence.REFUND,
    },
    NoticeTemplate.PROPOSAL_ENDED: {
        "subject": "DY-1001",
        "number": 3,
        "terms": ProposalKind.SEND_AGAIN,
        "how": ProposalEnd.LAPSED,
        "on_silence": Silence.AGREE_TO_RETURN,
    },
    NoticeTemplate.PROPOSAL_OVER: {
        "subject": "DY-1001",
        "number": 3,
        "terms": ProposalKind.AMOUNT,
        "how": ProposalEnd.ACCEPTED,
    },
    NoticeTemplate.MESSAGE_LEFT: {"subject": "DY-1001", "by": Role.BUYER},
    NoticeTemplate.DEADLINE_NEAR: {
        "subject": "DY-1001",
        "due": "2026-03-05T09:30:00+00:00",
        "on_silence": Silence.REFUND,
    },
    NoticeTemplate.REQUEST_REJECTED: {
        "subject": "DY-1001",
        "reason": RejectReason.AMOUNT_TOO_HIGH,
        "window_days": 7,
    },
    NoticeTemplate.REQUEST_REJECTED_FINALLY: {
        "subject": "DY-1001",
        "reason": RejectReason.NO_FAULT_SHOWN,
        "window_days": 7,
    },
    NoticeTemplate.RECEIPT_REJECTED: {
        "subject": "DY-1001",
        "reason": RejectReason.GOODS_RECEIVED_AS_DESCRIBED,
        "window_days": 7,
    },
    NoticeTemplate.GOODS_UNDERWAY: {"subject": "DY-1001"},
    NoticeTemplate.RETURN_AGREED: {
        "subject": "DY-1001",
        "address": "a-1",
        "clauses": "no_ems no_sf_express",
        "days": 7,
    },
    NoticeTemplate.ADDRESS_WANTED: {"subject": "DY-1001"},
    NoticeTemplate.ACCOUNT_WANTED: {"subject": "DY-1001"},
    NoticeTemplate.EXTENSION_OFFERED: {"subject": "DY-1001"},
    NoticeTemplate.RETURN_SIGNED: {"subject": "DY-1001"},
    NoticeTemplate.EXCHANGE_SHIPPED: {"subject": "DY-1001"},
    NoticeTemplate.GOODS_SENT_BACK: {"subject": "DY-1001"},
    NoticeTemplate.REPAIR_SHIPPED: {"subject": "DY-1001"},
    NoticeTemplate.REPAIR_LATE: {"subject": "DY-1001"},
    NoticeTemplate.RESEND_AGREED: {"subject": "DY-1001", "hours": 72},
    NoticeTemplate.GOODS_SENT_AGAIN: {"subject": "DY-1001"},
    NoticeTemplate.RESEND_LATE: {"subject": "DY-1001"},
    NoticeTemplate.INTERVENTION_OPEN: {"subject": "DY-1001"},
    NoticeTemplate.REQUEST_CONFIRMED: {
        "subject": "DY-1001",
        "reason": "R4",
        "amount": 7200,
        "currency": "CNY",
        "due": "2026-03-05T09:30:00+00:00",
    },
    NoticeTemplate.MERCHANT_OVERDUE: {"subject": "DY-1001", "days": 7},
    NoticeTemplate.DISPUTE_OPENED: {
        "subject": "DY-1001",
        "amount": 7200,
        "currency": "CNY",
        "due": "2026-03-05T09:30:00+00:00",
    },
    NoticeTemplate.INTERVENED: {"subject": "DY-1001", "amount": 7200, "currency": "CNY"},
    NoticeTemplate.EVIDENCE_DEMANDED: {
        "subject": "DY-1001",
        "due": "2026-03-05T09:30:00+00:00",
        "wanted": "statement:0123456789abcdef",
    },
    NoticeTemplate.DISPUTE_RULED: {
        "subject": "DY-1001",
        "verdict": Verdict.RULED,
        "fault": Fault.BOTH,
        "amount": 3600,
        "currency": "CNY",
    },
    NoticeTemplate.COMPENSATION_CLAIMABLE: {
        "subject": "DY-1001",
        "amount": 500,
        "currency": "CNY",
        "due": "2026-03-05T09:30:00+00:00",
    },
    NoticeTemplate.COMPENSATION_CLAIMED: {"subject": "DY-1001", "amount": 500, "currency": "CNY"},
    NoticeTemplate.COMPENSATION_PAID: {"subject": "DY-1001", "amount": 500, "currency": "CNY"},
    NoticeTemplate.REFUND_SUBMITTED: {
        "subject": "DY-1001",
        "amount": 7200,
        "currency": "CNY",
        "arrives_from": "2026-03-06T16:00:00+00:00",
        "arrives_until": "2026-03-10T16:00:00+00:00",
    },
    NoticeTemplate.STAGE_CHANGED: {
        "subject": "DY-1001",
        "stage": StageName.RETURN_OVERDUE,
        "on_silence": Silence.NOTHING,
        "due": "2026-03-05T09:30:00+00:00",
    },
    NoticeTemplate.RETURN_SENT: {"subject": "DY-1001", "carrier": "sf", "tracking_no": "SF1"},
    NoticeTemplate.EVIDENCE_GIVEN: {"subject": "DY-1001"},
    NoticeTemplate.RETENTION_ASKED: {"subject": "DY-1001"},
    NoticeTemplate.CONVERSION_WANTED: {"subject": "DY-1001"},
    NoticeTemplate.REFUND_SUCCEEDED: {"subject": "DY-1001", "amount": 7200, "currency": "CNY"},
    NoticeTemplate.ALLOWANCE_REFUNDED: {
        "subject": "DY-1001",
        "amount": 1000,
        "principal": 800,
        "bonus": 200,
        "currency": "CNY",
    },
    NoticeTemplate.ALLOWANCE_PAID_OUT: {
        "subject": "DY-1001",
        "amount": 1000,
        "principal": 800,
        "bonus": 200,
        "currency": "CNY",
    },
    NoticeTemplate.PAYMENT_REDUCED: {"subject": "DY-1001", "asked": 9000, "amount": 7200, "currency": "CNY"},
    NoticeTemplate.CASE_CLOSED: {"subject": "DY-1001", "outcome": OutcomeKind.RETAINED},
    NoticeTemplate.ATTENTION_RAISED: {"subject": "DY-1001", "attention": Attention.MERCHANT_ACCOUNT_SHORT},
}

each_template = pytest.mark.parametrize("template", NoticeTemplate)
each_language = pytest.mark.parametrize("language", LANGUAGES)


@each_template
@each_language
def test_each_text_uses_all_its_fields_and_no_others(template: NoticeTemplate, language: Language) -> None:
    made_of = FIELDS[template]
    # An amount is shown together with its currency, and a moment with its zone.
    expected = set(made_of.model_fields) - {"language"} - ({"currency"} if issubclass(made_of, Amount) else set())
    if not expected & {"due", "until", "arrives_until"}:
        expected -= {"time_zone"}

    named = {name for _, name, _, _ in Formatter().parse(TEXTS[language].notices[template]) if name is not None}

    assert named == expected


@each_template
@each_language
def test_each_template_renders_what_the_workflows_pass(template: NoticeTemplate, language: Language) -> None:
    text = render(template, PASSED[template], language)
    assert "DY-1001" in text
    assert "{" not in text
    in_chinese = any("一" <= letter <= "鿿" for letter in text)
    assert in_chinese == (language == "zh")


@each_template
@each_language
def test_what_a_newer_release_tells_besides_is_passed_over(template: NoticeTemplate, language: Language) -> None:
    assert render(template, {**PASSED[template], "phone": "13800000000"}, language) == render(
        template, PASSED[template], language
    )


@each_template
@each_language
def test_a_field_too_few_is_told_by_name(template: NoticeTemplate, language: Language) -> None:
    optional = {name for name, field in FIELDS[template].model_fields.items() if not field.is_required()}
    for name in PASSED[template].keys() - optional:
        with pytest.raises(NotRenderable, match=name):
            render(template, {key: value for key, value in PASSED[template].items() if key != name}, language)


def test_moments_are_told_in_beijing_time_and_amounts_in_whole_units() -> None:  # R1
    assert render(NoticeTemplate.REQUEST_OPENED, PASSED[NoticeTemplate.REQUEST_OPENED], "en") == (
        "[After-sales] DY-1001: a new request for 72.00 CNY. Please decide by 2026-03-05 17:30 Beijing time."
    )
    assert render(NoticeTemplate.REQUEST_OPENED, PASSED[NoticeTemplate.REQUEST_OPENED], "zh") == (
        "【售后】DY-1001 有新的售后申请，金额 72.00 CNY，请在北京时间 2026-03-05 17:30 前处理。"
    )


def test_codes_are_told_in_words() -> None:
    text = render(NoticeTemplate.DEADLINE_NEAR, PASSED[NoticeTemplate.DEADLINE_NEAR], "zh")
    assert text.endswith("未处理，系统将自动同意退款。")
    text = render(NoticeTemplate.REQUEST_REJECTED, PASSED[NoticeTemplate.REQUEST_REJECTED], "en")
    assert "the amount is too high" in text
    text = render(NoticeTemplate.CASE_CLOSED, PASSED[NoticeTemplate.CASE_CLOSED], "zh")
    assert "挽留成功" in text
    text = render(NoticeTemplate.ATTENTION_RAISED, PASSED[NoticeTemplate.ATTENTION_RAISED], "en")
    assert text.endswith("the merchant's account is short.")


@each_language
def test_every_code_has_words_in_each_language(language: Language) -> None:
    words = TEXTS[language]
    whole = {
        "notices": NoticeTemplate,
        "silences": Silence,
        "outcomes": OutcomeKind,
        "attentions": Attention,
        "reject_reasons": RejectReason,
        "sides": Role,
        "proposals": ProposalKind,
        "proposal_ends": ProposalEnd,
        "verdicts": Verdict,
        "faults": Fault,
        "clauses": ReturnClause,
        "stages": StageName,
    }
    tables = {each.name for each in fields(Texts) if isinstance(getattr(words, each.name), Mapping)}
    assert tables == set(whole)

    for name, codes in whole.items():
        table: Mapping[str, str] = getattr(words, name)
        assert set(table) == set(codes)
        for text in table.values():
            assert text
            assert any("一" <= letter <= "鿿" for letter in text) == (language == "zh"), text
            assert language != "en" or text.isascii()


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            NoticeTemplate.REQUEST_CONFIRMED,
            "Eingangsbestätigung: Ihr Antrag (Widerruf) über 72,00 EUR ist am 05.03.2026, 10:30 Uhr (Europe/Berlin)",
        ),
        (
            NoticeTemplate.DEADLINE_NEAR,
            "Geschieht bis 05.03.2026, 10:30 Uhr (Europe/Berlin) nichts, wird die Erstattung automatisch genehmigt.",
        ),
        (
            NoticeTemplate.STAGE_CHANGED,
            "Frist: 05.03.2026, 10:30 Uhr (Europe/Berlin); danach wartet der Vorgang weiter.",
        ),
        (
            NoticeTemplate.PAYMENT_REDUCED,
            "Von 90,00 EUR zahlt dieser Vorgang 72,00 EUR",
        ),
    ],
)
def test_a_notice_in_german_writes_moments_and_amounts_as_they_are_written_there(
    template: NoticeTemplate, said: str
) -> None:  # G6
    passed = PASSED[template] | {"time_zone": "Europe/Berlin", "language": "de"}
    if "currency" in passed:
        passed |= {"currency": "EUR"}
    if "reason" in passed:
        passed |= {"reason": "Widerruf"}

    assert said in render(template, passed, "zh")


def test_a_language_that_only_a_newer_release_speaks_is_left_to_it() -> None:
    with pytest.raises(NotKnownHere, match="language"):
        render(NoticeTemplate.GOODS_UNDERWAY, {"subject": "DY-1001", "language": "fr"}, "zh")


@pytest.mark.parametrize(
    ("template", "field", "value"),
    [
        (NoticeTemplate.REFUND_SUCCEEDED, "amount", "7200"),
        (NoticeTemplate.REFUND_SUCCEEDED, "amount", -1),
        (NoticeTemplate.REFUND_SUCCEEDED, "currency", "yuan"),
        (NoticeTemplate.DEADLINE_NEAR, "due", "2026-03-05T09:30:00"),
        (NoticeTemplate.DEADLINE_NEAR, "due", "9999-12-31T23:30:00Z"),
        (NoticeTemplate.GOODS_UNDERWAY, "subject", "张三 13800000000"),
    ],
)
def test_fields_of_the_wrong_kind_are_not_rendered(template: NoticeTemplate, field: str, value: str | int) -> None:
    with pytest.raises(NotRenderable):
        render(template, {**PASSED[template], field: value}, "zh")


def test_a_return_is_agreed_to_in_the_fixed_words_of_its_clauses() -> None:  # T2
    text = render(NoticeTemplate.RETURN_AGREED, PASSED[NoticeTemplate.RETURN_AGREED], "zh")

    assert "拒收EMS" in text
    assert "拒收顺丰" in text


def test_a_clause_of_ones_own_is_none() -> None:  # T2
    with pytest.raises(NotKnownHere, match="clauses"):
        render(NoticeTemplate.RETURN_AGREED, PASSED[NoticeTemplate.RETURN_AGREED] | {"clauses": "call_me"}, "zh")


@pytest.mark.parametrize(
    ("template", "field"),
    [
        (NoticeTemplate.DEADLINE_NEAR, "on_silence"),
        (NoticeTemplate.CASE_CLOSED, "outcome"),
        (NoticeTemplate.ATTENTION_RAISED, "attention"),
        (NoticeTemplate.REQUEST_REJECTED, "reason"),
    ],
)
def test_a_word_that_only_a_newer_release_knows_is_left_to_it(template: NoticeTemplate, field: str) -> None:
    with pytest.raises(NotKnownHere, match=field):
        render(template, PASSED[template] | {field: "added_tomorrow"}, "zh")
    with pytest.raises(NotRenderable) as wrong:
        render(template, {field: "added_tomorrow"}, "zh")
    assert not isinstance(wrong.value, NotKnownHere), "nobody can put it into words"

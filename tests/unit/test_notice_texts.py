"""A platform's own texts (X1): checked when they are read, escaped, and within one line where they stand in a head."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from activities.notices.channels import ChannelName, OutgoingNotice
from activities.notices.own_texts import BUILT_IN, TextsError, own_texts
from activities.notices.smtp import composed
from workflows.messages.actors import merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.persons import Reach

OPENED = NoticeTemplate.REQUEST_OPENED
FIELDS = {"subject": "DY-1001", "amount": 5900, "currency": "CNY", "due": "2026-11-25T04:00:00Z"}


def texts(folder: Path, **files: str) -> Path:
    (folder / "en").mkdir()
    for name, text in files.items():
        (folder / "en" / f"request_opened.{name.replace('_', '.')}").write_text(text)
    return folder


def test_an_own_text_stands_in_the_place_of_ours(tmp_path: Path) -> None:
    own = own_texts(
        texts(
            tmp_path,
            txt="$amount is asked for on $subject until $due. Costs: $$1",
            subject_txt="To decide:\n$subject",
            html="<p title='$subject'>$amount, $due</p>",
        )
    )

    told = own.render(OPENED, {**FIELDS, "subject": "a-1"}, "en")

    assert told.text == "59.00 CNY is asked for on a-1 until 2026-11-25 12:00. Costs: $1"
    assert told.subject == "To decide: a-1", "one line, whatever the file has"
    assert told.html == "<p title='a-1'>59.00 CNY, 2026-11-25 12:00</p>"
    assert own.render(OPENED, FIELDS, "zh") == BUILT_IN.render(OPENED, FIELDS, "zh"), "others stay"
    assert BUILT_IN.render(OPENED, FIELDS, "en").subject == "After-sales: DY-1001"


def test_an_own_text_is_taken_of_the_language_that_the_notice_has(tmp_path: Path) -> None:  # G6
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "request_opened.txt").write_text("$subject: $amount, bis $due $time_zone")
    there: dict[str, str | int] = {**FIELDS, "language": "de", "time_zone": "Europe/Berlin"}

    told = own_texts(tmp_path).render(OPENED, there, "zh")

    assert (told.language, told.subject) == ("de", "Kundenservice: DY-1001")
    assert told.text == "DY-1001: 59,00 CNY, bis 25.11.2026, 05:00 Uhr (Europe/Berlin)"
    assert own_texts(tmp_path).render(OPENED, FIELDS, "zh") == BUILT_IN.render(OPENED, FIELDS, "zh")


def test_values_are_escaped_in_a_page(tmp_path: Path) -> None:
    own = own_texts(texts(tmp_path, html="<b>$subject</b> $amount $due", txt="$subject $amount $due"))
    due = {"attention": "outcome_unknown"}
    (tmp_path / "en" / "attention_raised.html").write_text("$subject $attention")
    page = own_texts(tmp_path).render(NoticeTemplate.ATTENTION_RAISED, {"subject": "a-1", **due}, "en").html

    assert page == "a-1 the result of the refund is not known"
    assert own.render(OPENED, FIELDS, "en").html == "<b>DY-1001</b> 59.00 CNY 2026-11-25 12:00"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("txt", "$amount until $due", r"request_opened\.txt: \$\{subject\}: is missing"),
        ("html", "$subject $amount", r"request_opened\.html: \$\{due\}: is missing"),
        ("txt", "$subject $amount $due $buyer", r"request_opened\.txt: \$\{buyer\}: is none of amount, currency, due"),
        ("txt", "$subject $amount $due 5$", r"request_opened\.txt: a \$ stands alone"),
        ("subject_txt", "$nobody", r"request_opened\.subject\.txt: \$\{nobody\}: is none of"),
        ("md", "$subject", r"en/request_opened\.md: is no text"),
    ],
)
def test_a_wrong_text_is_refused_by_file_and_placeholder(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(TextsError, match=said):
        own_texts(texts(tmp_path, **{name: text}))


@pytest.mark.parametrize("place", ["fr/request_opened.txt", "en/request_eaten.txt", "request_opened.txt"])
def test_a_text_of_no_notice_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("$subject $amount $due")

    with pytest.raises(TextsError, match=f"{place}: is no text"):
        own_texts(tmp_path)
    with pytest.raises(TextsError, match="is no folder"):
        own_texts(path)


def notice(**changes: object) -> OutgoingNotice:
    fields = {
        "dedup_key": "k1",
        "channel": ChannelName.E_MAIL,
        "recipient": merchant("m-1"),
        "template": OPENED,
        "language": "zh",
        "text": "【售后】DY-1001",
        "subject": "售后通知：DY-1001",
    }
    return OutgoingNotice.model_validate(fields | changes)


def test_an_e_mail_says_both_ways_what_there_is_to_say() -> None:
    mail = composed(notice(html="<p>DY-1001</p>"), "shop@example.com", "王@example.cn")

    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert (mail["Subject"], mail["Message-ID"]) == ("售后通知：DY-1001", "<k1@example.com>")


@pytest.mark.parametrize("to", ["a@example.com\nBcc: b@example.com", "a@example.com\r\n\r\nHello"])
def test_nothing_adds_a_line_to_the_head(to: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        composed(notice(), "shop@example.com", to)
    with pytest.raises(ValueError, match="linefeed"):
        composed(notice(subject=f"x{to[1:]}"), "shop@example.com", "a@example.com")


@pytest.mark.parametrize(
    "typed", ["a@example.com\nBcc: b@example.com", "a@b.cn, c@d.cn", "Anna <a@b.cn>", "a@b", "a b@c.cn", "@b.cn"]
)
def test_what_is_no_single_address_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Reach(e_mail=SecretStr(typed))
    assert typed not in str(refused.value)
    assert Reach(e_mail=SecretStr("anna.ö+shop@mail.example.com")).phone is None

"""section 2: profiles are data, checked when they are read."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import pytest
from pydantic import BaseModel

from activities.policies import Policies, PolicyError
from workflows.messages.policy import Policy

BUILT_IN = Path("workflows/rules/policies")


@pytest.mark.parametrize("name", ["douyin", "jd-pop", "jd-self", "cn-2026", "eu"])
def test_a_built_in_profile_is_valid_and_called_like_its_file(name: str) -> None:
    policy = Policies().get(name)

    assert policy is not None
    assert policy.name == name


def test_a_profile_that_is_not_there() -> None:
    assert Policies().get("taobao") is None


def test_an_edit_is_read_for_the_next_case(tmp_path: Path) -> None:
    text = (BUILT_IN / "douyin.toml").read_text()
    (tmp_path / "douyin.toml").write_text(text)
    policies = Policies(tmp_path)
    before = policies.get("douyin")

    (tmp_path / "douyin.toml").write_text(text.replace("version = 1", "version = 2"))
    after = policies.get("douyin")

    assert before is not None
    assert after is not None
    assert (before.version, after.version) == (1, 2)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("unshipped_review_hours = 48", "unshipped_review_hours = 0", "refund.unshipped_review_hours"),
        ("unshipped_review_hours = 48", "unshiped_review_hours = 48", "refund.unshipped_review_hours"),
        ('operated_by = "merchant"', 'operated_by = "nobody"', "operated_by"),
        ("at_once_up_to = 20000", "at_once_up_to = 200.5", "merchant_refund.at_once_up_to"),
        ("[refund]", "[refund", "douyin.toml"),
        ("\nreminder_hours = 12             # R1", "\nreminder_hours = 49", "refund.reminder_hours: must not"),
    ],
)
def test_a_wrong_profile_names_file_and_field(tmp_path: Path, old: str, new: str, field: str) -> None:
    text = (BUILT_IN / "douyin.toml").read_text()
    assert old in text
    (tmp_path / "douyin.toml").write_text(text.replace(old, new))

    with pytest.raises(PolicyError) as wrong:
        Policies(tmp_path).get("douyin")

    assert field in str(wrong.value)
    assert "douyin.toml" in str(wrong.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"unshipped_review_hours = 48": "unshiped_review_hours = 48"},
            (
                "refund.unshiped_review_hours: there is no such field; perhaps unshipped_review_hours is meant "
                "(R1 to R8); refund.unshipped_review_hours: is missing (R1 to R8)"
            ),
        ),
        (
            {"unshipped_review_hours = 48": "unshipped_review_hours = -4", 'evidence_silence = "uphold"': ""},
            (
                "refund.unshipped_review_hours: must be greater than or equal to 1 (R1 to R8); "
                "dispute.evidence_silence: is missing (D1 to D9)"
            ),
        ),
        (
            {"receipt_days = 10": "receipt_days = 5"},
            "returns: an extension must be offered before the time of receipt is over (T7)",
        ),
        (
            {"# R1\nshipped_review_hours = 48": "\nshipped_review_hours = 8"},
            "refund.reminder_hours: must not be more than refund.shipped_review_hours, or nobody is reminded (R2)",
        ),
        (
            {"[refund]": "[place]\nopens = 18\ncloses = 9\n[refund]"},
            "place.opens: must be before place.closes, or no working hour ever comes (G6)",
        ),
        (
            {"[refund]": "[place]\nopens = 18\n[refund]"},
            "place.opens: must be before place.closes, or no working hour ever comes (G6)",
        ),
        (
            {"reship_hours = 72": "reship_hours = 6"},
            "returns.reminder_hours: must not be more than returns.reship_hours, or nobody is reminded (T8)",
        ),
        (
            {"ship_hours = 72\nconfirm_days = 10\n\n[repair]": "ship_hours = 6\nconfirm_days = 10\n\n[repair]"},
            "resend.reminder_hours: must not be more than resend.ship_hours, or nobody is reminded (C3)",
        ),
        (
            {
                "[repair]                        # M1 to M5\nreview_hours = 48\nreminder_hours = 12": (
                    "[repair]\nreview_hours = 200\nreminder_hours = 97"
                ),
                "repair_days = 15": "repair_days = 1",
            },
            (
                "repair.reminder_hours: must not be more than repair.repair_days and repair.ship_hours together, "
                "or nobody is reminded (M3)"
            ),
        ),
        (
            {
                "earliest_working_days = 2, latest": "earliest_working_days = 6, latest",
            },
            "payment.credit_card.earliest_working_days: must not be more than latest_working_days (R5)",
        ),
        (
            {
                "first_room_poll_seconds = 5": "first_room_poll_seconds = 61",
                "longest_room_poll_minutes = 60": "longest_room_poll_minutes = 1",
            },
            "refund.first_room_poll_seconds: must not be longer than refund.longest_room_poll_minutes (R8)",
        ),
        (
            {"most_attachments = 4": 'most_attachments = 4\nmedia_types = ["image/jpeg", "image/png", "video/mp4"]'},
            "dispute.media_types: image/heic, video/quicktime must be there, for phones make it (D6)",
        ),
        ({"[refund]": "of_nobody = 1\n[refund]"}, "of_nobody: there is no such field (section 2)"),
    ],
)
def test_what_is_wrong_is_told_with_its_rule(tmp_path: Path, changes: dict[str, str], said: str) -> None:  # section 2
    text = (BUILT_IN / "douyin.toml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "douyin.toml").write_text(text)

    with pytest.raises(PolicyError) as wrong:
        Policies(tmp_path)

    assert str(wrong.value) == f"douyin.toml: {said}"


def fields(kind: type[BaseModel], place: str = "") -> Iterator[str]:
    """The fields of a profile, as its file has them."""
    for name, field in kind.model_fields.items():
        yield f"{place}{name}"
        for each in (field.annotation, *get_args(field.annotation)):
            if isinstance(each, type) and issubclass(each, BaseModel):
                yield from fields(each, f"{place}{name}.")


def test_the_page_of_profiles_has_every_field() -> None:  # section 2
    page = Path("docs/profiles.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", page))

    assert [each for each in fields(Policy) if each.rpartition(".")[2] not in named] == []


VALUES: Final = {
    "cn-2026/1": "a598db7f27301bd669db26a34e1ed823facadbfb980bff70d637939f412a3abf",
    "douyin/1": "402dd87c444589729941fe07a4f43cc1d822a6c411c122e8c2f85c6f320f9801",
    "eu/1": "8ae20c4178e9c7d77eef104e314ae7de5e0871ec1969182eb35604c6d6d3521f",
    "jd-pop/1": "bceb3b3ec51ac22336b703b3702f1fe9a76f44524e920c8b730a1f2fbf0e2a47",
    "jd-self/1": "d70c618322057fb03217be917edd04374cc83c577c074593788ee4fe9fd30bf3",
}
"""Digests of what the built-in profiles state, by name and version."""


def test_a_built_in_profile_that_states_something_else_has_another_version() -> None:  # section 2
    stated = {name: tomllib.loads((BUILT_IN / f"{name}.toml").read_text()) for name in Policies().names()}
    found = {
        f"{name}/{values['version']}": hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        for name, values in stated.items()
    }

    assert found == VALUES, (
        "cases say by which version of a profile they go: raise `version` in its file, unless this version was never "
        "released, and write its digest here"
    )


def test_a_profile_without_phones_is_refused(tmp_path: Path) -> None:  # G6
    text = (BUILT_IN / "eu.toml").read_text()
    (tmp_path / "eu.toml").write_text(text.replace('phone_region = "DE"', 'phone_region = "XX"'))

    with pytest.raises(PolicyError, match=r"eu\.toml: place: no phones of XX \(G6\)"):
        Policies(tmp_path)


def test_an_order_of_a_profile_that_cannot_be_read_is_taken_all_the_same(tmp_path: Path) -> None:  # G6
    policies = Policies(tmp_path)
    (tmp_path / "torn.toml").write_text("[refund")

    assert [policies.phone_region(name) for name in ("eu", "douyin", "torn", "unknown")] == ["DE", None, None, None]


def test_own_profiles_add_to_the_built_in_ones(tmp_path: Path) -> None:
    text = (BUILT_IN / "douyin.toml").read_text()
    (tmp_path / "ours.toml").write_text(text.replace('name = "douyin"', 'name = "ours"'))
    (tmp_path / "jd-pop.toml").write_text(text.replace('name = "douyin"', 'name = "jd-pop"').replace("= 1", "= 9", 1))
    policies = Policies(tmp_path)

    assert {"douyin", "ours", "jd-pop"} < set(policies.names())
    found = {name: policies.get(name) for name in ("douyin", "ours", "jd-pop")}
    assert {name: policy and policy.name for name, policy in found.items()} == {name: name for name in found}
    assert found["jd-pop"] is not None
    assert found["jd-pop"].version == 9  # one's own goes first


def test_a_file_that_is_called_otherwise_than_its_profile_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text((BUILT_IN / "douyin.toml").read_text())

    with pytest.raises(PolicyError, match=r"ours\.toml: name"):
        Policies(tmp_path)


def test_a_folder_that_is_not_there_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no folder"):
        Policies(tmp_path / "missing")

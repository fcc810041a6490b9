"""section 2: profiles are data, checked when they are read."""

from pathlib import Path

import pytest

from activities.policies import Policies, PolicyError

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

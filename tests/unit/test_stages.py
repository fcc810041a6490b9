"""The table of stages: silence is defined everywhere (SPEC sections 1 and 12)."""

import pytest

from activities.policies import Policies
from workflows.messages.actors import Role
from workflows.messages.stages import Silence, StageName
from workflows.rules.stages import FACTS, STAGES, Stage

PROFILES = ("douyin", "jd-pop", "jd-self")


def test_every_stage_name_has_its_stage() -> None:
    assert set(STAGES) == set(StageName)


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_a_stage_has_a_deadline_or_a_written_reason_for_having_none(stage: Stage) -> None:
    assert (stage.span is None) == bool(stage.no_deadline)


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_a_deadline_says_what_silence_does(stage: Stage) -> None:
    assert stage.span is None or stage.silence is not Silence.NOTHING


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_whoever_is_waited_for_can_do_something(stage: Stage) -> None:
    if stage.waits_for in (None, Role.GATEWAY, Role.CARRIER):
        return
    assert any(stage.waits_for in roles for roles in stage.accepts.values())


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_every_deadline_is_a_positive_time_with_its_reminder_inside(stage: Stage, profile: str) -> None:
    policy = Policies().get(profile)
    assert policy is not None
    if stage.span is None:
        return
    span = stage.span(policy)
    assert span.minutes > span.reminder_minutes >= 0


def test_facts_are_open_in_no_stage_because_they_are_taken_in_all() -> None:
    assert not any(fact in stage.accepts for fact in FACTS for stage in STAGES.values())


def test_nothing_is_open_once_a_case_has_ended() -> None:
    assert not STAGES[StageName.CLOSED].accepts


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        (StageName.MERCHANT_REVIEW, 48),  # R1
        (StageName.SHIPPED_REVIEW, 48),  # R2
        (StageName.WAREHOUSE_REVIEW, 0.5),  # R3
        (StageName.OUTBOUND_REVIEW, 24),  # R3
        (StageName.OFFICER_REVIEW, 24),  # R9
        (StageName.RETENTION, 48),  # A3
        (StageName.REJECTED, 7 * 24),  # R6
    ],
)
@pytest.mark.parametrize("profile", PROFILES)
def test_the_rulebooks_numbers(profile: str, name: StageName, hours: float) -> None:
    policy, span = Policies().get(profile), STAGES[name].span
    assert policy is not None
    assert span is not None
    assert span(policy).minutes == hours * 60


@pytest.mark.parametrize(
    ("name", "silence"),
    [
        (StageName.MERCHANT_REVIEW, Silence.REFUND),  # R1
        (StageName.SHIPPED_REVIEW, Silence.REFUND),  # R2
        (StageName.WAREHOUSE_REVIEW, Silence.REFUND),  # R3
        (StageName.OUTBOUND_REVIEW, Silence.ESCALATE),  # R3
        (StageName.OFFICER_REVIEW, Silence.APPROVE),  # R9
        (StageName.RETENTION, Silence.PAY_PRINCIPAL),  # A3
        (StageName.REJECTED, Silence.CLOSE_AS_REJECTED),  # R6
    ],
)
def test_the_rulebooks_silences(name: StageName, silence: Silence) -> None:
    assert STAGES[name].silence is silence

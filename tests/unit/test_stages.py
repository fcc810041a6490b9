"""The table of stages: silence is defined everywhere (sections 1 and 12)."""

import pytest

from activities.policies import Policies
from workflows.kinds.admission import DECLARED, FACTS
from workflows.kinds.disputed import LOCKED
from workflows.kinds.stage import CLOSED, PASSING, STAGES, Stage
from workflows.messages.actors import Role
from workflows.messages.commands import CloseCase, ConfirmProposal, Rule
from workflows.messages.stages import Silence, StageName

PROFILES = ("douyin", "jd-pop", "jd-self", "cn-2026")


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
    if stage.waits_for in (None, Role.GATEWAY, Role.CARRIER) or stage is LOCKED:
        return  # a locked case waits for its dispute (D3)
    assert any(stage.waits_for in roles for roles in DECLARED[stage.name].values())


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_every_deadline_is_a_positive_time_with_its_reminder_inside(stage: Stage, profile: str) -> None:
    policy = Policies().get(profile)
    assert policy is not None
    if stage.span is None:
        return
    span = stage.span(policy)
    if stage.name is StageName.NEGOTIATION and profile == "douyin":  # D2: none
        assert not span.minutes
        return
    assert span.minutes + span.working_minutes > span.reminder_minutes >= 0


def test_facts_are_open_in_no_stage_because_they_are_taken_in_all() -> None:
    assert not any(fact in DECLARED[stage.name] for fact in FACTS for stage in STAGES.values())


def test_nothing_is_open_once_a_case_has_ended() -> None:
    assert not DECLARED[StageName.CLOSED]


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
        (StageName.RETURN_REVIEW, 48),  # T1
        (StageName.AWAITING_RETURN, 7 * 24),  # T3
        (StageName.RETURN_IN_TRANSIT, 5 * 24),  # T7
        (StageName.RETURN_DELAYED, 5 * 24),  # T6, T7
        (StageName.RETURN_EXTENDED, 3 * 24),  # T7
        (StageName.RETURN_RECEIVED, 10 * 24),  # T6
        (StageName.RESHIPMENT, 72),  # T8
        (StageName.EVIDENCE, 24),  # D4
        (StageName.RULING, 48),  # D8
        (StageName.CLAIMABLE, 30 * 24),  # L2
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
        (StageName.RETURN_REVIEW, Silence.AGREE_TO_RETURN),  # T1
        (StageName.AWAITING_RETURN, Silence.CLOSE_NOT_RETURNED),  # T3
        (StageName.RETURN_RECEIVED, Silence.REFUND),  # T6
        (StageName.RESHIPMENT, Silence.RIGHT_TO_INTERVENTION),  # T8
        (StageName.NEGOTIATION, Silence.GO_TO_PLATFORM),  # D2
        (StageName.EVIDENCE, Silence.UPHOLD),  # D4
        (StageName.EVIDENCE_WORKING_HOURS, Silence.PROPOSE_FAULT),  # D5
        (StageName.RULING, Silence.RAISE_ATTENTION),  # D8
        (StageName.CLAIMABLE, Silence.CLOSE_UNCLAIMED),  # L2
        (StageName.CLAIM_REVIEW, Silence.PAY_COMPENSATION),  # L2
    ],
)
def test_the_rulebooks_silences(name: StageName, silence: Silence) -> None:
    assert STAGES[name].silence is silence


@pytest.mark.parametrize("profile", PROFILES)
def test_only_jd_negotiates_before_the_platform_steps_in(profile: str) -> None:  # D2
    policy, span = Policies().get(profile), STAGES[StageName.NEGOTIATION].span
    assert policy is not None
    assert span is not None
    assert span(policy).minutes == (0 if profile == "douyin" else 24 * 60)


@pytest.mark.parametrize("profile", PROFILES)
def test_evidence_is_due_within_four_working_hours(profile: str) -> None:  # D5
    policy, span = Policies().get(profile), STAGES[StageName.EVIDENCE_WORKING_HOURS].span
    assert policy is not None
    assert span is not None
    assert span(policy).working_minutes == 4 * 60
    assert policy.dispute.evidence_silence == ("uphold" if profile in ("douyin", "cn-2026") else "propose")


def test_money_on_its_way_is_never_paused() -> None:  # section 9
    money = (StageName.PAYING, StageName.SETTLING, StageName.AWAITING_ACCOUNT)
    assert not any(STAGES[name].pausable and STAGES[name].span for name in money)


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_no_stage_is_a_dead_end(stage: Stage) -> None:
    """R14: a deadline leads on, or the platform can end it; what lasts seconds is tried until it works."""
    if stage.name in PASSING or stage is CLOSED:
        return
    if stage.name in (StageName.LOCKED, StageName.DISPUTED):
        return  # the end of the dispute leads on, whatever it is, and the dispute is no dead end (D1)
    ends = {CloseCase, Rule, ConfirmProposal}
    assert stage.span is not None or any(
        Role.PLATFORM in roles for each, roles in DECLARED[stage.name].items() if each in ends
    )

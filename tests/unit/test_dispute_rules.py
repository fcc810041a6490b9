"""D1, D2, D6, D8: what may be disputed, offered, ruled; and what evidence is too much."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import TypeAdapter, ValidationError

from activities.policies import Policies
from workflows.kinds.admission import DECLARED
from workflows.kinds.disputed import DISPUTED
from workflows.kinds.kind import PROCESSES
from workflows.messages.actors import CLOCK, buyer, merchant, officer
from workflows.messages.commands import AcceptSettlement, OfferSettlement, OpenDispute, Rule, SubmitEvidence
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import Identifier
from workflows.messages.policy import DisputePolicy
from workflows.messages.requests import DisputeReason, DisputeRequest, LineAmount, RefundReason
from workflows.messages.rulings import Award, Fault, FreightBearer, Verdict
from workflows.messages.stages import OutcomeKind, Silence, StageName
from workflows.messages.statements import EvidenceGiven
from workflows.rules.dispute import (
    DECIDED,
    given_facts,
    intervention_key,
    refused_acceptance,
    refused_dispute,
    refused_offer,
    refused_ruling,
    resolved,
    ruled,
    settled,
    upheld,
)
from workflows.rules.evidence import MIB, refused_evidence

NOON = datetime(2026, 11, 2, 4, tzinfo=UTC)
OFFICER = officer("f-1")


def policy() -> DisputePolicy:
    found = Policies().get("douyin")
    assert found is not None
    return found.dispute


def lines(**amounts: int) -> tuple[LineAmount, ...]:
    return tuple(LineAmount(line=line.removeprefix("l"), quantity=1, amount=amount) for line, amount in amounts.items())


CLAIM = DisputeRequest(
    request_key="k-1",
    order_no="O-1",
    merchant_id="m-1",
    buyer_id="b-1",
    lines=lines(l1=5_000, l2=3_000),
    freight=800,
    reason=RefundReason.DAMAGED,
    dispute_reason=DisputeReason.OTHER,
)


def offer(*wanted: LineAmount, freight: int = 0) -> OfferSettlement:
    return OfferSettlement(key="o", by=merchant("m"), lines=wanted, freight=freight)


def rule(refund: Award, *wanted: LineAmount, freight: int = 0) -> Rule:
    return Rule(
        key="r",
        by=OFFICER,
        fault=Fault.BOTH,
        refund=refund,
        lines=wanted,
        freight=freight,
        return_freight=FreightBearer.MERCHANT,
        reason="both",
    )


# D1 ------------------------------------------------------------------------------------------------------


def test_where_a_buyer_may_open_a_dispute() -> None:  # D1
    allowed = {name for name, takes in DECLARED.items() if OpenDispute in takes}

    assert allowed == {
        StageName.REJECTED,
        StageName.MERCHANT_OVERDUE,
        StageName.RESEND_OVERDUE,
        StageName.RESEND_UNDERWAY,
        StageName.RESEND_FAILED,
        StageName.REPAIR_OVERDUE,
        StageName.REPAIR_UNDERWAY,
        StageName.REPAIR_FAILED,
        StageName.RECEIPT_REJECTED,
        StageName.RETURN_RECEIVED,
        StageName.RETURN_OVERDUE,
        StageName.RETURN_REFUSED,
        StageName.SENT_BACK,
        StageName.GOODS_HELD,
        StageName.RESHIP_FAILED,
        StageName.RESHIP_OVERDUE,
        StageName.EXCHANGE_UNDERWAY,
        StageName.ESCALATED,
    }
    assert not allowed & DECIDED
    gives_money_or_nothing = {Silence.REFUND, Silence.NOTHING}
    for process in PROCESSES.values():
        for stage in process.table:
            if opens := process.on(stage, OpenDispute):  # no clock that the buyer has answered goes on
                assert [goal for _, goal in opens.leads] == [DISPUTED] * (stage.silence not in gives_money_or_nothing)


@pytest.mark.parametrize("stage", sorted(set(StageName) - DECIDED))
def test_an_open_case_is_not_disputed_apart(stage: StageName) -> None:  # D1
    refusal = refused_dispute(stage, None, (), NOON, policy())

    assert refusal is not None
    assert (refusal.code, refusal.field) == ("case_open", "about")


@pytest.mark.parametrize("stage", sorted(DECIDED))
def test_a_case_that_is_decided_is_disputed_apart(stage: StageName) -> None:  # D1, section 11
    assert refused_dispute(stage, None, (), NOON, policy()) is None


@pytest.mark.parametrize(("late", "code"), [(timedelta(0), None), (timedelta(microseconds=1), "window_over")])
def test_the_window_after_the_end(late: timedelta, code: str | None) -> None:  # D1
    refusal = refused_dispute(StageName.CLOSED, NOON, (), NOON + timedelta(days=7) + late, policy())

    assert (refusal.code if refusal else None) == code


@pytest.mark.parametrize(
    ("earlier", "code"),
    [
        ((), None),
        ((None,), "dispute_open"),
        ((OutcomeKind.RULED, None), "dispute_open"),
        ((OutcomeKind.RESOLVED,), None),
        ((OutcomeKind.REFUSED, OutcomeKind.CLOSED_BY_OFFICER, OutcomeKind.RESOLVED), None),
        ((OutcomeKind.RESOLVED, OutcomeKind.RULED), "ruled_before"),
        ((OutcomeKind.SETTLED,), "ruled_before"),
        ((OutcomeKind.DISMISSED,), "ruled_before"),
        ((OutcomeKind.REFUNDED,), "ruled_before"),
        ((OutcomeKind.COVERED,), "ruled_before"),
        ((OutcomeKind.PAID_BY_PLATFORM,), "ruled_before"),
    ],
)
def test_disputes_before_this_one(earlier: tuple[OutcomeKind | None, ...], code: str | None) -> None:  # D1, D8
    refusal = refused_dispute(StageName.CLOSED, NOON, earlier, NOON, policy())

    assert (refusal.code if refusal else None) == code


@given(some.text(min_size=1, max_size=260))
def test_the_word_of_intervention_has_a_key_of_its_own(dispute_id: str) -> None:  # D3
    key = intervention_key(dispute_id)

    assert TypeAdapter(Identifier).validate_python(key) == key
    assert key != intervention_key(f"{dispute_id}1")


# D2, D8 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "freight", "field"),
    [
        (lines(l1=5_000, l2=3_000), 800, None),
        (lines(l2=1), 0, None),
        (lines(l1=5_001), 0, "lines.0.amount"),
        (lines(l1=1, l2=3_001), 0, "lines.1.amount"),
        (lines(l1=1, l3=1), 0, "lines.1.amount"),
        ((*lines(l1=2_000), *lines(l1=2_000)), 0, "lines.1.amount"),
        (lines(l1=1), 801, "freight"),
    ],
)
def test_what_fits_the_claim(wanted: tuple[LineAmount, ...], freight: int, field: str | None) -> None:  # D2, D8
    of_offer = refused_offer(offer(*wanted, freight=freight), CLAIM)
    of_ruling = refused_ruling(rule(Award.PARTIAL, *wanted, freight=freight), CLAIM)

    assert (of_offer and of_offer.field, of_ruling and of_ruling.field) == (field, field)
    if of_offer and of_ruling:
        assert (of_offer.code, of_offer.rule, of_ruling.rule) == ("beyond_claim", "D2", "D8")


def test_only_the_offer_that_stands_is_accepted() -> None:  # D2
    standing = offer(*lines(l1=4_000), freight=100)
    accept = AcceptSettlement(key="a", by=buyer("b"), amount=4_100)

    assert refused_acceptance(accept, standing) is None
    changed = refused_acceptance(accept.model_copy(update={"amount": 4_000}), standing)
    none = refused_acceptance(accept, None)
    assert changed is not None
    assert none is not None
    assert (changed.code, changed.field, none.code) == ("offer_changed", "amount", "no_offer")


def test_what_a_dispute_comes_to() -> None:  # D2, D4, D8
    ended = {
        "resolved": resolved(buyer("b"), "resolved_by_buyer"),
        "settled": settled(offer(*lines(l1=4_000)), AcceptSettlement(key="a", by=buyer("b"), amount=4_000)),
        "upheld": upheld(CLAIM, CLOCK),
        "full": ruled(rule(Award.FULL), CLAIM),
        "partial": ruled(rule(Award.PARTIAL, *lines(l2=1_000), freight=200), CLAIM),
        "nothing": ruled(rule(Award.NOTHING), CLAIM),
    }

    told = {name: (each.verdict, each.fault, each.award, each.amount, each.by.id) for name, each in ended.items()}
    assert told == {
        "resolved": (Verdict.RESOLVED, Fault.NOBODY, Award.NOTHING, 0, "b"),
        "settled": (Verdict.SETTLED, Fault.NOBODY, Award.PARTIAL, 4_000, "b"),
        "upheld": (Verdict.UPHELD, Fault.MERCHANT, Award.FULL, 8_800, CLOCK.id),
        "full": (Verdict.RULED, Fault.BOTH, Award.FULL, 8_800, "f-1"),
        "partial": (Verdict.RULED, Fault.BOTH, Award.PARTIAL, 1_200, "f-1"),
        "nothing": (Verdict.RULED, Fault.BOTH, Award.NOTHING, 0, "f-1"),
    }
    bearers = {name for name, each in ended.items() if each.return_freight is FreightBearer.MERCHANT}
    assert bearers == {"upheld", "full", "partial", "nothing"}


@pytest.mark.parametrize(
    ("refund", "wanted", "freight"),
    [
        (Award.PARTIAL, (), 0),
        (Award.FULL, lines(l1=1), 0),
        (Award.NOTHING, (), 1),
    ],
)
def test_a_partial_refund_names_amounts_and_no_other_does(
    refund: Award, wanted: tuple[LineAmount, ...], freight: int
) -> None:  # D8
    with pytest.raises(ValidationError, match="D8"):
        rule(refund, *wanted, freight=freight)


# D6 ------------------------------------------------------------------------------------------------------


def attachment(size: int) -> Evidence:
    return Evidence(uri="vault:e/1", media_type=MediaType.PDF, bytes=size, sha256="1" * 64)


@pytest.mark.parametrize(
    ("sizes", "field"),
    [
        ((), None),
        ((20 * MIB,) * 4, None),
        ((1,) * 5, "evidence"),
        ((1, 20 * MIB + 1), "evidence.1.bytes"),
    ],
)
def test_how_much_evidence_is_too_much(sizes: tuple[int, ...], field: str | None) -> None:  # D6
    refusal = refused_evidence(tuple(attachment(size) for size in sizes), policy())

    assert (refusal.field if refusal else None) == field


def test_the_limits_are_the_policys() -> None:  # D6
    narrow = policy().model_copy(update={"most_attachments": 1, "most_attachment_mib": 1})

    many, large = refused_evidence((attachment(1),) * 2, narrow), refused_evidence((attachment(MIB + 1),), narrow)
    assert many is not None
    assert large is not None
    assert (many.explanation, large.explanation) == (
        "at most 1 attachments at a time",
        "an attachment has at most 1 MiB",
    )


def test_a_profile_says_which_types_it_takes() -> None:  # D6
    photos = policy().model_copy(update={"media_types": (MediaType.JPEG, MediaType.HEIC)})
    heic = attachment(1).model_copy(update={"media_type": MediaType.HEIC})

    refusal = refused_evidence((heic, attachment(1)), photos)

    assert refusal
    assert (refusal.code, refusal.field) == ("media_type_not_taken", "evidence.1.media_type")
    assert refusal.explanation == "attachments are image/jpeg, image/heic"
    assert refused_evidence((heic,), photos) is None
    assert refused_evidence((attachment(1),), policy()) is None, "all where a profile says nothing"


def test_evidence_says_something() -> None:  # D6
    with pytest.raises(ValidationError, match="D6"):
        SubmitEvidence(key="e", by=buyer("b"), final=True)
    SubmitEvidence(key="e", by=buyer("b"), amount=0)


@pytest.mark.parametrize(
    ("final", "late", "standing"),
    [(False, False, "draft"), (True, False, "final"), (False, True, "late"), (True, True, "late")],
)
def test_what_the_log_tells_of_evidence(final: bool, late: bool, standing: str) -> None:  # D4, D6
    given = EvidenceGiven(
        key="e", by=buyer("b"), statement="statement:1", amount=0, currency="CNY", final=final, late=late
    )

    assert given_facts(given) == {"standing": standing, "statement": "statement:1", "amount": 0}
    assert given_facts(EvidenceGiven(key="e", by=buyer("b"), attachments=(attachment(1),))) == {"standing": "draft"}

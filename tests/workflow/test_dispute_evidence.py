"""D4 to D7: evidence is demanded, given, replaced, late; and what the merchant's silence comes to."""

from datetime import timedelta

import pytest

from activities.working_time import use_up, working_time
from starter.client import Case
from starter.errors import NotYours, VagueReply
from tests.workflow.disputes import (
    OFFICER,
    charged,
    demanded_in_working_hours,
    disputed,
    entry,
    entry_of,
    evidence,
    intervened,
    paid,
    refusal,
    rejected_refund,
    ruling,
)
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import Actor, Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import ConfirmProposal
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import Reference
from workflows.messages.pauses import DeclarePause, LiftPause, PauseReason
from workflows.messages.rulings import Award, Fault, Verdict
from workflows.messages.scores import ScoreCause
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName
from workflows.messages.statements import EvidenceStanding, WriteStatement

pytestmark = pytest.mark.in_memory


DRAFT, FINAL, LATE, REPLACED = (
    EvidenceStanding.DRAFT,
    EvidenceStanding.FINAL,
    EvidenceStanding.LATE,
    EvidenceStanding.REPLACED,
)
MIB = 1024 * 1024


def attachment(number: int, size: int = 1024) -> Evidence:
    return Evidence(uri=f"vault:evidence/{number}", media_type=MediaType.PNG, bytes=size, sha256="1" * 64)


async def demanded(world: World) -> tuple[Case, Case]:
    case = await rejected_refund(world)
    return case, await intervened(world, case)


async def standings(world: World, dispute: Case) -> list[tuple[Role, EvidenceStanding]]:
    return [(each.by.role, each.standing) for each in await world.aftersales.desk.evidence(dispute.id)]


async def written(world: World, dispute: Case, by: Actor, text: str, key: str = "s-1") -> Reference:
    wish = WriteStatement.model_validate({"case_id": dispute.id, "by": by, "text": text, "key": key})
    return (await world.aftersales.desk.write_statement(wish)).reference


# Silence -------------------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_a_merchant_that_gives_no_evidence_loses(world: World) -> None:  # D4, D9
    case, dispute = await demanded(world)

    await world.forward(dispute, hours=23, minutes=58)
    before = await dispute.view()
    await world.forward(dispute, minutes=3)
    upheld = await dispute.outcome()
    outcome = await case.outcome()

    assert before.stage is StageName.EVIDENCE
    assert upheld.ruling is not None
    assert (upheld.outcome, upheld.decided_by, upheld.rule) == (OutcomeKind.RULED, Role.CLOCK, "D4")
    assert (upheld.ruling.verdict, upheld.ruling.fault, upheld.ruling.amount) == (
        Verdict.UPHELD,
        Fault.MERCHANT,
        10_000,
    )
    assert (outcome.outcome, outcome.ruling) == (OutcomeKind.REFUNDED, upheld.ruling)
    assert await paid(world, (await case.view()).order_no) == 10_000
    assert await charged(world) == [
        (dispute.id, ScoreCause.INTERVENTION, 2),
        (dispute.id, ScoreCause.EVIDENCE_TIMEOUT, 1),
        (dispute.id, ScoreCause.RULING_LOST, 4),
    ]
    assert await world.aftersales.desk.score(world.merchant) == 7


async def test_it_is_reminded_once_when_12_hours_are_left(world: World) -> None:  # D4
    _, dispute = await demanded(world)

    await world.forward(dispute, hours=11, minutes=55)
    before = await world.notices(dispute, NoticeTemplate.DEADLINE_NEAR)
    await world.forward(dispute, minutes=10)
    await entry_of(world, dispute, "deadline_near")
    await dispute.act(evidence(merchant(world.merchant)))
    await world.forward(dispute, hours=11)

    assert before == 0
    assert await world.notices(dispute, NoticeTemplate.DEADLINE_NEAR) == 1
    assert (await dispute.view()).stage is StageName.EVIDENCE


async def test_a_draft_that_stands_at_the_deadline_is_no_silence(world: World) -> None:  # D4, D6
    case, dispute = await demanded(world)
    await dispute.act(evidence(merchant(world.merchant)))

    await world.forward(dispute, hours=24)
    view = await world.at(dispute, StageName.RULING)

    assert view.due == (await entry(dispute, "evidence_closed")).at + timedelta(hours=48)
    assert (await case.view()).stage is StageName.LOCKED
    assert await charged(world) == [(dispute.id, ScoreCause.INTERVENTION, 2)]


async def test_the_buyers_evidence_does_not_speak_for_the_merchant(world: World) -> None:  # D4
    case, dispute = await demanded(world)
    await dispute.act(evidence(buyer(world.buyer), final=True))

    await world.forward(dispute, hours=24)

    assert (await dispute.outcome()).outcome is OutcomeKind.RULED
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


async def test_jd_counts_4_working_hours(world: World) -> None:  # D5
    _, dispute = await demanded_in_working_hours(world)
    began = (await entry(dispute, "intervened")).at

    assert (await dispute.view()).due == use_up(working_time(began), timedelta(hours=4))[0]
    assert await world.notices(dispute, NoticeTemplate.EVIDENCE_DEMANDED) == 1


async def test_jd_proposes_the_merchants_fault_and_an_officer_confirms(world: World) -> None:  # D5, D9
    case, dispute = await demanded_in_working_hours(world)

    await world.forward(dispute, days=14)  # longer than any holidays and 48 hours
    proposed = await world.at(dispute, StageName.RULING_OVERDUE)
    still = await case.view()
    outcome = await dispute.act_and_wait(ConfirmProposal(key="confirm", by=OFFICER, reason="merchant_silent"))
    await case.outcome()

    assert proposed.attention is Attention.RULING_OVERDUE
    assert still.stage is StageName.LOCKED
    assert outcome.ruling is not None
    assert (outcome.ruling.verdict, outcome.ruling.by, outcome.ruling.reason) == (
        Verdict.UPHELD,
        OFFICER,
        "merchant_silent",
    )
    assert await paid(world, (await case.view()).order_no) == 10_000
    assert await charged(world) == [
        (dispute.id, ScoreCause.INTERVENTION, 2),
        (dispute.id, ScoreCause.EVIDENCE_TIMEOUT, 1),
        (dispute.id, ScoreCause.RULING_LOST, 4),
    ]


@pytest.mark.on_servers
async def test_jd_an_officer_may_rule_otherwise_than_proposed(world: World) -> None:  # D5, D8, D9
    case, dispute = await demanded_in_working_hours(world)
    due = (await dispute.view()).due
    assert due is not None
    await world.forward(dispute, seconds=(due - await world.now(dispute)).total_seconds() + 60)
    proposed = await world.at(dispute, StageName.RULING_PROPOSED)
    await dispute.act(evidence(merchant(world.merchant)))

    await dispute.act_and_wait(ruling(Award.NOTHING, fault=Fault.BUYER))
    outcome = await case.outcome()

    assert proposed.due == (await entry(dispute, "fault_proposed")).at + timedelta(hours=48)
    assert outcome.outcome is OutcomeKind.DISMISSED
    assert await standings(world, dispute) == [(Role.MERCHANT, LATE)]
    assert await charged(world) == [
        (dispute.id, ScoreCause.INTERVENTION, 2),
        (dispute.id, ScoreCause.EVIDENCE_TIMEOUT, 1),
    ]


async def test_jd_evidence_that_was_given_is_ruled_on(world: World) -> None:  # D5
    _, dispute = await demanded_in_working_hours(world)
    await dispute.act(evidence(merchant(world.merchant)))

    await world.forward(dispute, days=14)
    await world.at(dispute, StageName.RULING_OVERDUE)
    confirm = ConfirmProposal(key="confirm", by=OFFICER, reason="merchant_silent")

    assert "fault_proposed" not in await world.events(dispute)
    assert (await refusal(dispute, confirm)).code == "nothing_proposed"


@pytest.mark.on_servers
async def test_a_pause_moves_the_time_for_evidence(world: World) -> None:  # D4, D6, section 9
    _, dispute = await demanded(world)
    before = (await dispute.view()).due
    assert before is not None
    pause = DeclarePause(
        id=world.fresh("pause"),
        by=OFFICER,
        reason=PauseReason.SPRING_FESTIVAL,
        kinds=(CaseKind.DISPUTE,),
        starts_at=before - timedelta(hours=12),
        ends_at=before + timedelta(hours=12),
    )

    await world.aftersales.declarations.declare_pause(pause)
    await entry_of(world, dispute, "deadline_moved")
    await world.forward(dispute, hours=30)
    await dispute.act(evidence(merchant(world.merchant)))
    await world.aftersales.declarations.lift_pause(LiftPause(id=pause.id, by=OFFICER))

    assert await standings(world, dispute) == [(Role.MERCHANT, DRAFT)]


# Drafts, the final word, what comes late -----------------------------------------------------------------


@pytest.mark.on_servers
async def test_a_draft_is_replaced_until_the_final_word(world: World) -> None:  # D6
    _, dispute = await demanded(world)
    mine = merchant(world.merchant)
    await dispute.act(evidence(mine, "e1"))
    await dispute.act(evidence(buyer(world.buyer), "e2"))
    await dispute.act(evidence(mine, "e3", evidence=(attachment(3),), amount=2_000))

    final = await dispute.act(evidence(mine, "e4", evidence=(attachment(4),), final=True))
    refused = await refusal(dispute, evidence(mine, "e5"))

    assert final.stage is StageName.RULING
    assert final.due == (await dispute.log())[-1].at + timedelta(hours=48)
    assert (refused.code, refused.rule) == ("said_finally", "D6")
    assert await standings(world, dispute) == [
        (Role.MERCHANT, REPLACED),
        (Role.BUYER, DRAFT),
        (Role.MERCHANT, REPLACED),
        (Role.MERCHANT, FINAL),
    ]
    kept = await world.aftersales.desk.evidence(dispute.id)
    assert (kept[2].amount, kept[2].currency, kept[3].attachments) == (2_000, "CNY", (attachment(4),))


async def test_each_giving_is_in_the_log(world: World) -> None:  # D4, section 12
    _, dispute = await demanded(world)

    await dispute.act(evidence(merchant(world.merchant), "e1", amount=2_000))
    await dispute.act(evidence(merchant(world.merchant), "e2", final=True))

    told = [each for each in await dispute.log() if each.event == "evidence_submitted"]
    assert [(each.by.role, each.facts["standing"], each.command_key) for each in told] == [
        (Role.MERCHANT, "draft", "e1"),
        (Role.MERCHANT, "final", "e2"),
    ]
    assert (told[0].facts["amount"], told[0].facts["evidence_1"]) == (2_000, EVIDENCE[0].uri)


async def test_the_buyers_final_word_does_not_end_the_merchants_time(world: World) -> None:  # D6
    _, dispute = await demanded(world)
    before = await dispute.view()

    view = await dispute.act(evidence(buyer(world.buyer), final=True))

    assert (view.stage, view.due) == (StageName.EVIDENCE, before.due)
    assert (await refusal(dispute, evidence(buyer(world.buyer), "more"))).code == "said_finally"


async def test_a_merchant_that_has_said_all_in_the_negotiation_is_not_asked_again(world: World) -> None:  # D4, D6
    case = await rejected_refund(world)
    dispute = await disputed(world, case)
    early = await dispute.act(evidence(merchant(world.merchant), final=True))

    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, StageName.RULING)

    assert early.stage is StageName.NEGOTIATION
    assert await world.notices(dispute, NoticeTemplate.EVIDENCE_DEMANDED) == 0
    assert await charged(world) == [(dispute.id, ScoreCause.INTERVENTION, 2)]
    await world.at(case, StageName.LOCKED)


async def test_what_was_given_in_the_negotiation_counts_at_the_deadline(world: World) -> None:  # D4, D6
    dispute = await disputed(world, await rejected_refund(world))
    await dispute.act(evidence(merchant(world.merchant)))

    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, StageName.EVIDENCE)
    await world.forward(dispute, hours=24)

    await world.at(dispute, StageName.RULING)


@pytest.mark.on_servers
async def test_what_comes_late_is_kept_and_marked(world: World) -> None:  # D6, section 11
    _, dispute = await demanded(world)
    await dispute.act(evidence(merchant(world.merchant), "e1"))
    await world.forward(dispute, hours=24)
    before = await world.at(dispute, StageName.RULING)

    view = await dispute.act(evidence(merchant(world.merchant), "e2", final=True))
    await dispute.act(evidence(merchant(world.merchant), "e3"))

    assert (view.stage, view.due) == (StageName.RULING, before.due)
    assert await standings(world, dispute) == [(Role.MERCHANT, DRAFT), (Role.MERCHANT, LATE), (Role.MERCHANT, LATE)]
    assert (await dispute.log())[-1].facts["standing"] == "late"


@pytest.mark.on_servers
async def test_the_merchants_final_word_leaves_the_buyer_its_time(world: World) -> None:  # D6
    _, dispute = await demanded(world)
    await dispute.act(evidence(merchant(world.merchant), "e1", final=True))

    await dispute.act(evidence(buyer(world.buyer), "e2"))
    await world.forward(dispute, hours=24)
    await dispute.act(evidence(buyer(world.buyer), "e3"))
    await dispute.act(evidence(merchant(world.merchant), "e4"))

    assert await standings(world, dispute) == [
        (Role.MERCHANT, FINAL),
        (Role.BUYER, DRAFT),
        (Role.BUYER, LATE),
        (Role.MERCHANT, LATE),
    ]


@pytest.mark.on_servers
async def test_after_the_ruling_nothing_is_taken(world: World) -> None:  # D6
    _, dispute = await demanded(world)
    await dispute.act_and_wait(ruling(Award.NOTHING))

    assert (await refusal(dispute, evidence(merchant(world.merchant)))).code == "not_open"
    assert await standings(world, dispute) == []


@pytest.mark.on_servers
async def test_only_the_parties_give_evidence(world: World) -> None:  # D6, section 12
    _, dispute = await demanded(world)

    assert (await refusal(dispute, evidence(OFFICER))).code == "wrong_actor"
    for stranger in (merchant("somebody"), buyer("somebody")):
        with pytest.raises(NotYours):
            await dispute.act(evidence(stranger))
    assert await standings(world, dispute) == []


@pytest.mark.parametrize(
    ("attachments", "code", "field"),
    [
        (tuple(attachment(number) for number in range(5)), "too_many_attachments", "evidence"),
        ((attachment(1), attachment(2, 20 * MIB + 1)), "attachment_too_large", "evidence.1.bytes"),
    ],
)
async def test_there_are_limits(world: World, attachments: tuple[Evidence, ...], code: str, field: str) -> None:  # D6
    _, dispute = await demanded(world)

    refused = await refusal(dispute, evidence(merchant(world.merchant), evidence=attachments))

    assert (refused.code, refused.field, refused.rule) == (code, field, "D6")


@pytest.mark.on_servers
async def test_within_the_limits_all_is_kept(world: World) -> None:  # D6
    _, dispute = await demanded(world)
    four = tuple(attachment(number, 20 * MIB) for number in range(4))

    await dispute.act(evidence(merchant(world.merchant), evidence=four))

    (kept,) = await world.aftersales.desk.evidence(dispute.id)
    assert kept.attachments == four


# Statements ----------------------------------------------------------------------------------------------


@pytest.mark.on_servers
async def test_a_statement_goes_with_the_evidence(world: World) -> None:  # D6, D7
    _, dispute = await demanded(world)
    mine = merchant(world.merchant)
    reference = await written(world, dispute, mine, "货已于11月20日18:00前发出, 我们会在48小时内退款")

    await dispute.act(evidence(mine, evidence=(), statement=reference))

    (kept,) = await world.aftersales.desk.evidence(dispute.id)
    assert kept.statement == reference
    assert (await dispute.log())[-1].facts["statement"] == reference
    read = await world.aftersales.desk.read_statement(reference, buyer(world.buyer))
    assert read is not None
    assert read.text is not None
    assert read.text.get_secret_value().startswith("货已于")


@pytest.mark.on_servers
async def test_a_vague_reply_is_refused_with_its_words(world: World) -> None:  # D7
    _, dispute = await demanded(world)

    with pytest.raises(VagueReply) as refused:
        await written(world, dispute, merchant(world.merchant), "我们会尽快处理, as soon as possible")
    assert refused.value.finding.words == ("尽快", "as soon as possible")
    assert "尽快" in str(refused.value)
    with pytest.raises(VagueReply, match="no concrete time"):
        await written(world, dispute, merchant(world.merchant), "已收到您的反馈")
    await written(world, dispute, buyer(world.buyer), "请尽快退款")


@pytest.mark.on_servers
async def test_a_statement_must_be_ones_own_and_of_this_dispute(world: World) -> None:  # D6
    _, dispute = await demanded(world)
    mine = merchant(world.merchant)
    _, other = await demanded(world)
    wrong = (
        "statement:0",
        await written(world, dispute, buyer(world.buyer), "盒子是空的"),
        await written(world, other, mine, "11月28日18:00前退款"),
    )
    before = await dispute.view()

    for number, reference in enumerate(wrong):
        refused = await refusal(dispute, evidence(mine, f"x{number}", evidence=(), statement=reference, final=True))
        assert (refused.code, refused.field, refused.rule) == ("unknown_statement", "statement", "D6")

    assert await dispute.view() == before
    assert await standings(world, dispute) == []
    view = await dispute.act(evidence(mine, "mine", final=True))
    assert view.stage is StageName.RULING


@pytest.mark.on_servers
async def test_a_wrong_reference_that_nobody_waits_for_is_told_in_the_log(world: World) -> None:  # D6, section 11
    _, dispute = await demanded(world)

    await dispute.tell(evidence(merchant(world.merchant), evidence=(), statement="statement:0"))

    refused = await entry_of(world, dispute, "command_refused")
    assert (refused.facts["command"], refused.facts["code"]) == ("submit_evidence", "unknown_statement")
    assert (await dispute.view()).stage is StageName.EVIDENCE

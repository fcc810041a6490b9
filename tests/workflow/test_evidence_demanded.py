"""D4: an officer demands evidence, of one side or of both, and says what is wanted; D2: no negotiation on Douyin."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from starter.client import Case
from tests.workflow.disputes import (
    OFFICER,
    apart,
    charged,
    demanded_in_working_hours,
    entry,
    evidence,
    intervened,
    opening,
    refusal,
    rejected_refund,
    request,
    ruling,
)
from tests.workflow.world import World
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import ConfirmProposal, DemandEvidence
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.scores import ScoreCause
from workflows.messages.stages import OutcomeKind, StageName
from workflows.messages.statements import Statement, WriteStatement

pytestmark = pytest.mark.in_memory

WANTED = "statement:0123456789abcdef0123456789abcdef"
BOTH = (Role.BUYER, Role.MERCHANT)


def demand(*of: Role, key: str = "demand", wanted: str = WANTED) -> DemandEvidence:
    return DemandEvidence(key=key, by=OFFICER, of=of, wanted=wanted)


async def before_the_officer(world: World) -> tuple[Case, Case]:
    """A dispute in which the merchant has said all it had to say."""
    case = await rejected_refund(world)
    dispute = await intervened(world, case)
    await dispute.act(evidence(merchant(world.merchant), "said", final=True))
    await world.at(dispute, StageName.RULING)
    return case, dispute


async def test_on_douyin_the_platform_steps_in_at_once(world: World) -> None:  # D2, D3, D4
    case = await rejected_refund(world, order_no=await world.shipped_order(marketplace="douyin"))

    view = await case.act(opening(world))

    dispute = world.aftersales.case(str(view.dispute))
    demanded = await world.at(dispute, StageName.EVIDENCE)
    assert demanded.due == (await entry(dispute, "intervened")).at + timedelta(hours=24)
    assert (await world.at(case, StageName.LOCKED)).due is None
    assert await world.notices(dispute, NoticeTemplate.DISPUTE_OPENED) == 0
    assert await world.notices(dispute, NoticeTemplate.INTERVENED) == 2
    assert await world.notices(dispute, NoticeTemplate.EVIDENCE_DEMANDED) == 1
    assert await charged(world) == [(dispute.id, ScoreCause.INTERVENTION, 2)]


async def test_a_merchant_that_is_asked_again_and_says_nothing_has_lost(world: World) -> None:  # D4, D9
    case, dispute = await before_the_officer(world)

    view = await dispute.act(demand(Role.MERCHANT))

    line = await entry(dispute, "evidence_demanded")
    assert (view.stage, line.facts) == (StageName.EVIDENCE, {"of": "merchant", "statement": WANTED})
    assert view.due == line.at + timedelta(hours=24)
    await world.forward(dispute, hours=24, minutes=1)
    outcome = await dispute.outcome()
    assert outcome.ruling
    assert (outcome.ruling.verdict, outcome.ruling.fault) == (Verdict.UPHELD, Fault.MERCHANT)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert (dispute.id, ScoreCause.EVIDENCE_TIMEOUT, 1) in await charged(world)


async def test_a_buyer_that_is_asked_and_says_nothing_is_ruled_on_as_things_stand(world: World) -> None:  # D4
    case, dispute = await before_the_officer(world)

    view = await dispute.act(demand(Role.BUYER))

    assert view.stage is StageName.EVIDENCE_OF_BUYER
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, StageName.RULING)
    assert (await case.view()).stage is StageName.LOCKED
    assert await charged(world) == [(dispute.id, ScoreCause.INTERVENTION, 2)]


async def test_both_are_asked_and_the_time_ends_when_both_have_said_all(world: World) -> None:  # D4, D6
    _, dispute = await before_the_officer(world)
    await dispute.act(demand(*BOTH))

    first = await dispute.act(evidence(merchant(world.merchant), "m", final=True))
    last = await dispute.act(evidence(buyer(world.buyer), "b", final=True))

    assert (first.stage, last.stage) == (StageName.EVIDENCE, StageName.RULING)


async def test_near_the_end_whoever_has_not_said_all_is_reminded_once(world: World) -> None:  # D4
    _, dispute = await before_the_officer(world)
    await dispute.act(demand(*BOTH))
    await dispute.act(evidence(merchant(world.merchant), "m", final=True))
    assert await world.notices(dispute, NoticeTemplate.DEADLINE_NEAR) == 0

    await world.forward(dispute, hours=12, minutes=1)

    assert await world.notices(dispute, NoticeTemplate.DEADLINE_NEAR) == 1
    await world.forward(dispute, hours=12)
    await world.at(dispute, StageName.RULING)
    assert await world.notices(dispute, NoticeTemplate.DEADLINE_NEAR) == 1


async def test_who_is_not_asked_again_has_no_more_to_say_in_time(world: World) -> None:  # D6
    _, dispute = await before_the_officer(world)
    await dispute.act(demand(Role.BUYER))

    refused = await refusal(dispute, evidence(merchant(world.merchant), "more"))

    assert (refused.code, refused.rule) == ("said_finally", "D6")


async def test_on_jd_the_time_that_is_given_again_is_of_working_hours(world: World) -> None:  # D4, D5
    case = await rejected_refund(world, order_no=await world.shipped_order(marketplace="jd-pop"))
    dispute = await intervened(world, case, StageName.EVIDENCE_WORKING_HOURS)
    await world.forward(dispute, days=11)  # longer than any holidays
    await dispute.view()

    view = await dispute.act(demand(Role.MERCHANT))

    assert view.stage is StageName.EVIDENCE_WORKING_HOURS
    await world.forward(dispute, days=11)
    await dispute.act(ruling())


async def test_nobody_but_an_officer_demands_and_only_after_the_intervention(world: World) -> None:  # D4
    dispute = await apart(world, request(world, await world.shipped_order()))
    by_merchant = demand(Role.BUYER).model_copy(update={"by": merchant(world.merchant)})

    assert (await refusal(dispute, by_merchant)).code == "wrong_actor"
    view = await dispute.act(demand(Role.BUYER))
    assert view.stage is StageName.EVIDENCE_OF_BUYER


@pytest.mark.parametrize("of", [(), (Role.PLATFORM,), (Role.BUYER, Role.BUYER), (Role.CARRIER, Role.BUYER)])
def test_evidence_is_demanded_of_the_parties_each_once(of: tuple[Role, ...]) -> None:  # D4
    with pytest.raises(ValidationError):
        demand(*of)


@pytest.mark.on_servers
async def test_what_is_wanted_is_the_officers_own_words_in_the_vault(world: World) -> None:  # D4, P6
    _, dispute = await before_the_officer(world)
    words = "请提供出库视频"

    async def written(text: str, key: str) -> Statement:
        wish = {"case_id": dispute.id, "by": OFFICER, "text": text, "key": key}
        return await world.aftersales.desk.write_statement(WriteStatement.model_validate(wish))

    unknown = await refusal(dispute, demand(Role.MERCHANT, key="d1"))
    assert (unknown.code, unknown.field) == ("unknown_statement", "wanted")

    kept = await written(words, "w1")
    await dispute.act(demand(Role.MERCHANT, key="d2", wanted=kept.reference))

    read = await world.aftersales.desk.read_statement(kept.reference, merchant(world.merchant))
    assert read
    assert read.text
    assert read.text.get_secret_value() == words
    history = await dispute.handle.fetch_history()
    assert words not in history.to_json()


async def test_jd_nothing_is_proposed_any_more_once_the_merchant_was_asked_again(world: World) -> None:  # D4, D5
    _, dispute = await demanded_in_working_hours(world)
    due = (await dispute.view()).due
    assert due is not None
    await world.forward(dispute, seconds=(due - await world.now(dispute)).total_seconds() + 60)
    await world.at(dispute, StageName.RULING_PROPOSED)

    await dispute.act(demand(Role.MERCHANT, key="again"))
    await dispute.act(evidence(merchant(world.merchant), final=True))
    await world.forward(dispute, hours=49)
    await world.at(dispute, StageName.RULING_OVERDUE)

    confirm = ConfirmProposal(key="confirm", by=OFFICER, reason="merchant_silent")
    assert (await refusal(dispute, confirm)).code == "nothing_proposed"


# D6: whose time is over ----------------------------------------------------------------------------------


async def given(dispute: Case) -> list[tuple[Role, str]]:
    """Whose evidence counts as what, in order."""
    log = await dispute.log()
    return [(each.by.role, str(each.facts["standing"])) for each in log if each.event == "evidence_submitted"]


async def test_what_the_other_side_is_asked_makes_nobody_in_time_again(world: World) -> None:  # D6
    dispute = await intervened(world, await rejected_refund(world))
    await dispute.act(evidence(merchant(world.merchant), "e1"))
    await world.forward(dispute, hours=24)
    await world.at(dispute, StageName.RULING)

    await dispute.act(demand(Role.BUYER))
    await dispute.act(evidence(merchant(world.merchant), "e2"))
    await dispute.act(evidence(buyer(world.buyer), "e3", final=True))
    await dispute.act(evidence(merchant(world.merchant), "e4"))

    assert await given(dispute) == [
        (Role.MERCHANT, "draft"),
        (Role.MERCHANT, "late"),
        (Role.BUYER, "final"),
        (Role.MERCHANT, "late"),
    ]


async def test_whoever_is_asked_again_is_in_time_again(world: World) -> None:  # D4, D6
    dispute = await intervened(world, await rejected_refund(world))
    await dispute.act(evidence(merchant(world.merchant), "e1"))
    await world.forward(dispute, hours=24)
    await world.at(dispute, StageName.RULING)

    await dispute.act(demand(Role.BUYER))
    await dispute.act(demand(Role.MERCHANT, key="again"))
    await dispute.act(evidence(merchant(world.merchant), "e2"))

    assert await given(dispute) == [(Role.MERCHANT, "draft"), (Role.MERCHANT, "draft")]


async def test_a_time_that_runs_ends_when_it_was_set_whoever_is_asked_meanwhile(world: World) -> None:  # D4, D6
    dispute = await intervened(world, await rejected_refund(world))  # the merchant has 24 hours
    await world.forward(dispute, hours=20)
    await dispute.act(demand(Role.BUYER))

    await dispute.act(evidence(merchant(world.merchant), "e1"))
    await world.forward(dispute, hours=5)
    await dispute.act(evidence(merchant(world.merchant), "e2"))
    await dispute.act(evidence(buyer(world.buyer), "e3"))

    assert await given(dispute) == [(Role.MERCHANT, "draft"), (Role.MERCHANT, "late"), (Role.BUYER, "draft")]


async def test_who_has_said_all_may_add_what_comes_late_while_the_other_side_is_asked(world: World) -> None:  # D6
    _, dispute = await before_the_officer(world)
    await world.forward(dispute, hours=25)
    await dispute.act(demand(Role.BUYER))

    await dispute.act(evidence(merchant(world.merchant), "more"))

    assert await given(dispute) == [(Role.MERCHANT, "final"), (Role.MERCHANT, "late")]


@pytest.mark.parametrize("speaks", [True, False])
async def test_jd_what_is_proposed_is_confirmed_also_once_the_buyer_was_asked(world: World, speaks: bool) -> None:
    case, dispute = await demanded_in_working_hours(world)  # D5
    due = (await dispute.view()).due
    assert due is not None
    await world.forward(dispute, seconds=(due - await world.now(dispute)).total_seconds() + 60)
    await world.at(dispute, StageName.RULING_PROPOSED)
    await dispute.act(demand(Role.BUYER))

    if speaks:
        await dispute.act(evidence(buyer(world.buyer), final=True))
    else:
        await world.forward(dispute, hours=25)
    await world.at(dispute, StageName.RULING_PROPOSED)
    outcome = await dispute.act_and_wait(ConfirmProposal(key="confirm", by=OFFICER, reason="merchant_silent"))

    assert outcome.ruling is not None
    assert (outcome.ruling.verdict, outcome.ruling.fault) == (Verdict.UPHELD, Fault.MERCHANT)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED


# D4, D5: a merchant that was asked before the buyer was -----------------------------------------------------


@pytest.mark.parametrize("speaks", [True, False])
async def test_a_silent_merchant_has_lost_whoever_is_asked_meanwhile(world: World, speaks: bool) -> None:  # D4, D9
    case = await rejected_refund(world)
    dispute = await intervened(world, case)
    due = (await dispute.view()).due
    await dispute.act(demand(Role.BUYER))

    if speaks:  # the merchant has the time that it had
        view = await dispute.act(evidence(buyer(world.buyer), "b", final=True))
        assert (view.stage, view.due) == (StageName.EVIDENCE, due)
    await world.forward(dispute, hours=24, minutes=2)

    outcome = await dispute.outcome()
    assert outcome.ruling
    assert (outcome.ruling.verdict, outcome.ruling.fault) == (Verdict.UPHELD, Fault.MERCHANT)
    assert (await case.outcome()).outcome is OutcomeKind.REFUNDED
    assert (dispute.id, ScoreCause.EVIDENCE_TIMEOUT, 1) in await charged(world)


async def test_a_merchant_that_is_waited_for_is_reminded_and_heard(world: World) -> None:  # D4, D6
    dispute = await intervened(world, await rejected_refund(world))
    await dispute.act(demand(Role.BUYER))
    await dispute.act(evidence(buyer(world.buyer), "b", final=True))
    assert await world.notices(dispute, NoticeTemplate.DEADLINE_NEAR) == 0
    await world.forward(dispute, hours=12, minutes=1)
    assert await world.notices(dispute, NoticeTemplate.DEADLINE_NEAR) == 1

    view = await dispute.act(evidence(merchant(world.merchant), "m", final=True))

    assert view.stage is StageName.RULING
    assert await given(dispute) == [(Role.BUYER, "final"), (Role.MERCHANT, "final")]


async def test_a_merchant_that_has_given_a_draft_was_not_silent(world: World) -> None:  # D4, D6
    dispute = await intervened(world, await rejected_refund(world))
    await dispute.act(demand(Role.BUYER))
    await dispute.act(evidence(merchant(world.merchant), "m"))

    view = await dispute.act(evidence(buyer(world.buyer), "b", final=True))

    assert view.stage is StageName.RULING


async def test_what_a_silent_merchant_gives_late_does_not_save_it(world: World) -> None:  # D4, D6
    dispute = await intervened(world, await rejected_refund(world))
    await world.forward(dispute, hours=20)
    await dispute.act(demand(Role.BUYER))
    await world.forward(dispute, hours=5)
    await dispute.act(evidence(merchant(world.merchant), "m"))
    await dispute.act(evidence(buyer(world.buyer), "b", final=True))

    outcome = await dispute.outcome()

    assert outcome.ruling
    assert outcome.ruling.verdict is Verdict.UPHELD


@pytest.mark.parametrize("speaks", [True, False])
async def test_jd_fault_is_proposed_for_silence_whoever_is_asked_meanwhile(world: World, speaks: bool) -> None:
    _, dispute = await demanded_in_working_hours(world)  # D5
    due = (await dispute.view()).due
    assert due is not None
    await dispute.act(demand(Role.BUYER))

    if speaks:
        view = await dispute.act(evidence(buyer(world.buyer), "b", final=True))
        assert (view.stage, view.due) == (StageName.EVIDENCE_WORKING_HOURS, due)
    await world.forward(dispute, days=11)  # longer than any holidays

    events = [each.event for each in await dispute.log()]
    assert events[-2:] == ["fault_proposed", "ruling_overdue"]
    assert (dispute.id, ScoreCause.EVIDENCE_TIMEOUT, 1) in await charged(world)
    await dispute.act(ConfirmProposal(key="confirm", by=OFFICER, reason="merchant_silent"))


async def test_a_merchant_that_nobody_has_asked_loses_nothing_by_silence(world: World) -> None:  # D4, G1
    _, dispute = await before_the_officer(world)
    await dispute.act(demand(Role.BUYER))
    await world.forward(dispute, hours=24, minutes=1)
    await world.at(dispute, StageName.RULING)
    await dispute.act(demand(Role.BUYER, key="again"))

    await world.forward(dispute, hours=24, minutes=1)

    await world.at(dispute, StageName.RULING)

"""The officer who rules sees what was asked for, what was said against it, and what else the two have (D8)."""

import pytest
from pydantic import SecretStr

from starter.errors import UnknownCase
from tests.workflow import disputes
from tests.workflow.world import EVIDENCE, World
from workflows.messages.actors import buyer, merchant
from workflows.messages.commands import Withdraw
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.flags import AddRemark, Colour, SetFlag
from workflows.messages.requests import LineAmount
from workflows.messages.stages import CaseKind, OutcomeKind

OWN = Evidence(uri="shop:pictures/lid", media_type=MediaType.JPEG, bytes=1024, sha256="a" * 64)
LATER = OWN.model_copy(update={"uri": "shop:pictures/box"})


async def test_an_officer_has_all_of_it_before_a_ruling(world: World) -> None:  # D8, R10
    order_no = await world.shipped_order(lines={"1": 10_000, "2": 5_000})
    before = await world.refund(1_000)  # of another order
    await before.act_and_wait(Withdraw(key="w", by=buyer(world.buyer)))
    beside = await world.returned(order_no=order_no, lines=(LineAmount(line="2", quantity=1, amount=5_000),))
    case = await disputes.rejected_refund(world, order_no=order_no, amount=3_000, evidence=(OWN,))
    dispute = await disputes.disputed(world, case)
    await dispute.act(disputes.evidence(merchant(world.merchant), evidence=(LATER,)))
    mark = {"merchant_id": world.merchant, "subject": order_no, "by": merchant(world.merchant), "key": "k"}
    await world.aftersales.desk.set_flag(SetFlag.model_validate({**mark, "colour": Colour.RED}))
    await world.aftersales.desk.add_remark(AddRemark.model_validate({**mark, "text": "买家已来电"}))

    found = await world.aftersales.desk.dossier(dispute.id, disputes.OFFICER)

    assert (found.case_id, found.about) == (dispute.id, case.id)
    assert found.claimed
    assert found.applied
    assert (found.claimed.amount, found.applied.amount, found.applied.evidence) == (3_000, 3_000, (OWN,))
    (rejected,) = found.rejections
    assert (rejected.facts["reason"], rejected.facts["evidence_1"]) == (
        "goods_received_as_described",
        EVIDENCE[0].uri,
    )
    assert [(each.event, each.attachments) for each in found.evidence] == [("opened", (OWN,)), ("rejected", EVIDENCE)]
    assert [each.attachments for each in found.evidence_in_dispute] == [(LATER,)]
    counts = {(each.kind, each.outcome): each.cases for each in found.counts}
    assert counts == {(CaseKind.UNSHIPPED_REFUND, OutcomeKind.WITHDRAWN): 1, (CaseKind.RETURN, None): 1}
    assert {each.case_id for each in found.earlier} == {before.id, beside.id}
    assert [(each.case_id, each.asked) for each in found.on_order] == [(beside.id, 5_000)]
    assert found.flag is Colour.RED
    assert [each.text for each in found.remarks] == [SecretStr("买家已来电")]


async def test_of_a_case_that_is_no_dispute_it_has_the_same(world: World) -> None:  # R10
    case = await disputes.rejected_refund(world, evidence=(OWN,))

    found = await world.aftersales.desk.dossier(case.id, disputes.OFFICER)

    assert found.about is None
    assert found.claimed == found.applied
    assert (len(found.rejections), len(found.evidence), found.evidence_in_dispute) == (1, 2, ())
    with pytest.raises(UnknownCase):
        await world.aftersales.desk.dossier(case.id, merchant(world.merchant))

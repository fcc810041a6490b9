"""The books of the shop as its back end reaches them: each is written for good, and by whom it may be."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import evidence, scores
from activities.postgres.addresses import DefaultAddressNeeded
from activities.postgres.flags import OtherMarkingUnderKey
from activities.postgres.limits import LimitReached
from activities.postgres.pool import open_pool
from activities.postgres.statements import OtherTextUnderKey
from starter.errors import RefusedStatement, UnknownCase, VagueReply
from starter.merchant_desk import MerchantDesk
from tests.storage.money import NOON, open_case, some_id
from tests.storage.own_keys import vault
from workflows.messages.actors import Actor, buyer, merchant, officer
from workflows.messages.addresses import Region, SaveAddress
from workflows.messages.flags import AddRemark, Colour, SetFlag
from workflows.messages.payouts import Payout
from workflows.messages.policy import LimitsPolicy
from workflows.messages.scores import ScoreCause, ScoreChange
from workflows.messages.statements import EvidenceGiven, WriteStatement

BUYER = buyer("b-of-the-desk")
CONCRETE = "11月28日18:00前退款"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, max_size=10)
    yield pool
    await pool.close()


@pytest.fixture
def desk(pool: asyncpg.Pool) -> MerchantDesk:
    return MerchantDesk(pool, vault())


@pytest_asyncio.fixture(loop_scope="session")
async def case(pool: asyncpg.Pool) -> Payout:
    """A case of `BUYER` with a merchant of its own."""
    return await open_case(pool, buyer_id=BUYER.id)


def address(merchant_id: str, address_id: str) -> SaveAddress:
    region = Region(province="广东省", city="广州市", district="天河区")
    return SaveAddress(merchant_id=merchant_id, address_id=address_id, region=region, details="vault:a/1")


def statement(case_id: str, by: Actor, text: str = CONCRETE, key: str = "k-1") -> WriteStatement:
    return WriteStatement.model_validate({"case_id": case_id, "by": by, "text": text, "key": key})


async def test_addresses_are_kept_changed_and_removed(desk: MerchantDesk) -> None:  # T2
    merchant_id = some_id("m")

    first = await desk.save_address(address(merchant_id, "a-1"))
    await desk.save_address(address(merchant_id, "a-2"))
    with pytest.raises(DefaultAddressNeeded):
        await desk.remove_address(merchant_id, "a-1")
    removed = [await desk.remove_address(merchant_id, "a-2") for _ in range(2)]

    assert first.is_default
    assert removed == [True, False]
    assert await desk.address_book(merchant_id) == (first,)
    assert await desk.address_book(some_id("m")) == ()


async def test_a_flag_is_put_up_and_taken_down(desk: MerchantDesk) -> None:  # section 12
    merchant_id = some_id("m")
    mine = merchant(merchant_id)

    def wish(key: str, colour: Colour | None) -> SetFlag:
        return SetFlag(merchant_id=merchant_id, subject="O-1", by=mine, key=key, colour=colour)

    await desk.set_flag(wish("k-1", Colour.RED))
    assert await desk.flag(merchant_id, "O-1") is Colour.RED
    with pytest.raises(OtherMarkingUnderKey):
        await desk.set_flag(wish("k-1", None))
    await desk.set_flag(wish("k-2", None))

    assert await desk.flag(merchant_id, "O-1") is None
    assert await desk.flag(some_id("m"), "O-1") is None


async def test_a_remark_is_seen_by_its_merchant_and_the_platform(desk: MerchantDesk) -> None:  # section 12
    merchant_id, subject = some_id("m"), some_id("o")
    wish = AddRemark.model_validate(
        {
            "merchant_id": merchant_id,
            "subject": subject,
            "by": merchant(merchant_id),
            "key": "k-1",
            "text": "买家已来电",
        }
    )

    written = await desk.add_remark(wish)

    assert await desk.remarks(merchant_id, subject) == (written,)
    assert await desk.remarks(None, subject) == (written,)
    assert await desk.remarks(some_id("m"), subject) == ()


async def test_who_has_to_do_with_a_case_writes_about_it(desk: MerchantDesk, case: Payout) -> None:  # D6
    writers = (BUYER, merchant(case.merchant_id), officer("f-1"))

    written = [await desk.write_statement(statement(case.case_id, by)) for by in writers]

    assert [each.by for each in written] == list(writers)
    assert [await desk.read_statement(each.reference, BUYER) for each in written] == written
    assert await desk.read_statement("statement:0", BUYER) is None


@pytest.mark.parametrize("by", [buyer("somebody"), merchant("somebody"), merchant(BUYER.id)])
async def test_nobody_else_does(desk: MerchantDesk, pool: asyncpg.Pool, case: Payout, by: Actor) -> None:
    """Section 12: the merchant is told that the case is not its own, before what it wrote is looked at."""
    with pytest.raises(RefusedStatement) as refused:
        await desk.write_statement(statement(case.case_id, by, "尽快"))

    assert refused.value.case_id == case.case_id
    assert await written(pool, case.case_id) == 0


async def test_there_must_be_a_case(desk: MerchantDesk, pool: asyncpg.Pool) -> None:  # D6
    nowhere = f"refund/{some_id('o')}/k-1"

    with pytest.raises(UnknownCase):
        await desk.write_statement(statement(nowhere, officer("f-1")))

    assert await written(pool, nowhere) == 0


async def test_a_merchants_vague_reply_is_refused(desk: MerchantDesk, pool: asyncpg.Pool, case: Payout) -> None:  # D7
    mine = merchant(case.merchant_id)
    await pool.execute("UPDATE casebook.cases SET kind = 'dispute' WHERE case_id = $1", case.case_id)

    with pytest.raises(VagueReply, match="尽快") as vague:
        await desk.write_statement(statement(case.case_id, mine, "我们会尽快处理"))
    with pytest.raises(VagueReply, match="no concrete time") as timeless:
        await desk.write_statement(statement(case.case_id, mine, "已收到您的反馈"))

    assert (vague.value.finding.words, timeless.value.finding.words) == (("尽快",), ())
    assert await written(pool, case.case_id) == 0
    await desk.write_statement(statement(case.case_id, mine))
    assert await written(pool, case.case_id) == 1


async def test_outside_a_dispute_a_merchant_writes_as_it_likes(desk: MerchantDesk, case: Payout) -> None:  # D7
    mine = statement(case.case_id, merchant(case.merchant_id), "已收到您的反馈，会尽快处理")

    assert (await desk.write_statement(mine)).text == mine.text


async def test_a_key_is_one_statement(desk: MerchantDesk, case: Payout) -> None:  # D6
    first = await desk.write_statement(statement(case.case_id, BUYER, "盒子是空的"))

    assert (await desk.write_statement(statement(case.case_id, BUYER, "盒子是空的"))).reference == first.reference
    with pytest.raises(OtherTextUnderKey):
        await desk.write_statement(statement(case.case_id, BUYER, "盒子是满的"))


async def test_a_party_writes_so_much_about_a_case_and_no_more(desk: MerchantDesk, case: Payout) -> None:  # R16
    first = await desk.write_statement(statement(case.case_id, BUYER, key="k-0"))
    for number in range(1, LimitsPolicy().evidence_of_a_party):
        await desk.write_statement(statement(case.case_id, BUYER, key=f"k-{number}"))

    with pytest.raises(LimitReached):
        await desk.write_statement(statement(case.case_id, BUYER, key="once-too-often"))
    await desk.write_statement(statement(case.case_id, merchant(case.merchant_id), key="the-other-side"))

    assert await desk.write_statement(statement(case.case_id, BUYER, key="k-0")) == first


async def test_evidence_is_read_in_the_order_in_which_it_was_given(
    desk: MerchantDesk, pool: asyncpg.Pool, case: Payout
) -> None:  # D6
    given = [EvidenceGiven(key=f"e-{number}", by=BUYER, statement=f"statement:{number}") for number in (2, 1)]
    async with pool.acquire() as connection, connection.transaction():
        for each in given:
            await evidence.give(connection, case.case_id, each, NOON)

    kept = await desk.evidence(case.case_id)

    assert [(each.key, each.replaced_by) for each in kept] == [("e-2", 2), ("e-1", None)]
    assert await desk.evidence("refund/somewhere/else") == ()


async def test_a_score_is_what_its_cases_have_cost(desk: MerchantDesk, pool: asyncpg.Pool, case: Payout) -> None:  # D9
    costs = {ScoreCause.INTERVENTION: 2, ScoreCause.RULING_LOST: 4}
    async with pool.acquire() as connection, connection.transaction():
        for cause, points in costs.items():
            change = ScoreChange(merchant_id=case.merchant_id, cause=cause, points=points)
            await scores.charge(connection, case.case_id, change, NOON)

    newest_first = await desk.score_changes(case.merchant_id)

    assert await desk.score(case.merchant_id) == 6
    assert [(each.case_id, each.cause) for each in newest_first] == [
        (case.case_id, ScoreCause.RULING_LOST),
        (case.case_id, ScoreCause.INTERVENTION),
    ]
    assert await desk.score_changes(case.merchant_id, limit=1) == newest_first[:1]
    assert await desk.score(some_id("m")) == 0


async def written(pool: asyncpg.Pool, case_id: str) -> int:
    return await pool.fetchval("SELECT count(*) FROM disputes.statements WHERE case_id = $1", case_id)

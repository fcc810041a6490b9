"""G6: who is told in which language."""

import pytest

from tests.workflow.world import World, until
from workflows.messages.actors import buyer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Withdraw


async def sent(world: World, template: NoticeTemplate, recipient: str) -> tuple[str, str]:
    """In which language, and how, somebody was told, once a channel has carried it."""

    async def look() -> tuple[str, str] | None:
        row = await world.pool.fetchrow(
            "SELECT language, text FROM channels.sent WHERE template = $1 AND recipient_id = $2 LIMIT 1",
            template,
            recipient,
        )
        return (row["language"], row["text"]) if row else None

    found = await until(look, lambda told: told is not None)
    assert found
    return found


@pytest.mark.parametrize(
    ("own", "spoken", "said"),
    [
        ("de", "de", "Ihr Antrag (Widerruf) über 100,00 EUR"),
        (None, "en", "your request (withdrawal) for 100.00 EUR"),
        ("zh", "zh", "售后申请（撤回合同）"),
    ],
)
async def test_a_buyer_is_told_in_its_own_language_and_the_merchant_in_the_profiles(
    world: World, own: str | None, spoken: str, said: str
) -> None:
    order_no = await world.order(marketplace="eu", currency="EUR", language=own)

    case = await world.refund(order_no=order_no, reason="withdrawal")
    await case.act_and_wait(Withdraw(key="w", by=buyer(world.buyer)))

    language, text = await sent(world, NoticeTemplate.REQUEST_CONFIRMED, world.buyer)
    assert language == spoken
    assert said in text
    assert "Europe/Berlin" in text
    assert (await sent(world, NoticeTemplate.CASE_CLOSED, world.buyer))[0] == spoken, "each later notice, too"
    assert (await sent(world, NoticeTemplate.REQUEST_OPENED, world.merchant))[0] == "en"
    assert (await sent(world, NoticeTemplate.CASE_CLOSED, world.merchant))[0] == "en"

"""That nothing was lost and nothing paid twice: every case that was offered, and both books."""

import asyncio
import time
from collections.abc import Iterable

from tests.proofs.chaos import verdict
from tests.proofs.chaos.ground import Ground
from tests.proofs.load.arrivals import Offered
from tests.proofs.load.shop import PAID
from workflows.messages.stages import OutcomeKind

_SENT_SECONDS = 120


async def all_right(ground: Ground, offered: Iterable[Offered], unexpected: Iterable[str]) -> list[str]:
    """What is not as it must be, once each has been approved: it was paid, once, and its book says so."""
    wrong = list(unexpected)
    rows = await ground.pool.fetch("SELECT case_id, outcome, refunded FROM casebook.cases")
    book = {row["case_id"]: row for row in rows}
    for each in offered:
        row = book.get(each.case.id) if each.case else None
        if row is None:
            wrong.append(f"{each.order.number}: was offered, and there is no case")
        elif (row["outcome"], row["refunded"]) != (OutcomeKind.REFUNDED, PAID):
            wrong.append(f"{row['case_id']}: {row['outcome']}, {row['refunded']} refunded")
    return [*wrong, *await books_agree(ground)]


async def books_agree(ground: Ground) -> list[str]:
    """Money, logs, workflows and notices of all cases."""
    until = time.monotonic() + _SENT_SECONDS
    while await ground.pool.fetchval("SELECT count(*) FROM notices.outbox WHERE sent_at IS NULL"):
        if time.monotonic() > until:
            break
        await asyncio.sleep(1)
    closed = await ground.pool.fetch("SELECT case_id FROM casebook.cases WHERE closed_at IS NOT NULL")
    money, _ = await verdict.money(ground, restored=False)
    unsent, _ = await verdict.told(ground)
    return [
        *money,
        *unsent,
        *await verdict.logs(ground),
        *await verdict.workflows(ground, [row["case_id"] for row in closed]),
        *await verdict.whole(ground),
    ]

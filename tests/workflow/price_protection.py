"""Requests for price protection, for the tests that need one."""

from datetime import timedelta
from typing import Any

from starter.client import Case
from tests.workflow.world import World
from workflows.messages.requests import LineAmount, PriceFall, PriceProtectionRequest


async def fallen(
    world: World, order_no: str, *, to: int = 9_000, pieces: int = 1, amount: int | None = None, **changes: Any
) -> Case:
    """A buyer who paid 100.00 a piece 30 days ago asks for what the price fell by a day later."""
    request = PriceProtectionRequest(
        request_key=world.fresh("k"),
        order_no=order_no,
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        lines=(LineAmount(line="1", quantity=pieces, amount=(10_000 - to) * pieces if amount is None else amount),),
        falls=(PriceFall(line="1", price=to, fell_at=world.wall_clock() - timedelta(days=29)),),
    )
    return await world.aftersales.open_price_protection(request.model_copy(update=changes))

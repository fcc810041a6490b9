"""Orders to ask a refund of: as many as are asked for, each of a buyer of its own."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.gateways.order_records import OrderRecord
from activities.postgres import loading
from tests.proofs.chaos.ground import Ground
from workflows.messages.persons import in_clear
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest

PAID: Final = 10_000
"""Minor units, for one piece."""
_AT_ONCE: Final = 200


@dataclass(frozen=True)
class Order:
    """What a refund is asked of."""

    number: str
    merchant: str
    buyer: str

    @property
    def request(self) -> RefundRequest:
        """For all of it; the same each time, so that it can be sent again."""
        return RefundRequest(
            request_key=f"k-{self.number}",
            order_no=self.number,
            merchant_id=self.merchant,
            buyer_id=self.buyer,
            lines=(LineAmount(line="1", quantity=1, amount=PAID),),
            reason=RefundReason.NO_LONGER_WANTED,
        )


def merchants(count: int) -> list[str]:
    """So many that nobody has heard of."""
    return [f"m-{secrets.token_hex(4)}" for _ in range(count)]


async def orders(ground: Ground, count: int, of: Sequence[str]) -> list[Order]:
    """So many paid and unshipped orders, of these merchants in turn."""
    new = secrets.token_hex(4)
    made = [Order(f"o-{new}-{number}", of[number % len(of)], f"b-{new}-{number}") for number in range(count)]
    for start in range(0, count, _AT_ONCE):
        lines = [json.dumps(in_clear(_record(order))) for order in made[start : start + _AT_ONCE]]
        async with ground.pool.acquire() as connection, connection.transaction():
            report = await loading.load_orders(connection, lines, ground.direct.vault)
        assert not report.problems
    return made


def _record(order: Order) -> OrderRecord:
    return OrderRecord.model_validate(
        {
            "order_no": order.number,
            "marketplace": "douyin",
            "merchant_id": order.merchant,
            "buyer_id": order.buyer,
            "currency": "CNY",
            "lines": [{"line": "1", "sku": "sku-1", "quantity": 1, "paid": PAID}],
            "tenders": [{"tender": "t1", "kind": "wallet", "paid": PAID}],
            "paid_at": datetime.now(UTC) - timedelta(days=30),
        }
    )

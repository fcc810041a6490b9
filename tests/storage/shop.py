"""Orders that were sent to somebody, and their cases, as the tests of what is shown of persons need them."""

import json
from datetime import datetime
from typing import Any

import asyncpg

from activities.postgres.loading import load_orders
from activities.postgres.vault import Vault
from tests.storage.money import NOON, some_id
from workflows.messages.stages import CaseKind, StageName, WorkList

NAME = "欧阳小明"
PHONE = "13912345678"
STREET = "体育东路1号"
MASKED = ("欧阳**", "1******5678", "广东省广州市天河区****")
"""Name, phone and address as they are shown where nothing else is said (P1)."""
IN_FULL = (NAME, PHONE, f"广东省 广州市 天河区 {STREET}")


async def sent_order(
    pool: asyncpg.Pool,
    vault: Vault,
    merchant_id: str,
    *,
    buyer_id: str | None = None,
    known: bool = True,
    shipped: bool = True,
) -> str:
    """An order of this merchant; its number. Not ``known``: nobody has told to whom it was sent."""
    order_no = some_id("o")
    record: dict[str, Any] = {
        "order_no": order_no,
        "marketplace": "douyin",
        "merchant_id": merchant_id,
        "buyer_id": buyer_id or some_id("b"),
        "currency": "CNY",
        "lines": [{"line": "1", "sku": "s-1", "quantity": 1, "paid": 5900}],
        "tenders": [{"tender": "w", "kind": "wallet", "paid": 5900}],
        "paid_at": NOON.isoformat(),
    }
    if shipped:
        record["shipped_at"] = NOON.isoformat()
    if known:
        region = {"province": "广东省", "city": "广州市", "district": "天河区"}
        record["recipient"] = {"name": NAME, "phone": PHONE, "region": region, "street": STREET}
    async with pool.acquire() as connection:
        report = await load_orders(connection, [json.dumps(record)], vault)
    assert report.loaded == 1
    return order_no


async def case_of(
    pool: asyncpg.Pool,
    merchant_id: str,
    order_no: str | None,
    *,
    stage: StageName = StageName.MERCHANT_REVIEW,
    work_list: WorkList | None = WorkList.UNSHIPPED_REFUNDS,
    opened_at: datetime = NOON,
) -> str:
    """A case about an order, or an allowance without one; its id."""
    case_id = f"refund/{some_id('c')}/k-1"
    await pool.execute(
        """
        INSERT INTO casebook.cases (case_id, run_id, kind, merchant_id, buyer_id, order_no, allowance_id, currency,
                                    asked, policy, stage, work_list, opened_at, step, log_length, opened)
        VALUES ($1, 'r-1', $2, $3, 'b-1', $4, $5, 'CNY', 5900, 'douyin/1', $6, $7, $8, 0, 0, '{}')
        """,
        case_id,
        CaseKind.UNSHIPPED_REFUND,
        merchant_id,
        order_no,
        None if order_no else some_id("a"),
        stage,
        work_list,
        opened_at,
    )
    return case_id

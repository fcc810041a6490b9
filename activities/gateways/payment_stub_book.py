"""The payment gateway stub's book: refunds, what becomes of them and when, and the callbacks that it owes."""

from datetime import datetime, timedelta
from typing import Final

import asyncpg

from activities.gateways.payment import GatewayAnswer, NumberConflict, RefundInstruction
from activities.gateways.payment_stub_modes import COURSES, DECLINED, LATE, Behaviour, Mode
from activities.gateways.stub_clock import stub_now
from activities.postgres.connection import Connection
from workflows.messages.commands import GatewayResult
from workflows.messages.payouts import Payer
from workflows.rules.number_conflicts import OtherRefund

_FAILURES: Final = {
    GatewayResult.FAILED: DECLINED,
    GatewayResult.CANCELED: "canceled",
    GatewayResult.RETURNED: "returned",
}
"""Why a refund has not been paid for good, by how it ended."""


async def enter(connection: Connection, instruction: RefundInstruction) -> asyncpg.Record:
    """The refund's row, locked, as it stands when the instruction was given; a new one if there is none."""
    await connection.execute(
        """
        INSERT INTO gateway.refunds (refund_no, merchant_id, fund, tender, account, amount, currency,
                                     payer, result_at, account_ends)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING
        """,
        instruction.refund_no,
        instruction.merchant_id,
        instruction.fund,
        instruction.tender,
        instruction.account,
        instruction.amount,
        instruction.currency,
        instruction.payer,
        stub_now(),
        # Even the stand-in keeps no more of an account than it needs to tell it from others.
        instruction.bank_account.number.get_secret_value()[-4:] if instruction.bank_account else None,
    )
    row = await settle(connection, instruction.refund_no, stub_now())
    assert row is not None
    is_ours(row, instruction)
    return row


def is_ours(row: asyncpg.Record, instruction: RefundInstruction) -> None:
    """Look that the refund of this row is what the instruction says.

    Raises:
        NumberConflict: it is another one.
    """
    same = ("merchant_id", "fund", "tender", "account", "amount", "currency", "payer")
    if any(row[field] != getattr(instruction, field) for field in same):
        raise NumberConflict(
            found=OtherRefund(
                amount=row["amount"],
                currency=row["currency"],
                result=GatewayResult(row["result"]),
                same_payment=(row["fund"], row["tender"]) == (instruction.fund, instruction.tender),
                gateway_ref=reference(row),
            )
        )


async def settle(connection: Connection, refund_no: str, at: datetime) -> asyncpg.Record | None:
    """The refund's row, locked, with what has come due by ``at`` taken as done.

    What was told once stays told: each case has a business time of its own when clocks are moved.
    """
    row = await connection.fetchrow("SELECT * FROM gateway.refunds WHERE refund_no = $1 FOR UPDATE", refund_no)
    if row is None or row["next_at"] is None or row["next_at"] > at:
        return row
    return await connection.fetchrow(
        """
        UPDATE gateway.refunds
        SET result = next_result, result_at = next_at, next_result = NULL, next_at = NULL, failure = $2
        WHERE refund_no = $1 RETURNING *
        """,
        refund_no,
        _FAILURES.get(GatewayResult(row["next_result"])),
    )


async def choose(connection: Connection, instruction: RefundInstruction) -> Behaviour:
    """The behaviour that matches, one use of it used up."""
    row = await connection.fetchrow(
        """
        SELECT * FROM gateway.behaviours
        WHERE coalesce(merchant_id = $1, true) AND coalesce(order_no = split_part($2, '/', 2), true)
              AND coalesce(amount = $3, true) AND uses_left IS DISTINCT FROM 0
              AND (mode <> $4 OR $5)
        ORDER BY num_nonnulls(merchant_id, order_no, amount) DESC, order_no IS NULL, amount IS NULL, id DESC
        LIMIT 1 FOR UPDATE
        """,
        instruction.merchant_id,
        instruction.fund,
        instruction.amount,
        Mode.ACCOUNT_SHORT,
        instruction.payer is Payer.MERCHANT,
    )
    if row is None:
        return Behaviour(mode=Mode.SUCCEED)
    await connection.execute("UPDATE gateway.behaviours SET uses_left = uses_left - 1 WHERE id = $1", row["id"])
    return behaviour_of(row)


async def attempt(
    connection: Connection, instruction: RefundInstruction, behaviour: Behaviour, attempts: int
) -> asyncpg.Record:
    """Do with the refund as the behaviour says; its row afterwards."""
    course, now = COURSES[behaviour.mode], stub_now()
    settles_at = now + timedelta(seconds=behaviour.settle_after_seconds)
    row = await connection.fetchrow(
        """
        UPDATE gateway.refunds
        SET attempts = $2, result = $3, result_at = $4, failure = $5, next_result = $6, next_at = $7, attempt = $8
        WHERE refund_no = $1 RETURNING *
        """,
        instruction.refund_no,
        attempts,
        course.now,
        now,
        course.failure,
        course.later,
        settles_at if course.later else None,
        instruction.attempt,
    )
    assert row is not None
    late = timedelta(seconds=behaviour.callback_after_seconds if course.callbacks == LATE else 0)
    for _ in range(abs(course.callbacks)):
        await connection.execute(
            """
            INSERT INTO gateway.callbacks (callback_key, refund_no, due_at, result, failure, gateway_ref,
                                           settled_at, attempt)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            f"CB-{instruction.refund_no}-{attempts}",
            instruction.refund_no,
            settles_at + late,
            course.later,
            _FAILURES.get(course.later) if course.later else None,
            reference(row),
            settles_at,
            instruction.attempt,
        )
    return row


async def pay(connection: Connection, instruction: RefundInstruction) -> asyncpg.Record:
    """Pay a stranded refund to the account that is given, from now on."""
    row = await connection.fetchrow(
        """
        UPDATE gateway.refunds SET result = 'succeeded', result_at = $2, failure = NULL, account_ends = $3
        WHERE refund_no = $1 RETURNING *
        """,
        instruction.refund_no,
        stub_now(),
        instruction.bank_account.number.get_secret_value()[-4:] if instruction.bank_account else None,
    )
    assert row is not None
    return row


def answer(row: asyncpg.Record) -> GatewayAnswer:
    """How the refund of this row stands."""
    result = GatewayResult(row["result"])
    return GatewayAnswer(
        refund_no=row["refund_no"],
        attempt=row["attempt"],
        result=result,
        gateway_ref=reference(row),
        failure=row["failure"],
        raw=row["failure"] and f"STUB_{row['failure'].upper()}",
        settled_at=row["result_at"] if result in {GatewayResult.SUCCEEDED, GatewayResult.RETURNED} else None,
    )


def reference(row: asyncpg.Record) -> str:
    """The stub's own id of a refund."""
    return f"GW-{row['refund_no']}-{row['attempts']}"


def behaviour_of(row: asyncpg.Record) -> Behaviour:
    """A row of ``gateway.behaviours``."""
    return Behaviour.model_validate({name: row[name] for name in Behaviour.model_fields})

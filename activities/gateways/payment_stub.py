"""A payment gateway on PostgreSQL that can be told how to behave. Its book and its commits are its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import asyncpg
from pydantic import Field

from activities.gateways.payment import (
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NumberConflict,
    RefundInstruction,
    StatementLine,
)
from activities.gateways.stub_books import stub_transaction
from activities.postgres.connection import Connection
from workflows.messages.actors import GATEWAY
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.message import Identifier, Input, Message
from workflows.messages.money import PositiveMinor
from workflows.messages.payouts import Payer

_DECLINED: Final = "declined"
_ACCOUNT_SHORT: Final = "merchant_account_short"


class Mode(StrEnum):
    """What the stub does with a refund."""

    SUCCEED = "succeed"
    """Pay at once. What it does when nothing else is said."""
    SETTLE_LATER = "settle_later"
    """Accept, pay after ``settle_after_seconds``, and call back then."""
    DECLINE = "decline"
    """Refuse: a confirmed failure."""
    DECLINE_LATER = "decline_later"
    """Accept, fail after ``settle_after_seconds``, and call back then."""
    ACCOUNT_SHORT = "account_short"
    """The merchant's account cannot pay: abnormal. What the platform pays does not match."""
    ANSWER_SLOWLY = "answer_slowly"
    """Pay, and answer only after ``answer_after_seconds`` of real time."""
    LOSE_ANSWER = "lose_answer"
    """Pay, and break the connection instead of answering."""
    LOSE_REQUEST = "lose_request"
    """Break the connection; the refund never arrives."""
    CALL_BACK_TWICE = "call_back_twice"
    """As ``settle_later``, with the same callback twice."""
    CALL_BACK_LATE = "call_back_late"
    """As ``settle_later``, with a callback ``callback_after_seconds`` after the payment."""
    CALL_BACK_NEVER = "call_back_never"
    """As ``settle_later``, without a callback."""
    SUCCESS_AFTER_FAILURE = "success_after_failure"
    """Refuse, then pay nevertheless after ``settle_after_seconds``, and call back."""
    NEVER_SETTLE = "never_settle"
    """Accept, and let it lie for ever."""


class Behaviour(Input):
    """How the stub treats the refunds that match; what is left None matches all.

    Where several match, the one that names more wins, then the one that names the order, then the latest.
    """

    mode: Mode
    merchant_id: Identifier | None = None
    order_no: Identifier | None = None
    """An order's number, or an allowance's id."""
    amount: PositiveMinor | None = None
    """Of one leg, in minor units."""
    settle_after_seconds: Annotated[int, Field(ge=0)] = 3600
    """Business time from the submission to the payment."""
    callback_after_seconds: Annotated[int, Field(ge=0)] = 172_800
    """Business time from the payment to a late callback."""
    answer_after_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """Real time before a slow answer."""
    uses_left: Annotated[int, Field(ge=1)] | None = None
    """For how many submissions it holds; None for all."""


class DueCallback(Message):
    """A callback that is to be delivered, and the number to tell `PaymentGatewayStub.mark_delivered`."""

    id: int
    callback: GatewayCallback


@dataclass(frozen=True)
class _Course:
    """What becomes of a submitted refund: how it stands at once, how later, and how often that is told."""

    now: GatewayResult
    failure: str | None = None
    later: GatewayResult | None = None
    callbacks: int = 0
    """For the later result; -1 is one that comes late."""


_LATE: Final = -1
_COURSES: Final = {
    Mode.SUCCEED: _Course(GatewayResult.SUCCEEDED),
    Mode.ANSWER_SLOWLY: _Course(GatewayResult.SUCCEEDED),
    Mode.LOSE_ANSWER: _Course(GatewayResult.SUCCEEDED),
    Mode.DECLINE: _Course(GatewayResult.FAILED, _DECLINED),
    Mode.ACCOUNT_SHORT: _Course(GatewayResult.ABNORMAL, _ACCOUNT_SHORT),
    Mode.SETTLE_LATER: _Course(GatewayResult.PROCESSING, later=GatewayResult.SUCCEEDED, callbacks=1),
    Mode.DECLINE_LATER: _Course(GatewayResult.PROCESSING, later=GatewayResult.FAILED, callbacks=1),
    Mode.CALL_BACK_TWICE: _Course(GatewayResult.PROCESSING, later=GatewayResult.SUCCEEDED, callbacks=2),
    Mode.CALL_BACK_LATE: _Course(GatewayResult.PROCESSING, later=GatewayResult.SUCCEEDED, callbacks=_LATE),
    Mode.CALL_BACK_NEVER: _Course(GatewayResult.PROCESSING, later=GatewayResult.SUCCEEDED),
    Mode.NEVER_SETTLE: _Course(GatewayResult.PROCESSING),
    Mode.SUCCESS_AFTER_FAILURE: _Course(GatewayResult.FAILED, _DECLINED, later=GatewayResult.SUCCEEDED, callbacks=1),
}


class PaymentGatewayStub:
    """A `PaymentGateway` on the schema ``gateway``.

    It has a pool of its own, so that nothing it commits or loses hangs on a transaction of ours. Two
    submissions of one number come one after the other, under the refund's row lock.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Pay, as the behaviour that matches says."""
        behaviour: Behaviour | None = None
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            row = await _enter(connection, instruction)
            if row["attempts"] == 0 or row["result"] in {GatewayResult.FAILED, GatewayResult.ABNORMAL}:
                behaviour = await _choose(connection, instruction)
                if behaviour.mode is Mode.LOSE_REQUEST:
                    # The use must stay counted, so this cannot be left to a rollback.
                    await connection.execute(
                        "DELETE FROM gateway.refunds WHERE refund_no = $1 AND attempts = 0",
                        instruction.refund_no,
                    )
                else:
                    row = await _try(connection, instruction, behaviour, row["attempts"] + 1)
        match behaviour:
            case Behaviour(mode=Mode.LOSE_REQUEST | Mode.LOSE_ANSWER):
                raise GatewayUnreachable
            case Behaviour(mode=Mode.ANSWER_SLOWLY):
                await asyncio.sleep(behaviour.answer_after_seconds)
            case _:
                pass
        return _answer(row)

    async def inquire(self, refund_no: str, asked_at: datetime) -> GatewayAnswer | NotFound:
        """How the refund stands at ``asked_at``."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            row = await _settle(connection, refund_no, asked_at)
        return NotFound(refund_no=refund_no) if row is None else _answer(row)

    async def statement(self, after: str, limit: int, as_of: datetime) -> tuple[StatementLine, ...]:
        """A page of the stub's book."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            rows = await connection.fetch(
                """
                SELECT refund_no, amount, currency,
                       CASE WHEN next_at <= $3 THEN next_result ELSE result END AS result,
                       CASE WHEN next_at <= $3 THEN next_at ELSE result_at END AS result_at
                FROM gateway.refunds WHERE refund_no > $1 ORDER BY refund_no LIMIT $2
                """,
                after,
                limit,
                as_of,
            )
        return tuple(
            StatementLine(
                refund_no=row["refund_no"],
                amount=row["amount"],
                currency=row["currency"],
                result=GatewayResult(row["result"]),
                settled_at=row["result_at"] if row["result"] == GatewayResult.SUCCEEDED else None,
            )
            for row in rows
        )

    async def set_behaviour(self, behaviour: Behaviour) -> None:
        """Treat the refunds that match like this from now on."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            await connection.execute(
                """
                INSERT INTO gateway.behaviours (merchant_id, order_no, amount, mode, settle_after_seconds,
                                                callback_after_seconds, answer_after_seconds, uses_left)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                """,
                behaviour.merchant_id,
                behaviour.order_no,
                behaviour.amount,
                behaviour.mode,
                behaviour.settle_after_seconds,
                behaviour.callback_after_seconds,
                behaviour.answer_after_seconds,
                behaviour.uses_left,
            )

    async def clear_behaviours(self) -> None:
        """Forget everything that was told; what comes is paid at once again."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            await connection.execute("DELETE FROM gateway.behaviours")

    async def behaviours(self) -> tuple[Behaviour, ...]:
        """What was told and still holds, the oldest first."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            rows = await connection.fetch(
                "SELECT * FROM gateway.behaviours WHERE uses_left IS DISTINCT FROM 0 ORDER BY id"
            )
        return tuple(_behaviour(row) for row in rows)

    async def next_callback_at(self, refund_nos: Sequence[str]) -> datetime | None:
        """When the first callback about these refunds is due that nobody has delivered; None without one."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            return await connection.fetchval(
                "SELECT min(due_at) FROM gateway.callbacks WHERE delivered_at IS NULL AND refund_no = ANY ($1)",
                refund_nos,
            )

    async def due_callbacks(
        self, at: datetime, limit: int = 100, *, refund_nos: Sequence[str] | None = None
    ) -> tuple[DueCallback, ...]:
        """The callbacks due by this moment of business time that nobody has delivered yet, by due time.

        ``refund_nos`` leaves out all others: each case has a business time of its own when clocks are moved.
        """
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            rows = await connection.fetch(
                """
                SELECT * FROM gateway.callbacks
                WHERE delivered_at IS NULL AND due_at <= $1 AND ($3::text[] IS NULL OR refund_no = ANY ($3))
                ORDER BY due_at, id LIMIT $2
                """,
                at,
                limit,
                refund_nos,
            )
            for row in rows:
                await _settle(connection, row["refund_no"], at)
        return tuple(
            DueCallback(
                id=row["id"],
                callback=GatewayCallback(
                    key=row["callback_key"],
                    by=GATEWAY,
                    refund_no=row["refund_no"],
                    result=GatewayResult(row["result"]),
                    gateway_ref=row["gateway_ref"],
                    failure=row["failure"],
                    settled_at=row["settled_at"],
                ),
            )
            for row in rows
        )

    async def mark_delivered(self, callback: int, at: datetime) -> None:
        """Do not deliver this callback again."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            await connection.execute(
                "UPDATE gateway.callbacks SET delivered_at = $2 WHERE id = $1 AND delivered_at IS NULL",
                callback,
                at,
            )


async def _enter(connection: Connection, instruction: RefundInstruction) -> asyncpg.Record:
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
        instruction.requested_at,
        # Even the stand-in keeps no more of an account than it needs to tell it from others.
        instruction.bank_account.number.get_secret_value()[-4:] if instruction.bank_account else None,
    )
    row = await _settle(connection, instruction.refund_no, instruction.requested_at)
    assert row is not None
    same = ("merchant_id", "fund", "tender", "account", "amount", "currency", "payer")
    if any(row[field] != getattr(instruction, field) for field in same):
        raise NumberConflict(f"refund {instruction.refund_no} is another one")
    return row


async def _settle(connection: Connection, refund_no: str, at: datetime) -> asyncpg.Record | None:
    """The refund's row, locked, with what has come due by ``at`` taken as done.

    What was told once stays told: each case has a business time of its own when clocks are moved.
    """
    row = await connection.fetchrow("SELECT * FROM gateway.refunds WHERE refund_no = $1 FOR UPDATE", refund_no)
    if row is None or row["next_at"] is None or row["next_at"] > at:
        return row
    return await connection.fetchrow(
        """
        UPDATE gateway.refunds
        SET result = next_result, result_at = next_at, next_result = NULL, next_at = NULL,
            failure = CASE next_result WHEN 'failed' THEN $2 END
        WHERE refund_no = $1 RETURNING *
        """,
        refund_no,
        _DECLINED,
    )


async def _choose(connection: Connection, instruction: RefundInstruction) -> Behaviour:
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
    return _behaviour(row)


async def _try(
    connection: Connection, instruction: RefundInstruction, behaviour: Behaviour, attempt: int
) -> asyncpg.Record:
    course = _COURSES[behaviour.mode]
    settles_at = instruction.requested_at + timedelta(seconds=behaviour.settle_after_seconds)
    row = await connection.fetchrow(
        """
        UPDATE gateway.refunds
        SET attempts = $2, result = $3, result_at = $4, failure = $5, next_result = $6, next_at = $7
        WHERE refund_no = $1 RETURNING *
        """,
        instruction.refund_no,
        attempt,
        course.now,
        instruction.requested_at,
        course.failure,
        course.later,
        settles_at if course.later else None,
    )
    assert row is not None
    late = timedelta(seconds=behaviour.callback_after_seconds if course.callbacks == _LATE else 0)
    for _ in range(abs(course.callbacks)):
        await connection.execute(
            """
            INSERT INTO gateway.callbacks (callback_key, refund_no, due_at, result, failure, gateway_ref,
                                           settled_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            f"CB-{instruction.refund_no}-{attempt}",
            instruction.refund_no,
            settles_at + late,
            course.later,
            _DECLINED if course.later is GatewayResult.FAILED else None,
            _reference(row),
            settles_at,
        )
    return row


def _answer(row: asyncpg.Record) -> GatewayAnswer:
    result = GatewayResult(row["result"])
    return GatewayAnswer(
        refund_no=row["refund_no"],
        result=result,
        gateway_ref=_reference(row),
        failure=row["failure"],
        settled_at=row["result_at"] if result is GatewayResult.SUCCEEDED else None,
    )


def _reference(row: asyncpg.Record) -> str:
    return f"GW-{row['refund_no']}-{row['attempts']}"


def _behaviour(row: asyncpg.Record) -> Behaviour:
    return Behaviour.model_validate({name: row[name] for name in Behaviour.model_fields})

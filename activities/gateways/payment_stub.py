"""A payment gateway on PostgreSQL that can be told how to behave. Its book and its commits are its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

import asyncpg

from activities.gateways import payment_stub_book as book
from activities.gateways.callbacks import CallbackRequest, ReadCallback
from activities.gateways.limits import Limits
from activities.gateways.payment import (
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotSent,
    PaymentGateway,
    RefundInstruction,
    StatementLine,
)
from activities.gateways.payment_stub_callbacks import read
from activities.gateways.payment_stub_modes import Behaviour, Mode
from activities.gateways.stub_books import stub_transaction
from activities.gateways.stub_clock import stub_now
from workflows.messages.actors import GATEWAY
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.message import Message


class DueCallback(Message):
    """A callback that is to be delivered, and the number to tell `PaymentGatewayStub.mark_delivered`."""

    id: int
    callback: GatewayCallback


class PaymentGatewayStub(PaymentGateway):
    """A `PaymentGateway` on the schema ``gateway``.

    It has a pool of its own, so that nothing it commits or loses hangs on a transaction of ours. Two
    submissions of one number come one after the other, under the refund's row lock.
    """

    limits = Limits(steps=MappingProxyType({"MGA": 100}))
    """Those of a provider that counts ariary whole, so that there is something to keep to."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Pay, as the behaviour that matches says."""
        behaviour: Behaviour | None = None
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            row = await book.enter(connection, instruction)
            if _is_tried_again(row, instruction):
                behaviour = await book.choose(connection, instruction)
                if behaviour.mode in {Mode.LOSE_REQUEST, Mode.TURN_AWAY}:
                    # The use must stay counted, so this cannot be left to a rollback.
                    await connection.execute(
                        "DELETE FROM gateway.refunds WHERE refund_no = $1 AND attempts = 0",
                        instruction.refund_no,
                    )
                else:
                    row = await book.attempt(connection, instruction, behaviour, row["attempts"] + 1)
        match behaviour:
            case Behaviour(mode=Mode.LOSE_REQUEST | Mode.LOSE_ANSWER):
                raise GatewayUnreachable
            case Behaviour(mode=Mode.TURN_AWAY):
                raise NotSent("TOO_MANY_REQUESTS", retry_after=timedelta(seconds=behaviour.settle_after_seconds))
            case Behaviour(mode=Mode.GARBLE_ANSWER):
                raise ValueError("no JSON: <html>502 Bad Gateway</html>")
            case Behaviour(mode=Mode.ANSWER_SLOWLY):
                await asyncio.sleep(behaviour.answer_after_seconds)
            case _:
                pass
        return book.answer(row)

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        """How the attempt stands now."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            row = await book.settle(connection, instruction.refund_no, stub_now())
        if row is None:
            return NotFound(refund_no=instruction.refund_no)
        book.is_ours(row, instruction)
        if row["attempt"] < instruction.attempt:
            return NotFound(refund_no=instruction.refund_no)
        return book.answer(row)

    async def redirect(self, instruction: RefundInstruction) -> GatewayAnswer:
        """Pay what is stranded to the account that is given; anything else stays as it is."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            row = await book.settle(connection, instruction.refund_no, stub_now())
            if row is None:
                raise NotSent("NO_SUCH_REFUND")
            if row["result"] == GatewayResult.STRANDED:
                row = await book.pay(connection, instruction)
        return book.answer(row)

    async def read_callback(self, request: CallbackRequest) -> ReadCallback:
        """See ``payment_stub_callbacks``."""
        return read(request)

    async def ping(self) -> str:
        """Whether the stub's database answers."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            await connection.fetchval("SELECT 1 FROM gateway.refunds LIMIT 1")
        return "a stand-in: no money moves"

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """What was paid, or came to nothing, on a day in UTC; all of it is published at once."""
        begins = datetime.combine(day, time(), UTC)
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            rows = await connection.fetch(
                f"SELECT {_LINE} WHERE result_at >= $2 AND result_at < $3 ORDER BY refund_no",
                stub_now(),
                begins,
                begins + timedelta(days=1),
            )
        for row in rows:
            yield _line(row)

    async def page(self, after: str, limit: int, as_of: datetime) -> tuple[StatementLine, ...]:
        """A page of the stub's book, by number, as it stands at ``as_of``: a refund as its last attempt has left it."""
        async with stub_transaction(self._pool, GatewayUnreachable) as connection:
            rows = await connection.fetch(
                f"SELECT {_LINE} WHERE refund_no > $2 ORDER BY refund_no LIMIT $3",
                as_of,
                after,
                limit,
            )
        return tuple(_line(row).model_copy(update={"attempt": None}) for row in rows)

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
        return tuple(book.behaviour_of(row) for row in rows)

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
                await book.settle(connection, row["refund_no"], at)
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
                    attempt=row["attempt"],
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


def _is_tried_again(row: asyncpg.Record, instruction: RefundInstruction) -> bool:
    """Whether this sending moves money: the first one, one after a failure, or one under a new number."""
    match GatewayResult(row["result"]):
        case _ if row["attempts"] == 0:
            return True
        case GatewayResult.FAILED | GatewayResult.ABNORMAL:
            return True
        case GatewayResult.CLOSED | GatewayResult.CANCELED | GatewayResult.RETURNED:
            return instruction.attempt > row["attempt"]
        case _:
            return False


_LINE: Final = """
    refund_no, amount, currency, attempt, attempts, result, result_at
    FROM (
        SELECT refund_no, amount, currency, attempt, attempts,
               CASE WHEN next_at <= $1 THEN next_result ELSE result END AS result,
               CASE WHEN next_at <= $1 THEN next_at ELSE result_at END AS result_at
        FROM gateway.refunds
    ) AS as_they_stand
"""


def _line(row: asyncpg.Record) -> StatementLine:
    return StatementLine(
        refund_no=row["refund_no"],
        attempt=row["attempt"],
        amount=row["amount"],
        currency=row["currency"],
        result=GatewayResult(row["result"]),
        gateway_ref=book.reference(row),
        settled_at=row["result_at"] if row["result"] == GatewayResult.SUCCEEDED else None,
    )

"""Cases brought to their end, by their clocks and by whoever is waited for without a deadline."""

from datetime import timedelta
from typing import Final

import asyncpg
from temporalio.service import RPCError, RPCStatusCode

from starter.client import Case
from starter.errors import RefusedCommand
from tests.recovery.plans import what_helps
from tests.workflow.world import World, until
from workflows.messages.stages import StageName

_TURNS: Final = 20
_GATEWAY_TAKES: Final = timedelta(days=2)


async def driven(world: World, case: Case, early: list[str], *, closely: bool) -> None:
    """Bring a case to its end.

    With ``closely`` it is looked at a minute before each deadline, and that it had left its stage by then is told in
    ``early``.

    Raises:
        AssertionError: it comes to none.
        AftersalesError: what it waits for was refused, or nobody answers.
    """
    for turn in range(_TURNS):
        row = await _row(world, case)
        if row["closed_at"]:
            return
        stage, due = StageName(row["stage"]), row["due_at"]
        if stage in {StageName.LOCKED, StageName.DISPUTED}:
            view = await case.view()
            assert view.dispute, f"{stage} without a dispute"
            await driven(world, world.aftersales.case(view.dispute), early, closely=closely)
        elif (command := what_helps(world, stage, turn)) is not None:
            if stage is StageName.PAYMENT_ATTENTION and turn:
                # The gateway may be the one that takes its time.
                await forward(world, case, _GATEWAY_TAKES)
            if (await _row(world, case))["stage"] == stage:
                try:
                    await case.act(command)
                except RefusedCommand as refused:
                    if refused.refusal.code != "said_before":
                        raise
                    continue  # it is the other side's turn (T9)
        elif due is not None:
            now = await world.now(case)
            if closely and due - now > timedelta(minutes=2):
                await forward(world, case, due - now - timedelta(minutes=1))
                by_then = await _row(world, case)
                if by_then["stage"] != stage and stage is not StageName.SETTLING:
                    early.append(f"{case.id}: left {stage} before it was due")
                now = await world.now(case)
            if (left := due - now + timedelta(minutes=1)) > timedelta(0):
                await forward(world, case, left)
        await until(
            lambda: _row(world, case),
            lambda found, row=row: (
                (found["stage"], found["due_at"], found["step"]) != (row["stage"], row["due_at"], row["step"])
                or found["closed_at"] is not None
            ),
            seconds=60,
        )
    raise AssertionError("it comes to no end")


async def forward(world: World, case: Case, by: timedelta) -> None:
    """Move a case's clock, if it has one: it may have ended, or be moved by somebody else."""
    try:
        await world.skipper.fast_forward(case.handle, by)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    except RuntimeError as error:
        # So the SDK tells that somebody else has moved the same clock meanwhile.
        if "overridden" not in str(error):
            raise


async def _row(world: World, case: Case) -> asyncpg.Record:
    query = "SELECT stage, due_at, step, closed_at FROM casebook.cases WHERE case_id = $1"
    row = await world.pool.fetchrow(query, case.id)
    assert row is not None, "the case is not in the book"
    return row

"""Which moves cases have really made, as their logs tell."""

from itertools import groupby

import asyncpg

from workflows.kinds.kind import PROCESSES
from workflows.kinds.process import Move
from workflows.messages.stages import CaseKind, OutcomeKind, StageName

REMARKS = frozenset(
    {
        "activity_begun_anew",
        "book_behind",
        "cancellation_ignored",
        "command_refused",
        "deadline_moved",
        "more_refused",
        "policy_moved",
        "proposal_closed",
    }
)
"""Log lines that any step may have, whatever it does."""


async def observed(pool: asyncpg.Pool) -> dict[CaseKind, set[Move]]:
    """The moves that the cases of this database have made so far, by the kind that a case was before each.

    Rows that tests of the case book have written without a workflow are left out.
    """
    rows = await pool.fetch(
        """
        SELECT case_id, log.step, log.event, log.kind, log.stage, cases.outcome
        FROM casebook.log JOIN casebook.cases USING (case_id)
        WHERE run_id ~ '^[0-9a-f]{8}-' ORDER BY case_id, position
        """
    )
    made: dict[CaseKind, set[Move]] = {}
    for _, lines in groupby(rows, key=lambda row: row["case_id"]):
        kind, stage = None, StageName.OPENING
        of_case: list[tuple[CaseKind, Move]] = []
        for _, step in groupby(lines, key=lambda row: row["step"]):
            told = list(step)
            events = [row["event"] for row in told if row["event"] not in REMARKS] or [told[0]["event"]]
            last = told[-1]
            came = StageName(last["stage"])
            before = kind or CaseKind(last["kind"])
            if came is not stage:
                ends = came is StageName.CLOSED and last["outcome"] is not None
                end = OutcomeKind(last["outcome"]) if ends else None
                of_case.append((before, Move(stage, events[0], came, end)))
            kind, stage = CaseKind(last["kind"]), came
        for number, (before, move) in enumerate(of_case, 1):
            # Of a case that was opened again only its last end is told.
            if move.to is not StageName.CLOSED or (number == len(of_case) and move.end):
                made.setdefault(before, set()).add(move)
    return made


async def unsaid(pool: asyncpg.Pool) -> list[tuple[str, int]]:
    """Steps of cases that no line of the log tells of: the case, and the step's number (section 12)."""
    rows = await pool.fetch(
        """
        SELECT case_id, number
        FROM casebook.cases CROSS JOIN LATERAL generate_series(0, cases.step) AS number
        WHERE run_id ~ '^[0-9a-f]{8}-'
          AND NOT EXISTS (SELECT FROM casebook.log WHERE log.case_id = cases.case_id AND log.step = number)
        ORDER BY case_id, number
        """
    )
    return [(row["case_id"], row["number"]) for row in rows]


async def undeclared(pool: asyncpg.Pool) -> dict[CaseKind, set[Move]]:
    """The moves that some case has made and its process does not declare."""
    found = await observed(pool)
    drawn = {kind: PROCESSES[kind].moves() for kind in found}
    return {kind: made - drawn[kind] for kind, made in found.items() if made - drawn[kind]}

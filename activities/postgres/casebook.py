"""The case book in PostgreSQL: a case's row for the work lists, and its log (section 12).

Whoever writes a step does so inside a transaction of its own, so that log, work list, notices, reservation
and balance stand or fall together.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from activities import case_events
from activities.deadlines import due, left
from activities.notices import outbox
from activities.postgres import (
    alerts,
    allowances,
    case_rows,
    closed_cases,
    evidence,
    flags,
    ledger,
    log_lines,
    parcels,
    pauses,
    requirements,
    reservations,
    resuming,
    scores,
    standing_orders,
)
from activities.postgres.connection import Connection
from activities.postgres.repeated_steps import AnotherWay, Book, place_of
from activities.tally import Tally, Written
from workflows.kinds.stage import STAGES, Stage
from workflows.kinds.steps import not_decided_before, span_of
from workflows.messages.cases import Due, LogEntry, Notice, Refusal, Span, Step, Stepped
from workflows.messages.openings import OpenCase, Opened, OpenedBy
from workflows.messages.parcels import CarrierEvent, ParcelPurpose
from workflows.messages.payouts import Payout, Reservation, ReserveResult
from workflows.messages.pieces import CasePieces
from workflows.messages.policy import Policy
from workflows.messages.reading import read_own
from workflows.messages.requests import Application
from workflows.messages.stages import CaseKind, StageName, WorkList
from workflows.messages.standing_orders import ByStandingOrder
from workflows.messages.step_parts import BalanceChange, Thaw
from workflows.rules.allocation import waits_for
from workflows.rules.applications import version_of
from workflows.rules.balances import Voiding
from workflows.rules.identity import allowance_fund, request_digest
from workflows.rules.legs import AlertKind
from workflows.rules.written_steps import addressed, dated


class StepOutOfOrder(Exception):  # noqa: N818 -- it is a finding, not a fault
    """A step that is neither the next one nor an earlier one again. Steps are never rewritten."""

    def __init__(self, why: str, *, lacking: int = 0) -> None:
        """``lacking`` is how many steps before this one the book does not have; 0 where that is not the fault."""
        super().__init__(why)
        self.lacking = lacking


async def opened_before(connection: Connection, opening: OpenCase) -> tuple[str, Opened] | None:
    """The run that opened this case and what it found, or None; the case is locked against another opening."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", opening.case.case_id)
    row = await connection.fetchrow(
        """
        SELECT run_id, opened, opened_at, request ->> 'carried_out_by' AS carried_out_by
        FROM casebook.cases WHERE case_id = $1
        UNION ALL SELECT run_id, NULL, opened_at, NULL FROM casebook.closed_keys WHERE case_id = $1
        """,
        opening.case.case_id,
    )
    if row is None:
        return None
    if row["opened"] is None:  # it has moved: closed long ago, and the same case for ever
        return "", Opened()
    before = {"opened_at": row["opened_at"], "carried_out_by": row["carried_out_by"]}
    opened = read_own(Opened, row["opened"]).model_copy(update=before)
    return row["run_id"], opened


async def digest_of_request(connection: Connection, case_id: str) -> str | None:
    """The digest of the request that opened a case, to tell it from another one; None where there is no such case.

    Empty for cases that were opened before digests were kept.
    """
    return await connection.fetchval(
        "SELECT coalesce(request_digest, '') FROM casebook.every_case WHERE case_id = $1", case_id
    )


_OPENED: Final = f"""
    WITH event AS (INSERT INTO events.feed (event) VALUES ($22::json)),
    lines AS ({log_lines.insertion(23, case_id="$1", step="0", kind="$3", stage="$11")}),
    notices AS ({outbox.insertion(23 + log_lines.ARGUMENTS, case_id="$1", step="0", at="$13")})
    INSERT INTO casebook.cases (
        case_id, run_id, kind, merchant_id, buyer_id, order_no, allowance_id, currency, asked, policy,
        stage, work_list, opened_at, due_at, step, log_length, opened, about, flag, stage_since, request_digest,
        application, pieces, request
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, 1, $15, $16, $17, $13, $18, $19, $20, $21)
"""  # noqa: S608 -- numbers of arguments


async def write_opening(
    connection: Connection,
    opening: OpenCase,
    opened: Opened,
    *,
    entry: LogEntry,
    work_list: WorkList | None,
    buyer_id: str | None,
    pieces: CasePieces | None = None,
    notices: Sequence[Notice] = (),
) -> None:
    """Step 0: the case's row, the pieces that it names (R13), the first line of its log, and its notices."""
    case, request = opening.case, opening.request
    if opened.kind is None or opened.stage is None or opened.asked is None or opened.policy is None:
        raise ValueError("a refused request is not written down")
    deadline = opened.due
    order_no, allowance_id = getattr(request, "order_no", None), getattr(request, "allowance_id", None)
    await connection.execute(
        _OPENED,
        case.case_id,
        case.run_id,
        opened.kind,
        request.merchant_id,
        buyer_id,
        order_no,
        allowance_id,
        opened.asked.currency,
        opened.asked.amount,
        f"{opened.policy.name}/{opened.policy.version}",
        opened.stage,
        work_list,
        opening.at,
        deadline.at if deadline else None,
        opened.model_dump(mode="json"),
        getattr(request, "about", None),
        await flags.flag_of_new_case(connection, request.merchant_id, str(order_no or allowance_id)),
        request_digest(request),
        version_of(request, opening.at).model_dump(mode="json") if isinstance(request, Application) else None,
        pieces.model_dump(mode="json") if pieces else None,
        OpenedBy(request=request, carried_out_by=opening.carried_out_by).model_dump(mode="json"),
        case_events.of_opening(opening, opened, entry),
        *log_lines.arguments((entry,), 0),
        *outbox.arguments(notices),
    )


_TO_BE_WRITTEN: Final = """
    SELECT run_id, step, log_length, stepped, policy, stage, due_at, coalesce(stage_since, opened_at) AS since,
           attention, outcome, merchant_id, buyer_id, order_no, allowance_id, currency, asked
    FROM casebook.cases WHERE case_id = $1 FOR UPDATE
"""


async def write_step(
    connection: Connection,
    step: Step,
    policy_now: Callable[[str], Policy | None] = lambda _: None,
    tally: Tally | None = None,
) -> Stepped:
    """Write a step down; a step that was written before gives what it gave the first time.

    Not only the last one: a workflow task that takes several steps may be lost as a whole, and is then done
    again from its first step on, and a run can be reset to long before (``repeated_steps``). A step that needs what
    is not there (an address, a statement, a declaration, a version of the policy) is not written, and its refusal says
    so; nor is one that looks for room and finds none. ``policy_now`` gives a profile as it is in force.
    What is written for the first time goes into ``tally``. Where the book has come further than the run that writes, or
    another way, it says how far; where another run has taken the case over, it says that. Neither is written.

    Raises:
        StepOutOfOrder: the book does not have the case, or not the steps before this one.
    """
    case = step.case
    row = await connection.fetchrow(_TO_BE_WRITTEN, case.case_id)
    if row is None:  # it may have been closed for long, and comes back, or has just come
        await closed_cases.bring_back(connection, case.case_id)
        row = await connection.fetchrow(_TO_BE_WRITTEN, case.case_id)
    if row is None:
        raise StepOutOfOrder(f"{case.case_id} is not in the book")
    if row["run_id"] != case.run_id:
        return Stepped(fenced=True, written=False, step=step.step)
    try:
        number, before = await place_of(connection, step, Book(row["step"], row["stepped"] or {}))
    except AnotherWay as error:
        if ahead := await resuming.resumed(connection, case.case_id):
            return Stepped(ahead=ahead, written=False, step=step.step)
        raise StepOutOfOrder(str(error)) from error
    if before:
        return before
    if number != row["step"] + 1:
        lacking = number - row["step"] - 1
        raise StepOutOfOrder(f"{case.case_id} is at step {row['step']}, not before step {step.step}", lacking=lacking)
    asked = step.step
    step = step.model_copy(update={"step": number})
    policy = policy_now(str(row["policy"]).partition("/")[0]) if step.policy_version else None
    needed = await requirements.look(connection, step, policy, str(row["policy"]))
    if isinstance(needed, Refusal):
        return Stepped(refusal=needed, step=asked)
    address = needed
    if address:
        step = addressed(step, address)
    reserved = await _reserve(connection, step.reserve, step.at, tally) if step.reserve else None
    if step.only_with_room and reserved and reserved.reservation is not Reservation.RESERVED:
        return Stepped(reserved=reserved, written=False, step=asked)
    ends = await deadline_of(connection, step, policy)
    await _keep_books(connection, step)
    stepped = Stepped(
        step=asked,
        number=number if number != asked else None,
        due=ends,
        left=await _left(connection, step, step.stops) if step.stops else None,
        reserved=reserved,
        thaw=await _change_balance(connection, step),
        address=address,
        parcel_events=await _watch(connection, step),
        policy=policy,
        standing_order=await _standing_order(connection, step, row) if step.asks_standing_orders else None,
    )
    event = case_events.of_step(step, ends.at if ends else None, row)
    await _update(connection, step, stepped, event, log_length=row["log_length"])
    if tally:
        tally.steps.append(Written(step, StageName(row["stage"]), since=row["since"], due=row["due_at"]))
    return stepped


async def nothing_is_missing(connection: Connection, step: Step) -> None:
    """Returns where the book has every step before this one.

    Raises:
        StepOutOfOrder: it lacks some.
    """
    last = await connection.fetchval("SELECT step FROM casebook.cases WHERE case_id = $1", step.case.case_id)
    if last is not None and (lacking := step.step - 1 - last) > 0:
        raise StepOutOfOrder(f"{step.case.case_id} is at step {last}, not before step {step.step}", lacking=lacking)


async def deadline_of(connection: Connection, step: Step, policy: Policy | None = None) -> Due | None:
    """When the step's stage ends, pause windows included; under ``policy`` where the case moves to it (section 2)."""
    if (span := span_of(step, policy)) is None:
        return None
    ends = await deadline(connection, step.kind, STAGES[step.stage], span, step.at)
    return not_decided_before(step, policy, ends)


async def deadline(connection: Connection, kind: CaseKind, stage: Stage, span: Span, at: datetime) -> Due:
    """The deadline of a stage that begins at ``at``: moved by pause windows where silence decides (section 9)."""
    movable = stage.pausable and span.until is None
    windows = await pauses.windows_for(connection, kind, span.since or at) if movable else ()
    return due(span, at, windows)


async def _left(connection: Connection, step: Step, stopped: Span) -> timedelta:
    """D3: running time, so that a pause that lies ahead does not count twice when the clock goes on."""
    windows = await pauses.windows_for(connection, step.kind, stopped.since or step.at) if not stopped.until else ()
    return left(stopped, step.stopped_at or step.at, windows)


async def _standing_order(connection: Connection, step: Step, row: asyncpg.Record) -> ByStandingOrder | None:
    """G4: the standing order that decides what is applied for with this step, by the policy that the case goes by."""
    policies = await case_rows.policies_of(connection, step.case.case_id)
    if step.application is None or not policies:
        return None
    return await standing_orders.decide(
        connection,
        step.case.case_id,
        row["merchant_id"],
        row["buyer_id"],
        max(policies, key=lambda each: each.version),
        step.kind,
        step.application,
        step.at,
    )


async def _keep_books(connection: Connection, step: Step) -> None:
    """What stands or falls with the step: evidence (D6) and score points (D9)."""
    case_id = step.case.case_id
    if step.evidence:
        await evidence.give(connection, case_id, step.evidence, step.at)
    for charge in step.charges:
        await scores.charge(connection, case_id, charge, step.at)


async def _reserve(connection: Connection, payout: Payout, at: datetime, tally: Tally | None) -> ReserveResult:
    if counts := waits_for(payout):
        ended = await connection.fetchval(
            "SELECT closed_at IS NOT NULL FROM casebook.every_case WHERE case_id = $1", counts
        )
        if not ended:
            return ReserveResult(reservation=Reservation.CONTENDED)
    return await reservations.reserve(connection, payout, at, tally)


async def _watch(connection: Connection, step: Step) -> tuple[CarrierEvent, ...]:
    """R15, T3, T8: from now on the case is told of the parcel; what was told before comes with the answer."""
    if step.watch is None:
        return ()
    case_id, watch = step.case.case_id, step.watch
    if watch.instead_of:
        await parcels.unwatch(connection, watch.instead_of, case_id)
    return await parcels.watch(connection, watch.parcel, purpose=watch.purpose, at=step.at, case_id=case_id)


_STEPPED: Final = f"""
    WITH event AS (INSERT INTO events.feed (event) SELECT $21::json WHERE $21::json IS NOT NULL),
    lines AS ({log_lines.insertion(23, case_id="$1", step="$9", kind="$2", stage="$3")}),
    notices AS ({outbox.insertion(23 + log_lines.ARGUMENTS, case_id="$1", step="$9", at="$13")})
    UPDATE casebook.cases
    SET stage_since = CASE WHEN stage = $3 THEN stage_since ELSE $13 END,
        kind = $2, stage = $3, work_list = $4, attention = $5, outcome = $6, refunded = $7,
        due_at = $8, step = $9, log_length = $10, stepped = coalesce(stepped, '{{}}') || $11,
        closed_at = CASE WHEN $12 THEN coalesce(closed_at, $13) END, compensated = $14,
        return_freight = coalesce($15, return_freight), policy = coalesce($16, policy),
        asked = coalesce($17, asked), application = coalesce($18, application), pieces = coalesce($19, pieces),
        state = coalesce($20, state), talk = coalesce($22, talk)
    WHERE case_id = $1
"""  # noqa: S608 -- the same


async def _update(connection: Connection, step: Step, stepped: Stepped, event: str | None, *, log_length: int) -> None:
    closes = step.stage is StageName.CLOSED
    # X4: the event goes out with the step or not at all. This statement looks at the database anew, once the case's row
    # is locked, and so gives the event a place behind the case's others.
    await connection.execute(
        _STEPPED,
        step.case.case_id,
        step.kind,
        step.stage,
        step.work_list,
        step.attention,
        step.outcome,
        step.refunded,
        stepped.due.at if stepped.due else None,
        step.step,
        log_length + len(step.entries),
        {str(step.step): stepped.model_dump(mode="json")},
        closes,
        step.at,
        step.compensated,
        step.watch.freight_paid if step.watch and step.watch.purpose is ParcelPurpose.RETURN else None,
        f"{stepped.policy.name}/{stepped.policy.version}" if stepped.policy else None,
        step.application.amount if step.application else None,
        step.application.model_dump(mode="json") if step.application else None,
        step.pieces.model_dump(mode="json") if step.pieces else None,
        step.state,
        event,
        step.talk.model_dump(mode="json") if step.talk else None,
        *log_lines.arguments(step.entries, log_length),
        *outbox.arguments(dated(step.notices, stepped.due)),
    )


async def _change_balance(connection: Connection, step: Step) -> Thaw | None:
    """A5: a balance is thawed or voided together with the step that says so."""
    if step.balance is None:
        return None
    case_id = step.case.case_id
    allowance_id = await connection.fetchval("SELECT allowance_id FROM casebook.cases WHERE case_id = $1", case_id)
    match step.balance:
        case BalanceChange.THAW:
            paid_back = await ledger.refunded(connection, allowance_fund(allowance_id))
            return await allowances.thaw(connection, allowance_id, case_id, step.at, paid_back=paid_back)
        case BalanceChange.VOID:
            voiding = await allowances.void(connection, allowance_id, case_id, step.at)
            if voiding is not Voiding.VOIDED:  # the money has moved: a person must look, not a rollback
                for leg in await ledger.last_legs(connection, case_id):
                    kind = AlertKind.BALANCE_NOT_HELD
                    await alerts.raise_alert(connection, kind, case_id, leg.refund_no, voiding, step.at)
            return None

"""A case as the case book has it: for cases whose workflow does not answer any more."""

from typing import Final

from activities.postgres import ledger
from activities.postgres.case_rows import log_of, policies_of
from activities.postgres.connection import Connection
from activities.postgres.timelines import timeline_of
from workflows.kinds.stage import STAGES, Stage
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import CaseView, Outcome
from workflows.messages.money import Money
from workflows.messages.policy import Policy
from workflows.messages.proposals import Talk
from workflows.messages.reading import read_own
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, Stopped
from workflows.rules.dispute import DECIDED
from workflows.rules.reasons import reason_of
from workflows.rules.silence import silence_of

_ENTRIES_SHOWN: Final = 8
_WITHOUT_WORKFLOW: Final = "流程已停止，期限不再生效 · the workflow was stopped: nobody keeps a deadline"


async def view_in_book(connection: Connection, case_id: str, stopped: Stopped) -> CaseView | None:
    """How a case stood when it last wrote a step; None where the book has no such case.

    Of one in the archive alone, without its log and thread, and without what only its profile says.

    Unless it has ended, ``stopped`` says why it takes no command. Its deadline counts on only where it is paused.
    """
    row = await connection.fetchrow(
        """
        SELECT kind, stage, merchant_id, buyer_id, order_no, allowance_id, currency, asked, refunded, compensated,
               opened_at, closed_at, due_at, attention, outcome, policy, step, application,
               (SELECT whole.talk FROM casebook.whole_case AS whole WHERE whole.case_id = $1) AS talk,
               (SELECT max(other.case_id) FROM casebook.cases AS other
                WHERE other.about = $1 AND other.kind = 'dispute' AND other.closed_at IS NULL) AS dispute,
               about
        FROM casebook.every_case WHERE case_id = $1
        """,
        case_id,
    )
    if row is None:
        return None
    name = StageName(row["stage"])
    stage = STAGES.get(name)  # None where a newer release has added it
    kind = CaseKind(row["kind"])
    applied = read_own(ApplicationVersion, row["application"]) if row["application"] else None
    policy = next(reversed(await policies_of(connection, case_id)), None)
    log = await log_of(connection, case_id)
    kept = stopped is Stopped.PAUSED
    return CaseView(
        case_id=case_id,
        kind=kind,
        stage=name,
        rule=stage.rule if stage else "",
        merchant_id=row["merchant_id"],
        buyer_id=row["buyer_id"],
        order_no=row["order_no"],
        allowance_id=row["allowance_id"],
        asked=Money(amount=row["asked"], currency=row["currency"]),
        application=applied,
        reason=reason_of(applied.reason, policy) if applied and policy else None,
        refunded=Money(amount=row["refunded"], currency=row["currency"]),
        compensated=Money(amount=row["compensated"], currency=row["currency"]) if row["compensated"] else None,
        talk=read_own(Talk, row["talk"]) if row["talk"] else Talk(),
        opened_at=row["opened_at"],
        time_zone=policy.time_zone if policy else None,
        due=row["due_at"] if kept else None,
        no_deadline_because="" if kept or row["closed_at"] else _WITHOUT_WORKFLOW,
        on_silence=_silence(stage, policy, applied) if stage and policy else Silence.NOTHING,
        commands=(),
        attention=Attention(row["attention"]) if row["attention"] else None,
        outcome=OutcomeKind(row["outcome"]) if row["outcome"] else None,
        legs=await ledger.last_legs(connection, case_id),
        dispute=row["about"] if kind is CaseKind.DISPUTE else row["dispute"],
        stopped=None if row["closed_at"] else stopped,
        policy=row["policy"],
        steps=row["step"],
        warnings=(),
        log=tuple(log[-_ENTRIES_SHOWN:]),
    )


def _silence(stage: Stage, policy: Policy, applied: ApplicationVersion | None) -> Silence:
    """G3: by the policy that the case went by last."""
    return silence_of(stage.name, policy, applied) or stage.silence


async def outcome_in_book(connection: Connection, case_id: str) -> Outcome | None:
    """How a case has ended, as far as the case book tells: without a voided bonus and a ruling. None while it is open.

    It was decided by whoever brought it to its payment, else to its end.
    """
    row = await connection.fetchrow(
        """
        SELECT kind, currency, refunded, compensated, outcome, closed_at
        FROM casebook.whole_case WHERE case_id = $1 AND closed_at IS NOT NULL
        """,
        case_id,
    )
    if row is None:
        return None
    decision, *others = reversed(await timeline_of(connection, case_id))
    for stay in others:
        if stay.stage not in DECIDED:
            break
        decision = stay
    compensated = Money(amount=row["compensated"], currency=row["currency"]) if row["compensated"] else None
    return Outcome(
        case_id=case_id,
        kind=CaseKind(row["kind"]),
        outcome=OutcomeKind(row["outcome"]),
        refunded=Money(amount=row["refunded"], currency=row["currency"]),
        compensated=compensated,
        decided_by=decision.by.role,
        rule=decision.rule,
        closed_at=row["closed_at"],
        legs=await ledger.last_legs(connection, case_id),
    )

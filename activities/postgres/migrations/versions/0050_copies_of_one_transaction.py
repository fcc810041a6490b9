"""What is read back from the archive is seen by the transaction that has read it, and by nobody else."""

from activities.postgres.migrations import run_script

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

_CASE = """
    run_id, kind, buyer_id, order_no, allowance_id, currency, asked, refunded, policy, stage, work_list, attention,
    outcome, opened_at, due_at, step, log_length, opened, stepped, compensated, about, return_freight, due_rank,
    stage_since, request_digest, application, pieces, state, request, talk"""
_LINE = """
    position, step, event, actor_role, actor_id, rule, at, command_key, facts, command_digest, kind, stage, command"""


def _of(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{each.strip()}" for each in columns.split(","))


_IN_TABLES = {
    "whole_case": f"""
        SELECT case_id, closed_at, merchant_id, flag, {_CASE} FROM casebook.cases
        UNION ALL
        SELECT case_id, closed_at, kept.merchant_id, kept.flag, {_of("month", _CASE)}
        FROM casebook.closed_keys AS kept JOIN casebook.closed_cases AS month USING (case_id, closed_at)
    """,  # noqa: S608 -- constants
    "whole_log": f"""
        SELECT case_id, {_LINE} FROM casebook.log
        UNION ALL
        SELECT case_id, {_of("month", _LINE)}
        FROM casebook.closed_keys JOIN casebook.closed_log AS month USING (case_id, closed_at)
    """,  # noqa: S608 -- constants
}
_READ_BACK = {
    "whole_case": f"SELECT kept.case_id, kept.closed_at, kept.merchant_id, kept.flag, {_of('was', _CASE)}",
    "whole_log": f"SELECT kept.case_id, {_of('was', _LINE)}",
}
_POPULATED = {
    "whole_case": "jsonb_populate_record(NULL::casebook.cases, given.row) AS was",
    "whole_log": "jsonb_populate_recordset(NULL::casebook.log, given.log) AS was",
}
# A setting that outlives its transaction, as a pooler's shared connection may keep it, shows nothing. Of a month that
# was restored, the rows count that were restored.
_GIVEN = """
FROM jsonb_to_recordset(nullif(current_setting('casebook.read_back', true), '')::jsonb)
    AS given (during timestamptz, case_id text, closed_at timestamptz, row jsonb, log jsonb)
JOIN casebook.closed_keys AS kept USING (case_id, closed_at)
CROSS JOIN LATERAL {populated}
WHERE given.during = now() AND NOT EXISTS (
    SELECT FROM casebook.closed_cases AS month
    WHERE month.case_id = kept.case_id AND month.closed_at = kept.closed_at
)
"""
_RECALLED = """
FROM casebook.closed_keys AS kept JOIN casebook.recalled AS given USING (case_id, closed_at)
CROSS JOIN LATERAL {populated}
WHERE NOT EXISTS (
    SELECT FROM casebook.closed_cases AS month
    WHERE month.case_id = kept.case_id AND month.closed_at = kept.closed_at
)
"""


def _views(of_archived: str) -> str:
    return "\n".join(
        f"""
        CREATE OR REPLACE VIEW casebook.{view} AS {_IN_TABLES[view]}
        UNION ALL {_READ_BACK[view]} {of_archived.format(populated=_POPULATED[view])};
        """
        for view in _IN_TABLES
    )


UP = f"""
{_views(_GIVEN)}
DROP TABLE casebook.recalled;
"""

DOWN = f"""
CREATE TABLE casebook.recalled (
    case_id text PRIMARY KEY,
    closed_at timestamptz NOT NULL,
    row jsonb NOT NULL,
    log jsonb NOT NULL,
    recalled_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX recalled_at ON casebook.recalled (recalled_at);
COMMENT ON TABLE casebook.recalled IS 'cases in the archive alone that somebody has read lately';
{_views(_RECALLED)}
"""


def upgrade() -> None:
    """Keep no copies any more."""
    run_script(UP)


def downgrade() -> None:
    """Make room for them again."""
    run_script(DOWN)

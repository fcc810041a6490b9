"""A case in the archive alone is read back for whoever asks for it, and read like any other for some days."""

from activities.postgres.migrations import run_script

revision = "0048"
down_revision = "0047"
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


_WHOLE_CASE = f"""
SELECT case_id, closed_at, merchant_id, flag, {_CASE} FROM casebook.cases
UNION ALL
SELECT case_id, closed_at, kept.merchant_id, kept.flag, {_of("month", _CASE)}
FROM casebook.closed_keys AS kept JOIN casebook.closed_cases AS month USING (case_id, closed_at)
"""  # noqa: S608 -- constants
_WHOLE_LOG = f"""
SELECT case_id, {_LINE} FROM casebook.log
UNION ALL
SELECT case_id, {_of("month", _LINE)}
FROM casebook.closed_keys JOIN casebook.closed_log AS month USING (case_id, closed_at)
"""  # noqa: S608 -- constants
# Of a month that was restored, the rows count that were restored.
_RECALLED = """
FROM casebook.closed_keys AS kept JOIN casebook.recalled USING (case_id, closed_at)
CROSS JOIN LATERAL {rows}
WHERE NOT EXISTS (
    SELECT FROM casebook.closed_cases AS month
    WHERE month.case_id = kept.case_id AND month.closed_at = kept.closed_at
)
"""
_ROW = _RECALLED.format(rows="jsonb_populate_record(NULL::casebook.cases, recalled.row) AS was")
_ROWS = _RECALLED.format(rows="jsonb_populate_recordset(NULL::casebook.log, recalled.log) AS was")

UP = f"""
CREATE TABLE casebook.recalled (
    case_id text PRIMARY KEY,
    closed_at timestamptz NOT NULL,
    row jsonb NOT NULL,
    log jsonb NOT NULL,
    recalled_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX recalled_at ON casebook.recalled (recalled_at);
COMMENT ON TABLE casebook.recalled IS 'cases in the archive alone that somebody has read lately';

CREATE OR REPLACE VIEW casebook.whole_case AS {_WHOLE_CASE}
UNION ALL
SELECT kept.case_id, kept.closed_at, kept.merchant_id, kept.flag, {_of("was", _CASE)} {_ROW};
CREATE OR REPLACE VIEW casebook.whole_log AS {_WHOLE_LOG}
UNION ALL
SELECT kept.case_id, {_of("was", _LINE)} {_ROWS};
"""

DOWN = f"""
CREATE OR REPLACE VIEW casebook.whole_case AS {_WHOLE_CASE};
CREATE OR REPLACE VIEW casebook.whole_log AS {_WHOLE_LOG};
DROP TABLE casebook.recalled;
"""


def upgrade() -> None:
    """Make room for what is read back."""
    run_script(UP)


def downgrade() -> None:
    """Forget what was read back: the archive has it."""
    run_script(DOWN)

"""From what a case goes on: its state with each step, and the request that opened it."""

from activities.postgres.migrations import run_script

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE casebook.cases ADD COLUMN state jsonb, ADD COLUMN request jsonb;
COMMENT ON COLUMN casebook.cases.state IS
    'as its last step has left it: ids, amounts, references; null before its first step, and in rows from before this';
COMMENT ON COLUMN casebook.cases.request IS 'what opened it; null in rows from before this column';
"""

DOWN = "ALTER TABLE casebook.cases DROP COLUMN state, DROP COLUMN request;"


def upgrade() -> None:
    """Make room for states."""
    run_script(UP)


def downgrade() -> None:
    """Take them away: a case then lives in its workflow only."""
    run_script(DOWN)

"""Since when a case is in its stage, and the figures of all open cases, worked out by one process for all."""

from activities.postgres.migrations import run_script

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE casebook.cases ADD COLUMN stage_since timestamptz;
COMMENT ON COLUMN casebook.cases.stage_since IS
    'business time; null for a case that has not left its first stage since this column was made: see opened_at';

CREATE INDEX legs_in_flight ON ledger.legs (state, currency) INCLUDE (amount, reserved_at)
    WHERE state NOT IN ('succeeded', 'failed');

CREATE TABLE casebook.standing (
    subject text PRIMARY KEY,
    measured_at timestamptz NOT NULL,
    figures jsonb NOT NULL
);
COMMENT ON TABLE casebook.standing IS 'figures of all open cases, as old as measured_at says';
INSERT INTO casebook.standing (subject, measured_at, figures)
VALUES ('open', 'epoch', '[]'), ('waiting', 'epoch', '[]');
"""

DOWN = """
DROP TABLE casebook.standing;
DROP INDEX ledger.legs_in_flight;
ALTER TABLE casebook.cases DROP COLUMN stage_since;
"""


def upgrade() -> None:
    """Make room for the figures."""
    run_script(UP)


def downgrade() -> None:
    """Take the figures away; the books are as before."""
    run_script(DOWN)

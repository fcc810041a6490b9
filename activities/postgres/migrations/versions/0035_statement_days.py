"""Which days of the provider's statement have been compared with the ledger, and which legs stood on one (X5)."""

from activities.postgres.migrations import run_script

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE ledger.statement_days (
    day date PRIMARY KEY,
    compared_at timestamptz NOT NULL,
    lines bigint NOT NULL CHECK (lines >= 0)
);
COMMENT ON COLUMN ledger.statement_days.day IS 'in the provider''s own calendar';
COMMENT ON COLUMN ledger.statement_days.compared_at IS 'business time';

ALTER TABLE ledger.legs ADD COLUMN stated_on date;
COMMENT ON COLUMN ledger.legs.stated_on IS 'the last day of the provider''s statement that it was found on';
CREATE INDEX legs_unstated ON ledger.legs (settled_at) WHERE paid_by = 'gateway' AND stated_on IS NULL;
"""

DOWN = """
ALTER TABLE ledger.legs DROP COLUMN stated_on;
DROP TABLE ledger.statement_days;
"""


def upgrade() -> None:
    """Compare each day of the statement once."""
    run_script(UP)


def downgrade() -> None:
    """Forget which days were compared."""
    run_script(DOWN)

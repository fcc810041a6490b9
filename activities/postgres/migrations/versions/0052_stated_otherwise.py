"""What the provider's statement has otherwise than our ledger is kept, attempt by attempt, until both agree (X5)."""

from activities.postgres.migrations import run_script

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE ledger.stated_otherwise (
    subject text COLLATE "C",
    attempt integer CHECK (attempt >= 0),
    result text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    stated_on date NOT NULL,
    PRIMARY KEY (subject, attempt)
);
COMMENT ON TABLE ledger.stated_otherwise IS
    'the last line of the provider''s statement about each attempt that our ledger has otherwise';
COMMENT ON COLUMN ledger.stated_otherwise.subject IS 'the refund number, ours where the line carries it';
COMMENT ON COLUMN ledger.stated_otherwise.attempt IS '0 for a line that names none: it is of the refund as a whole';

ALTER TABLE ledger.differences ADD COLUMN attempt integer CHECK (attempt > 0);
COMMENT ON COLUMN ledger.differences.attempt IS 'whose line was the first to differ; null for the refund as a whole';

COMMENT ON COLUMN ledger.legs.stated_on IS
    'the last day of the provider''s statement on which this attempt stood as paid or on its way';
-- Of what was sent again and is under way the mark may be that of the attempt before.
UPDATE ledger.legs SET stated_on = NULL
WHERE stated_on IS NOT NULL AND attempt > 1 AND state NOT IN ('succeeded', 'failed');
"""

DOWN = """
COMMENT ON COLUMN ledger.legs.stated_on IS 'the last day of the provider''s statement that it was found on';
ALTER TABLE ledger.differences DROP COLUMN attempt;
DROP TABLE ledger.stated_otherwise;
"""


def upgrade() -> None:
    """Make room for them."""
    run_script(UP)


def downgrade() -> None:
    """Forget them."""
    run_script(DOWN)

"""What a case asks for as it stands, and which version of the application that is (R10)."""

from activities.postgres.migrations import run_script

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE casebook.cases ADD COLUMN application jsonb;
COMMENT ON COLUMN casebook.cases.asked IS 'minor units, by the current version of the application';
COMMENT ON COLUMN casebook.cases.application IS
    'the current version; null where nothing is applied for, and in rows from before this column';
"""

DOWN = """
ALTER TABLE casebook.cases DROP COLUMN application;
COMMENT ON COLUMN casebook.cases.asked IS NULL;
"""


def upgrade() -> None:
    """Make room for versions."""
    run_script(UP)


def downgrade() -> None:
    """Take them away; what is asked for stays as it is."""
    run_script(DOWN)

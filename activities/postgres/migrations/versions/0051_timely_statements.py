"""Whether a merchant's statement names a time (D7): one that puts the buyer off is evidence, and no reply."""

from activities.postgres.migrations import run_script

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE disputes.statements ADD COLUMN timely boolean;
COMMENT ON COLUMN disputes.statements.timely IS
    'whether a merchant names a concrete time in it; null of others'', and of what was written before this column';
"""

DOWN = "ALTER TABLE disputes.statements DROP COLUMN timely;"


def upgrade() -> None:
    """Keep it with each statement."""
    run_script(UP)


def downgrade() -> None:
    """Keep it no more."""
    run_script(DOWN)

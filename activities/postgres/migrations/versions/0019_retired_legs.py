"""Legs that are not tried again, because less is left than they were to pay (R14)."""

from activities.postgres.migrations import run_script

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE ledger.legs ADD COLUMN retired_at timestamptz;
COMMENT ON COLUMN ledger.legs.retired_at IS
    'since when a failed leg is not tried again: what is left is paid under other numbers, or nothing is left';
"""

DOWN = "ALTER TABLE ledger.legs DROP COLUMN retired_at;"


def upgrade() -> None:
    """Let a failed leg be retired."""
    run_script(UP)


def downgrade() -> None:
    """Forget which failed legs were retired."""
    run_script(DOWN)

"""What is open between both sides of a case, and how much they have said (N1, N5)."""

from activities.postgres.migrations import run_script

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE casebook.cases ADD COLUMN talk jsonb;
COMMENT ON COLUMN casebook.cases.talk IS
    'open proposals of both sides, and the number of messages in the thread; null where nobody has said anything';
"""

DOWN = "ALTER TABLE casebook.cases DROP COLUMN talk;"


def upgrade() -> None:
    """Let lists tell what is proposed."""
    run_script(UP)


def downgrade() -> None:
    """Leave it to the cases."""
    run_script(DOWN)

"""Which command a line of the log tells of: its content, and not its key alone (section 11)."""

from activities.postgres.migrations import run_script

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE casebook.log ADD COLUMN command_digest text NOT NULL DEFAULT '';
COMMENT ON COLUMN casebook.log.command_digest IS
    'of the whole command of command_key; empty without one, and in lines from before this column';
"""

DOWN = """
ALTER TABLE casebook.log DROP COLUMN command_digest;
"""


def upgrade() -> None:
    """Make room for digests."""
    run_script(UP)


def downgrade() -> None:
    """Take the digests away; keys stay."""
    run_script(DOWN)

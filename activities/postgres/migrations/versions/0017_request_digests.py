"""Which request opened a case: asked where Temporal has forgotten the case (section 11)."""

from activities.postgres.migrations import run_script

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE casebook.cases ADD COLUMN request_digest text;
COMMENT ON COLUMN casebook.cases.request_digest IS
    'SHA-256 of the request that opened the case; NULL for cases from before it was kept';
"""

DOWN = "ALTER TABLE casebook.cases DROP COLUMN request_digest;"


def upgrade() -> None:
    """Make room for the digests."""
    run_script(UP)


def downgrade() -> None:
    """Take the digests away."""
    run_script(DOWN)

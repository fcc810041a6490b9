"""Activities that fail again and again, noted by the workers that try them: Temporal cannot be asked for them."""

from activities.postgres.migrations import run_script

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE casebook.repeated_attempts (
    workflow_id text COLLATE "C" NOT NULL,
    activity text NOT NULL,
    attempt integer NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (workflow_id, activity)
);
COMMENT ON TABLE casebook.repeated_attempts IS
    'a hint where to look, not a book: what has worked since is taken out, what was never noted may fail all the same';
"""

DOWN = "DROP TABLE casebook.repeated_attempts;"


def upgrade() -> None:
    """Make the table."""
    run_script(UP)


def downgrade() -> None:
    """Take it away."""
    run_script(DOWN)

"""Counts of all open cases, worked out by one process for all who ask (section 12)."""

from activities.postgres.migrations import run_script

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

UP = """
DELETE FROM casebook.standing WHERE subject = 'open';
INSERT INTO casebook.standing (subject, measured_at, figures) VALUES ('lists', 'epoch', '[]');
"""

DOWN = """
DELETE FROM casebook.standing WHERE subject = 'lists';
INSERT INTO casebook.standing (subject, measured_at, figures) VALUES ('open', 'epoch', '[]');
"""


def upgrade() -> None:
    """Keep counts by list, kind and reason instead of those by list alone."""
    run_script(UP)


def downgrade() -> None:
    """Keep those by list alone."""
    run_script(DOWN)

"""Under which name the store of attachments keeps a content (D6)."""

from activities.postgres.migrations import run_script

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE vault.items ADD COLUMN stored_as text CHECK (stored_as ~ '^[0-9a-f]{32}$');
COMMENT ON COLUMN vault.items.stored_as IS
    'of an attachment whose content is in the store of attachments: its name there; sealed then holds its digest';
"""

DOWN = "ALTER TABLE vault.items DROP COLUMN stored_as;"


def upgrade() -> None:
    """Let contents be kept outside the database."""
    run_script(UP)


def downgrade() -> None:
    """Forget where they are."""
    run_script(DOWN)

"""The colours of flags that either marketplace has (section 12)."""

from activities.postgres.migrations import run_script

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE shop.flags DROP CONSTRAINT flags_colour_check;
ALTER TABLE shop.flags ADD CONSTRAINT flags_colour_check
    CHECK (colour IN ('red', 'orange', 'yellow', 'green', 'cyan', 'blue', 'purple', 'grey'));
"""

DOWN = """
ALTER TABLE shop.flags DROP CONSTRAINT flags_colour_check;
ALTER TABLE shop.flags ADD CONSTRAINT flags_colour_check
    CHECK (colour IN ('red', 'yellow', 'green', 'blue', 'purple', 'grey')) NOT VALID;
"""


def upgrade() -> None:
    """Take orange and cyan as well."""
    run_script(UP)


def downgrade() -> None:
    """Take no new ones of these; those that are there stay."""
    run_script(DOWN)

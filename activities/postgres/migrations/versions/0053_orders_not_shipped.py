"""Orders that have not shipped by when they were paid: those that a lifted pause concerns (L1)."""

from activities.postgres.migrations import run_script

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

UP = """
CREATE INDEX orders_not_shipped ON shop.orders (paid_at, order_no) WHERE shipped_at IS NULL;
"""

DOWN = """
DROP INDEX shop.orders_not_shipped;
"""


def upgrade() -> None:
    """Let them be found in that order."""
    run_script(UP)


def downgrade() -> None:
    """Look through all orders."""
    run_script(DOWN)

"""A merchant's orders by when they were paid: exports of orders, and lists of what can be asked for (P5, G5)."""

from activities.postgres.migrations import run_script

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

UP = """
CREATE INDEX orders_of_merchant ON shop.orders (merchant_id, paid_at, order_no);
"""

DOWN = """
DROP INDEX shop.orders_of_merchant;
"""


def upgrade() -> None:
    """Let them be found in that order."""
    run_script(UP)


def downgrade() -> None:
    """Look through all orders."""
    run_script(DOWN)

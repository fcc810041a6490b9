"""What the buyer of an order reads (G6)."""

from activities.postgres.migrations import run_script

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE shop.orders ADD COLUMN language text CHECK (language ~ '^[a-z]{2}$');
COMMENT ON COLUMN shop.orders.language IS 'by ISO 639; null where the order system has not told it';
"""

DOWN = "ALTER TABLE shop.orders DROP COLUMN language;"


def upgrade() -> None:
    """Keep the language with the order."""
    run_script(UP)


def downgrade() -> None:
    """Forget it."""
    run_script(DOWN)

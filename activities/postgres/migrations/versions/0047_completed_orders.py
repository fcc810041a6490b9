"""When an order was completed: windows count from it (G2), and its virtual number is void then (P3)."""

from activities.postgres.migrations import run_script

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE shop.orders ADD COLUMN completed_at timestamptz;
COMMENT ON COLUMN shop.orders.completed_at IS 'as the order system tells it; the first word stands';
ALTER TABLE inbox.messages DROP CONSTRAINT messages_kind_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN ('gateway_callback', 'carrier_event', 'order_completed'));
"""

DOWN = """
DELETE FROM inbox.messages WHERE kind = 'order_completed';
ALTER TABLE inbox.messages DROP CONSTRAINT messages_kind_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN ('gateway_callback', 'carrier_event'));
ALTER TABLE shop.orders DROP COLUMN completed_at;
"""


def upgrade() -> None:
    """Make room for it, and for telling it."""
    run_script(UP)


def downgrade() -> None:
    """Forget it, and what is still to be told of it."""
    run_script(DOWN)

"""Which version of an order our copy holds (X2)."""

from activities.postgres.migrations import run_script

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE shop.orders
    ADD COLUMN version bigint CHECK (version > 0),
    ADD COLUMN told text CHECK (told ~ '^[0-9a-f]{64}$');
COMMENT ON COLUMN shop.orders.version IS 'as the order system counts; null of one that was loaded without';
COMMENT ON COLUMN shop.orders.told IS 'digest of what was told under this version, without the recipient';
"""

DOWN = "ALTER TABLE shop.orders DROP COLUMN told, DROP COLUMN version;"


def upgrade() -> None:
    """Let orders have versions."""
    run_script(UP)


def downgrade() -> None:
    """Forget the versions."""
    run_script(DOWN)

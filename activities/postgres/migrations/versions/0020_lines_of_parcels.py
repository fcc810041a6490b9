"""Which lines a parcel carries, and what a case has to do with pieces of its order.

Cases that were opened before this have no pieces in the book: they are told of every parcel of their order, and hold
no pieces against others.
"""

from activities.postgres.migrations import run_script

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE shop.parcel_lines (
    order_no text NOT NULL,
    carrier text NOT NULL,
    tracking_no text NOT NULL,
    line text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    outbound_at timestamptz,
    shipped_at timestamptz,
    on_delivery_run_at timestamptz,
    PRIMARY KEY (order_no, carrier, tracking_no, line),
    FOREIGN KEY (order_no, line) REFERENCES shop.order_lines ON DELETE CASCADE
);
COMMENT ON TABLE shop.parcel_lines IS 'what parcels that name their lines carry; one that names none stands for all';

ALTER TABLE casebook.cases ADD COLUMN pieces jsonb;
COMMENT ON COLUMN casebook.cases.pieces IS
    'the pieces of its order that the case names, and what happens to them; null where it is about none';
"""

DOWN = """
ALTER TABLE casebook.cases DROP COLUMN pieces;
DROP TABLE shop.parcel_lines;
"""


def upgrade() -> None:
    """Make room for both."""
    run_script(UP)


def downgrade() -> None:
    """Take both away: parcels stand for all of their order again."""
    run_script(DOWN)

"""The payment gateway's stub: its own book, how it is told to behave, and the callbacks that it owes."""

from activities.postgres.migrations import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA gateway;
COMMENT ON SCHEMA gateway IS 'not ours: what a payment gateway would keep; read through its protocol only';

CREATE TABLE gateway.refunds (
    refund_no text COLLATE "C" PRIMARY KEY,
    merchant_id text NOT NULL,
    fund text NOT NULL,
    tender text,
    account text,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    attempts integer NOT NULL DEFAULT 0,
    result text NOT NULL DEFAULT 'processing'
        CHECK (result IN ('processing', 'succeeded', 'failed', 'abnormal')),
    result_at timestamptz NOT NULL,
    failure text,
    next_result text CHECK (next_result IN ('succeeded', 'failed')),
    next_at timestamptz,
    CHECK ((next_result IS NULL) = (next_at IS NULL))
);
COMMENT ON COLUMN gateway.refunds.next_at IS 'business time from which the refund has the next result';

CREATE TABLE gateway.behaviours (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id text,
    order_no text,
    amount bigint,
    mode text NOT NULL,
    settle_after_seconds bigint NOT NULL CHECK (settle_after_seconds >= 0),
    callback_after_seconds bigint NOT NULL CHECK (callback_after_seconds >= 0),
    answer_after_seconds double precision NOT NULL CHECK (answer_after_seconds >= 0),
    uses_left integer CHECK (uses_left >= 0)
);

CREATE TABLE gateway.callbacks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    callback_key text NOT NULL,
    refund_no text COLLATE "C" NOT NULL REFERENCES gateway.refunds,
    due_at timestamptz NOT NULL,
    result text NOT NULL,
    failure text,
    gateway_ref text NOT NULL,
    settled_at timestamptz NOT NULL,
    delivered_at timestamptz
);
CREATE INDEX callbacks_due ON gateway.callbacks (due_at, id) WHERE delivered_at IS NULL;
"""

DOWN = "DROP SCHEMA gateway CASCADE;"


def upgrade() -> None:
    """Create the schema ``gateway``."""
    run_script(UP)


def downgrade() -> None:
    """Drop the schema ``gateway`` with the stub's whole book."""
    run_script(DOWN)

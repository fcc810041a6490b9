"""What outside systems have told us and cases are still to be told (X2, X3)."""

from activities.postgres.migrations import run_script

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA inbox;
CREATE TABLE inbox.messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('gateway_callback', 'carrier_event')),
    body jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz DEFAULT now(),
    done_at timestamptz,
    dead_at timestamptz,
    failure text,
    UNIQUE (source, key),
    CHECK ((next_at IS NULL) = (done_at IS NOT NULL OR dead_at IS NOT NULL)),
    CHECK (done_at IS NULL OR dead_at IS NULL)
);
CREATE INDEX messages_due ON inbox.messages (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX messages_dead ON inbox.messages (id) WHERE dead_at IS NOT NULL;
CREATE INDEX messages_done ON inbox.messages (done_at) WHERE done_at IS NOT NULL;
COMMENT ON COLUMN inbox.messages.source IS 'payments, carriers, orders, or whose token told it';
COMMENT ON COLUMN inbox.messages.key IS 'the sender''s own: the same again is the same message';
COMMENT ON COLUMN inbox.messages.body IS 'what is handed on to cases; nothing of a person';
COMMENT ON COLUMN inbox.messages.next_at IS 'when it is to be tried, or tried again; null once it is done or dead';
COMMENT ON COLUMN inbox.messages.failure IS 'why it was not handed on the last time';
"""

DOWN = "DROP SCHEMA inbox CASCADE;"


def upgrade() -> None:
    """Make the inbox."""
    run_script(UP)


def downgrade() -> None:
    """Drop it with all that cases were not told yet."""
    run_script(DOWN)

"""The outbox of notices, and the store of the channels' stand-ins."""

from activities.postgres.migrations import run_script

revision = "0004"
down_revision = "0003"

UP = """
CREATE SCHEMA notices;

CREATE TABLE notices.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id text NOT NULL,
    step integer NOT NULL CHECK (step >= 0),
    template text NOT NULL,
    recipient_role text NOT NULL,
    recipient_id text NOT NULL,
    channel text NOT NULL,
    -- Not jsonb, which refuses some text: a notice that cannot be sent must not stop the step that queues it.
    fields json NOT NULL,
    queued_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_failure text CHECK (last_failure ~ '^[a-z][a-z0-9_]{0,47}$'),
    sent_at timestamptz,
    undeliverable_at timestamptz,
    UNIQUE (case_id, step, template, recipient_role, recipient_id, channel),
    CHECK (sent_at IS NULL OR undeliverable_at IS NULL)
);
CREATE INDEX outbox_unsent ON notices.outbox (next_attempt_at NULLS FIRST, id)
    WHERE sent_at IS NULL AND undeliverable_at IS NULL;
COMMENT ON COLUMN notices.outbox.queued_at IS 'business time';
COMMENT ON COLUMN notices.outbox.next_attempt_at IS
    'a clock''s time; null until it is first taken up; while it is being sent, when another may take it up';

CREATE SCHEMA channels;

CREATE TABLE channels.sent (
    channel text NOT NULL,
    dedup_key text NOT NULL,
    recipient_role text NOT NULL,
    recipient_id text NOT NULL,
    template text NOT NULL,
    language text NOT NULL,
    text text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, dedup_key)
);
CREATE INDEX sent_to ON channels.sent (recipient_role, recipient_id);

CREATE TABLE channels.failures (
    channel text PRIMARY KEY,
    remaining integer NOT NULL CHECK (remaining >= 0)
);
"""

DOWN = """
DROP SCHEMA channels CASCADE;
DROP SCHEMA notices CASCADE;
"""


def upgrade() -> None:
    """Create the schemas ``notices`` and ``channels``."""
    run_script(UP)


def downgrade() -> None:
    """Drop both schemas with all notices."""
    run_script(DOWN)

"""Webhooks: who delivers to which endpoint, and what waits to be delivered again."""

from activities.postgres.migrations import run_script

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA webhooks;

CREATE TABLE webhooks.endpoints (
    name text PRIMARY KEY,
    lease uuid,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    rests_until timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON COLUMN webhooks.endpoints.failures IS 'rounds in a row in which nothing was taken';

CREATE TABLE webhooks.waiting (
    endpoint text NOT NULL,
    position bigint NOT NULL,
    id bigint NOT NULL,
    case_id text NOT NULL,
    event json NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    since timestamptz NOT NULL DEFAULT now(),
    failed_since timestamptz,
    next_attempt_at timestamptz NOT NULL DEFAULT '-infinity',
    last_failure text CHECK (last_failure ~ '^[a-z][a-z0-9_]{0,47}$'),
    dead_at timestamptz,
    PRIMARY KEY (endpoint, position, id)
);
CREATE INDEX waiting_of_case ON webhooks.waiting (endpoint, case_id, position, id);
COMMENT ON TABLE webhooks.waiting IS
    'events that an endpoint has not taken, and later ones of the same cases; what was taken is removed';
"""

DOWN = "DROP SCHEMA webhooks CASCADE;"


def upgrade() -> None:
    """Create the schema ``webhooks``."""
    run_script(UP)


def downgrade() -> None:
    """Drop it, with all that waits."""
    run_script(DOWN)

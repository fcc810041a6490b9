"""The feed of events, and how far its readers have come."""

from activities.postgres.migrations import run_script

revision = "0030"
down_revision = "0028"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA events;

CREATE TABLE events.origin (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    added bigint NOT NULL DEFAULT 0,
    removed_position bigint NOT NULL DEFAULT 0,
    removed_id bigint NOT NULL DEFAULT 0
);
INSERT INTO events.origin DEFAULT VALUES;
COMMENT ON COLUMN events.origin.added IS
    'what is added to transaction numbers, so that places go on growing where the server''s numbers began anew';
COMMENT ON COLUMN events.origin.removed_position IS 'with removed_id, the place of the last event that was removed';

-- Not below the writer's own transaction, so that no event comes to be seen behind a reader who has gone by all
-- transactions that have ended. Not below the last one that had ended when the row was written, so that the events of
-- a case, whose writers wait for each other, keep their order whenever each got its number.
CREATE FUNCTION events.place() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT added + greatest(
        pg_current_xact_id()::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1
    ) FROM events.origin
$$;

-- Places below it are settled: each of their events is seen now, or was rolled back.
CREATE FUNCTION events.horizon() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT added + pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM events.origin
$$;

CREATE TABLE events.feed (
    position bigint NOT NULL DEFAULT events.place(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    -- Not jsonb: it is told as it was written, and nothing looks into it here.
    event json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (position, id)
);

CREATE TABLE events.readers (
    name text PRIMARY KEY,
    position bigint NOT NULL,
    id bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE events.readers IS 'how far each named reader has confirmed';
"""

DOWN = "DROP SCHEMA events CASCADE;"


def upgrade() -> None:
    """Create the schema ``events``."""
    run_script(UP)


def downgrade() -> None:
    """Drop it with all events."""
    run_script(DOWN)

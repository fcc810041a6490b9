"""Parcels and what carriers tell of them, and the carriers' stand-in."""

from activities.postgres.migrations import run_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA logistics;

CREATE TABLE logistics.events (
    arrival bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier text NOT NULL,
    event_key text NOT NULL,
    tracking_no text NOT NULL,
    event text NOT NULL CHECK (event IN ('outbound', 'shipped', 'picked_up', 'in_transit', 'on_delivery_run',
                                         'signed', 'refused', 'returned_to_warehouse')),
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (carrier, event_key)
);
CREATE INDEX events_of_parcel ON logistics.events (carrier, tracking_no, happened_at, arrival);
COMMENT ON TABLE logistics.events IS 'kept whether or not anybody knows the parcel: it may be named later (T6)';

CREATE FUNCTION logistics.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'logistics.% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON logistics.events
    FOR EACH STATEMENT EXECUTE FUNCTION logistics.keep();

CREATE TABLE logistics.watches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier text NOT NULL,
    tracking_no text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('order', 'return', 'reshipment')),
    case_id text,
    order_no text,
    since timestamptz NOT NULL,
    CHECK (num_nonnulls(case_id, order_no) = 1),
    UNIQUE NULLS NOT DISTINCT (carrier, tracking_no, purpose, case_id, order_no)
);
CREATE INDEX parcels_of_order ON logistics.watches (order_no, id) WHERE order_no IS NOT NULL;

CREATE SCHEMA carrier;
COMMENT ON SCHEMA carrier IS 'not ours: what carriers would keep; read through their protocol only';

CREATE TABLE carrier.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier text NOT NULL,
    tracking_no text NOT NULL,
    event text NOT NULL,
    happened_at timestamptz NOT NULL
);
CREATE INDEX events_of_parcel ON carrier.events (carrier, tracking_no, happened_at, id);
COMMENT ON COLUMN carrier.events.happened_at IS 'business time; one that lies ahead is not told to anybody yet';

CREATE TABLE carrier.announcements (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event bigint NOT NULL REFERENCES carrier.events ON DELETE CASCADE,
    due_at timestamptz NOT NULL,
    delivered_at timestamptz
);
CREATE INDEX announcements_due ON carrier.announcements (due_at, id) WHERE delivered_at IS NULL;
CREATE INDEX announcements_of_event ON carrier.announcements (event);

CREATE TABLE carrier.behaviours (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier text,
    tracking_no text,
    mode text NOT NULL,
    late_after_seconds bigint NOT NULL CHECK (late_after_seconds >= 0),
    answer_after_seconds double precision NOT NULL CHECK (answer_after_seconds >= 0),
    uses_left integer CHECK (uses_left >= 0)
);
"""

DOWN = """
DROP SCHEMA carrier CASCADE;
DROP SCHEMA logistics CASCADE;
"""


def upgrade() -> None:
    """Make the books of parcels."""
    run_script(UP)


def downgrade() -> None:
    """Take the books of parcels away."""
    run_script(DOWN)

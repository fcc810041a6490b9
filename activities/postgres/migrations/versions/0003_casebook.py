"""The case book: every case as it stands, for the work lists, and its log."""

from activities.postgres.migrations import run_script

revision = "0003"
down_revision = "0002"

UP = """
CREATE SCHEMA casebook;

CREATE TABLE casebook.cases (
    case_id text PRIMARY KEY,
    run_id text NOT NULL,
    kind text NOT NULL,
    merchant_id text NOT NULL,
    buyer_id text,
    order_no text,
    allowance_id text,
    currency text NOT NULL,
    asked bigint NOT NULL CHECK (asked >= 0),
    refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    policy text NOT NULL,
    stage text NOT NULL,
    work_list text,
    attention text,
    outcome text,
    opened_at timestamptz NOT NULL,
    due_at timestamptz,
    closed_at timestamptz,
    step integer NOT NULL,
    log_length integer NOT NULL,
    opened jsonb NOT NULL,
    stepped jsonb,
    CHECK ((outcome IS NULL) = (closed_at IS NULL)),
    CHECK (num_nonnulls(order_no, allowance_id) = 1)
);
CREATE INDEX cases_in_work ON casebook.cases (merchant_id, work_list, due_at, case_id) WHERE closed_at IS NULL;
CREATE INDEX cases_of_order ON casebook.cases (order_no) WHERE order_no IS NOT NULL;
CREATE INDEX cases_of_allowance ON casebook.cases (allowance_id) WHERE allowance_id IS NOT NULL;
CREATE INDEX cases_in_attention ON casebook.cases (attention, due_at) WHERE attention IS NOT NULL;

CREATE TABLE casebook.log (
    case_id text NOT NULL REFERENCES casebook.cases,
    position integer NOT NULL,
    step integer NOT NULL,
    event text NOT NULL,
    actor_role text NOT NULL,
    actor_id text NOT NULL,
    rule text NOT NULL,
    at timestamptz NOT NULL,
    command_key text NOT NULL,
    facts jsonb NOT NULL,
    PRIMARY KEY (case_id, position)
);

CREATE FUNCTION casebook.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the case log is append-only (section 12)';
END $$;
CREATE TRIGGER log_is_append_only BEFORE UPDATE OR DELETE ON casebook.log
    FOR EACH ROW EXECUTE FUNCTION casebook.refuse_change();
CREATE TRIGGER log_is_not_truncated BEFORE TRUNCATE ON casebook.log
    FOR EACH STATEMENT EXECUTE FUNCTION casebook.refuse_change();
"""

DOWN = """
DROP SCHEMA casebook CASCADE;
"""


def upgrade() -> None:
    """Make the case book."""
    run_script(UP)


def downgrade() -> None:
    """Take the case book away, with every case in it."""
    run_script(DOWN)

"""Bulk exports and the quota that they debit (P5)."""

from activities.postgres.migrations import run_script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA exports;
COMMENT ON SCHEMA exports IS 'which cases an export takes along, and what it costs; nothing of a person';
CREATE FUNCTION exports.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'exports.% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TABLE exports.jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('without_contact', 'masked_contact', 'virtual_numbers')),
    asked jsonb NOT NULL,
    started_at timestamptz NOT NULL,
    UNIQUE (merchant_id, key)
);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON exports.jobs
    FOR EACH STATEMENT EXECUTE FUNCTION exports.keep();
COMMENT ON COLUMN exports.jobs.asked IS 'the whole request, and so who asked and which cases';

-- Without a foreign key: to check it for each row would take as long as writing them, and jobs are never deleted.
CREATE TABLE exports.rows (
    export bigint NOT NULL,
    position integer NOT NULL CHECK (position > 0),
    order_no text,
    facts jsonb NOT NULL,
    PRIMARY KEY (export, position)
);
COMMENT ON TABLE exports.rows IS 'the cases as they stood when the export began; deleted once it has ended';

CREATE TABLE exports.accounts (
    merchant_id text PRIMARY KEY,
    balance bigint NOT NULL CHECK (balance >= 0)
);
COMMENT ON TABLE exports.accounts IS 'the sum of a merchant''s movements; its row lock makes a debit one';

CREATE TABLE exports.movements (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES exports.accounts,
    amount bigint NOT NULL,
    key text,
    export bigint REFERENCES exports.jobs,
    order_no text,
    actor_role text NOT NULL,
    actor_id text NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (merchant_id, key),
    UNIQUE (export, order_no),
    CHECK (num_nonnulls(key, export) = 1 AND (export IS NULL) = (order_no IS NULL)),
    CHECK (CASE WHEN export IS NULL THEN amount > 0 ELSE amount = -1 END)
);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON exports.movements
    FOR EACH STATEMENT EXECUTE FUNCTION exports.keep();
COMMENT ON TABLE exports.movements IS 'what was bought, under its key, and what was debited, by export and order';

CREATE INDEX cases_of_merchant ON casebook.cases (merchant_id, opened_at, case_id);
CREATE INDEX looks_of_actor ON vault.looks (actor_id, at);
"""

DOWN = """
DROP INDEX vault.looks_of_actor;
DROP INDEX casebook.cases_of_merchant;
DROP SCHEMA exports CASCADE;
"""


def upgrade() -> None:
    """Make room for exports, and let a merchant's cases and an actor's looks be found."""
    run_script(UP)


def downgrade() -> None:
    """Take the exports away, and what was bought for them."""
    run_script(DOWN)

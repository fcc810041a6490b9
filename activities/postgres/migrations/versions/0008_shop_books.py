"""Address books, flags and remarks, score points, statements and evidence."""

from activities.postgres.migrations import run_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UP = """
CREATE FUNCTION shop.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'shop.% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TABLE shop.return_addresses (
    merchant_id text NOT NULL,
    address_id text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    is_default boolean NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (merchant_id, address_id),
    CHECK (NOT is_default OR removed_at IS NULL)
);
CREATE UNIQUE INDEX return_addresses_one_default ON shop.return_addresses (merchant_id) WHERE is_default;
COMMENT ON COLUMN shop.return_addresses.version IS 'the one that a case is given from now on (T2)';

CREATE TABLE shop.return_address_versions (
    merchant_id text NOT NULL,
    address_id text NOT NULL,
    version integer NOT NULL,
    province text NOT NULL,
    city text NOT NULL,
    district text,
    details text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, address_id, version),
    FOREIGN KEY (merchant_id, address_id) REFERENCES shop.return_addresses
);
COMMENT ON COLUMN shop.return_address_versions.details IS
    'where contact, phone and street are kept, not what they are (P6)';
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON shop.return_address_versions
    FOR EACH STATEMENT EXECUTE FUNCTION shop.keep();

CREATE TABLE shop.flags (
    merchant_id text NOT NULL,
    subject text NOT NULL,
    colour text CHECK (colour IN ('red', 'yellow', 'green', 'blue', 'purple', 'grey')),
    PRIMARY KEY (merchant_id, subject)
);
CREATE INDEX flags_by_colour ON shop.flags (merchant_id, colour, subject) WHERE colour IS NOT NULL;
COMMENT ON COLUMN shop.flags.subject IS 'the order number or the allowance id, for all of its cases';
COMMENT ON COLUMN shop.flags.colour IS 'null once the flag was taken down';

CREATE TABLE shop.flag_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id text NOT NULL,
    subject text NOT NULL,
    key text NOT NULL,
    colour text,
    actor_role text NOT NULL,
    actor_id text NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (merchant_id, subject, key)
);
CREATE INDEX flag_history_of_subject ON shop.flag_history (subject, id);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON shop.flag_history
    FOR EACH STATEMENT EXECUTE FUNCTION shop.keep();

-- Without checks: the message of a failed check repeats the whole row, and the text with it (P6).
CREATE TABLE shop.remarks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id text NOT NULL,
    subject text NOT NULL,
    key text NOT NULL,
    actor_role text NOT NULL,
    actor_id text NOT NULL,
    at timestamptz NOT NULL,
    text text NOT NULL,
    UNIQUE (merchant_id, subject, key)
);
CREATE INDEX remarks_of_subject ON shop.remarks (subject, id);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON shop.remarks
    FOR EACH STATEMENT EXECUTE FUNCTION shop.keep();
COMMENT ON COLUMN shop.remarks.text IS 'free text of a person';

CREATE TABLE shop.score_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id text NOT NULL,
    cause text NOT NULL CHECK (cause IN ('intervention', 'ruling_lost', 'evidence_timeout')),
    merchant_id text NOT NULL,
    points integer NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (case_id, cause)
);
CREATE INDEX score_changes_of_merchant ON shop.score_changes (merchant_id, id DESC) INCLUDE (points);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON shop.score_changes
    FOR EACH STATEMENT EXECUTE FUNCTION shop.keep();
COMMENT ON COLUMN shop.score_changes.points IS 'points lost; negative ones were given back';

CREATE SCHEMA disputes;

CREATE FUNCTION disputes.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'disputes.% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- Without checks, for the reason of shop.remarks.
CREATE TABLE disputes.statements (
    reference text COLLATE "C" PRIMARY KEY,
    case_id text NOT NULL,
    actor_role text NOT NULL,
    actor_id text NOT NULL,
    at timestamptz NOT NULL,
    text text NOT NULL
);
CREATE INDEX statements_of_case ON disputes.statements (case_id);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON disputes.statements
    FOR EACH STATEMENT EXECUTE FUNCTION disputes.keep();
COMMENT ON COLUMN disputes.statements.text IS 'free text of a person';

CREATE TABLE disputes.evidence (
    case_id text NOT NULL,
    seq integer NOT NULL CHECK (seq > 0),
    key text NOT NULL,
    party text NOT NULL CHECK (party IN ('buyer', 'merchant', 'platform')),
    actor_id text NOT NULL,
    attachments jsonb NOT NULL,
    statement text,
    amount bigint CHECK (amount >= 0),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    final boolean NOT NULL,
    late boolean NOT NULL,
    at timestamptz NOT NULL,
    replaced_by integer,
    PRIMARY KEY (case_id, seq),
    UNIQUE (case_id, key),
    FOREIGN KEY (case_id, replaced_by) REFERENCES disputes.evidence DEFERRABLE INITIALLY DEFERRED,
    CHECK ((amount IS NULL) = (currency IS NULL)),
    CHECK (replaced_by > seq),
    CHECK (replaced_by IS NULL OR NOT (final OR late))
);
CREATE UNIQUE INDEX evidence_that_counts ON disputes.evidence (case_id, party)
    WHERE replaced_by IS NULL AND NOT late;
COMMENT ON COLUMN disputes.evidence.statement IS 'the reference of what was written, not the text';
COMMENT ON COLUMN disputes.evidence.replaced_by IS 'the seq that counts instead; only a draft is ever replaced (D6)';

CREATE FUNCTION disputes.keep_given() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.replaced_by IS NOT NULL
       OR to_jsonb(OLD) - 'replaced_by' IS DISTINCT FROM to_jsonb(NEW) - 'replaced_by' THEN
        RAISE EXCEPTION 'what was given as evidence cannot change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_given BEFORE UPDATE ON disputes.evidence
    FOR EACH ROW EXECUTE FUNCTION disputes.keep_given();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON disputes.evidence
    FOR EACH STATEMENT EXECUTE FUNCTION disputes.keep();
"""

DOWN = """
DROP SCHEMA disputes CASCADE;
DROP TABLE shop.score_changes;
DROP TABLE shop.remarks;
DROP TABLE shop.flag_history;
DROP TABLE shop.flags;
DROP TABLE shop.return_address_versions;
DROP TABLE shop.return_addresses;
DROP FUNCTION shop.keep();
"""


def upgrade() -> None:
    """Make the books."""
    run_script(UP)


def downgrade() -> None:
    """Take the books away."""
    run_script(DOWN)

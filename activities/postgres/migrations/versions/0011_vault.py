"""The vault: what is a person's own, encrypted under its key; who looked at it; who was forgotten (section 8)."""

from activities.postgres.migrations import run_script

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UP = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM disputes.statements) OR EXISTS (SELECT FROM shop.remarks) THEN
        RAISE EXCEPTION 'this database holds statements or remarks in clear, which cannot be encrypted here: '
            'start with a new database';
    END IF;
END $$;

CREATE SCHEMA vault;
COMMENT ON SCHEMA vault IS
    'persons'' own data, sealed under keys that are in another database; without checks that would repeat a row';
CREATE FUNCTION vault.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'vault.% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TABLE vault.recipients (
    order_no text PRIMARY KEY,
    merchant_id text NOT NULL,
    person text NOT NULL,
    sealed bytea NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX recipients_of_person ON vault.recipients (person);
COMMENT ON TABLE vault.recipients IS 'to whom an order was sent: name, phone, address';

CREATE TABLE vault.items (
    reference text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL,
    person text NOT NULL,
    sealed bytea NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX items_of_person ON vault.items (person);
COMMENT ON TABLE vault.items IS 'bank accounts, contacts of return addresses, attachments: known by their reference';

CREATE TABLE vault.lookups (
    merchant_id text NOT NULL,
    hash text NOT NULL,
    subject text NOT NULL,
    field text NOT NULL CHECK (field IN ('name', 'phone', 'account')),
    person text NOT NULL,
    PRIMARY KEY (merchant_id, hash, subject, field)
);
CREATE INDEX lookups_of_subject ON vault.lookups (subject);
CREATE INDEX lookups_by_hash ON vault.lookups (hash, subject);
CREATE INDEX lookups_of_person ON vault.lookups (person);
COMMENT ON COLUMN vault.lookups.hash IS 'keyed hash of the normalised name, phone or account name';
COMMENT ON COLUMN vault.lookups.subject IS 'the order''s number or the allowance''s id';

CREATE TABLE vault.looks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text,
    role text NOT NULL,
    actor_id text NOT NULL,
    merchant_id text,
    subject text NOT NULL,
    field text NOT NULL,
    surface text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (actor_id, key, field)
);
CREATE INDEX looks_at_subject ON vault.looks (subject, id);
CREATE INDEX looks_of_merchant ON vault.looks (merchant_id, at);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON vault.looks
    FOR EACH STATEMENT EXECUTE FUNCTION vault.keep();
COMMENT ON TABLE vault.looks IS 'every look at real data (P2): who, at which case or order, which field, when, why';

CREATE TABLE vault.erasures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person text NOT NULL,
    asked_by text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX erasures_of_person ON vault.erasures (person);
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON vault.erasures
    FOR EACH STATEMENT EXECUTE FUNCTION vault.keep();

ALTER TABLE gateway.refunds ADD COLUMN account_ends text;

-- Whoever is forgotten is so at all merchants at once.
CREATE INDEX orders_of_person ON shop.orders (buyer_id);

ALTER TABLE disputes.statements DROP COLUMN text, ADD COLUMN person text NOT NULL, ADD COLUMN sealed bytea NOT NULL;
CREATE INDEX statements_of_person ON disputes.statements (person);
COMMENT ON COLUMN disputes.statements.person IS 'under whose key it is: the buyer''s whom the case is about';
ALTER TABLE shop.remarks DROP COLUMN text, ADD COLUMN person text NOT NULL, ADD COLUMN sealed bytea NOT NULL;
CREATE INDEX remarks_of_person ON shop.remarks (person);
COMMENT ON COLUMN shop.remarks.person IS 'under whose key it is: the buyer''s whom the order is of';
"""

DOWN = """
DROP INDEX shop.orders_of_person;
ALTER TABLE gateway.refunds DROP COLUMN account_ends;
ALTER TABLE shop.remarks DROP COLUMN person, DROP COLUMN sealed, ADD COLUMN text text NOT NULL;
ALTER TABLE disputes.statements DROP COLUMN person, DROP COLUMN sealed, ADD COLUMN text text NOT NULL;
DROP SCHEMA vault CASCADE;
"""


def upgrade() -> None:
    """Make the vault; texts that are in clear stop it."""
    run_script(UP)


def downgrade() -> None:
    """Take the vault away, with all that is in it."""
    run_script(DOWN)

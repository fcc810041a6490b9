"""Virtual numbers, and the stand-in of their provider (P3)."""

from activities.postgres.migrations import run_script

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE vault.number_subjects (
    subject text COLLATE "C" PRIMARY KEY,
    order_no text NOT NULL,
    merchant_id text NOT NULL,
    completed_at timestamptz,
    closed_unclaimed boolean NOT NULL DEFAULT false,
    became_subscription boolean NOT NULL DEFAULT false,
    released boolean NOT NULL DEFAULT false,
    begun_at timestamptz NOT NULL,
    changed_at timestamptz
);
CREATE INDEX number_subjects_of_order ON vault.number_subjects (order_no);
COMMENT ON TABLE vault.number_subjects IS
    'the orders, sub-orders and cases whose number was asked about, and what it hangs on: outlives their workflows';

CREATE TABLE vault.bindings (
    subject text COLLATE "C" NOT NULL REFERENCES vault.number_subjects,
    no integer NOT NULL,
    number text,
    extension text,
    merchant_id text NOT NULL,
    asked_at timestamptz NOT NULL,
    bound_at timestamptz,
    until timestamptz,
    unbound_at timestamptz,
    PRIMARY KEY (subject, no)
);
CREATE UNIQUE INDEX one_binding_at_a_time ON vault.bindings (subject) WHERE unbound_at IS NULL;
CREATE INDEX bindings_of_merchant ON vault.bindings (merchant_id) WHERE unbound_at IS NULL;
COMMENT ON COLUMN vault.bindings.number IS 'null while the provider was asked and has not answered';
COMMENT ON COLUMN vault.bindings.until IS 'null: until the order completes';

CREATE SCHEMA numbers;
COMMENT ON SCHEMA numbers IS 'stand-in of the provider of virtual numbers: its own book';
CREATE TABLE numbers.pool (
    number text NOT NULL CHECK (number ~ '^[0-9]{11}$'),
    extension text NOT NULL CHECK (extension ~ '^[0-9]{4}$'),
    free boolean NOT NULL DEFAULT true,
    idle_since timestamptz,
    PRIMARY KEY (number, extension)
);
CREATE INDEX pool_free ON numbers.pool (idle_since NULLS FIRST, number, extension) WHERE free;
-- No mobile number of the mainland begins with 100.
INSERT INTO numbers.pool (number, extension)
    SELECT '1000000000' || trunk, lpad(extension::text, 4, '0')
    FROM generate_series(1, 5) trunk, generate_series(1, 400) extension;

CREATE TABLE numbers.bindings (
    subject text NOT NULL,
    key text NOT NULL,
    number text,
    extension text,
    leads_to text,
    until timestamptz,
    bound_at timestamptz,
    unbound_at timestamptz,
    PRIMARY KEY (subject, key),
    FOREIGN KEY (number, extension) REFERENCES numbers.pool
);
CREATE UNIQUE INDEX one_phone_at_a_time ON numbers.bindings (number, extension) WHERE unbound_at IS NULL;
COMMENT ON COLUMN numbers.bindings.leads_to IS 'keyed hash of the phone; gone once it is unbound';

CREATE TABLE numbers.behaviours (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mode text NOT NULL,
    subject text,
    answer_after_seconds double precision NOT NULL,
    uses_left integer
);
"""

DOWN = """
DROP SCHEMA numbers CASCADE;
DROP TABLE vault.bindings;
DROP TABLE vault.number_subjects;
"""


def upgrade() -> None:
    """Make room for them."""
    run_script(UP)


def downgrade() -> None:
    """Take them away."""
    run_script(DOWN)

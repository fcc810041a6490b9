"""What merchants let be decided as soon as it is asked for, and what was decided so (G4)."""

from activities.postgres.migrations import run_script

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE shop.standing_orders (
    merchant_id text COLLATE "C" NOT NULL,
    profile text COLLATE "C" NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    version integer NOT NULL CHECK (version >= 1),
    terms jsonb NOT NULL,
    ended boolean NOT NULL,
    actor_role text NOT NULL,
    actor_id text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, profile, number, version)
);
COMMENT ON TABLE shop.standing_orders IS 'each change is a version of its own; the last one of a number counts';

CREATE TABLE shop.standing_decisions (
    case_id text COLLATE "C" NOT NULL,
    application integer NOT NULL CHECK (application >= 1),
    merchant_id text COLLATE "C" NOT NULL,
    profile text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    version integer NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 1),
    at timestamptz NOT NULL,
    PRIMARY KEY (case_id, application),
    FOREIGN KEY (merchant_id, profile, number, version) REFERENCES shop.standing_orders
);
CREATE INDEX standing_decisions_of_day ON shop.standing_decisions (merchant_id, profile, at) INCLUDE (number, amount);
COMMENT ON TABLE shop.standing_decisions IS 'what counts towards the limits of a day';
COMMENT ON COLUMN shop.standing_decisions.application IS 'the version of what the case asks for';
COMMENT ON COLUMN shop.standing_decisions.at IS 'business time';

CREATE FUNCTION shop.refuse_change_of_standing_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'standing orders and what they have decided are append-only (G4)';
END $$;
CREATE TRIGGER standing_orders_are_append_only BEFORE UPDATE OR DELETE ON shop.standing_orders
    FOR EACH ROW EXECUTE FUNCTION shop.refuse_change_of_standing_orders();
CREATE TRIGGER standing_orders_are_not_truncated BEFORE TRUNCATE ON shop.standing_orders
    FOR EACH STATEMENT EXECUTE FUNCTION shop.refuse_change_of_standing_orders();
CREATE TRIGGER standing_decisions_are_append_only BEFORE UPDATE OR DELETE ON shop.standing_decisions
    FOR EACH ROW EXECUTE FUNCTION shop.refuse_change_of_standing_orders();
CREATE TRIGGER standing_decisions_are_not_truncated BEFORE TRUNCATE ON shop.standing_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION shop.refuse_change_of_standing_orders();
"""

DOWN = """
DROP TABLE shop.standing_decisions;
DROP TABLE shop.standing_orders;
DROP FUNCTION shop.refuse_change_of_standing_orders();
"""


def upgrade() -> None:
    """Keep standing orders."""
    run_script(UP)


def downgrade() -> None:
    """Leave every decision to the merchants."""
    run_script(DOWN)

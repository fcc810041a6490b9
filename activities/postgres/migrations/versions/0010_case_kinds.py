"""What returns, disputes and late shipment add to orders and to the case book."""

from activities.postgres.migrations import run_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE shop.orders ADD COLUMN freight_insured bigint NOT NULL DEFAULT 0 CHECK (freight_insured >= 0);

ALTER TABLE casebook.cases
    ADD COLUMN compensated bigint NOT NULL DEFAULT 0 CHECK (compensated >= 0),
    ADD COLUMN about text,
    ADD COLUMN return_freight bigint NOT NULL DEFAULT 0 CHECK (return_freight >= 0);
COMMENT ON COLUMN casebook.cases.compensated IS 'paid beside refunds (L3, T10)';
COMMENT ON COLUMN casebook.cases.about IS 'the case that a dispute or a compensation is about';
COMMENT ON COLUMN casebook.cases.return_freight IS 'what sending the goods back has cost the buyer (T10)';
CREATE INDEX cases_about ON casebook.cases (about) WHERE about IS NOT NULL;
CREATE INDEX cases_with_clock ON casebook.cases (kind, case_id) WHERE closed_at IS NULL AND due_at IS NOT NULL;

ALTER TABLE casebook.log ADD COLUMN kind text, ADD COLUMN stage text;
COMMENT ON COLUMN casebook.log.stage IS 'where the case stood after this line';
"""

DOWN = """
ALTER TABLE casebook.log DROP COLUMN kind, DROP COLUMN stage;
ALTER TABLE casebook.cases DROP COLUMN compensated, DROP COLUMN about, DROP COLUMN return_freight;
DROP INDEX casebook.cases_with_clock;
ALTER TABLE shop.orders DROP COLUMN freight_insured;
"""


def upgrade() -> None:
    """Widen orders and the case book."""
    run_script(UP)


def downgrade() -> None:
    """Narrow orders and the case book again."""
    run_script(DOWN)

"""Texts are bound to their places, look-ups to their kinds; a remark follows its order to the buyer's key (section 8).

What was kept before must be opened to be sealed anew, which needs the keys: ``activities.postgres.renewal`` does it.
"""

from activities.postgres.migrations import run_script

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE vault.renewals (
    form text PRIMARY KEY CHECK (form IN ('texts', 'lookups')),
    at timestamptz NOT NULL
);
COMMENT ON TABLE vault.renewals IS 'what all rows have by now that earlier releases wrote otherwise';
INSERT INTO vault.renewals (form, at) SELECT 'lookups', now()
    WHERE NOT EXISTS (SELECT FROM vault.lookups) AND NOT EXISTS (SELECT FROM shop.allowances);
INSERT INTO vault.renewals (form, at) SELECT 'texts', now()
    WHERE NOT EXISTS (SELECT FROM vault.recipients) AND NOT EXISTS (SELECT FROM vault.items)
    AND NOT EXISTS (SELECT FROM disputes.statements) AND NOT EXISTS (SELECT FROM shop.remarks);

CREATE FUNCTION shop.keep_remark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.person NOT LIKE 'merchant/%' OR NEW.person NOT LIKE 'buyer/%' THEN
        RAISE EXCEPTION 'a remark is sealed anew only once its buyer is known' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER keep ON shop.remarks;
CREATE TRIGGER keep BEFORE UPDATE OF id, merchant_id, subject, key, actor_role, actor_id, at OR DELETE OR TRUNCATE
    ON shop.remarks FOR EACH STATEMENT EXECUTE FUNCTION shop.keep();
CREATE TRIGGER keep_words BEFORE UPDATE ON shop.remarks FOR EACH ROW EXECUTE FUNCTION shop.keep_remark();
COMMENT ON COLUMN shop.remarks.person IS
    'under whose key it is: the buyer''s whom the order is of; the merchant''s until the order is known';
"""

DOWN = """
DROP TRIGGER keep_words ON shop.remarks;
DROP TRIGGER keep ON shop.remarks;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON shop.remarks
    FOR EACH STATEMENT EXECUTE FUNCTION shop.keep();
DROP FUNCTION shop.keep_remark();
DROP TABLE vault.renewals;
"""


def upgrade() -> None:
    """Let remarks follow their orders, and say what is to be written anew."""
    run_script(UP)


def downgrade() -> None:
    """Let remarks stay where they are."""
    run_script(DOWN)

"""Looks are found by order, case, person and actor, whoever looked (P2, P8)."""

from activities.postgres.migrations import run_script

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE vault.looks ADD COLUMN order_no text, ADD COLUMN case_id text, ADD COLUMN person text;
COMMENT ON COLUMN vault.looks.person IS 'whose data it was';

ALTER TABLE vault.looks DISABLE TRIGGER keep;
UPDATE vault.looks SET case_id = statements.case_id, person = statements.person
FROM disputes.statements WHERE statements.reference = looks.subject;
UPDATE vault.looks SET person = items.person FROM vault.items WHERE items.reference = looks.subject;
UPDATE vault.looks SET case_id = cases.case_id, order_no = cases.order_no,
    merchant_id = coalesce(looks.merchant_id, cases.merchant_id),
    person = coalesce(looks.person, 'buyer/' || cases.buyer_id)
FROM casebook.cases WHERE cases.case_id = coalesce(looks.case_id, looks.subject);
UPDATE vault.looks SET order_no = orders.order_no, person = coalesce(looks.person, 'buyer/' || orders.buyer_id)
FROM shop.orders WHERE orders.order_no = looks.subject;
ALTER TABLE vault.looks ENABLE TRIGGER keep;

CREATE INDEX looks_of_order ON vault.looks (order_no, id);
CREATE INDEX looks_of_case ON vault.looks (case_id, id);
CREATE INDEX looks_of_person ON vault.looks (person, id);
DROP INDEX vault.looks_at_subject;
"""

DOWN = """
CREATE INDEX looks_at_subject ON vault.looks (subject, id);
DROP INDEX vault.looks_of_person;
DROP INDEX vault.looks_of_case;
DROP INDEX vault.looks_of_order;
ALTER TABLE vault.looks DROP COLUMN order_no, DROP COLUMN case_id, DROP COLUMN person;
"""


def upgrade() -> None:
    """Say of each look what it was about; what is known of earlier ones is entered."""
    run_script(UP)


def downgrade() -> None:
    """Let looks be found by their subject alone."""
    run_script(DOWN)

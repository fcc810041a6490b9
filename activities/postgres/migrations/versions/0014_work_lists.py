"""What the work lists are read by, page after page, however many cases are open (section 12)."""

from activities.postgres.migrations import run_script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UP = """
DROP INDEX casebook.cases_in_work;
DROP INDEX casebook.cases_in_attention;
ALTER TABLE casebook.cases
    ADD COLUMN due_rank timestamptz NOT NULL GENERATED ALWAYS AS (
        coalesce(due_at, (opened_at AT TIME ZONE 'UTC' + interval '1000 years') AT TIME ZONE 'UTC')
    ) STORED,
    ADD COLUMN flag text;
COMMENT ON COLUMN casebook.cases.due_rank IS 'by which work lists are sorted: due_at, or far behind all of them';
COMMENT ON COLUMN casebook.cases.flag IS 'the colour in shop.flags, for lists by flag';

UPDATE casebook.cases SET flag = flags.colour FROM shop.flags
WHERE flags.colour IS NOT NULL
AND flags.merchant_id = cases.merchant_id AND flags.subject = coalesce(cases.order_no, cases.allowance_id);

-- Each holds open cases only. The columns after case_id do not sort: they let a filter be decided, and a list be
-- counted, without fetching the case.
CREATE INDEX cases_in_list_of_merchant ON casebook.cases (merchant_id, work_list, due_rank, case_id)
    WHERE closed_at IS NULL;
CREATE INDEX cases_in_work_of_merchant
    ON casebook.cases (merchant_id, due_rank, case_id, work_list, kind, opened_at) WHERE closed_at IS NULL;
CREATE INDEX cases_in_list ON casebook.cases (work_list, due_rank, case_id) WHERE closed_at IS NULL;
CREATE INDEX cases_in_work ON casebook.cases (due_rank, case_id, work_list, kind, opened_at) WHERE closed_at IS NULL;
CREATE INDEX cases_of_kind_in_work ON casebook.cases (kind, due_rank, case_id, work_list) WHERE closed_at IS NULL;

-- Few cases are in these, and only their steps pay for them.
CREATE INDEX cases_in_attention_of_merchant ON casebook.cases (merchant_id, due_rank, case_id, attention)
    WHERE attention IS NOT NULL AND closed_at IS NULL;
CREATE INDEX cases_in_attention ON casebook.cases (due_rank, case_id, attention)
    WHERE attention IS NOT NULL AND closed_at IS NULL;
CREATE INDEX cases_under_flag_of_merchant ON casebook.cases (merchant_id, flag, due_rank, case_id)
    WHERE flag IS NOT NULL AND closed_at IS NULL;
CREATE INDEX cases_under_flag ON casebook.cases (flag, due_rank, case_id)
    WHERE flag IS NOT NULL AND closed_at IS NULL;

-- Closed ones as well: forgetting a buyer looks for all of its cases. With the merchant, so that no plan for any
-- merchant comes to read all of a large one's cases beside the buyer's.
CREATE INDEX cases_of_buyer ON casebook.cases (buyer_id, merchant_id) WHERE buyer_id IS NOT NULL;

-- An index can be asked alone only where the table was vacuumed since.
ALTER TABLE casebook.cases SET (autovacuum_vacuum_scale_factor = 0.02);
"""

DOWN = """
ALTER TABLE casebook.cases RESET (autovacuum_vacuum_scale_factor);
DROP INDEX casebook.cases_of_buyer;
DROP INDEX casebook.cases_under_flag;
DROP INDEX casebook.cases_under_flag_of_merchant;
DROP INDEX casebook.cases_in_attention;
DROP INDEX casebook.cases_in_attention_of_merchant;
DROP INDEX casebook.cases_of_kind_in_work;
DROP INDEX casebook.cases_in_work;
DROP INDEX casebook.cases_in_list;
DROP INDEX casebook.cases_in_work_of_merchant;
DROP INDEX casebook.cases_in_list_of_merchant;
ALTER TABLE casebook.cases DROP COLUMN flag, DROP COLUMN due_rank;
CREATE INDEX cases_in_work ON casebook.cases (merchant_id, work_list, due_at, case_id) WHERE closed_at IS NULL;
CREATE INDEX cases_in_attention ON casebook.cases (attention, due_at) WHERE attention IS NOT NULL;
"""


def upgrade() -> None:
    """Make the indexes of the work lists, and keep a case's flag with it."""
    run_script(UP)


def downgrade() -> None:
    """Go back to a list by merchant and list alone."""
    run_script(DOWN)

"""What is owed beside refunds once for an order, or once for a parcel, and to which return it goes (R16, T10)."""

from activities.postgres.migrations import run_script

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE ledger.owed_once (
    claim text COLLATE "C" PRIMARY KEY,
    claimant text NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON COLUMN ledger.owed_once.claim IS
    'freight-insurance/<order_no>: once an order; return-freight/<carrier>/<tracking_no>: once a parcel';
COMMENT ON COLUMN ledger.owed_once.claimant IS 'the return''s parcel (for insurance), or the return (for freight)';

INSERT INTO ledger.owed_once (claim, claimant, at)
SELECT DISTINCT ON (paid.order_no) 'freight-insurance/' || paid.order_no,
       coalesce(parcel.carrier || '/' || parcel.tracking_no, paid.about), paid.opened_at
FROM casebook.cases AS paid
LEFT JOIN logistics.watches AS parcel ON parcel.case_id = paid.about AND parcel.purpose = 'return'
WHERE paid.kind = 'freight_insurance' AND paid.about IS NOT NULL
ORDER BY paid.order_no, paid.opened_at, parcel.id DESC;

INSERT INTO ledger.owed_once (claim, claimant, at)
SELECT DISTINCT ON (parcel.carrier, parcel.tracking_no)
       'return-freight/' || parcel.carrier || '/' || parcel.tracking_no, paid.about, paid.opened_at
FROM casebook.cases AS paid
JOIN logistics.watches AS parcel ON parcel.case_id = paid.about AND parcel.purpose = 'return'
WHERE paid.kind = 'return_freight'
ORDER BY parcel.carrier, parcel.tracking_no, paid.opened_at;
"""

DOWN = "DROP TABLE ledger.owed_once;"


def upgrade() -> None:
    """Make the book of what is owed once, with what has been paid by now."""
    run_script(UP)


def downgrade() -> None:
    """Take it away."""
    run_script(DOWN)

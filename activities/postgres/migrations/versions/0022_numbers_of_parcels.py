"""One spelling of a parcel's number: what was kept as it was typed is brought into it (T13)."""

from activities.postgres.migrations import run_script

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE logistics.events DISABLE TRIGGER keep;
UPDATE logistics.events AS told
SET carrier = lower(carrier), tracking_no = upper(replace(tracking_no, '-', ''))
WHERE NOT EXISTS (  -- two carriers that differ in letters alone: the first one's word stands
    SELECT FROM logistics.events AS first
    WHERE lower(first.carrier) = lower(told.carrier) AND first.event_key = told.event_key
        AND first.arrival < told.arrival
);
ALTER TABLE logistics.events ENABLE TRIGGER keep;

DELETE FROM logistics.watches AS again USING logistics.watches AS first
WHERE first.id < again.id AND lower(first.carrier) = lower(again.carrier)
    AND upper(replace(first.tracking_no, '-', '')) = upper(replace(again.tracking_no, '-', ''))
    AND first.purpose = again.purpose
    AND (first.case_id, first.order_no) IS NOT DISTINCT FROM (again.case_id, again.order_no);
UPDATE logistics.watches SET carrier = lower(carrier), tracking_no = upper(replace(tracking_no, '-', ''));

UPDATE carrier.events SET carrier = lower(carrier), tracking_no = upper(replace(tracking_no, '-', ''));
UPDATE carrier.behaviours SET carrier = lower(carrier), tracking_no = upper(replace(tracking_no, '-', ''));
"""


def upgrade() -> None:
    """Bring all numbers into one spelling."""
    run_script(UP)


def downgrade() -> None:
    """How they were typed is not known any more; the older release reads them as they are."""

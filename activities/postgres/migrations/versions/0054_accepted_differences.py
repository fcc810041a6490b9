"""Differences to the gateway's book that an officer accepts as they stand (section 10, X5).

An accepted difference is closed for whoever looks for open ones, of this release and of the one before. A worker of the
one before records it anew where it compares meanwhile; the next comparison of this one closes that again.
"""

from activities.postgres.migrations import run_script

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

# A fund that is overpaid stays also where that was accepted: the cap would not let it come back.
_MOVE = """
CREATE OR REPLACE FUNCTION ledger.move_funds(
    before timestamptz, again timestamptz, at_most integer, OUT looked bigint, OUT funds bigint, OUT legs bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    place ledger.leaving;
    page text[];
    chosen text[];
BEGIN
    looked := 0;
    funds := 0;
    legs := 0;
    SELECT * INTO place FROM ledger.leaving FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR (place.after_fund = '' AND place.ended_at >= again) THEN
        RETURN;
    END IF;
    page := ARRAY(SELECT f.fund FROM ledger.funds f WHERE f.fund > place.after_fund ORDER BY f.fund LIMIT at_most);
    looked := cardinality(page);
    UPDATE ledger.leaving SET
        after_fund = CASE WHEN looked < at_most THEN '' ELSE page[looked::integer] END,
        ended_at = CASE WHEN looked < at_most THEN before ELSE ended_at END;
    -- First the locks, then all else: it must be true while they are held.
    chosen := ARRAY(
        SELECT f.fund FROM ledger.funds f JOIN shop.orders o ON f.fund = 'order/' || o.order_no
        WHERE f.fund = ANY (page) AND o.refundable_until < before
        ORDER BY f.fund FOR UPDATE OF f SKIP LOCKED
    );
    chosen := ARRAY(
        SELECT o.fund FROM (
            SELECT each AS fund, substr(each, 7) AS order_no FROM unnest(chosen) AS each
        ) AS o
        WHERE NOT EXISTS (SELECT FROM casebook.cases c WHERE c.order_no = o.order_no AND c.closed_at IS NULL)
        AND NOT EXISTS (SELECT FROM ledger.differences d WHERE d.subject = o.fund AND {of_fund})
        AND NOT EXISTS (SELECT FROM ledger.fund_parts p WHERE p.fund = o.fund AND p.tender_kind = 'allowance')
        AND NOT EXISTS (
            SELECT FROM ledger.legs l WHERE l.fund = o.fund AND (
                l.state NOT IN ('succeeded', 'failed')
                OR EXISTS (SELECT FROM ledger.alerts a WHERE a.refund_no = l.refund_no)
                OR EXISTS (SELECT FROM ledger.differences d WHERE d.subject = l.refund_no AND d.resolved_at IS NULL)
                OR l.paid_by = 'gateway' AND l.stated_on IS NULL AND EXISTS (
                    SELECT FROM ledger.statement_days
                ){unless}
            )
        )
    );
    IF cardinality(chosen) = 0 THEN
        RETURN;
    END IF;
    INSERT INTO ledger.past_funds (fund, currency, document)
    SELECT f.fund, f.currency, jsonb_build_object(
        'fund_parts', (SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') FROM ledger.fund_parts p WHERE p.fund = f.fund),
        'leg_parts', (
            SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]')
            FROM ledger.legs l JOIN ledger.leg_parts p USING (refund_no) WHERE l.fund = f.fund
        ),
        'leg_events', (
            SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]')
            FROM ledger.legs l JOIN ledger.leg_events e USING (refund_no) WHERE l.fund = f.fund
        )
    )
    FROM ledger.funds f WHERE f.fund = ANY (chosen);
    GET DIAGNOSTICS funds = ROW_COUNT;
    INSERT INTO ledger.past_legs SELECT * FROM ledger.legs l WHERE l.fund = ANY (chosen);
    GET DIAGNOSTICS legs = ROW_COUNT;
    PERFORM set_config('ledger.moves', 'on', true);
    DELETE FROM ledger.leg_events e USING ledger.legs l WHERE l.refund_no = e.refund_no AND l.fund = ANY (chosen);
    DELETE FROM ledger.leg_parts p USING ledger.legs l WHERE l.refund_no = p.refund_no AND l.fund = ANY (chosen);
    DELETE FROM ledger.legs l WHERE l.fund = ANY (chosen);
    DELETE FROM ledger.fund_parts p WHERE p.fund = ANY (chosen);
    DELETE FROM ledger.funds f WHERE f.fund = ANY (chosen);
    PERFORM set_config('ledger.moves', 'off', true);
END $$;
"""

COLUMNS = """
ALTER TABLE ledger.differences
    ADD COLUMN theirs_currency text,
    ADD COLUMN accepted_at timestamptz,
    ADD COLUMN accepted_by text,
    ADD COLUMN accepted_for text,
    ADD COLUMN accepted_until timestamptz,
    ADD CONSTRAINT differences_accepted CHECK (
        num_nonnulls(accepted_at, accepted_by, accepted_for) IN (0, 3)
        AND (accepted_at IS NULL OR resolved_at IS NOT NULL)
        AND (accepted_until IS NULL OR accepted_at IS NOT NULL)
    );
-- What is open is told in full: it would count as changed once it is accepted.
UPDATE ledger.differences AS d SET theirs_currency = line.currency
FROM ledger.stated_otherwise AS line
WHERE d.resolved_at IS NULL AND d.kind NOT IN ('fund_overpaid', 'leg_overdue') AND d.theirs IS NOT NULL
AND line.subject = d.subject AND line.attempt = coalesce(d.attempt, 0);
COMMENT ON COLUMN ledger.differences.theirs_currency IS 'in which the provider states it';
COMMENT ON COLUMN ledger.differences.resolved_at IS 'since when it is not open: it had vanished, or was accepted';
COMMENT ON COLUMN ledger.differences.accepted_by IS 'the id of the officer';
COMMENT ON COLUMN ledger.differences.accepted_for IS 'why, as a code';
COMMENT ON COLUMN ledger.differences.accepted_until IS
    'when it was no longer like that: it had vanished, or changed and is a new row; null as long as it stands';
CREATE INDEX differences_accepted_now ON ledger.differences (subject)
    WHERE accepted_at IS NOT NULL AND accepted_until IS NULL;
"""

UP = COLUMNS + _MOVE.format(
    of_fund="(d.resolved_at IS NULL OR d.accepted_at IS NOT NULL AND d.accepted_until IS NULL)",
    unless=""" AND NOT EXISTS (
                    SELECT FROM ledger.differences d
                    WHERE d.subject = l.refund_no AND d.kind = 'ours_paid_gateway_not'
                    AND d.accepted_at IS NOT NULL AND d.accepted_until IS NULL
                    AND coalesce(d.attempt, l.attempt) = l.attempt
                )""",
)

DOWN = f"""
{_MOVE.format(of_fund="d.resolved_at IS NULL", unless="")}
DROP INDEX ledger.differences_accepted_now;
ALTER TABLE ledger.differences
    DROP COLUMN accepted_at, DROP COLUMN accepted_by, DROP COLUMN accepted_for, DROP COLUMN accepted_until,
    DROP COLUMN theirs_currency;
COMMENT ON COLUMN ledger.differences.resolved_at IS NULL;
"""


def upgrade() -> None:
    """Make room for who has accepted one, and why."""
    run_script(UP)


def downgrade() -> None:
    """Forget it; the next comparison finds them again."""
    run_script(DOWN)

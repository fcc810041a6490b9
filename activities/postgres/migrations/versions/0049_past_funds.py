"""Funds of orders of which nothing is paid back any more leave the ledger's tables, and come back when written to."""

from activities.postgres.migrations import run_script

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("funds", "fund_parts", "leg_parts", "leg_events")


def _keep(unless: str) -> str:
    """The triggers that keep the ledger's rows, unless ..."""
    return "\n".join(
        f"""
        DROP TRIGGER keep ON ledger.{table};
        CREATE TRIGGER keep BEFORE {events} OR TRUNCATE ON ledger.{table}
            FOR EACH STATEMENT {unless} EXECUTE FUNCTION ledger.keep();
        """
        for table, events in [*((each, "UPDATE OR DELETE") for each in _APPEND_ONLY), ("legs", "DELETE")]
    )


_UNLESS_MOVED = "WHEN (current_setting('ledger.moves', true) IS DISTINCT FROM 'on')"

TABLES = """
ALTER TABLE shop.orders ADD COLUMN refundable_until timestamptz;
COMMENT ON COLUMN shop.orders.refundable_until IS
    'as the order system tells it: from then on nothing of it is paid back any more; null as long as it does not say';

CREATE TABLE ledger.past_funds (
    fund text PRIMARY KEY,
    currency text NOT NULL,
    document jsonb NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ledger.past_funds IS
    'funds of which nothing is paid back any more: what was paid in, and what was said of their legs';
CREATE TABLE ledger.past_legs (LIKE ledger.legs, PRIMARY KEY (refund_no));
CREATE INDEX past_legs_of_fund ON ledger.past_legs (fund);
CREATE INDEX past_legs_of_case ON ledger.past_legs (case_id, payout);
CREATE INDEX past_legs_of_charge ON ledger.past_legs (charge) WHERE charge IS NOT NULL;
COMMENT ON TABLE ledger.past_legs IS 'the legs of past_funds, as they stand for ever';

CREATE TABLE ledger.leaving (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    after_fund text NOT NULL DEFAULT '',
    ended_at timestamptz
);
INSERT INTO ledger.leaving DEFAULT VALUES;
COMMENT ON TABLE ledger.leaving IS 'how far the walk over all funds has come that looks for those that are to leave';

CREATE VIEW ledger.every_leg AS SELECT * FROM ledger.legs UNION ALL SELECT * FROM ledger.past_legs;
CREATE VIEW ledger.every_leg_event AS
SELECT * FROM ledger.leg_events
UNION ALL
SELECT said.* FROM ledger.past_legs JOIN ledger.past_funds USING (fund)
CROSS JOIN LATERAL jsonb_populate_recordset(NULL::ledger.leg_events, document -> 'leg_events') AS said
WHERE said.refund_no = past_legs.refund_no;
"""

FUNCTIONS = """
CREATE FUNCTION ledger.is_no_past_fund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger.past_funds WHERE fund = NEW.fund) THEN
        RAISE EXCEPTION 'fund % left at this moment: look again', NEW.fund USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
-- After the row: by then whoever moved the fund has committed, and it is seen.
CREATE TRIGGER is_no_past_fund AFTER INSERT ON ledger.funds FOR EACH ROW
    WHEN (current_setting('ledger.moves', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION ledger.is_no_past_fund();

-- Looks at so many funds, from where the last call has stopped, and moves those of orders of which nothing was to be
-- paid back after this moment. Not one with an open case, a leg under way, an alert, a difference to another book, one
-- that is still to be found on a statement, or what was paid with an allowance, whose balance counts it. A walk that
-- has ended later than `again` is not begun anew.
CREATE FUNCTION ledger.move_funds(
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
        AND NOT EXISTS (SELECT FROM ledger.differences d WHERE d.subject = o.fund AND d.resolved_at IS NULL)
        AND NOT EXISTS (SELECT FROM ledger.fund_parts p WHERE p.fund = o.fund AND p.tender_kind = 'allowance')
        AND NOT EXISTS (
            SELECT FROM ledger.legs l WHERE l.fund = o.fund AND (
                l.state NOT IN ('succeeded', 'failed')
                OR EXISTS (SELECT FROM ledger.alerts a WHERE a.refund_no = l.refund_no)
                OR EXISTS (SELECT FROM ledger.differences d WHERE d.subject = l.refund_no AND d.resolved_at IS NULL)
                OR l.paid_by = 'gateway' AND l.stated_on IS NULL AND EXISTS (
                    SELECT FROM ledger.statement_days
                )
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

-- A fund that has left is written again: whether it came back.
CREATE FUNCTION ledger.bring_back(wanted text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    kept ledger.past_funds;
BEGIN
    SELECT * INTO kept FROM ledger.past_funds WHERE fund = wanted FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM set_config('ledger.moves', 'on', true);
    INSERT INTO ledger.funds (fund, currency) VALUES (wanted, kept.currency);
    INSERT INTO ledger.fund_parts
    SELECT * FROM jsonb_populate_recordset(NULL::ledger.fund_parts, kept.document -> 'fund_parts');
    INSERT INTO ledger.legs SELECT * FROM ledger.past_legs WHERE fund = wanted;
    INSERT INTO ledger.leg_parts
    SELECT * FROM jsonb_populate_recordset(NULL::ledger.leg_parts, kept.document -> 'leg_parts');
    INSERT INTO ledger.leg_events
    SELECT * FROM jsonb_populate_recordset(NULL::ledger.leg_events, kept.document -> 'leg_events');
    DELETE FROM ledger.past_legs WHERE fund = wanted;
    DELETE FROM ledger.past_funds WHERE fund = wanted;
    PERFORM set_config('ledger.moves', 'off', true);
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION ledger.move_funds(timestamptz, timestamptz, integer), ledger.bring_back(text) FROM PUBLIC;
"""

UP = TABLES + _keep(_UNLESS_MOVED) + FUNCTIONS

DOWN = f"""
DO $$ BEGIN PERFORM ledger.bring_back(fund) FROM ledger.past_funds; END $$;
SET CONSTRAINTS ALL IMMEDIATE;
DROP TRIGGER is_no_past_fund ON ledger.funds;
DROP FUNCTION ledger.bring_back, ledger.move_funds, ledger.is_no_past_fund;
DROP VIEW ledger.every_leg_event, ledger.every_leg;
DROP TABLE ledger.leaving, ledger.past_legs, ledger.past_funds;
{_keep("")}
ALTER TABLE shop.orders DROP COLUMN refundable_until;
"""


def upgrade() -> None:
    """Make room for what leaves."""
    run_script(UP)


def downgrade() -> None:
    """Bring all of it back."""
    run_script(DOWN)

"""What a refund is of (X6), its attempts, the provider's own codes, and money that comes back after it was paid."""

from activities.postgres.migrations import run_script

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_KEEP_PROMISE = """
CREATE OR REPLACE FUNCTION ledger.keep_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.refund_no, OLD.case_id, OLD.payout, OLD.leg, OLD.fund, OLD.merchant_id, OLD.currency, OLD.amount,
        OLD.route, OLD.tender, OLD.tender_kind, OLD.account_ref, OLD.payer)
       IS DISTINCT FROM
       (NEW.refund_no, NEW.case_id, NEW.payout, NEW.leg, NEW.fund, NEW.merchant_id, NEW.currency, NEW.amount,
        NEW.route, NEW.tender, NEW.tender_kind, NEW.account_ref, NEW.payer) THEN
        RAISE EXCEPTION 'what refund % pays to whom cannot change', OLD.refund_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'succeeded' AND NEW.state <> 'succeeded'{unless} THEN
        RAISE EXCEPTION 'refund % has been paid', OLD.refund_no USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

_CHARGE = """
ALTER TABLE shop.{table}
    ADD COLUMN transaction text,
    ADD COLUMN charged bigint CHECK (charged > 0),
    ADD COLUMN charged_at timestamptz,
    ADD COLUMN payment_account text;
COMMENT ON COLUMN shop.{table}.transaction IS 'the payment provider''s own id of the payment';
COMMENT ON COLUMN shop.{table}.charged IS 'all of that payment, where it paid for more than this';
"""

_NO_CHARGE = """
ALTER TABLE shop.{table}
    DROP COLUMN transaction, DROP COLUMN charged, DROP COLUMN charged_at, DROP COLUMN payment_account;
"""

UP = f"""
ALTER TABLE ledger.legs
    ADD COLUMN attempt integer NOT NULL DEFAULT 1 CHECK (attempt > 0),
    ADD COLUMN charge text,
    ADD COLUMN raw_code text,
    ADD COLUMN returned_at timestamptz;
CREATE INDEX legs_of_charge ON ledger.legs (charge) WHERE charge IS NOT NULL;
COMMENT ON COLUMN ledger.legs.attempt IS 'rises when it is sent again after a confirmed failure';
COMMENT ON COLUMN ledger.legs.charge IS 'the payment provider''s own id of the payment that it is of';
COMMENT ON COLUMN ledger.legs.raw_code IS 'the payment provider''s own code behind failure';
COMMENT ON COLUMN ledger.legs.returned_at IS 'when money that had been paid came back';

ALTER TABLE ledger.leg_events
    ADD COLUMN attempt integer CHECK (attempt > 0),
    ADD COLUMN raw_code text,
    ADD COLUMN returned boolean NOT NULL DEFAULT false;

{
    _KEEP_PROMISE.format(
        unless='''
       AND NOT (NEW.state = 'failed' AND OLD.paid_by = 'gateway'
                AND NEW.returned_at IS DISTINCT FROM OLD.returned_at)'''
    )
}
{_CHARGE.format(table="order_tenders")}
{_CHARGE.format(table="allowances")}

ALTER TABLE gateway.refunds
    ADD COLUMN attempt integer NOT NULL DEFAULT 1,
    DROP CONSTRAINT refunds_result_check,
    DROP CONSTRAINT refunds_next_result_check;
ALTER TABLE gateway.callbacks ADD COLUMN attempt integer NOT NULL DEFAULT 1;
"""

DOWN = f"""
ALTER TABLE gateway.callbacks DROP COLUMN attempt;
ALTER TABLE gateway.refunds
    DROP COLUMN attempt,
    ADD CONSTRAINT refunds_result_check
        CHECK (result IN ('processing', 'succeeded', 'failed', 'abnormal')) NOT VALID,
    ADD CONSTRAINT refunds_next_result_check CHECK (next_result IN ('succeeded', 'failed')) NOT VALID;
{_NO_CHARGE.format(table="allowances")}
{_NO_CHARGE.format(table="order_tenders")}
{_KEEP_PROMISE.format(unless="")}
ALTER TABLE ledger.leg_events DROP COLUMN returned, DROP COLUMN raw_code, DROP COLUMN attempt;
ALTER TABLE ledger.legs
    DROP COLUMN returned_at, DROP COLUMN raw_code, DROP COLUMN charge, DROP COLUMN attempt;
"""


def upgrade() -> None:
    """Let refunds name the payment that they are of, and be tried under numbers of their own."""
    run_script(UP)


def downgrade() -> None:
    """Forget attempts, charges and the provider's codes."""
    run_script(DOWN)

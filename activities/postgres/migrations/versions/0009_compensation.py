"""Compensation booked apart from refunds, cash tenders, and who bears a payment."""

from activities.postgres.migrations import run_script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEEP_PROMISE = """
CREATE OR REPLACE FUNCTION ledger.keep_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.refund_no, OLD.case_id, OLD.payout, OLD.leg, OLD.fund, OLD.merchant_id, OLD.currency, OLD.amount,
        OLD.route, OLD.tender, OLD.tender_kind, OLD.account_ref{old})
       IS DISTINCT FROM
       (NEW.refund_no, NEW.case_id, NEW.payout, NEW.leg, NEW.fund, NEW.merchant_id, NEW.currency, NEW.amount,
        NEW.route, NEW.tender, NEW.tender_kind, NEW.account_ref{new}) THEN
        RAISE EXCEPTION 'what refund % pays to whom cannot change', OLD.refund_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'succeeded' AND NEW.state <> 'succeeded' THEN
        RAISE EXCEPTION 'refund % has been paid', OLD.refund_no USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

_TENDER_KINDS = """
ALTER TABLE shop.order_tenders
    DROP CONSTRAINT order_tenders_kind_check,
    ADD CONSTRAINT order_tenders_kind_check CHECK (kind IN ({kinds}));
ALTER TABLE ledger.fund_parts
    DROP CONSTRAINT fund_parts_tender_kind_check,
    ADD CONSTRAINT fund_parts_tender_kind_check CHECK (tender_kind IN ({kinds}));
ALTER TABLE ledger.legs
    DROP CONSTRAINT legs_tender_kind_check,
    ADD CONSTRAINT legs_tender_kind_check CHECK (tender_kind IN ({kinds}));
"""

UP = f"""
ALTER TABLE ledger.fund_parts
    DROP CONSTRAINT fund_parts_part_check,
    ADD CONSTRAINT fund_parts_part_check
        CHECK (part ~ '^(line:.+|tender:.+|freight|principal|compensation)$'),
    -- Compensation is booked apart: no order's fund has it, and its own funds have nothing else (L3).
    ADD CONSTRAINT fund_parts_compensation_check
        CHECK (part LIKE 'tender:%'
               OR (part = 'compensation') = (fund ~ '^(late-shipment|return-freight|freight-insurance)/'));
{_TENDER_KINDS.format(kinds="'wallet', 'debit_card', 'credit_card', 'cash'")}
ALTER TABLE ledger.legs
    ADD COLUMN payer text NOT NULL DEFAULT 'merchant' CHECK (payer IN ('merchant', 'platform'));
COMMENT ON COLUMN ledger.legs.payer IS 'whose account the gateway takes it from (T4, T10)';
{_KEEP_PROMISE.format(old=", OLD.payer", new=", NEW.payer")}
ALTER TABLE gateway.refunds
    ADD COLUMN payer text NOT NULL DEFAULT 'merchant' CHECK (payer IN ('merchant', 'platform'));
"""

DOWN = f"""
ALTER TABLE gateway.refunds DROP COLUMN payer;
{_KEEP_PROMISE.format(old="", new="")}
ALTER TABLE ledger.legs DROP COLUMN payer;
{_TENDER_KINDS.format(kinds="'wallet', 'debit_card', 'credit_card'")}
ALTER TABLE ledger.fund_parts
    DROP CONSTRAINT fund_parts_compensation_check,
    DROP CONSTRAINT fund_parts_part_check,
    ADD CONSTRAINT fund_parts_part_check CHECK (part ~ '^(line:.+|tender:.+|freight|principal)$');
"""


def upgrade() -> None:
    """Let the ledger keep compensation."""
    run_script(UP)


def downgrade() -> None:
    """Take compensation out of the ledger."""
    run_script(DOWN)

"""Orders that are paid with an allowance, and refunds that go back to it (A7)."""

from activities.postgres.migrations import run_script

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_KEEP_PROMISE = """
CREATE OR REPLACE FUNCTION ledger.keep_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.refund_no, OLD.case_id, OLD.payout, OLD.leg, OLD.fund, OLD.merchant_id, OLD.currency, OLD.amount,
        OLD.route, OLD.tender, OLD.tender_kind, OLD.account_ref, OLD.payer{old})
       IS DISTINCT FROM
       (NEW.refund_no, NEW.case_id, NEW.payout, NEW.leg, NEW.fund, NEW.merchant_id, NEW.currency, NEW.amount,
        NEW.route, NEW.tender, NEW.tender_kind, NEW.account_ref, NEW.payer{new}) THEN
        RAISE EXCEPTION 'what refund % pays to whom cannot change', OLD.refund_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'succeeded' AND NEW.state <> 'succeeded'
       AND NOT (NEW.state = 'failed' AND OLD.paid_by = 'gateway'
                AND NEW.returned_at IS DISTINCT FROM OLD.returned_at) THEN
        RAISE EXCEPTION 'refund % has been paid', OLD.refund_no USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

_KINDS = """
ALTER TABLE shop.order_tenders
    DROP CONSTRAINT order_tenders_kind_check,
    ADD CONSTRAINT order_tenders_kind_check CHECK (kind IN ({kinds})){unchecked};
ALTER TABLE ledger.fund_parts
    DROP CONSTRAINT fund_parts_tender_kind_check,
    ADD CONSTRAINT fund_parts_tender_kind_check CHECK (tender_kind IN ({kinds})){unchecked};
ALTER TABLE ledger.legs
    DROP CONSTRAINT legs_tender_kind_check,
    ADD CONSTRAINT legs_tender_kind_check CHECK (tender_kind IN ({kinds})){unchecked},
    DROP CONSTRAINT legs_paid_by_check,
    ADD CONSTRAINT legs_paid_by_check CHECK (paid_by IN ({payers})){unchecked};
"""

UP = f"""
ALTER TABLE shop.order_tenders ADD COLUMN allowance_id text REFERENCES shop.allowances;
{
    _KINDS.format(
        kinds="'wallet', 'debit_card', 'credit_card', 'cash', 'allowance'",
        payers="'gateway', 'platform', 'officer', 'allowance', 'lost_bonus'",
        unchecked="",
    )
}
ALTER TABLE shop.order_tenders
    ADD CONSTRAINT order_tenders_names_its_allowance CHECK ((kind = 'allowance') = (allowance_id IS NOT NULL));
CREATE INDEX order_tenders_of_allowance ON shop.order_tenders (allowance_id) WHERE allowance_id IS NOT NULL;
COMMENT ON COLUMN shop.order_tenders.allowance_id IS 'which allowance it was spent of (A7)';

ALTER TABLE ledger.legs
    ADD COLUMN principal bigint CHECK (principal BETWEEN 0 AND amount),
    -- What goes back to an allowance is never money, and what nobody gets is bonus (A7).
    ADD CONSTRAINT legs_of_allowances CHECK (
        (tender_kind IS DISTINCT FROM 'allowance' OR (principal IS NOT NULL AND paid_by IN ('allowance', 'lost_bonus')))
        AND (paid_by IS NULL OR paid_by NOT IN ('allowance', 'lost_bonus') OR tender_kind = 'allowance')
        AND (paid_by IS DISTINCT FROM 'lost_bonus' OR principal = 0)
    );
COMMENT ON COLUMN ledger.legs.principal IS
    'of what was paid with an allowance: how much is principal; null of other tenders (A7)';
{_KEEP_PROMISE.format(old=", OLD.principal", new=", NEW.principal")}
"""

DOWN = f"""
{_KEEP_PROMISE.format(old="", new="")}
ALTER TABLE ledger.legs DROP CONSTRAINT legs_of_allowances, DROP COLUMN principal;
DROP INDEX shop.order_tenders_of_allowance;
ALTER TABLE shop.order_tenders DROP CONSTRAINT order_tenders_names_its_allowance, DROP COLUMN allowance_id;
{
    _KINDS.format(
        kinds="'wallet', 'debit_card', 'credit_card', 'cash'",
        payers="'gateway', 'platform', 'officer'",
        unchecked=" NOT VALID",
    )
}
"""


def upgrade() -> None:
    """Take orders that were paid with an allowance."""
    run_script(UP)


def downgrade() -> None:
    """Take no new ones; the legs that are there stay, without what of them was principal."""
    run_script(DOWN)

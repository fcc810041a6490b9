"""Campaigns by which shops grant allowances, and which one an allowance came of (A1)."""

from activities.postgres.migrations import run_script

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE shop.allowance_campaigns (
    campaign_id text PRIMARY KEY,
    marketplace text NOT NULL,
    merchant_id text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    principal bigint NOT NULL CHECK (principal > 0),
    bonus bigint NOT NULL CHECK (bonus >= 0),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at)
);
CREATE INDEX allowance_campaigns_of_merchant
    ON shop.allowance_campaigns (merchant_id, starts_at DESC, campaign_id DESC);
COMMENT ON TABLE shop.allowance_campaigns IS 'what a shop grants, and when: pay the principal, get the bonus on top';

ALTER TABLE shop.allowances ADD COLUMN campaign_id text REFERENCES shop.allowance_campaigns;
CREATE INDEX allowances_of_buyer ON shop.allowances (buyer_id, allowance_id);
"""

DOWN = """
DROP INDEX shop.allowances_of_buyer;
ALTER TABLE shop.allowances DROP COLUMN campaign_id;
DROP TABLE shop.allowance_campaigns;
"""


def upgrade() -> None:
    """Keep campaigns."""
    run_script(UP)


def downgrade() -> None:
    """Forget them."""
    run_script(DOWN)

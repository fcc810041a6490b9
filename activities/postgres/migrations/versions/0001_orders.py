"""Orders and allowance accounts, as the shop keeps them."""

from activities.postgres.migrations import run_script

revision = "0001"
down_revision = None

UP = """
CREATE SCHEMA shop;

CREATE TABLE shop.orders (
    order_no text PRIMARY KEY,
    marketplace text NOT NULL,
    merchant_id text NOT NULL,
    buyer_id text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    freight bigint NOT NULL CHECK (freight >= 0),
    paid_at timestamptz NOT NULL,
    outbound_at timestamptz,
    shipped_at timestamptz,
    on_delivery_run_at timestamptz
);
CREATE INDEX orders_of_buyer ON shop.orders (merchant_id, buyer_id, paid_at DESC);

CREATE TABLE shop.order_lines (
    order_no text NOT NULL REFERENCES shop.orders ON DELETE CASCADE,
    line text NOT NULL,
    position integer NOT NULL,
    sku text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    paid bigint NOT NULL CHECK (paid >= 0),
    PRIMARY KEY (order_no, line),
    UNIQUE (order_no, position)
);

CREATE TABLE shop.order_tenders (
    order_no text NOT NULL REFERENCES shop.orders ON DELETE CASCADE,
    tender text NOT NULL,
    position integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('wallet', 'debit_card', 'credit_card')),
    paid bigint NOT NULL CHECK (paid > 0),
    PRIMARY KEY (order_no, tender),
    UNIQUE (order_no, position)
);

CREATE TABLE shop.allowances (
    allowance_id text PRIMARY KEY,
    marketplace text NOT NULL,
    merchant_id text NOT NULL,
    buyer_id text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    principal bigint NOT NULL CHECK (principal > 0),
    bonus bigint NOT NULL CHECK (bonus >= 0),
    spent bigint NOT NULL CHECK (spent BETWEEN 0 AND principal + bonus),
    tender_kind text NOT NULL CHECK (tender_kind IN ('wallet', 'debit_card', 'credit_card')),
    valid_until timestamptz NOT NULL,
    account_lookup text CHECK (account_lookup ~ '^[0-9a-f]{64}$'),
    frozen_by text,
    frozen_at timestamptz,
    validity_ended_at timestamptz,
    voided_at timestamptz,
    paid_back_at timestamptz,
    CHECK ((frozen_by IS NULL) = (frozen_at IS NULL)),
    -- What has ended its validity is on its way back through the case that holds it, or gone (A6).
    CHECK (validity_ended_at IS NULL OR frozen_by IS NOT NULL OR voided_at IS NOT NULL),
    -- Principal goes back only through a case that held the balance, and takes the bonus with it (A2, A5).
    CHECK (paid_back_at IS NULL OR (frozen_by IS NOT NULL AND voided_at IS NOT NULL))
);
CREATE INDEX allowances_of_account ON shop.allowances (merchant_id, account_lookup);
COMMENT ON COLUMN shop.allowances.account_lookup IS
    'keyed hash of the account name, which is stored nowhere (A4)';
COMMENT ON COLUMN shop.allowances.frozen_by IS
    'the case that holds the balance; after paid_back_at the one that paid';
"""

DOWN = "DROP SCHEMA shop CASCADE;"


def upgrade() -> None:
    """Create the schema ``shop``."""
    run_script(UP)


def downgrade() -> None:
    """Drop the schema ``shop`` with all orders and allowances."""
    run_script(DOWN)

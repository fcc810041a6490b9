"""Our book of the money: funds, legs, what was said of them, alerts, differences to the gateway's book."""

from activities.postgres.migrations import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA ledger;

CREATE TABLE ledger.funds (
    fund text PRIMARY KEY,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$')
);
COMMENT ON TABLE ledger.funds IS 'what was paid on an order or an allowance; its row lock is the cap''s';

CREATE TABLE ledger.fund_parts (
    fund text NOT NULL REFERENCES ledger.funds,
    part text NOT NULL CHECK (part ~ '^(line:.+|tender:.+|freight|principal)$'),
    paid bigint NOT NULL CHECK (paid >= 0),
    tender_kind text CHECK (tender_kind IN ('wallet', 'debit_card', 'credit_card')),
    PRIMARY KEY (fund, part),
    CHECK ((part LIKE 'tender:%') = (tender_kind IS NOT NULL))
);

CREATE TABLE ledger.legs (
    refund_no text COLLATE "C" PRIMARY KEY,
    case_id text NOT NULL,
    payout integer NOT NULL CHECK (payout > 0),
    leg integer NOT NULL CHECK (leg > 0),
    fund text NOT NULL REFERENCES ledger.funds,
    merchant_id text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    route text NOT NULL CHECK (route IN ('original', 'bank_transfer')),
    tender text,
    tender_kind text CHECK (tender_kind IN ('wallet', 'debit_card', 'credit_card')),
    account_ref text,
    state text NOT NULL CHECK (state IN ('reserved', 'submitted', 'processing', 'unknown', 'succeeded',
                                         'failed', 'abnormal', 'manual')),
    reserved_at timestamptz NOT NULL,
    submitted_at timestamptz,
    settled_at timestamptz,
    arrives_from timestamptz,
    arrives_until timestamptz,
    paid_by text CHECK (paid_by IN ('gateway', 'platform', 'officer')),
    failure text,
    gateway_ref text,
    UNIQUE (case_id, payout, leg),
    CHECK ((route = 'original') = (tender IS NOT NULL)),
    CHECK ((route = 'original') = (tender_kind IS NOT NULL)),
    CHECK ((route = 'bank_transfer') = (account_ref IS NOT NULL)),
    CHECK ((state = 'succeeded') = (paid_by IS NOT NULL)),
    CHECK ((state = 'succeeded') = (settled_at IS NOT NULL)),
    CHECK (arrives_from <= arrives_until)
);
CREATE INDEX legs_of_fund ON ledger.legs (fund);
COMMENT ON COLUMN ledger.legs.account_ref IS 'where the bank account is kept, not the account (P6)';

CREATE TABLE ledger.leg_parts (
    refund_no text COLLATE "C" NOT NULL REFERENCES ledger.legs,
    part text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (refund_no, part)
);

CREATE TABLE ledger.leg_events (
    refund_no text COLLATE "C" NOT NULL REFERENCES ledger.legs,
    seq integer NOT NULL CHECK (seq > 0),
    says text NOT NULL CHECK (says IN ('reserved', 'submitted', 'processing', 'unknown', 'succeeded',
                                       'failed', 'abnormal', 'manual')),
    source text NOT NULL CHECK (source ~ '^(us|gateway|callback:.+|officer:.+)$'),
    at timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    paid_by text,
    failure text,
    gateway_ref text,
    reason text,
    proof text,
    arrives_from timestamptz,
    arrives_until timestamptz,
    PRIMARY KEY (refund_no, seq)
);
CREATE UNIQUE INDEX callbacks_once ON ledger.leg_events (refund_no, source) WHERE source LIKE 'callback:%';

CREATE TABLE ledger.alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    case_id text NOT NULL,
    refund_no text COLLATE "C" NOT NULL REFERENCES ledger.legs,
    evidence text NOT NULL,
    at timestamptz NOT NULL,
    resolved_at timestamptz,
    UNIQUE (kind, refund_no, evidence)
);
CREATE INDEX alerts_open ON ledger.alerts (id) WHERE resolved_at IS NULL;
CREATE INDEX alerts_of_case ON ledger.alerts (case_id);

CREATE TABLE ledger.differences (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    subject text COLLATE "C" NOT NULL,
    ours text,
    ours_amount bigint,
    theirs text,
    theirs_amount bigint,
    found_at timestamptz NOT NULL,
    resolved_at timestamptz
);
CREATE UNIQUE INDEX differences_open ON ledger.differences (subject, kind) WHERE resolved_at IS NULL;
COMMENT ON COLUMN ledger.differences.subject IS 'the refund number, or the fund of an overpaid one';

CREATE FUNCTION ledger.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.funds
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.keep();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.fund_parts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.keep();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.leg_parts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.keep();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.leg_events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.keep();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON ledger.legs
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.keep();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON ledger.alerts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.keep();

CREATE FUNCTION ledger.keep_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.refund_no, OLD.case_id, OLD.payout, OLD.leg, OLD.fund, OLD.merchant_id, OLD.currency, OLD.amount,
        OLD.route, OLD.tender, OLD.tender_kind, OLD.account_ref)
       IS DISTINCT FROM
       (NEW.refund_no, NEW.case_id, NEW.payout, NEW.leg, NEW.fund, NEW.merchant_id, NEW.currency, NEW.amount,
        NEW.route, NEW.tender, NEW.tender_kind, NEW.account_ref) THEN
        RAISE EXCEPTION 'what refund % pays to whom cannot change', OLD.refund_no
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'succeeded' AND NEW.state <> 'succeeded' THEN
        RAISE EXCEPTION 'refund % has been paid', OLD.refund_no USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_promise BEFORE UPDATE ON ledger.legs
    FOR EACH ROW EXECUTE FUNCTION ledger.keep_promise();

-- The last defence of the cap (R8), at the end of the transaction in which a leg takes room. A leg that has
-- succeeded is not refused: that money has moved, and a book that does not say so would be the greater harm.
CREATE FUNCTION ledger.check_room() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fund_currency text;
    overdrawn text;
BEGIN
    SELECT currency INTO fund_currency FROM ledger.funds WHERE fund = NEW.fund FOR UPDATE;
    IF fund_currency <> NEW.currency THEN
        RAISE EXCEPTION 'refund % is not in the currency that was paid', NEW.refund_no
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT FROM (
            SELECT coalesce(sum(amount) FILTER (WHERE part LIKE 'tender:%'), 0) AS tenders,
                   coalesce(sum(amount) FILTER (WHERE part NOT LIKE 'tender:%'), 0) AS goods
            FROM ledger.leg_parts WHERE refund_no = NEW.refund_no
        ) AS sums
        WHERE tenders <> NEW.amount OR goods <> NEW.amount
    ) THEN
        RAISE EXCEPTION 'the parts of refund % do not sum to its amount', NEW.refund_no
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT used.part INTO overdrawn
    FROM (
        SELECT leg_parts.part, sum(leg_parts.amount) AS amount
        FROM ledger.legs JOIN ledger.leg_parts USING (refund_no)
        WHERE legs.fund = NEW.fund AND legs.state <> 'failed'
        GROUP BY leg_parts.part
    ) AS used
    JOIN ledger.leg_parts AS own ON own.refund_no = NEW.refund_no AND own.part = used.part
    LEFT JOIN ledger.fund_parts ON fund_parts.fund = NEW.fund AND fund_parts.part = used.part
    WHERE used.amount > coalesce(fund_parts.paid, 0)
    LIMIT 1;
    IF overdrawn IS NOT NULL THEN
        RAISE EXCEPTION 'refund % gives more of % of % than was paid', NEW.refund_no, overdrawn, NEW.fund
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER check_room_of_new AFTER INSERT ON ledger.legs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.check_room();
CREATE CONSTRAINT TRIGGER check_room_of_retried AFTER UPDATE ON ledger.legs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.state = 'failed' AND NEW.state NOT IN ('failed', 'succeeded'))
    EXECUTE FUNCTION ledger.check_room();
"""

DOWN = "DROP SCHEMA ledger CASCADE;"


def upgrade() -> None:
    """Create the schema ``ledger``."""
    run_script(UP)


def downgrade() -> None:
    """Drop the schema ``ledger`` with our whole book."""
    run_script(DOWN)

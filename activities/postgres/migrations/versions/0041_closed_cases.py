"""Closed cases leave the tables that steps write: whole, by month, and a slim row of each stays (docs/capacity.md).

What the moves may do stands in functions of the owner's: no role may delete a case or a line of a log by itself.
"""

from activities.postgres.migrations import run_script

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_KEPT = """
    case_id, run_id, kind, merchant_id, buyer_id, order_no, allowance_id, currency, asked, refunded, compensated,
    policy, stage, attention, outcome, opened_at, closed_at, step, about, flag, return_freight, request_digest,
    application, pieces"""
"""Columns of a case's row that stay, but for where it was opened."""
_WHOLE = """
    run_id, kind, buyer_id, order_no, allowance_id, currency, asked, refunded, policy, stage, work_list, attention,
    outcome, opened_at, due_at, step, log_length, opened, stepped, compensated, about, return_freight, due_rank,
    stage_since, request_digest, application, pieces, state, request, talk"""
"""Columns of a case's row, but for those that the slim row says more truly."""
_LINE = """
    position, step, event, actor_role, actor_id, rule, at, command_key, facts, command_digest, kind, stage"""


def _of_month(columns: str) -> str:
    return ", ".join(f"month.{each.strip()}" for each in columns.split(","))


TABLES = """
CREATE TABLE casebook.closed_keys (
    case_id text PRIMARY KEY,
    run_id text NOT NULL,
    kind text NOT NULL,
    merchant_id text NOT NULL,
    buyer_id text,
    order_no text,
    allowance_id text,
    currency text NOT NULL,
    asked bigint NOT NULL,
    refunded bigint NOT NULL,
    compensated bigint NOT NULL,
    policy text NOT NULL,
    stage text NOT NULL,
    attention text,
    outcome text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz NOT NULL,
    step integer NOT NULL,
    about text,
    flag text,
    return_freight bigint NOT NULL,
    request_digest text,
    application jsonb,
    pieces jsonb,
    opened_in text
);
CREATE INDEX closed_keys_of_order ON casebook.closed_keys (order_no) WHERE order_no IS NOT NULL;
CREATE INDEX closed_keys_of_allowance ON casebook.closed_keys (allowance_id) WHERE allowance_id IS NOT NULL;
CREATE INDEX closed_keys_of_buyer ON casebook.closed_keys (buyer_id, merchant_id) WHERE buyer_id IS NOT NULL;
CREATE INDEX closed_keys_of_merchant ON casebook.closed_keys (merchant_id, opened_at, case_id);
CREATE INDEX closed_keys_about ON casebook.closed_keys (about) WHERE about IS NOT NULL;
COMMENT ON TABLE casebook.closed_keys IS
    'of each case that has moved to its month, for ever: by which it is found, and which rules count';

CREATE TABLE casebook.closed_cases (LIKE casebook.cases, PRIMARY KEY (case_id, closed_at))
    PARTITION BY RANGE (closed_at);
CREATE TABLE casebook.closed_log (
    LIKE casebook.log, closed_at timestamptz NOT NULL, PRIMARY KEY (case_id, position, closed_at)
) PARTITION BY RANGE (closed_at);
COMMENT ON TABLE casebook.closed_cases IS 'whole rows of casebook.cases, by the month in which the case closed';

CREATE TABLE casebook.archives (
    month date NOT NULL,
    part integer NOT NULL CHECK (part > 0),
    cases bigint NOT NULL,
    lines bigint NOT NULL,
    manifest text NOT NULL CHECK (manifest ~ '^[0-9a-f]{64}$'),
    exported_at timestamptz NOT NULL,
    dropped_at timestamptz,
    PRIMARY KEY (month, part)
);
COMMENT ON TABLE casebook.archives IS 'which months were written to the archive, and are in it alone once dropped';
COMMENT ON COLUMN casebook.archives.manifest IS 'SHA-256 of the manifest, which has those of the files';

CREATE INDEX cases_closed ON casebook.cases (closed_at) WHERE closed_at IS NOT NULL;
"""

TRIGGERS = """
DROP TRIGGER log_is_append_only ON casebook.log;
CREATE TRIGGER log_is_append_only BEFORE UPDATE OR DELETE ON casebook.log FOR EACH ROW
    WHEN (current_setting('casebook.moves', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION casebook.refuse_change();
CREATE TRIGGER log_is_append_only BEFORE UPDATE OR DELETE ON casebook.closed_log FOR EACH ROW
    WHEN (current_setting('casebook.moves', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION casebook.refuse_change();
CREATE TRIGGER log_is_not_truncated BEFORE TRUNCATE ON casebook.closed_log
    FOR EACH STATEMENT EXECUTE FUNCTION casebook.refuse_change();
"""

VIEWS = f"""
-- Each half is of one table: so it is planned as if it were one, also where it is joined.
CREATE VIEW casebook.every_case AS
SELECT {_KEPT}, opened ->> 'stage' AS opened_in, work_list, due_at, due_rank, talk FROM casebook.cases
UNION ALL
SELECT {_KEPT}, opened_in, NULL, NULL,
       (opened_at AT TIME ZONE 'UTC' + interval '1000 years') AT TIME ZONE 'UTC', NULL
FROM casebook.closed_keys;
COMMENT ON VIEW casebook.every_case IS 'open, closed and moved cases, with what stays of all of them';

-- For one case, by its id.
CREATE VIEW casebook.whole_case AS
SELECT case_id, closed_at, merchant_id, flag, {_WHOLE} FROM casebook.cases
UNION ALL
SELECT case_id, closed_at, kept.merchant_id, kept.flag, {_of_month(_WHOLE)}
FROM casebook.closed_keys AS kept JOIN casebook.closed_cases AS month USING (case_id, closed_at);
CREATE VIEW casebook.whole_log AS
SELECT case_id, {_LINE} FROM casebook.log
UNION ALL
SELECT case_id, {_of_month(_LINE)}
FROM casebook.closed_keys JOIN casebook.closed_log AS month USING (case_id, closed_at);
"""  # noqa: S608 -- constants

FUNCTIONS = f"""
CREATE FUNCTION casebook.make_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    stem text;
    name text;
BEGIN
    FOREACH stem IN ARRAY ARRAY['closed_cases', 'closed_log'] LOOP
        name := stem || to_char(month, '_YYYY_MM');
        IF to_regclass('casebook.' || name) IS NULL THEN
            EXECUTE format('CREATE TABLE casebook.%I (LIKE casebook.%I INCLUDING ALL)', name, stem);
            EXECUTE format(
                'ALTER TABLE casebook.%I ATTACH PARTITION casebook.%I FOR VALUES FROM (%L) TO (%L)', stem, name,
                to_char(month, 'YYYY-MM-01 00:00:00+00'),
                to_char(month + interval '1 month', 'YYYY-MM-01 00:00:00+00')
            );
        END IF;
    END LOOP;
END $$;

-- One batch of cases that closed before this moment, oldest first: each goes as a whole, or stays. Nothing while
-- another process moves. Its notices that were sent are not kept.
CREATE FUNCTION casebook.move_closed(
    before timestamptz, at_most integer, OUT cases bigint, OUT lines bigint, OUT notices bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    chosen text[];
    months date[];
    month date;
    expected bigint;
BEGIN
    cases := 0;
    lines := 0;
    notices := 0;
    IF NOT pg_try_advisory_xact_lock(6202211417) THEN
        RETURN;
    END IF;
    SELECT array_agg(due.case_id), array_agg(DISTINCT date_trunc('month', due.closed_at AT TIME ZONE 'UTC')::date)
    INTO chosen, months
    FROM (
        SELECT c.case_id, c.closed_at FROM casebook.cases c WHERE c.closed_at < before
        ORDER BY c.closed_at LIMIT at_most FOR UPDATE SKIP LOCKED
    ) AS due;
    IF chosen IS NULL THEN
        RETURN;
    END IF;
    FOREACH month IN ARRAY months LOOP
        PERFORM casebook.make_month(month);
    END LOOP;
    PERFORM set_config('casebook.moves', 'on', true);
    WITH ended AS (
        DELETE FROM casebook.cases c WHERE c.case_id = ANY (chosen) RETURNING c.*
    ), logged AS (
        DELETE FROM casebook.log l WHERE l.case_id = ANY (chosen) RETURNING l.*
    ), told AS (
        DELETE FROM notices.outbox o WHERE o.case_id = ANY (chosen) AND o.sent_at IS NOT NULL RETURNING true
    ), whole AS (
        INSERT INTO casebook.closed_cases SELECT * FROM ended RETURNING true
    ), slim AS (
        INSERT INTO casebook.closed_keys ({_KEPT}, opened_in) SELECT {_KEPT}, opened ->> 'stage' FROM ended
        RETURNING true
    ), book AS (
        INSERT INTO casebook.closed_log SELECT logged.*, ended.closed_at FROM logged JOIN ended USING (case_id)
        RETURNING true
    )
    SELECT (SELECT count(*) FROM whole), (SELECT count(*) FROM book), (SELECT count(*) FROM told),
           (SELECT count(*) FROM logged)
    INTO cases, lines, notices, expected;
    PERFORM set_config('casebook.moves', 'off', true);
    IF cases <> cardinality(chosen) OR lines <> expected THEN
        RAISE EXCEPTION 'of % closed cases % moved, of % lines %', cardinality(chosen), cases, expected, lines;
    END IF;
END $$;

-- A case that has moved is written again: whether it came back. Not from a month that is in the archive alone.
-- Until the commit nothing moves, so that it is still there for whoever asked.
CREATE FUNCTION casebook.bring_back(wanted text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    kept casebook.closed_keys;
    own text;
BEGIN
    PERFORM pg_advisory_xact_lock(6202211417);
    SELECT * INTO kept FROM casebook.closed_keys WHERE case_id = wanted FOR UPDATE;
    IF NOT FOUND OR NOT EXISTS (
        SELECT FROM casebook.closed_cases WHERE case_id = wanted AND closed_at = kept.closed_at
    ) THEN
        RETURN false;
    END IF;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO own FROM pg_attribute
    WHERE attrelid = 'casebook.cases'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    PERFORM set_config('casebook.moves', 'on', true);
    EXECUTE format(
        'WITH gone AS (DELETE FROM casebook.closed_cases WHERE case_id = $1 AND closed_at = $2 RETURNING *)
         INSERT INTO casebook.cases (%1$s) SELECT %1$s FROM gone', own
    ) USING wanted, kept.closed_at;
    UPDATE casebook.cases SET flag = kept.flag WHERE case_id = wanted;
    WITH gone AS (
        DELETE FROM casebook.closed_log WHERE case_id = wanted AND closed_at = kept.closed_at RETURNING *
    )
    INSERT INTO casebook.log (case_id, {_LINE}) SELECT case_id, {_LINE} FROM gone;
    DELETE FROM casebook.closed_keys WHERE case_id = wanted;
    PERFORM set_config('casebook.moves', 'off', true);
    RETURN true;
END $$;

-- A month that has been read back from the archive: whoever calls this has compared all of it in this transaction.
CREATE FUNCTION casebook.drop_month(gone date, compared_cases bigint, compared_lines bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    cases_there bigint;
    lines_there bigint;
BEGIN
    PERFORM set_config('lock_timeout', '3s', true);
    EXECUTE format('LOCK TABLE casebook.%I, casebook.%I IN ACCESS EXCLUSIVE MODE',
        to_char(gone, '"closed_cases_"YYYY_MM'), to_char(gone, '"closed_log_"YYYY_MM'));
    EXECUTE format('SELECT count(*) FROM casebook.%I', to_char(gone, '"closed_cases_"YYYY_MM')) INTO cases_there;
    EXECUTE format('SELECT count(*) FROM casebook.%I', to_char(gone, '"closed_log_"YYYY_MM')) INTO lines_there;
    IF (cases_there, lines_there) IS DISTINCT FROM (compared_cases, compared_lines) THEN
        RAISE EXCEPTION 'the month % has % cases and % lines, and % and % were compared', gone, cases_there,
            lines_there, compared_cases, compared_lines USING ERRCODE = 'restrict_violation';
    END IF;
    EXECUTE format('DROP TABLE casebook.%I, casebook.%I',
        to_char(gone, '"closed_cases_"YYYY_MM'), to_char(gone, '"closed_log_"YYYY_MM'));
END $$;

REVOKE EXECUTE ON FUNCTION casebook.make_month(date), casebook.move_closed(timestamptz, integer),
    casebook.bring_back(text), casebook.drop_month(date, bigint, bigint) FROM PUBLIC;
"""  # noqa: S608 -- constants

UP = TABLES + TRIGGERS + VIEWS + FUNCTIONS

DOWN = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM casebook.archives WHERE dropped_at IS NOT NULL) THEN
        RAISE EXCEPTION 'cases are in the archive alone: restore its months first';
    END IF;
    PERFORM casebook.bring_back(case_id) FROM casebook.closed_keys;
END $$;
DROP FUNCTION casebook.drop_month, casebook.bring_back, casebook.move_closed, casebook.make_month;
DROP VIEW casebook.whole_log, casebook.whole_case, casebook.every_case;
DROP INDEX casebook.cases_closed;
DROP TABLE casebook.archives, casebook.closed_log, casebook.closed_cases, casebook.closed_keys;
DROP TRIGGER log_is_append_only ON casebook.log;
CREATE TRIGGER log_is_append_only BEFORE UPDATE OR DELETE ON casebook.log
    FOR EACH ROW EXECUTE FUNCTION casebook.refuse_change();
"""


def upgrade() -> None:
    """Make room for closed cases, by month."""
    run_script(UP)


def downgrade() -> None:
    """Bring all of them back; refused while some are in the archive alone."""
    run_script(DOWN)

"""Months of closed cases are held while they are compared with the archive, and stay once they were read back."""

from activities.postgres.migrations import run_script

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE casebook.archives ADD COLUMN restored_at timestamptz;
COMMENT ON COLUMN casebook.archives.restored_at IS 'it was read back, and stays until somebody drops it';

CREATE FUNCTION casebook.hold_month(held date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM set_config('lock_timeout', '3s', true);
    EXECUTE format('LOCK TABLE casebook.%I, casebook.%I IN SHARE MODE',
        to_char(held, '"closed_cases_"YYYY_MM'), to_char(held, '"closed_log_"YYYY_MM'));
END $$;
REVOKE EXECUTE ON FUNCTION casebook.hold_month(date) FROM PUBLIC;
"""

DOWN = """
DROP FUNCTION casebook.hold_month;
ALTER TABLE casebook.archives DROP COLUMN restored_at;
"""


def upgrade() -> None:
    """Let months be held, and note which were read back."""
    run_script(UP)


def downgrade() -> None:
    """Forget both."""
    run_script(DOWN)

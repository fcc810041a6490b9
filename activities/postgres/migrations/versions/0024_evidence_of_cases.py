"""What callers state and nothing kept: evidence of every case and not of disputes alone (R10), what an attachment
of the vault belongs to (D6), why a virtual number was released (P3).
"""

from activities.postgres.migrations import run_script

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE disputes.evidence
    ADD COLUMN adds boolean NOT NULL DEFAULT false,
    ADD COLUMN event text NOT NULL DEFAULT 'evidence_submitted';
COMMENT ON COLUMN disputes.evidence.adds IS 'it stands beside what was given before, and replaces nothing';
COMMENT ON COLUMN disputes.evidence.event IS 'the line of the case log that it came with';
DROP INDEX disputes.evidence_that_counts;
CREATE UNIQUE INDEX evidence_that_counts ON disputes.evidence (case_id, party)
    WHERE replaced_by IS NULL AND NOT late AND NOT adds;

ALTER TABLE vault.items ADD COLUMN subject text, ADD COLUMN sha256 text;
COMMENT ON COLUMN vault.items.subject IS
    'of an attachment: the order''s number or the allowance''s id; null for what was kept before this column';
COMMENT ON COLUMN vault.items.sha256 IS 'of an attachment''s content, as whoever names it must state it';

ALTER TABLE vault.number_subjects ADD COLUMN released_because text;
"""

DOWN = """
ALTER TABLE vault.number_subjects DROP COLUMN released_because;
ALTER TABLE vault.items DROP COLUMN subject, DROP COLUMN sha256;

DROP INDEX disputes.evidence_that_counts;
CREATE UNIQUE INDEX evidence_that_counts ON disputes.evidence (case_id, party)
    WHERE replaced_by IS NULL AND NOT late;
ALTER TABLE disputes.evidence DROP COLUMN adds, DROP COLUMN event;
"""


def upgrade() -> None:
    """Make room for them."""
    run_script(UP)


def downgrade() -> None:
    """Take them away. Where evidence has added up, a dispute's rule cannot hold: the index refuses."""
    run_script(DOWN)

"""Pause windows and exemptions that the platform declares (section 9, L2)."""

from activities.postgres.migrations import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA declarations;

CREATE TABLE declarations.pauses (
    id text PRIMARY KEY,
    reason text NOT NULL,
    kinds text[] NOT NULL CHECK (cardinality(kinds) > 0),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    declared_by text NOT NULL,
    declared_at timestamptz NOT NULL,
    lifted_by text,
    lifted_at timestamptz,
    CHECK (starts_at < ends_at AND ends_at - starts_at <= interval '60 days'),
    CHECK ((lifted_by IS NULL) = (lifted_at IS NULL)),
    CHECK (lifted_at < ends_at)
);
COMMENT ON COLUMN declarations.pauses.kinds IS 'the kinds of cases whose clocks stand still';
COMMENT ON COLUMN declarations.pauses.lifted_at IS
    'from this moment on the clocks go on; before starts_at where the pause was called off';

CREATE TABLE declarations.exemptions (
    id text PRIMARY KEY,
    reason text NOT NULL,
    merchants text[] NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    declared_by text NOT NULL,
    declared_at timestamptz NOT NULL,
    CHECK (starts_at < ends_at)
);
COMMENT ON COLUMN declarations.exemptions.merchants IS 'the merchants that are excused; empty for all';
"""

DOWN = "DROP SCHEMA declarations CASCADE;"


def upgrade() -> None:
    """Make room for declarations."""
    run_script(UP)


def downgrade() -> None:
    """Take the declarations away."""
    run_script(DOWN)

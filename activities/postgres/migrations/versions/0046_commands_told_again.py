"""What a line's command said: a case can be told again under other rules (G7)."""

from activities.postgres.migrations import run_script

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_LINE = "position, step, event, actor_role, actor_id, rule, at, command_key, facts, command_digest, kind, stage"


def _whole_log(line: str) -> str:
    of_month = ", ".join(f"month.{each.strip()}" for each in line.split(","))
    return f"""
    SELECT case_id, {line} FROM casebook.log
    UNION ALL
    SELECT case_id, {of_month}
    FROM casebook.closed_keys JOIN casebook.closed_log AS month USING (case_id, closed_at)
    """  # noqa: S608 -- of constants


def _changed(function: str, *changes: tuple[str, str]) -> str:
    """SQL that makes a function anew with these words changed; an error where they are not in it."""
    words = ", ".join(f"ARRAY['{before}', '{after}']" for before, after in changes)
    return f"""
    DO $do$
    DECLARE
        made text := pg_get_functiondef('{function}'::regprocedure);
        change text[];
    BEGIN
        FOREACH change SLICE 1 IN ARRAY ARRAY[{words}] LOOP
            IF position(change[1] IN made) = 0 THEN
                RAISE EXCEPTION '{function} does not say %', change[1];
            END IF;
            made := replace(made, change[1], change[2]);
        END LOOP;
        EXECUTE made;
    END $do$;
    """


_MOVES = "casebook.move_closed(timestamptz, integer)"
_ALL = "INSERT INTO casebook.closed_log SELECT logged.*, ended.closed_at FROM"
_FROM_BOTH = _LINE.replace(" step,", " logged.step,").replace("kind, stage", "logged.kind, logged.stage")
_EACH = (
    f"INSERT INTO casebook.closed_log (case_id, {_LINE}, command, closed_at) "
    f"SELECT case_id, {_FROM_BOTH}, command, ended.closed_at FROM"
)

_BRINGS_BACK = "casebook.bring_back(text)"
_THERE = (("kind, stage)", "kind, stage, command)"), ("kind, stage FROM gone", "kind, stage, command FROM gone"))

UP = f"""
ALTER TABLE casebook.log ADD COLUMN command jsonb;
ALTER TABLE casebook.closed_log ADD COLUMN command jsonb;
COMMENT ON COLUMN casebook.log.command IS
    'the content of the command of command_key, under its name: ids, codes, references, amounts; null without one';
CREATE OR REPLACE VIEW casebook.whole_log AS {_whole_log(f"{_LINE}, command")};
{_changed(_MOVES, (_ALL, _EACH))}
{_changed(_BRINGS_BACK, *_THERE)}
"""

DOWN = f"""
{_changed(_BRINGS_BACK, *((after, before) for before, after in _THERE))}
{_changed(_MOVES, (_EACH, _ALL))}
DROP VIEW casebook.whole_log;
CREATE VIEW casebook.whole_log AS {_whole_log(_LINE)};
ALTER TABLE casebook.closed_log DROP COLUMN command;
ALTER TABLE casebook.log DROP COLUMN command;
"""


def upgrade() -> None:
    """Make room for the content of commands."""
    run_script(UP)


def downgrade() -> None:
    """Take it away: cases cannot be told again."""
    run_script(DOWN)

"""What the platform has declared: pause windows (section 9) and exemptions from late shipment (L2).

A deadline is worked out with the windows that are declared, and a window moves the deadlines that are running.
So that none falls between the two, whoever works out a deadline (`windows_for`) and whoever changes the windows
(`declare`, `lift`) hold one lock until their transactions end: the first shared, the second alone. Once a change
has committed, each deadline either was worked out with it or is committed itself, and can be found among the
open cases. A transaction that changes windows must therefore not wait for a case: who holds the case may be
waiting for it. All this needs READ COMMITTED, PostgreSQL's default: what is read after the lock is as it is then.
"""

from datetime import datetime
from typing import Final

import asyncpg

from activities.postgres.connection import Connection
from workflows.messages.actors import Actor, officer
from workflows.messages.pauses import DeclareExemption, DeclarePause, Exemption, PauseWindow
from workflows.messages.stages import CaseKind
from workflows.rules.pauses import last_told_of

# Any fixed number: it stands for "the windows that deadlines are worked out with".
_ADVISORY_LOCK: Final = 6_202_211_416

_WINDOWS: Final = """
    SELECT id, reason, kinds, starts_at, ends_at, declared_by, declared_at, lifted_by, lifted_at
    FROM declarations.pauses
"""


class DeclaredOtherwise(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The id is that of a declaration with another content; the text names the field that differs."""


async def declare(connection: Connection, declaration: DeclarePause, at: datetime) -> PauseWindow:
    """Declare a window; the same declaration again changes nothing, also once the window was lifted.

    Raises:
        DeclaredOtherwise: the id is another window's.
    """
    await _lock(connection)
    await connection.execute(
        """
        INSERT INTO declarations.pauses (id, reason, kinds, starts_at, ends_at, declared_by, declared_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        declaration.id,
        declaration.reason,
        sorted(set(declaration.kinds)),
        declaration.starts_at,
        declaration.ends_at,
        declaration.by.id,
        at,
    )
    window = _window(await connection.fetchrow(f"{_WINDOWS} WHERE id = $1", declaration.id))
    assert window is not None
    if set(window.kinds) != set(declaration.kinds):
        raise DeclaredOtherwise(f"pause {declaration.id} was declared with other kinds")
    _compare("pause", window, declaration)
    return window


async def lift(connection: Connection, window_id: str, by: Actor, at: datetime) -> PauseWindow | None:
    """End a window: it counts up to ``at`` only. One that is over or lifted stays as it is; None for an unknown one."""
    await _lock(connection)
    await connection.execute(
        """
        UPDATE declarations.pauses SET lifted_by = $2, lifted_at = $3
        WHERE id = $1 AND lifted_at IS NULL AND ends_at > $3
        """,
        window_id,
        by.id,
        at,
    )
    return _window(await connection.fetchrow(f"{_WINDOWS} WHERE id = $1", window_id))


async def windows_for(connection: Connection, kind: CaseKind, after: datetime) -> tuple[PauseWindow, ...]:
    """The windows that can move a deadline of this kind whose time began at ``after``, in the order of their start.

    Until the caller's transaction ends, no window is declared or lifted.
    """
    # A statement of its own: only a later one sees what was committed while this one waited.
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", _ADVISORY_LOCK)
    rows = await connection.fetch(
        f"""
        {_WINDOWS}
        WHERE $1 = ANY (kinds) AND least(ends_at, lifted_at) > greatest(starts_at, $2) ORDER BY starts_at, id
        """,
        kind,
        after,
    )
    return tuple(window for row in rows if (window := _window(row)))


async def untold(connection: Connection, case_id: str) -> tuple[PauseWindow, ...]:
    """The windows that have changed since the stage began in which an open case is, and of which its log has no line.

    In no stage that began later a deadline was worked out without them.
    """
    rows = await connection.fetch(
        f"""
        SELECT * FROM ({_WINDOWS}) AS changed
        WHERE EXISTS (
            SELECT FROM casebook.cases
            WHERE case_id = $1 AND closed_at IS NULL AND kind = ANY (kinds)
              AND coalesce(lifted_at, declared_at) > coalesce(stage_since, opened_at)
        ) ORDER BY starts_at, id
        """,  # noqa: S608 -- a constant
        case_id,
    )
    windows = [window for row in rows if (window := _window(row))]
    if not windows:
        return ()
    told = await connection.fetch(
        "SELECT command_key FROM casebook.log WHERE case_id = $1 AND command_key = ANY ($2)",
        case_id,
        [last_told_of(window).key for window in windows],
    )
    known = {row["command_key"] for row in told}
    return tuple(window for window in windows if last_told_of(window).key not in known)


async def list_pauses(connection: Connection, *, limit: int = 100) -> tuple[PauseWindow, ...]:
    """All windows, also past and lifted ones; the one that starts last comes first."""
    rows = await connection.fetch(f"{_WINDOWS} ORDER BY starts_at DESC, id LIMIT $1", limit)
    return tuple(window for row in rows if (window := _window(row)))


async def declare_exemption(connection: Connection, declaration: DeclareExemption, at: datetime) -> Exemption:
    """Declare an exemption (L2); the same declaration again changes nothing.

    Raises:
        DeclaredOtherwise: the id is another exemption's.
    """
    await connection.execute(
        """
        INSERT INTO declarations.exemptions (id, reason, merchants, starts_at, ends_at, declared_by, declared_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        declaration.id,
        declaration.reason,
        sorted(set(declaration.merchants)),
        declaration.starts_at,
        declaration.ends_at,
        declaration.by.id,
        at,
    )
    declared = await exemption(connection, declaration.id)
    assert declared is not None
    if set(declared.merchants) != set(declaration.merchants):
        raise DeclaredOtherwise(f"exemption {declaration.id} was declared with other merchants")
    _compare("exemption", declared, declaration)
    return declared


async def exemption(connection: Connection, exemption_id: str) -> Exemption | None:
    """The exemption with this id, or None where there is none."""
    row = await connection.fetchrow(
        """
        SELECT id, reason, merchants, starts_at, ends_at, declared_by, declared_at
        FROM declarations.exemptions WHERE id = $1
        """,
        exemption_id,
    )
    return Exemption.model_validate({**row, "declared_by": officer(row["declared_by"])}) if row else None


async def all_exemptions(connection: Connection) -> tuple[Exemption, ...]:
    """All that were ever declared."""
    rows = await connection.fetch(
        """
        SELECT id, reason, merchants, starts_at, ends_at, declared_by, declared_at
        FROM declarations.exemptions ORDER BY id
        """
    )
    return tuple(Exemption.model_validate({**row, "declared_by": officer(row["declared_by"])}) for row in rows)


async def _lock(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY_LOCK)


def _compare(what: str, declared: PauseWindow | Exemption, declaration: DeclarePause | DeclareExemption) -> None:
    pairs = {
        "reason": (declared.reason, declaration.reason),
        "starts_at": (declared.starts_at, declaration.starts_at),
        "ends_at": (declared.ends_at, declaration.ends_at),
        "by": (declared.declared_by, declaration.by),
    }
    for name, (was, now) in pairs.items():
        if was != now:
            raise DeclaredOtherwise(f"{what} {declaration.id} was declared with another {name}")


def _window(row: asyncpg.Record | None) -> PauseWindow | None:
    if row is None:
        return None
    actors = {name: officer(row[name]) if row[name] else None for name in ("declared_by", "lifted_by")}
    return PauseWindow.model_validate({**row, **actors})

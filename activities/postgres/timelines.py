"""How a case went through its stages: read from the case log, in which each line says where the case stood after it."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from activities.postgres.connection import Connection
from workflows.messages.actors import Actor
from workflows.messages.stages import StageName


class Stay(BaseModel):
    """A case's time in one stage, from the step that brought it there to the one that took it away. Moments are UTC."""

    model_config = ConfigDict(frozen=True)

    stage: StageName
    since: datetime
    until: datetime | None
    """When it left; None where it stands now."""
    event: str
    """The line of the log that brought it here, by whom, and under which rule."""
    by: Actor
    rule: str
    due: datetime | None
    """The stage's deadline as it was last worked out; None where there is none."""


async def timeline_of(connection: Connection, case_id: str) -> list[Stay]:
    """The stages of a case, the first one first; empty for one that has not been written down."""
    # Of a step the last line: those that had waited to be written come before the one that moved the case.
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (log.step) log.stage, log.event, log.actor_role, log.actor_id, log.rule, log.at,
               (CASE log.step WHEN 0 THEN cases.opened ELSE cases.stepped -> log.step::text END
                   -> 'due' ->> 'at')::timestamptz AS due
        FROM casebook.whole_log AS log JOIN casebook.whole_case AS cases USING (case_id)
        WHERE case_id = $1 AND log.stage IS NOT NULL ORDER BY log.step, position DESC
        """,
        case_id,
    )
    stays: list[Stay] = []
    for row in rows:
        if stays and stays[-1].stage == row["stage"]:
            stays[-1] = stays[-1].model_copy(update={"due": row["due"]})
            continue
        if stays:
            stays[-1] = stays[-1].model_copy(update={"until": row["at"]})
        stays.append(
            Stay(
                stage=row["stage"],
                since=row["at"],
                until=None,
                event=row["event"],
                by=Actor(role=row["actor_role"], id=row["actor_id"]),
                rule=row["rule"],
                due=row["due"],
            )
        )
    return stays

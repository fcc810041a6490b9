"""All that there is about a case and between its parties, for the officer who rules (D8, R10)."""

from typing import Final

import asyncpg

from activities.postgres import case_rows, evidence, flags, threads
from activities.postgres.connection import Connection
from activities.postgres.person_keys import PersonKeys
from workflows.messages.applications import ApplicationVersion
from workflows.messages.dossiers import CaseCount, Dossier, OtherCase
from workflows.messages.reading import read_own
from workflows.messages.stages import CaseKind
from workflows.messages.statements import GivenEvidence
from workflows.messages.words import shown_as_written

MOST_EARLIER: Final = 20
"""Cases of the same two that are named one by one; the counts have all of them."""

_OTHER: Final = "case_id, kind, stage, outcome, order_no, asked, refunded, currency, opened_at"


async def dossier(connection: Connection, keys: PersonKeys, case_id: str) -> Dossier | None:
    """The dossier of a case; None where there is no such case."""
    row = await connection.fetchrow(
        """
        SELECT kind, merchant_id, buyer_id, coalesce(order_no, allowance_id) AS subject, about, application
        FROM casebook.cases WHERE case_id = $1
        """,
        case_id,
    )
    if row is None:
        return None
    merchant_id, subject = row["merchant_id"], row["subject"]
    matter = row["about"] or case_id
    applied = await connection.fetchval("SELECT application FROM casebook.cases WHERE case_id = $1", matter)
    these = [case_id, matter]
    between = "merchant_id = $2 AND buyer_id = $3 AND case_id <> ALL($1)"
    whose = (these, merchant_id, row["buyer_id"])
    counts = await connection.fetch(
        f"SELECT kind, outcome, count(*) AS cases FROM casebook.cases WHERE {between} GROUP BY 1, 2 ORDER BY 1, 2",  # noqa: S608
        *whose,
    )
    earlier = await connection.fetch(
        f"SELECT {_OTHER} FROM casebook.cases WHERE {between} ORDER BY opened_at DESC, case_id LIMIT {MOST_EARLIER}",  # noqa: S608
        *whose,
    )
    on_order = await connection.fetch(
        f"""
        SELECT {_OTHER} FROM casebook.cases
        WHERE (order_no = $2 OR allowance_id = $2) AND case_id <> ALL($1) ORDER BY opened_at, case_id
        """,  # noqa: S608
        these,
        subject,
    )
    given = _shown(await evidence.evidence_of(connection, case_id))
    about = [each for each in (row["about"], case_id) if each]
    said = [item for each in about for item in await threads.thread_of(connection, each)]
    disputes = row["kind"] == CaseKind.DISPUTE
    with shown_as_written():
        return Dossier(
            case_id=case_id,
            about=row["about"],
            claimed=_version(row["application"]),
            applied=_version(applied),
            rejections=tuple(each for each in await case_rows.log_of(connection, matter) if each.event == "rejected"),
            thread=tuple(said),
            evidence=_shown(await evidence.evidence_of(connection, row["about"]))
            if row["about"]
            else ()
            if disputes
            else given,
            evidence_in_dispute=given if disputes else (),
            counts=tuple(CaseCount.model_validate(dict(each)) for each in counts),
            earlier=_others(earlier),
            on_order=_others(on_order),
            flag=await flags.flag_of(connection, merchant_id, subject),
            remarks=await flags.remarks_of(connection, keys, None, subject),
        )


def _shown(given: tuple[GivenEvidence, ...]) -> tuple[GivenEvidence, ...]:
    """Without what stands in the thread."""
    return tuple(each for each in given if each.event not in threads.THREAD - {"proposal_accepted"})


def _version(written: object) -> ApplicationVersion | None:
    return read_own(ApplicationVersion, written) if written else None


def _others(rows: list[asyncpg.Record]) -> tuple[OtherCase, ...]:
    return tuple(OtherCase.model_validate(dict(each)) for each in rows)

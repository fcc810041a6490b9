"""All that there is about a case and between its parties, for the officer who rules (D8, R10)."""

from typing import Final

import asyncpg

from activities.postgres import case_rows, evidence, flags, threads
from activities.postgres.connection import Connection
from activities.postgres.person_keys import PersonKeys
from workflows.messages.applications import ApplicationVersion
from workflows.messages.dossiers import CaseCount, Dossier, OtherCase
from workflows.messages.policy import Policy
from workflows.messages.proposals import Talk
from workflows.messages.reading import read_own
from workflows.messages.reasons import Reason
from workflows.messages.stages import CaseKind
from workflows.messages.statements import GivenEvidence
from workflows.messages.words import shown_as_written
from workflows.rules.reasons import reason_of

MOST_EARLIER: Final = 20
"""Cases of the same two that are named one by one; the counts have all of them."""

_OTHER: Final = "case_id, kind, stage, outcome, order_no, asked, refunded, currency, opened_at"


async def dossier(connection: Connection, keys: PersonKeys, case_id: str) -> Dossier | None:
    """The dossier of a case; None where there is no such case."""
    row = await connection.fetchrow(
        """
        SELECT kind, merchant_id, buyer_id, coalesce(order_no, allowance_id) AS subject, about, application, currency
        FROM casebook.every_case WHERE case_id = $1
        """,
        case_id,
    )
    if row is None:
        return None
    merchant_id, subject = row["merchant_id"], row["subject"]
    matter = row["about"] or case_id
    matters = await connection.fetch(
        "SELECT case_id, application, talk FROM casebook.every_case WHERE case_id = ANY ($1)", [matter, case_id]
    )
    of_case = {each["case_id"]: each for each in matters}
    applied = of_case[matter]["application"] if matter in of_case else None
    policies = await case_rows.policies_of(connection, matter)
    newest = max(policies, key=lambda each: each.version, default=None)
    these = [case_id, matter]
    between = "merchant_id = $2 AND buyer_id = $3 AND case_id <> ALL($1)"
    whose = (these, merchant_id, row["buyer_id"])
    counts = await connection.fetch(
        f"SELECT kind, outcome, count(*) AS cases FROM casebook.every_case WHERE {between} GROUP BY 1, 2 ORDER BY 1, 2",  # noqa: S608
        *whose,
    )
    earlier = await connection.fetch(
        f"""
        SELECT {_OTHER} FROM casebook.every_case WHERE {between} ORDER BY opened_at DESC, case_id LIMIT {MOST_EARLIER}
        """,  # noqa: S608
        *whose,
    )
    on_order = await connection.fetch(
        f"""
        SELECT {_OTHER} FROM casebook.every_case
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
            currency=row["currency"],
            time_zone=newest.time_zone if newest else None,
            claimed=_version(row["application"]),
            applied=_version(applied),
            reason=_reason(applied, newest),
            proposals=tuple(
                proposal
                for each in dict.fromkeys([matter, case_id])
                if each in of_case and of_case[each]["talk"]
                for proposal in read_own(Talk, of_case[each]["talk"]).proposals
            ),
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
            remarks=await flags.remarks_of(connection, keys, None, case_id),
        )


def _shown(given: tuple[GivenEvidence, ...]) -> tuple[GivenEvidence, ...]:
    """Without what stands in the thread."""
    return tuple(each for each in given if each.event not in threads.THREAD - {"proposal_accepted"})


def _version(written: object) -> ApplicationVersion | None:
    return read_own(ApplicationVersion, written) if written else None


def _reason(written: object, policy: Policy | None) -> Reason | None:
    applied = _version(written)
    return reason_of(applied.reason, policy) if applied and policy else None


def _others(rows: list[asyncpg.Record]) -> tuple[OtherCase, ...]:
    return tuple(OtherCase.model_validate(dict(each)) for each in rows)

"""What a story came to: of each case its outcome, view, log and row, and the books; as plain values to be compared.

What the servers came to is kept beside the histories (``tests/histories/ends``), with the moment at which the story
began.
"""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from starter.client import Case
from starter.interpreter.book import CaseRow
from starter.interpreter.interpreter import Interpreter
from tests.replay import recorded
from tests.replay.registry import Handle, quiet
from tests.workflow.world import World
from workflows.messages.cases import LogEntry, Outcome

Ends = dict[str, Any]

FOLDER: Final = recorded.FOLDER / "ends"
SLOW: Final = timedelta(minutes=5)
"""How much later something may have happened on servers, which take their time, than in memory, where nothing does."""

_MOMENT: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d")
_KEY: Final = re.compile(r"^command-[0-9a-f]{16}$")
_WITH_MOMENTS: Final = re.compile(r"^(goods_.*|deadline_set|rejected|became_return|shipment_proved|paid_manually)$")
"""Lines whose commands have moments in them, so that their digests differ."""


def file_of(name: str) -> Path:
    """Where it is kept what the path of this name came to."""
    return FOLDER / f"{name}.json"


def write(name: str, ends: Ends) -> None:
    """Keep what a path came to on servers."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file_of(name).write_text(f"{json.dumps(ends, indent=1, ensure_ascii=False)}\n", encoding="utf-8")


def read(name: str) -> Ends:
    """What a path came to on servers."""
    return json.loads(file_of(name).read_text(encoding="utf-8"))


def differences(on_servers: Any, in_memory: Any, where: str = "") -> list[str]:
    """Where two ends differ: moments by more than servers need, all else by anything.

    Nothing is said of digests of commands that have moments in them, nor of keys that are made of digests.
    """
    if isinstance(on_servers, dict) and isinstance(in_memory, dict):
        on_servers, in_memory = cast("Ends", on_servers), cast("Ends", in_memory)
        # A field that has been added since the recording is not in it.
        names = [*on_servers] if where.count("/") > 1 else [*dict.fromkeys((*on_servers, *in_memory))]
        if _WITH_MOMENTS.match(str(on_servers.get("event"))):
            names.remove("command_digest")
        return [
            each for name in names for each in differences(on_servers.get(name), in_memory.get(name), f"{where}/{name}")
        ]
    if isinstance(on_servers, list) and isinstance(in_memory, list):
        on_servers, in_memory = cast("list[Any]", on_servers), cast("list[Any]", in_memory)
        if len(on_servers) != len(in_memory):
            return [f"{where}: {len(on_servers)} on servers, {len(in_memory)} in memory"]
        pairs = enumerate(zip(on_servers, in_memory, strict=True))
        return [each for at, (one, other) in pairs for each in differences(one, other, f"{where}/{at}")]
    if isinstance(on_servers, str) and isinstance(in_memory, str):
        if _MOMENT.match(on_servers) and _MOMENT.match(in_memory):
            apart = datetime.fromisoformat(on_servers) - datetime.fromisoformat(in_memory)
            return [] if abs(apart) <= SLOW else [f"{where}: {on_servers} on servers, {in_memory} in memory"]
        if _KEY.match(on_servers) and _KEY.match(in_memory):
            return []
    return [] if on_servers == in_memory else [f"{where}: {on_servers!r} on servers, {in_memory!r} in memory"]


# On servers ----------------------------------------------------------------------------------------------


async def on_servers(world: World, handle: Handle, began: datetime) -> Ends:
    """What a path came to that was walked in ``world``; ``handle`` is what it has given back."""
    cases: dict[str, Any] = {}
    rows = await world.pool.fetch("SELECT * FROM casebook.cases WHERE merchant_id = $1", world.merchant)
    for row in rows:
        case = world.aftersales.case(row["case_id"])
        await quiet(case)
        outcome = await case.outcome() if row["closed_at"] else None
        cases[case.id] = {
            **await _case(case, outcome),
            "kind": row["kind"],
            "work_list": row["work_list"],
            "asked": row["asked"],
            "due": _moment(row["due_at"]),
            "policy": row["policy"],
            "pieces": row["pieces"],
            "return_freight": row["return_freight"],
            "notices": _sorted(
                [
                    [each["template"], each["recipient_role"], each["recipient_id"], json.loads(each["fields"])]
                    for each in await world.pool.fetch(
                        """
                        SELECT DISTINCT ON (step, template, recipient_role, recipient_id)
                               template, recipient_role, recipient_id, fields::text
                        FROM notices.outbox WHERE case_id = $1
                        """,
                        case.id,
                    )
                ]
            ),
            "evidence": [
                list(each)
                for each in await world.pool.fetch(
                    """
                    SELECT key, party, final, late, adds, event FROM disputes.evidence WHERE case_id = $1 ORDER BY seq
                    """,
                    case.id,
                )
            ],
        }
    if handle.id not in cases and not handle.id.startswith("late-callback/"):  # nothing was opened
        outcome = await world.aftersales.temporal.get_workflow_handle(handle.id, result_type=Outcome).result()
        cases[handle.id] = {"outcome": outcome.model_dump(mode="json")}
    return {"began": began.isoformat(), "cases": dict(sorted(cases.items())), "books": await _books(world)}


async def _case(case: Case, outcome: Outcome | None) -> dict[str, Any]:
    return {
        "outcome": outcome.model_dump(mode="json") if outcome else None,
        "view": (await case.view()).model_dump(mode="json"),
        "log": [each.model_dump(mode="json") for each in await case.log()],
    }


async def _books(world: World) -> dict[str, Any]:
    pool = world.pool
    legs = await pool.fetch("SELECT * FROM ledger.legs WHERE merchant_id = $1 ORDER BY refund_no", world.merchant)
    return {
        "legs": [
            [
                *(leg[name] for name in ("refund_no", "case_id", "fund", "amount", "currency", "state")),
                *(leg[name] for name in ("tender", "payer", "paid_by", "failure")),
                _moment(leg["settled_at"]),
                leg["retired_at"] is not None,
                [
                    [part["part"], part["amount"]]
                    for part in await pool.fetch(
                        "SELECT part, amount FROM ledger.leg_parts WHERE refund_no = $1 ORDER BY part", leg["refund_no"]
                    )
                ],
                [
                    [event["says"], event["source"], _moment(event["at"]), _moment(event["as_of"]), event["proof"]]
                    for event in await pool.fetch(
                        "SELECT * FROM ledger.leg_events WHERE refund_no = $1 ORDER BY seq", leg["refund_no"]
                    )
                ],
            ]
            for leg in legs
        ],
        "alerts": [
            list(each)
            for each in await pool.fetch(
                "SELECT kind, refund_no, evidence FROM ledger.alerts WHERE refund_no = ANY ($1) ORDER BY id",
                [leg["refund_no"] for leg in legs],
            )
        ],
        "gateway": [
            list(each)
            for each in await pool.fetch(
                """
                SELECT refund_no, amount, result, attempts, failure FROM gateway.refunds
                WHERE merchant_id = $1 ORDER BY refund_no
                """,
                world.merchant,
            )
        ],
        "allowances": [
            list(each)
            for each in await pool.fetch(
                """
                SELECT allowance_id, frozen_by, validity_ended_at IS NOT NULL, voided_at IS NOT NULL
                FROM shop.allowances WHERE merchant_id = $1 ORDER BY allowance_id
                """,
                world.merchant,
            )
        ],
        "scores": [
            list(each)
            for each in await pool.fetch(
                "SELECT case_id, cause, points FROM shop.score_changes WHERE merchant_id = $1 ORDER BY case_id, cause",
                world.merchant,
            )
        ],
    }


# In memory -----------------------------------------------------------------------------------------------


def in_memory(interpreter: Interpreter, began: datetime) -> Ends:
    """The same of a story that was told to the interpreter."""
    cases = {case: _in_memory(interpreter, case) for case in sorted(interpreter.cases())}
    return {"began": began.isoformat(), "cases": cases, "books": _books_in_memory(interpreter)}


def _in_memory(interpreter: Interpreter, case: str) -> dict[str, Any]:
    outcome, row = interpreter.outcome(case), interpreter.book.cases.get(case)
    ended = outcome.model_dump(mode="json") if outcome else None
    if row is None:
        return {"outcome": ended}
    return {
        "outcome": ended,
        "view": interpreter.view(case).model_dump(mode="json"),
        "log": [_entry(each) for each in interpreter.log(case)],
        "kind": row.kind,
        "work_list": row.work_list,
        "asked": row.asked,
        "due": _moment(row.due),
        "policy": f"{row.policies[-1].name}/{row.policies[-1].version}",
        "pieces": row.pieces.model_dump(mode="json") if row.pieces else None,
        "return_freight": row.return_freight,
        "notices": _sorted([[each.template, each.to.role, each.to.id, each.fields] for each in row.notices]),
        "evidence": _evidence(row),
    }


def _entry(entry: LogEntry) -> dict[str, Any]:
    return entry.model_dump(mode="json")


def _evidence(row: CaseRow) -> list[list[Any]]:
    return [[each.key, each.by.role, each.final, each.late, each.adds, each.event] for each in row.evidence]


def _books_in_memory(interpreter: Interpreter) -> dict[str, Any]:
    legs = sorted(
        (leg for fund in interpreter.ledger.funds.values() for leg in fund.legs.values()),
        key=lambda each: each.leg.refund_no,
    )
    return {
        "legs": [
            [
                each.leg.refund_no,
                each.payout.case_id,
                each.payout.fund,
                each.leg.amount,
                each.payout.currency,
                each.standing.state,
                each.leg.tender,
                each.payout.payer,
                each.standing.paid_by,
                each.standing.failure,
                _moment(each.standing.settled_at),
                each.retired_at is not None,
                sorted([part.name, part.amount] for part in each.leg.parts),
                [
                    [event.says, event.source, _moment(event.at), _moment(event.as_of), event.proof]
                    for event in each.events
                ],
            ]
            for each in legs
        ],
        "alerts": [[each.kind, each.refund_no, each.evidence] for each in interpreter.ledger.alerts],
        "gateway": [
            [number, each.instruction.amount, each.result, each.attempts, each.failure]
            for number, each in sorted(interpreter.gateway.refunds.items())
        ],
        "allowances": [
            [name, each.frozen_by, each.validity_ended_at is not None, each.voided_at is not None]
            for name, each in sorted(interpreter.shop.accounts.items())
        ],
        "scores": sorted(
            [row.case_id, each.cause, each.points] for row in interpreter.book.cases.values() for each in row.charges
        ),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _sorted(notices: list[list[Any]]) -> list[list[Any]]:
    return sorted(notices, key=lambda each: [str(part) for part in each[:3]])

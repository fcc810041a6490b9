"""Names and rules for programs: workflows, ids, commands by stage and role, search attributes, refusals."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from starter.contract import docstrings, refusals
from starter.contract.workflows import OPENS_AT, STARTED_BY_CASES, Contract, Taken
from workflows.kinds.admission import FACTS, Accepts, accepted
from workflows.kinds.kind import PROCESSES
from workflows.kinds.stage import STAGES
from workflows.messages import search_attributes


def names(contracts: tuple[Contract, ...]) -> dict[str, Any]:
    """What ``workflows.json`` holds. Types are references into ``messages.schema.json``."""
    return {
        "workflows": {each.name: _workflow(each) for each in contracts},
        "stages": {
            name: {
                "title": stage.title,
                "rule": stage.rule,
                "waits_for": stage.waits_for,
                "on_silence": stage.silence,
                "no_deadline_because": stage.no_deadline,
                "commands": roles(accepted(stage)),
            }
            for name, stage in STAGES.items()
        },
        "facts": roles(FACTS),
        "kinds": {kind: [stage.name for stage in process.table] for kind, process in PROCESSES.items()},
        "search_attributes": attributes(),
        "refusals": {
            code: {"error_type": f"Refused.{code}", "fields": sorted(each.fields), "rules": sorted(each.rules)}
            for code, each in refusals.codes().items()
        },
    }


def roles(accepts: Accepts) -> dict[str, list[str]]:
    """Commands by name, and from whom they are taken."""
    return {kind.command_name(): sorted(roles) for kind, roles in accepts.items()}


def attributes() -> dict[str, dict[str, str]]:
    """Each search attribute with its type and what it holds."""
    texts = docstrings.of_constants(search_attributes)
    said = {value.name: texts.get(name, "") for name, value in vars(search_attributes).items() if name in texts}
    return {
        name: {"type": kind, "description": said.get(name, "")}
        for name, kind in search_attributes.declarations().items()
    }


def _workflow(contract: Contract) -> dict[str, Any]:
    return {
        "description": contract.summary,
        "started_by": "cases" if contract.name in STARTED_BY_CASES else "services",
        "start_delayed_until": OPENS_AT.get(contract.name),
        "ids": [{"pattern": pattern, "when": when} for pattern, when in contract.ids.items()],
        "request": _type(contract.request),
        "result": _type(contract.result),
        "updates": _all(contract.updates),
        "signals": _all(contract.signals),
        "queries": _all(contract.queries),
    }


def _all(taken: Mapping[str, Taken]) -> dict[str, dict[str, str | None]]:
    return {name: {"takes": _type(each.takes), "gives": _type(each.gives)} for name, each in taken.items()}


def _type(message: type[BaseModel] | None) -> str | None:
    return f"messages.schema.json#/$defs/{message.__name__}" if message else None

"""The versions of what a case asks for: the request is the first, each amendment the next (R10)."""

from datetime import datetime

from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import LogEntry
from workflows.messages.evidence import Evidence
from workflows.messages.requests import Application, Request, opener
from workflows.rules.evidence import evidence_facts
from workflows.rules.stages import OPENING


def version_of(application: Application, number: int, at: datetime) -> ApplicationVersion:
    """``application`` as the ``number``th version, applied for at ``at``. Accounts stay out of it (T4)."""
    evidence: tuple[Evidence, ...] = getattr(application, "evidence", ())
    return ApplicationVersion(
        version=number,
        lines=application.lines,
        freight=application.freight,
        reason=application.reason,
        route=application.method.route,
        evidence=evidence,
        at=at,
    )


def version_facts(version: ApplicationVersion) -> dict[str, str | int]:
    """A version for the case log: the number, the amount in all, and what it is made of, in minor units.

    ``lines`` has line, pieces and amount of each: ``1:2:5900 3:1:1200``.
    """
    freight = {"freight": version.freight} if version.freight else {}
    return {
        "version": version.version,
        "amount": version.amount,
        "lines": " ".join(f"{each.line}:{each.quantity}:{each.amount}" for each in version.lines),
        **freight,
        "reason": version.reason,
        "method": version.route,
        **evidence_facts(version.evidence),
    }


def opened_entry(request: Request, at: datetime) -> LogEntry:
    """The first line of a case's log, with the first version of what is applied for."""
    facts = version_facts(version_of(request, 1, at)) if isinstance(request, Application) else {}
    return LogEntry(event="opened", by=opener(request), rule=OPENING.rule, at=at, facts=facts)

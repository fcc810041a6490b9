"""The versions of what a case asks for: the request is the first, each amendment the next (R10)."""

from datetime import datetime

from workflows.messages.applications import ApplicationVersion
from workflows.messages.evidence import Evidence
from workflows.messages.requests import Application, DisputeRequest, Request, ReturnRequest
from workflows.rules.evidence import evidence_facts


def version_of(application: Application, at: datetime, before: ApplicationVersion | None = None) -> ApplicationVersion:
    """``application`` as the version after ``before``, applied for at ``at``. Accounts stay out of it (T4).

    What an exchange is to bring is not amended (T8).
    """
    evidence: tuple[Evidence, ...] = getattr(application, "evidence", ())
    wanted = application.replacements if isinstance(application, ReturnRequest) else ()
    return ApplicationVersion(
        version=before.version + 1 if before else 1,
        replacements=before.replacements if before else wanted,
        dispute_reason=application.dispute_reason if isinstance(application, DisputeRequest) else None,
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
    others = " ".join(f"{each.line}:{each.sku}" for each in version.replacements)
    return {
        "version": version.version,
        "amount": version.amount,
        "lines": " ".join(f"{each.line}:{each.quantity}:{each.amount}" for each in version.lines),
        **freight,
        "reason": version.reason,
        "method": version.route,
        **({"replacements": others} if others else {}),
        **({"dispute_reason": version.dispute_reason} if version.dispute_reason else {}),
        **evidence_facts(version.evidence),
    }


def opening_facts(request: Request, at: datetime) -> dict[str, str | int]:
    """The first version of what is applied for, for the first line of the case log."""
    return version_facts(version_of(request, at)) if isinstance(request, Application) else {}

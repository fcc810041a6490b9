"""The versions of what a case asks for: the request is the first, each amendment the next (R10)."""

from datetime import datetime

from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Refusal
from workflows.messages.evidence import Evidence
from workflows.messages.requests import Application, DisputeRequest, Request, ResendRequest, ReturnRequest
from workflows.messages.seen import Seen
from workflows.rules.evidence import evidence_facts
from workflows.rules.refusals import refused


def version_of(
    application: Application,
    at: datetime,
    before: ApplicationVersion | None = None,
    *,
    proposal: int | None = None,
) -> ApplicationVersion:
    """``application`` as the version after ``before``, applied for at ``at``. Accounts stay out of it (T4).

    What an exchange is to bring, and what of the pieces is to be sent, is not amended (T8, C1). ``proposal`` is the one
    by which both sides agreed on it (N3).
    """
    evidence: tuple[Evidence, ...] = getattr(application, "evidence", ())
    wanted = application.replacements if isinstance(application, ReturnRequest) else ()
    parts = application.parts if isinstance(application, ResendRequest) else ()
    return ApplicationVersion.made_of(
        version=before.version + 1 if before else 1,
        replacements=before.replacements if before else wanted,
        parts=before.parts if before else parts,
        dispute_reason=application.dispute_reason if isinstance(application, DisputeRequest) else None,
        lines=application.lines,
        freight=application.freight,
        compensation=application.compensation if isinstance(application, DisputeRequest) else 0,
        reason=application.reason,
        route=application.method.route,
        goods_received=application.goods_received,
        evidence=evidence,
        words=application.words,
        proposal=proposal,
        agreed=(before.agreed if before else 0) + (proposal is not None),
        at=at,
    )


def version_facts(version: ApplicationVersion) -> dict[str, str | int]:
    """A version for the case log: the number, the amount in all, and what it is made of, in minor units.

    ``lines`` has line, pieces and amount of each: ``1:2:5900 3:1:1200``.
    """
    freight = {"freight": version.freight} if version.freight else {}
    others = " ".join(f"{each.line}:{each.sku}" for each in version.replacements)
    parts = " ".join(f"{each.line}:{each.sku}" for each in version.parts)
    return {
        "version": version.version,
        **({"proposal": version.proposal} if version.proposal else {}),
        "amount": version.amount,
        "lines": " ".join(f"{each.line}:{each.quantity}:{each.amount}" for each in version.lines),
        **freight,
        **({"compensation": version.compensation} if version.compensation else {}),
        "reason": version.reason,
        "method": version.route,
        **({"goods_received": str(version.goods_received).lower()} if version.goods_received is not None else {}),
        **({"replacements": others} if others else {}),
        **({"parts": parts} if parts else {}),
        **({"dispute_reason": version.dispute_reason} if version.dispute_reason else {}),
        **({"words": version.words} if version.words else {}),
        **evidence_facts(version.evidence),
    }


def opening_facts(request: Request, at: datetime) -> dict[str, str | int]:
    """The first version of what is applied for, for the first line of the case log."""
    return version_facts(version_of(request, at)) if isinstance(request, Application) else {}


def refused_words(field: str = "words") -> Refusal:
    """The text that a command or request names is not there, or somebody else's, or about another case (R10)."""
    return refused("unknown_statement", field, "R10", "you have written no such text about this case")


def refused_unseen(expects: Seen | None, version: int, amount: int, *, required: bool) -> Refusal | None:
    """Why a decision is not carried out that was made on something else than what is asked for now, or None (R11).

    ``version`` and ``amount``, in minor units, are the case's as it stands; ``required`` says whether its profile
    demands that a decision names what was seen.
    """
    if expects is None:
        missing = "the profile demands that a decision names the version and the amount that were seen"
        return refused("expectation_missing", "expects", "R11", missing) if required else None
    if expects.version != version:
        explanation = f"the application is at version {version} now, not at {expects.version}"
        return refused("application_changed", "expects.version", "R11", explanation)
    if expects.amount != amount:
        explanation = f"version {version} asks for {amount} minor units, not for {expects.amount}"
        return refused("application_changed", "expects.amount", "R11", explanation)
    return None

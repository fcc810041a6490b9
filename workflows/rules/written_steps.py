"""What a step says that only the book knows when it is written: which address was chosen, when the clock ends."""

from typing import Final

from workflows.messages.addresses import ReturnAddress
from workflows.messages.cases import Due, Notice, NoticeTemplate, Step

_DATED: Final = frozenset(
    {NoticeTemplate.REQUEST_AMENDED, NoticeTemplate.EVIDENCE_DEMANDED, NoticeTemplate.STAGE_CHANGED}
)


def addressed(step: Step, address: ReturnAddress) -> Step:
    """T2: the log and the notice name the address that was chosen."""
    facts: dict[str, str | int] = {"address": address.address_id, "address_version": address.version}
    *before, entry = step.entries
    return step.model_copy(
        update={
            "entries": (*before, entry.model_copy(update={"facts": {**entry.facts, **facts}})),
            "notices": tuple(
                notice.model_copy(update={"fields": {**notice.fields, "address": address.address_id}})
                if notice.template is NoticeTemplate.RETURN_AGREED
                else notice
                for notice in step.notices
            ),
        }
    )


def dated(notices: tuple[Notice, ...], ends: Due | None) -> tuple[Notice, ...]:
    """R12, D4, N6: who is told of a new clock is told when it ends, which is not known before."""
    if ends is None:
        return notices
    due = {"due": ends.at.isoformat()}
    return tuple(
        notice.model_copy(update={"fields": {**notice.fields, **due}}) if notice.template in _DATED else notice
        for notice in notices
    )

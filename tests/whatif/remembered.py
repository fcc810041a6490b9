"""What a case book would have of cases that were carried in memory, as `activities.postgres.past_cases` reads it."""

from typing import Any

from activities.postgres.past_cases import PastCase, PastLine, PastParcel, PastStory
from starter.interpreter.book import CaseRow, MemoryBook
from starter.interpreter.interpreter import Interpreter
from workflows.kinds.opening_step import FirstStep
from workflows.messages.cases import LogEntry, NewEntry, Step, StepAnswer, Stepped
from workflows.messages.openings import OpenCase, Opened, OpenedBy


class RememberingBook(MemoryBook):
    """Keeps what the book in PostgreSQL keeps besides: requests, the steps' answers, what commands said."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.requests: dict[str, OpenedBy] = {}
        self.lines: dict[str, list[PastLine]] = {}
        self.answers: dict[str, dict[int, StepAnswer]] = {}

    def write_opening(self, opening: OpenCase, opened: Opened, step: FirstStep) -> CaseRow:
        """See MemoryBook."""
        row = super().write_opening(opening, opened, step)
        self.requests[row.case_id] = OpenedBy(request=opening.request, carried_out_by=opening.carried_out_by)
        self.lines[row.case_id] = [PastLine(_as_read(step.entry), 0, row.stage, None)]
        self.answers[row.case_id] = {}
        return row

    def write_step(self, step: Step) -> Stepped:
        """See MemoryBook."""
        row = self.cases[step.case.case_id]
        before = len(row.log)
        stepped = super().write_step(step)
        for entry in row.log[before:]:
            command = entry.command if isinstance(entry, NewEntry) else None
            self.lines[row.case_id].append(PastLine(_as_read(entry), step.step, step.stage, command))
        if stepped.policy or stepped.address or stepped.standing_order:
            self.answers[row.case_id][step.step] = StepAnswer.model_validate(stepped.model_dump())
        return stepped


def past_of(interpreter: Interpreter) -> list[PastStory]:
    """The stories that have happened in a world with a book that remembers."""
    book, shop = interpreter.book, interpreter.shop
    assert isinstance(book, RememberingBook)
    subjects: dict[str, list[CaseRow]] = {}
    for row in sorted(book.cases.values(), key=lambda row: (row.opened_at, row.case_id)):
        subjects.setdefault(str(row.order_no or row.allowance_id), []).append(row)
    found: list[PastStory] = []
    for subject, rows in subjects.items():
        ids = {row.case_id for row in rows}
        found.append(
            PastStory(
                subject=subject,
                cases=tuple(_case(book, row) for row in rows),
                legs={
                    booked.leg.refund_no: booked.events
                    for row in rows
                    for booked in interpreter.ledger.booked_of(row.case_id)
                },
                parcels=tuple(
                    PastParcel(
                        watch.parcel,
                        watch.purpose,
                        watch.case_id,
                        tuple((event.happened_at, event) for event in shop.history(watch.parcel)),
                    )
                    for watch in shop.watches
                    if watch.case_id in ids or watch.order_no == subject
                ),
            )
        )
    return found


def _case(book: RememberingBook, row: CaseRow) -> PastCase:
    return PastCase(
        case_id=row.case_id,
        kind=row.kind,
        merchant_id=row.merchant_id,
        currency=row.opened.asked.currency if row.opened.asked else "CNY",
        request=book.requests[row.case_id],
        opened=row.opened,
        opened_at=row.opened_at,
        stage=row.stage,
        outcome=row.outcome,
        refunded=row.refunded,
        compensated=row.compensated,
        closed_at=row.closed_at,
        answers=book.answers[row.case_id],
        lines=tuple(book.lines[row.case_id]),
    )


def _as_read(entry: LogEntry) -> LogEntry:
    return LogEntry.model_validate(entry.model_dump())

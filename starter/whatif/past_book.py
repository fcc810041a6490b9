"""The case book of a story that is told again: what standing orders decided it takes from the record (G4, G7)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from activities.postgres.past_cases import PastStory
from starter.interpreter.book import CaseRow, MemoryBook
from starter.interpreter.ledger import Ledger
from starter.interpreter.shop import Shop
from workflows.kinds.opening_step import FirstStep
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Step, Stepped
from workflows.messages.message import CaseId
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.policy import Policy
from workflows.messages.stages import StageName
from workflows.messages.standing_orders import ByStandingOrder
from workflows.rules.standing_orders import may_still_decide


class PastBook(MemoryBook):
    """Takes from the record what a merchant's standing orders have decided: what they count is not in one story."""

    decided: Mapping[tuple[CaseId, int], ByStandingOrder]

    def __init__(self, shop: Shop, ledger: Ledger, policy_now: Callable[[str], Policy | None]) -> None:
        """As the book that it is."""
        super().__init__(shop, ledger, policy_now)
        self.been: dict[CaseId, set[StageName]] = {}
        """The stages in which each case has been so far."""

    def write_opening(self, opening: OpenCase, opened: Opened, step: FirstStep) -> CaseRow:
        """See MemoryBook."""
        row = super().write_opening(opening, opened, step)
        self.been[row.case_id] = {row.stage}
        return row

    def write_step(self, step: Step) -> Stepped:
        """See MemoryBook."""
        stepped = super().write_step(step)
        if stepped.written and not stepped.refusal:
            self.been[step.case.case_id].add(step.stage)
        return stepped

    def by_standing_order(
        self, row: CaseRow, policy: Policy, version: ApplicationVersion, at: datetime
    ) -> ByStandingOrder | None:
        """See MemoryBook."""
        del at
        by = self.decided.get((row.case_id, version.version))
        return by if by and may_still_decide(by, policy, row.kind, version) else None


def standing_orders(story: PastStory) -> Iterator[tuple[tuple[CaseId, int], ByStandingOrder]]:
    """What standing orders have decided, by case and version of the application (G4)."""
    for case in story.cases:
        if by := case.opened.standing_order:
            yield (case.case_id, 1), by
        for line in case.lines:
            answer, version = case.answers.get(line.step), line.entry.facts.get("version")
            if answer and answer.standing_order and isinstance(version, int):
                yield (case.case_id, version), answer.standing_order

"""Walking a path and counting what it cost, alone on its servers."""

from collections import Counter
from dataclasses import dataclass

from temporalio.client import WorkflowHistory

from tests.costs.counting import Action, Cost, cost
from tests.replay.ground import Ground
from tests.replay.registry import Path, merchant_of


@dataclass(frozen=True)
class Walked:
    """What a path has cost."""

    path: Path
    cost: Cost
    """Of the workflow that the path is about."""
    billed: Counter[Action]
    """Of all workflows that were needed to walk it."""

    @property
    def in_metric(self) -> Counter[Action]:
        """The same without the start of a virtual number, which comes with an update: the metric leaves it out."""
        return self.billed - Counter({Action.START: 1 if self.path.rule == "P3" else 0})


async def walk(ground: Ground, path: Path, *, again: bool = False) -> Walked:
    """Walk ``path`` to its end, and count; ``again`` with another merchant, since the first one's orders are used."""
    merchant = merchant_of(path.name) + ("-2" if again else "")
    about = await path.walk(ground.world(merchant))
    cases = await ground.pool.fetch("SELECT case_id FROM casebook.cases WHERE merchant_id = $1", merchant)
    histories: dict[str, WorkflowHistory] = {}
    for name in {about.id, *(row["case_id"] for row in cases)}:
        histories[name] = await ground.skipper.client.get_workflow_handle(name).fetch_history()
    billed: Counter[Action] = Counter()
    for history in histories.values():
        billed.update(cost(history).billed)
    return Walked(path, cost(histories[about.id]), billed)

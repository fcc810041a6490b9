"""The stories of the model (tests/proofs) on real servers, through the public client, with time skipping.

``make proofs`` tells more of them: ``PROOFS_STORIES`` says how many of each setting.
"""

import os
import random
from collections.abc import Callable

import pytest

from tests.proofs.moves import SETTINGS
from tests.proofs.walking import walk
from tests.workflow.world import World

STORIES = int(os.environ.get("PROOFS_STORIES", "1"))
SEED = os.environ.get("PROOFS_SEED", "1")


@pytest.mark.parametrize("number", range(STORIES))
@pytest.mark.parametrize("name", sorted(SETTINGS))
async def test_cases_on_servers_go_as_the_model_says(
    served_world: World, name: str, number: int, record_property: Callable[[str, object], None]
) -> None:
    telling = await walk(served_world, name, random.Random(f"{SEED}/{name}/{number}"), longest=10)

    record_property("commands", telling.commands)

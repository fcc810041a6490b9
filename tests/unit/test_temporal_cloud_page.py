"""What docs/temporal-cloud.md has operators type is what the code needs."""

import re
from pathlib import Path

from workflows.messages.search_attributes import declarations

PAGE = Path(__file__).parents[2] / "docs" / "temporal-cloud.md"


def test_the_page_adds_every_search_attribute_with_its_type() -> None:
    assert dict(re.findall(r"--search-attribute (\w+)=(\w+)", PAGE.read_text())) == declarations()

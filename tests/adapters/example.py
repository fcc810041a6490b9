"""The example of the page on adapters, as an adopter would copy it."""

import re
import sys
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"


def source() -> str:
    """The adapter's module, as it stands on the page."""
    (found,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        if "class AcmeRefunds" in block
    ]
    return found


def imported() -> ModuleType:
    """That module, imported from nowhere."""
    module = ModuleType("acme_refunds")
    sys.modules[module.__name__] = module
    exec(compile(source(), "docs/adapters.md", "exec"), module.__dict__)
    return module

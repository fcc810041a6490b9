"""One reading for both Chinese scripts: rules about words hold in traditional characters as in simplified ones."""

from functools import cache
from importlib import resources


def in_simplified(text: str) -> str:
    """The text with each traditional character in its simplified form; it has as many characters as before.

    It is for comparing, not for showing: several traditional characters may share one simplified form. Lists of words
    that it is compared with have simplified characters only.
    """
    return text.translate(_simplified_forms())


@cache
def _simplified_forms() -> dict[int, str]:
    file = resources.files("workflows.rules").joinpath("traditional_characters.txt")
    lines = file.read_text(encoding="utf-8").splitlines()
    return {ord(pair[0]): pair[1] for line in lines if not line.startswith("#") for pair in line.split()}

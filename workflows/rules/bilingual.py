"""Chinese and English side by side: which of the two operators see (section 12).

Whatever people read is written once as ``中文 · English``; the language in force picks a half, or shows both.
"""

from enum import StrEnum

SEPARATOR = " · "


class Language(StrEnum):
    """What operators read."""

    ZH = "zh"
    EN = "en"
    BOTH = "both"


_in_force = Language.BOTH


def speak(language: Language) -> None:
    """Set what this process writes for operators.

    A worker sets it once, when it starts. It decides nothing in a workflow: pages are made when somebody looks, and
    summaries are not compared when a history is replayed.
    """
    global _in_force  # noqa: PLW0603 -- one process, one language
    _in_force = language


def in_force() -> Language:
    """What this process writes for operators."""
    return _in_force


def said(text: str, language: Language) -> str:
    """The half of ``中文 · English`` that ``language`` wants; text in one language stays as it is."""
    chinese, separator, english = text.partition(SEPARATOR)
    if not separator or language is Language.BOTH:
        return text
    return chinese if language is Language.ZH else english

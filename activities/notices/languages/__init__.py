"""What people are told, a module for each language."""

from collections.abc import Mapping
from typing import Final

from activities.notices.languages.chinese import CHINESE
from activities.notices.languages.english import ENGLISH
from activities.notices.languages.german import GERMAN
from activities.notices.languages.texts import Texts
from workflows.messages.place import Language

TEXTS: Final[Mapping[Language, Texts]] = {"zh": CHINESE, "en": ENGLISH, "de": GERMAN}

"""The platform's own texts of notices, from a folder.

``<language>/<template>.txt`` is what is said, and for e-mails ``.subject.txt`` and ``.html`` beside it.

Texts name values as ``${amount}``; nothing in them is carried out. They are checked when they are read: a text that
says less than ours does, or names a value that there is not, is refused before anybody is told anything wrong.
"""

import html
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args

from activities.notices.languages import TEXTS
from activities.notices.templates import FIELDS, language_of, render, shown
from workflows.messages.cases import NoticeTemplate
from workflows.messages.place import Language

_ENDINGS: Final = (".subject.txt", ".txt", ".html")
_LONGEST: Final = 100_000


class TextsError(ValueError):
    """A text of the platform's own is wrong. The message names the file, the placeholder and the rule."""


@dataclass(frozen=True)
class Words:
    """A notice in words."""

    language: Language
    text: str
    subject: str
    """One line."""
    html: str | None


class OwnTexts:
    """Texts that stand in the place of the built-in ones, by language, template and ending; the others stay."""

    def __init__(self, texts: Mapping[tuple[str, NoticeTemplate, str], string.Template]) -> None:
        self._texts = texts

    def render(self, template: NoticeTemplate, fields: Mapping[str, str | int], language: Language) -> Words:
        """Put a notice into words: in its own language (G6), or in ``language`` where it has none.

        Raises:
            NotKnownHere, NotRenderable: as in ``templates.render``.
        """
        values, language = shown(template, fields, language), language_of(fields, language)
        text, page = self._texts.get((language, template, ".txt")), self._texts.get((language, template, ".html"))
        subject = self._texts.get((language, template, ".subject.txt"), string.Template(TEXTS[language].e_mail_subject))
        return Words(
            language=language,
            text=text.substitute(values) if text else render(template, fields, language),
            # Within one line: nothing in a value may begin another header.
            subject=" ".join(subject.substitute(values).split()),
            html=page.substitute({name: html.escape(value) for name, value in values.items()}) if page else None,
        )


BUILT_IN: Final = OwnTexts(MappingProxyType({}))


def own_texts(folder: Path) -> OwnTexts:
    """The texts of a folder.

    Raises:
        TextsError: the folder is none, a file has a name that is none of a template, or a text is wrong.
    """
    if not folder.is_dir():
        raise TextsError(f"{folder} is no folder")
    texts: dict[tuple[str, NoticeTemplate, str], string.Template] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and not each.name.startswith(".")):
        language, template, ending = _of_the_name(folder, path)
        texts[language, template, ending] = _checked(path, template, ending)
    return OwnTexts(texts)


def _of_the_name(folder: Path, path: Path) -> tuple[str, NoticeTemplate, str]:
    place = path.relative_to(folder)
    ending = next((each for each in _ENDINGS if place.name.endswith(each)), "")
    try:
        template = NoticeTemplate(place.name.removesuffix(ending))
    except ValueError:
        template = None
    if not ending or template is None or len(place.parts) != 2 or place.parts[0] not in get_args(Language):
        raise TextsError(
            f"{place}: is no text: <language>/<template>.txt, .subject.txt or .html, where language is one of "
            f"{', '.join(get_args(Language))} and template one of {', '.join(NoticeTemplate)}"
        )
    return place.parts[0], template, ending


def _checked(path: Path, template: NoticeTemplate, ending: str) -> string.Template:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise TextsError(f"{path}: cannot be read as UTF-8") from None
    made = string.Template(text)
    if len(text) > _LONGEST or not made.is_valid():
        raise TextsError(f"{path}: a $ stands alone (write $$), or the text is longer than {_LONGEST} characters")
    named, known = set(made.get_identifiers()), set(FIELDS[template].model_fields)
    if unknown := sorted(named - known):
        raise TextsError(f"{path}: ${{{unknown[0]}}}: is none of {', '.join(sorted(known))}")
    if ending != ".subject.txt" and (lacking := sorted(_named_by_ours(template) - named)):
        raise TextsError(f"{path}: ${{{lacking[0]}}}: is missing, and whoever is told must know it (section 10)")
    return made


def _named_by_ours(template: NoticeTemplate) -> set[str]:
    ours = string.Formatter().parse(TEXTS["en"].notices[template])
    return {name for _, name, _, _ in ours if name} - {"time_zone"}

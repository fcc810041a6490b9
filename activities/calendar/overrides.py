"""Our own word on single days, as a file: the built-in one, or one's own."""

import tomllib
from collections import Counter
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

from pydantic import Field, Strict, ValidationError, model_validator

from workflows.messages.message import Code, Input

_Year = Annotated[int, Strict(), Field(ge=1949, le=2999)]
_Day = Annotated[date, Strict()]


class CalendarError(Exception):
    """The overrides cannot be read or contradict themselves; the text names the file and the field or the day."""


class Overrides(Input):
    """Days that are working days, or are not, whatever any other source says."""

    name: Code
    version: Annotated[int, Strict(), Field(ge=1)]
    complete: tuple[_Year, ...] = ()
    """Years of which every day that differs from Monday to Friday stands here."""
    working: tuple[_Day, ...] = ()
    not_working: tuple[_Day, ...] = ()

    @model_validator(mode="after")
    def _one_word_on_each_day(self) -> "Overrides":
        for day, times in Counter((*self.working, *self.not_working)).items():
            if times > 1:
                both = day in self.working and day in self.not_working
                raise ValueError(f"{day} is {'both working and not_working' if both else 'entered twice'}")
        # There is no year without a public holiday: this one was announced and then forgotten.
        if missing := sorted(set(self.complete) - {day.year for day in self.not_working}):
            raise ValueError(f"{missing[0]} is complete, but no day of it is not_working")
        return self

    def works(self, day: date) -> bool | None:
        """What is said of this day; None where nothing is."""
        if day in self.working:
            return True
        return False if day in self.not_working else None


def read_overrides(path: Path | None = None) -> Overrides:
    """The overrides of a file; None for the built-in one.

    Raises:
        CalendarError: the file is wrong.
        OSError: there is no such file, or it cannot be opened.
    """
    file: Traversable = path or resources.files("activities.calendar").joinpath("overrides.toml")
    try:
        return Overrides.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CalendarError(": ".join(part for part in (file.name, where, first["msg"]) if part)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CalendarError(f"{file.name}: {error}") from None

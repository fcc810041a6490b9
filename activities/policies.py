"""The policy profiles as files: the built-in ones, and those of a folder of one's own (section 2)."""

import tomllib
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from activities.calendar.countries import known_calendar
from activities.profile_faults import contradictions, faults_in_words
from workflows.messages.policy import Policy
from workflows.rules.phone_numbers import HOME, is_region

_BUILT_IN: Final = "policies"
_SUFFIX: Final = ".toml"


class PolicyError(Exception):
    """A profile cannot be read or breaks a limit; the text names file, field and rule."""


class Policies:
    """The profiles as their files are now. A file that changes is read again for the next case."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder`` holds ``<name>.toml`` files, in addition to the built-in ones; a name of theirs replaces that one.

        Raises:
            PolicyError: a file of the folder is wrong, or called otherwise than its profile; or there is no folder.
        """
        built_in = resources.files("workflows.rules").joinpath(_BUILT_IN)
        self._folders: tuple[Traversable, ...] = (folder, built_in) if folder else (built_in,)
        if folder is None:
            return
        if not folder.is_dir():
            raise PolicyError(f"there is no folder {folder}")
        for file in sorted(folder.glob(f"*{_SUFFIX}")):
            _read(file)

    def names(self) -> tuple[str, ...]:
        """The names of all profiles, in order."""
        files = (file.name for folder in self._folders for file in folder.iterdir())
        return tuple(sorted({name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)}))

    def get(self, name: str) -> Policy | None:
        """The profile of this name, or None where there is none.

        Raises:
            PolicyError: the file is there and wrong.
        """
        files = (folder.joinpath(f"{name}{_SUFFIX}") for folder in self._folders)
        return next((_read(file) for file in files if file.is_file()), None)

    def phone_region(self, name: str) -> str | None:
        """Where phones without a country code are from in orders of a profile (G6).

        None for China, and where there is no such profile, or it cannot be read now: an order is taken all the same.
        """
        try:
            found = self.get(name)
        except PolicyError:
            return None
        return None if found is None or found.place.phone_region == HOME else found.place.phone_region


def profile_in(file: Path) -> Policy:
    """The profile that a file holds, whatever the file is called: one that is not in force yet (G7).

    Raises:
        PolicyError: it cannot be read, or is wrong.
    """
    try:
        return _checked(file.name, file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file.name}: {error}") from None


def _read(file: Traversable) -> Policy:
    try:
        return _understood(file.name, file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise PolicyError(f"{file.name}: {error}") from None


@lru_cache(maxsize=256)
def _understood(file: str, text: str) -> Policy:
    """Each case asks for its profile: the same text is understood once."""
    policy = _checked(file, text)
    if file != f"{policy.name}{_SUFFIX}":
        raise PolicyError(f"{file}: name: the profile is called {policy.name}: the file must be, too (section 2)")
    return policy


def _checked(file: str, text: str) -> Policy:
    try:
        policy = Policy.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise PolicyError(f"{file}: {faults_in_words(error)}") from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{file}: {error}") from None
    try:
        known_calendar(policy.place)
    except ValueError as error:
        raise PolicyError(f"{file}: place: {error}") from None
    if not is_region(policy.place.phone_region):
        raise PolicyError(f"{file}: place: no phones of {policy.place.phone_region} (G6)")
    if found := contradictions(policy):
        raise PolicyError(f"{file}: {found}")
    return policy

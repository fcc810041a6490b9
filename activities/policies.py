"""The policy profiles as files: the built-in ones, and those of a folder of one's own (section 2)."""

import tomllib
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from activities.calendar.countries import calendar_of
from workflows.messages.policy import Policy

_BUILT_IN: Final = "policies"
_SUFFIX: Final = ".toml"


class PolicyError(Exception):
    """A profile cannot be read or breaks a limit; the text names file and field."""


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


def _read(file: Traversable) -> Policy:
    try:
        return _understood(file.name, file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise PolicyError(f"{file.name}: {error}") from None


@lru_cache(maxsize=256)
def _understood(file: str, text: str) -> Policy:
    """Each case asks for its profile: the same text is understood once."""
    try:
        policy = Policy.model_validate(tomllib.loads(text))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PolicyError(f"{file}: {field}: {first['msg']}") from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{file}: {error}") from None
    try:
        calendar_of(policy.counted_at)
    except ValueError as error:
        raise PolicyError(f"{file}: place: {error}") from None
    if file != f"{policy.name}{_SUFFIX}":
        raise PolicyError(f"{file}: name: the profile is called {policy.name}: the file must be, too (section 2)")
    return policy

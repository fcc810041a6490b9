"""The policy profiles as files: the built-in ones, or a folder of one's own."""

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import ValidationError

from workflows.messages.policy import Policy


class PolicyError(Exception):
    """A profile cannot be read or breaks a limit; the text names file and field."""


class Policies:
    """The profiles as their files are now. A file that changes is read again for the next case."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder`` holds ``<name>.toml`` files; None for the built-in ones."""
        self._folder: Traversable = folder or resources.files("workflows.rules").joinpath("policies")

    def get(self, name: str) -> Policy | None:
        """The profile of this name, or None where there is none.

        Raises:
            PolicyError: the file is there and wrong.
        """
        file = self._folder.joinpath(f"{name}.toml")
        if not file.is_file():
            return None
        try:
            return Policy.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise PolicyError(f"{name}.toml: {field}: {first['msg']}") from None
        except tomllib.TOMLDecodeError as error:
            raise PolicyError(f"{name}.toml: {error}") from None

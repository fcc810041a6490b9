"""Running commands and reading what they say."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import Any

from tests.cli.zygote import Zygote
from tests.patience import PATIENCE


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output; an error if there is none, or more beside it."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def failure(self) -> Any:
        """The one JSON object on standard error, with nothing on standard output."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        return json.loads(line)


@dataclass(frozen=True)
class Shell:
    """Where commands run."""

    environment: dict[str, str]
    zygote: Zygote

    def having(self, **variables: str) -> "Shell":
        """The same shell with these variables set."""
        return replace(self, environment=self.environment | variables)

    async def run(self, *words: object, typed: str | None = None) -> Ended:
        """``aftersales`` with these words; ``typed`` comes on standard input."""
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write((typed or "").encode())
            given.seek(0)
            async with asyncio.timeout(2 * PATIENCE):
                code = await self.zygote.run([str(word) for word in words], self.environment, (given, out, err))
            for each in (out, err):
                each.seek(0)
            return Ended(code, out.read().decode(), err.read().decode())

    async def start(self, *words: object) -> Process:
        """The same with an interpreter of its own: for what lasts, and for how a program starts and ends."""
        program = (sys.executable, "-m", "starter.commands")
        return await asyncio.create_subprocess_exec(*program, *map(str, words), env=self.environment, stdout=PIPE)

    async def json(self, *words: object, typed: str | None = None) -> Any:
        """The document of a command that must succeed."""
        ended = await self.run(*words, "--json", typed=typed)
        assert ended.code == 0, ended.err
        return ended.document

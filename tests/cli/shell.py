"""Running commands and reading what they say."""

import asyncio
import json
import sys
from dataclasses import dataclass, replace
from typing import Any


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

    def having(self, **variables: str) -> "Shell":
        """The same shell with these variables set."""
        return replace(self, environment=self.environment | variables)

    async def run(self, *words: object, typed: str | None = None) -> Ended:
        """``aftersales`` with these words; ``typed`` comes on standard input."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "starter.commands", *map(str, words)),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL if typed is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(240):
            out, err = await process.communicate(None if typed is None else typed.encode())
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    async def json(self, *words: object, typed: str | None = None) -> Any:
        """The document of a command that must succeed."""
        ended = await self.run(*words, "--json", typed=typed)
        assert ended.code == 0, ended.err
        return ended.document

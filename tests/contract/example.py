"""The example in TypeScript, built in a folder of its own with the packages that its lock file names."""

import asyncio
import hashlib
import json
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "docs" / "examples" / "typescript"
CONTRACT = ROOT / "docs" / "contract"
KEPT = ROOT / "build" / "contract"
"""Where installed packages are kept, by what decides on them."""

SCHEMA = "messages.schema.json"
GENERATED = "contract.ts"
PACKAGES = ("package.json", "package-lock.json", ".npmrc")
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT")


@dataclass(frozen=True)
class Ended:
    """What a program left behind."""

    code: int | None
    text: str


async def ended(*words: str | Path, folder: Path, **variables: str) -> Ended:
    """A program in ``folder``, once it has ended; its errors stand among what it has said."""
    environment = {**os.environ, **variables}
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, env=environment, stdout=PIPE, stderr=STDOUT)
    try:
        async with asyncio.timeout(2 * PATIENCE):
            text, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode, text.decode())


@dataclass(frozen=True)
class Example:
    """The built example."""

    folder: Path
    node: str

    async def play(self, words: Mapping[str, str], **variables: str) -> Any:
        """The document that it prints."""
        given = [word for name, value in words.items() for word in (f"--{name}", value)]
        played = await ended(self.node, "build/main.js", *given, folder=self.folder, **variables)
        assert played.code == 0, played.text
        return json.loads(played.text)

    async def evaluate(self, program: str) -> Any:
        """What a line of JavaScript prints, read as JSON."""
        evaluated = await ended(self.node, "--eval", program, folder=self.folder)
        assert evaluated.code == 0, evaluated.text
        return json.loads(evaluated.text)


async def built() -> Example:
    """The example, generated and compiled from what stands in ``docs`` now; packages are fetched once."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("there is no Node.js with npm on this machine (on Debian: apt install nodejs npm)")
    if int((await ended(node, "--version", folder=ROOT)).text.removeprefix("v").split(".")[0]) < 20:
        pytest.skip("the example needs Node.js 20 or newer")
    folder = KEPT / _digest(SOURCES / name for name in PACKAGES) / "examples" / "typescript"
    await _install(npm, folder)
    sources = sorted(each for each in (SOURCES / "src").glob("*.ts") if each.name != GENERATED)
    compiled_of = _digest([SOURCES / "tsconfig.json", CONTRACT / SCHEMA, *sources])
    stamp = folder / "compiled-of"
    if not stamp.exists() or stamp.read_text() != compiled_of:
        await _compile(npm, folder, sources)
        stamp.write_text(compiled_of)
    return Example(folder, node)


async def _compile(npm: str, folder: Path, sources: list[Path]) -> None:
    """Beside a copy of the contract, as in ``docs``."""
    for made in ("src", "build"):
        shutil.rmtree(folder / made, ignore_errors=True)
    (folder / "src").mkdir()
    for source in sources:
        shutil.copy(source, folder / "src")
    shutil.copy(SOURCES / "tsconfig.json", folder)
    contract = folder.parents[1] / "contract"
    contract.mkdir(exist_ok=True)
    shutil.copy(CONTRACT / SCHEMA, contract)
    compiled = await ended(npm, "run", "--silent", "build", folder=folder)
    assert compiled.code == 0, compiled.text


def _digest(files: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:16]


async def _install(npm: str, folder: Path) -> None:
    done = folder / "node_modules" / ".installed"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        shutil.copy(SOURCES / name, folder)
    installed = await ended(npm, "ci", "--prefer-offline", "--fetch-retries=1", folder=folder)
    if installed.code and any(word in installed.text for word in NO_NETWORK):
        pytest.skip("npm cannot fetch the example's packages: the registry does not answer")
    assert installed.code == 0, installed.text
    done.touch()

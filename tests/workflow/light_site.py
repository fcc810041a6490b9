"""A virtual environment in which nothing is installed but the light client and what it says that it needs."""

import re
import shutil
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from starter.client_wheel import built_wheel

PROGRAM = Path(__file__).with_name("light_program.py")


def virtual_environment(folder: Path) -> Path:
    """Its interpreter. The wheel is built and unpacked, which is all that an installer does with it."""
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(built_wheel(folder / "build")) as wheel:
        wheel.extractall(packages)
    needed: set[str] = set()
    (installed,) = packages.glob("*.dist-info/METADATA")
    for line in re.findall(r"^Requires-Dist: (.+)$", installed.read_text(), re.MULTILINE):
        _with_what_it_needs(Requirement(line).name, needed)
    for name in needed:
        for entry in _entries(name):
            (packages / entry.name).symlink_to(entry)
    return folder / "venv" / "bin" / "python"


def _with_what_it_needs(name: str, found: set[str]) -> None:
    if name in found:
        return
    found.add(name)
    for each in map(Requirement, metadata.requires(name) or ()):
        if each.marker is None or each.marker.evaluate({"extra": ""}):
            _with_what_it_needs(each.name, found)


def _entries(name: str) -> Iterator[Path]:
    """What a distribution has put into our environment: its packages, modules and metadata."""
    installed = metadata.distribution(name)
    tops = {Path(file).parts[0] for file in installed.files or () if ".." not in Path(file).parts}
    for top in sorted(tops - {"__pycache__"}):
        yield Path(str(installed.locate_file(top)))


def their_service(folder: Path) -> Path:
    """A service's program, beside packages of its own that are called as every team with Temporal calls them."""
    for name in ("workflows", "activities", "starter", "worker"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("WHOSE = 'theirs'\n")
    return Path(shutil.copy(PROGRAM, folder / "service.py"))


def site_of(interpreter: Path) -> dict[str, str]:
    """An environment for its programs: nothing of ours shows through."""
    return {"PATH": str(Path(sys.executable).parent), "HOME": str(interpreter.parent)}

"""Building the wheel out of its sources."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from starter.client_wheel.sources import files

_BUILD: Final = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"


def built_wheel(folder: Path) -> Path:
    """The wheel, built without the network; its sources stand in ``folder/src``, what was there before is replaced.

    Raises:
        RuntimeError: it cannot be built; the text holds what setuptools has said.
    """
    sources, wheels = folder / "src", folder / "dist"
    for each in (sources, wheels):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    for name, text in files().items():
        path = sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", _BUILD, str(wheels.resolve())], cwd=sources, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    (wheel,) = wheels.glob("*.whl")
    return wheel

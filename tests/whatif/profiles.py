"""Profiles as files, in versions of their own."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

VERSION = 90


def write_profile(folder: Path, name: str, **parts: dict[str, Any]) -> Path:
    """A built-in profile with other numbers in these parts, as a file that names another version."""
    built_in = resources.files("workflows.rules").joinpath("policies", f"{name}.toml").read_text(encoding="utf-8")
    lines: list[str] = []
    part, left = "", {name: dict(numbers) for name, numbers in parts.items()}
    for line in built_in.splitlines():
        key = line.partition("=")[0].strip()
        if line.startswith("["):
            part = line.partition("#")[0].strip("[] ")
        if not part and key == "version":
            lines.append(f"version = {VERSION}")
        elif key in left.get(part, {}):
            lines.append(f"{key} = {left[part].pop(key)}")
        else:
            lines.append(line)
    assert not any(left.values()), left
    file = folder / f"{name}-{VERSION}.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert tomllib.loads(file.read_text(encoding="utf-8"))["version"] == VERSION
    return file

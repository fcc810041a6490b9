"""Runs the sides in turns and writes what they cost into docs/benchmarks.md: ``python -m tests.benchmarks.paired.run``.

Each round lets every side open and decide the same number of cases, in another order each time; what is told are the
medians of the rounds and of the ratios within a round. All sides but an earlier build share one Temporal server and one
PostgreSQL; an earlier build (``--against REV``) has servers and an environment of its own, in ``build/bench``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from tests.benchmarks.paired import page

ROOT: Final = Path(__file__).parents[3]
BUILD: Final = ROOT / "build" / "bench"
HERE: Final = "tests.benchmarks.paired"
DBOS: Final = "dbos==3.4.0"


class Process:
    """A side in its process."""

    def __init__(self, command: Sequence[str | Path], *, folder: Path = ROOT, path: str = "") -> None:
        """``path`` is where else modules are looked for."""
        environment = os.environ | {"PYTHONPATH": path or str(folder), "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            list(map(str, command)),
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ready: dict[str, Any] = self._answer()

    def ask(self, do: str, **what: object) -> dict[str, Any]:
        """What it answers."""
        given: IO[str] | None = self._process.stdin
        assert given
        given.write(json.dumps({"do": do, **what}) + "\n")
        given.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError("a side has ended")

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()


@dataclass
class Rounds:
    """What was measured, side by side, round by round."""

    many: list[dict[str, dict[str, Any]]] = field(default_factory=list[dict[str, dict[str, Any]]])
    """With many cases in flight."""
    one: list[dict[str, dict[str, Any]]] = field(default_factory=list[dict[str, dict[str, Any]]])
    """With one at a time."""
    bytes_a_case: dict[str, float] = field(default_factory=dict[str, float])
    """What a case that waits takes of the worker's memory."""
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """What many that wait cost, see ``side.left``."""


def earlier_build(revision: str) -> Path:
    """That build in a folder of its own, with an environment of its own and this comparison."""
    folder = BUILD / revision
    if not folder.exists():
        subprocess.run(("git", "worktree", "add", "--detach", str(folder), revision), cwd=ROOT, check=True)
    subprocess.run(("make", "venv"), cwd=folder, check=True, stdout=sys.stderr)
    target = folder / "tests" / "benchmarks" / "paired"
    target.mkdir(exist_ok=True)
    for name in ("__init__.py", "side.py", "product.py"):
        target.joinpath(name).write_text(Path(__file__).with_name(name).read_text())
    return folder


def environment_of_dbos() -> Path:
    """An interpreter that has DBOS and, behind it, what the product needs."""
    folder = BUILD / "dbos"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run((sys.executable, "-m", "venv", str(folder)), check=True)
        subprocess.run((str(python), "-m", "pip", "install", "-qq", DBOS), check=True, stdout=sys.stderr)
    return python


def played(sides: Mapping[str, Process], rounds: int, cases: int, in_flight: int) -> list[dict[str, dict[str, Any]]]:
    """All sides in turns, each round in another order; one round before, which does not count."""
    found: list[dict[str, dict[str, Any]]] = []
    names = list(sides)
    for number in range(rounds + 1):
        turn = number % len(names)
        order = [*names[turn:], *names[:turn]]
        found.append({name: sides[name].ask("play", cases=cases, in_flight=in_flight) for name in order})
        print(json.dumps({name: round(each["cases_a_second"], 1) for name, each in found[-1].items()}), file=sys.stderr)
    return found[1:]


def median(found: Sequence[Mapping[str, Any]], value: Callable[[Mapping[str, Any]], float]) -> float:
    """Of the rounds."""
    return statistics.median(map(value, found))


def main() -> None:
    """The command line."""
    arguments = argparse.ArgumentParser(prog=f"python -m {HERE}.run", description=__doc__)
    arguments.add_argument("--cases", type=int, default=120, help="cases of each side and round (120)")
    arguments.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    arguments.add_argument("--in-flight", type=int, default=16, help="cases at a time (16)")
    arguments.add_argument(
        "--waiting", type=int, default=0, help="also leave so many cases waiting (0; 10,000 take long)"
    )
    arguments.add_argument("--against", metavar="REV", help="also an earlier build of this repository")
    arguments.add_argument("--sandbox", action="store_true", help="also the product with workflows in the sandbox")
    arguments.add_argument("--no-dbos", action="store_true", help="without DBOS")
    arguments.add_argument("--no-page", action="store_true", help="leave docs/benchmarks.md as it is")
    chosen = arguments.parse_args()
    with ExitStack() as stack:
        product = stack.enter_context(Process((sys.executable, "-m", f"{HERE}.product")))
        servers = product.ready
        sides = {"product": product}
        bare = (sys.executable, "-m", f"{HERE}.bare", servers["temporal"], servers["temporal_pid"])
        sides["bare"] = stack.enter_context(Process(bare))
        if chosen.sandbox:
            sides["sandbox"] = stack.enter_context(Process((sys.executable, "-m", f"{HERE}.product", "--sandbox")))
        if chosen.against:
            folder = earlier_build(chosen.against)
            command = (folder / ".venv" / "bin" / "python", "-m", f"{HERE}.product")
            sides["before"] = stack.enter_context(Process(command, folder=folder))
        if not chosen.no_dbos:
            (packages,) = {path for path in sys.path if path.endswith("site-packages")}
            given = (servers["postgres"], servers["state_dir"], servers["postgres_pid"])
            command = (environment_of_dbos(), "-m", f"{HERE}.dbos_side", *given)
            sides["dbos"] = stack.enter_context(Process(command, path=f"{ROOT}:{packages}"))
        found = Rounds()
        found.many = played(sides, chosen.rounds, chosen.cases, chosen.in_flight)
        found.one = played(sides, chosen.rounds, max(chosen.cases // 4, 10), 1)
        for name, side in sides.items():
            if name != "dbos":
                found.bytes_a_case[name] = side.ask("hold", cases=4 * chosen.cases, in_flight=chosen.in_flight)["bytes"]
        if chosen.waiting:
            for name in ("product", "dbos"):
                if name in sides:
                    what = {"cases": chosen.waiting, "in_flight": chosen.in_flight, "idle_seconds": 10}
                    found.waiting[name] = sides[name].ask("leave", **what)
    text = page.section(found.many, found.one, found.bytes_a_case, found.waiting, against=chosen.against)
    print(text)
    if not chosen.no_page:
        page.write(text)


if __name__ == "__main__":
    main()

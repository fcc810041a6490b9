"""Whatever somebody types, or puts into a file, the command line tells what is wrong with it and never how it failed.

Without servers here: each word, option and file is read, and then nothing answers. No command that starts servers is
tried, and no file is named outside of a folder of the test's own.
"""

import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import typer

from starter.commands.acting import COMMANDS
from starter.commands.application import application
from starter.commands.failures import Exit, ended
from tests.proofs.hostile_values import MARK

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "250"))
NOT_TRIED: Final = frozenset({"demo", "up", "worker", "setup", "cluster", "completion"})
SERVES: Final = frozenset({"serve", "run", "start"})

NUMBERS: Final = (
    "0",
    "-1",
    "1",
    "201",
    "2" * 70,
    "1e400",
    "NaN",
    "-0",
    "0x10",
    "1_000",
    "１２",
    "٣",
    "",
    " ",
    "1.5",
    "1e5",
)
MOMENTS: Final = (
    *("0001-01-01T00:00Z", "0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z", "2999-01-01T00:00:00Z", "now"),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z", "2026-03-02", "2026-03-02T02:00:00"),
    *("2026-12-31T23:59:60Z", "+10000-01-01T00:00:00Z", "2026-03-02T02:00:00+0800", "2026-03-02T02:00:00+99:99", "0"),
    *("0001-01-01", "9999-12-31", "P1D", "1d", "48h", "99999999999d", "-1h", "1e9s"),
)
TEXTS: Final = (
    *(
        "",
        " ",
        MARK,
        "a" * 64,
        "a" * 65,
        "a" * 50_000,
        "\udcff\udcfe",
        "\ud800",
        "\u202eevil",
        "\x1b[2J\x1b]0;x\x07",
        "a\nb",
    ),
    *(
        "[/]",
        "[red]",
        "[link=x]",
        "[",
        "\\[",
        "{{7*7}}",
        "{0}",
        "%s%n",
        "' OR 1=1 --",
        "null",
        "{}",
        "[]",
        '"',
        "@",
        "a=b",
        "=",
    ),
    *(
        "refund-O-1",
        "refund/O-1/k-1",
        "refund/" + "a" * 300,
        "merchant:m",
        "platform:o",
        "buyer",
        ":",
        "merchant:",
        "x:y:z",
    ),
    *(
        "O-1",
        "-",
        "--",
        "---",
        "-x",
        "--help=1",
        "Ａ１",
        "\ufeff",
        "\x00",
        "a\x00b",
        "1:1",
        "1:1:100",
        "1:x:y",
        "1:1:-1",
        ":::",
    ),
    *("CNY 1", "5.9", "5,90", "-5.90", "1e3", "99999999999999999999.99", "0.001", "¥5", "5.90 CNY", "sf:SF1", "t1=100"),
)
FILES: Final = (
    *(
        b"",
        b"\n",
        b"{}",
        b"[]",
        b"null",
        b"\x00" * 50,
        b"\xff\xfe",
        b"{" * 5_000,
        b"[" * 50_000,
        b"a,b\n1,2\n",
        b"[table\n",
    ),
    *(
        b'{"request": "refund"}\n',
        b'{"order_no": "O-1"}\n' * 3,
        b'{"a": 1e400}\n',
        b'{"a": "\\ud800"}\n',
        MARK.encode() + b"\n",
    ),
    *(
        MARK.encode("utf-16"),
        b"\xef\xbb\xbf{}\n",
        b'{"request": "refund", "order_no": ' + b"1" * 5_000 + b"}\n",
        b"name = 1\n",
    ),
)


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All that can be run, down to the last sub-word, but what serves."""
    inner = getattr(command, "commands", {})
    if not inner or (words and command.invoke_without_command):
        yield words, command
    for word, each in inner.items():
        if word not in SERVES and (words or word not in NOT_TRIED):
            yield from commands(each, (*words, word))


class Typist:
    """Whoever types such things; the same dice type the same."""

    def __init__(self, dice: random.Random, folder: Path) -> None:
        self._dice = dice
        self._folder = folder
        self._files = 0

    def line(self, words: tuple[str, ...], command: Any) -> list[str]:
        """A command with some of its options, and mostly all that it needs."""
        dice, line, last = self._dice, [*words], list[str]()
        for each in command.params:
            needed = each.required or dice.random() < 0.25
            if not needed or "--help" in each.opts or (each.required and dice.random() < 0.05):
                continue
            if each.param_type_name == "argument":
                last += [self._value(each) for _ in range(1 if each.nargs == 1 else dice.choice((0, 1, 2)))]
            elif each.is_flag:
                line.append(dice.choice(each.opts))
            else:
                value = self._value(each)
                line += dice.choice(([each.opts[0], value], [f"{each.opts[0]}={value}"]))
        if words[0] in {"act", "bulk"} and dice.random() < 0.8:
            fields = [*dice.choice([*COMMANDS.values()]).model_fields]
            for name in dice.sample(fields, min(len(fields), 2)):
                last += [f"--{name.replace('_', '-')}", dice.choice((*TEXTS, *NUMBERS, *MOMENTS))]
        if dice.random() < 0.5:
            line.append("--json")
        return [*line, *last]

    def _value(self, parameter: Any) -> str:
        dice, kind = self._dice, parameter.type_descriptor.annotation
        told = str(kind).lower()
        if "path" in told:
            return self._file()
        if (words := _words_of(kind)) and dice.random() < 0.7:
            return dice.choice(words)
        if "int" in told or "float" in told:
            return dice.choice((*NUMBERS, "5", "10"))
        if "date" in told:
            return dice.choice(MOMENTS)
        return dice.choice((*TEXTS, *TEXTS, *NUMBERS, *MOMENTS))

    def _file(self) -> str:
        dice = self._dice
        self._files += 1
        path = self._folder / f"f{self._files}{dice.choice(('', '.toml', '.json', '.csv'))}"
        if dice.random() < 0.8:
            path.write_bytes(dice.choice(FILES))
        elif dice.random() < 0.5:
            path.mkdir()
        return str(path)


def _words_of(kind: Any) -> list[str]:
    """The words that may stand for a value of a closed list."""
    for each in (kind, *get_args(kind)):
        if isinstance(each, type) and issubclass(each, Enum):
            return [str(word.value) for word in each]
    return []


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, and settings by which no server is found."""
    for name in [each for each in os.environ if each.startswith(("AFTERSALES_", "TEMPORAL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AFTERSALES_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def came_to(line: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """How a command ended, and what is wrong with that."""
    try:
        code = ended(application(line[:1]), line)
    except (Exception, SystemExit) as error:
        capsys.readouterr()
        return "raised", f"{type(error).__name__}: {error}"
    said = capsys.readouterr()
    if code not in {*Exit, 130}:
        return "?", f"exit code {code}"
    if "Traceback" in said.err or "Traceback" in said.out:
        return "?", "a traceback"
    if "secret" in said.err:
        return "?", "it tells the database's password"
    if "--json" in line and code not in (0, 1) and not said.out:
        try:
            json.loads(said.err.splitlines()[-1])
        except (ValueError, IndexError):
            return "?", f"no JSON on standard error: {said.err[:200]!r}"
    return Exit(code).name if code in {*Exit} else str(code), ""


def test_whatever_is_typed_is_told_of(
    nowhere: Path, capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    dice = random.Random(os.environ.get("PROOFS_SEED", "typed"))
    typist, told, wrong = Typist(dice, nowhere), Counter[str](), list[str]()
    found = [*commands(typer.main.get_command(application()))]

    for number in range(INPUTS):
        line = typist.line(*found[number % len(found)])
        how, problem = came_to(line, capsys)
        told[how] += 1
        if problem:
            wrong.append(f"{problem[:300]}\n    {[each[:80] for each in line]}")

    record_property("inputs", INPUTS)
    assert wrong == [], "\n".join(wrong[:40])
    assert {"USAGE", "UNREACHABLE"} <= set(told), told
    assert threading.active_count() < 60

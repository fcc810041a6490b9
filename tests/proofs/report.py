"""The long form of all proofs, and the page that says what was proved: ``make proofs``, ``docs/proofs.md``.

``python -m tests.proofs.report --minutes 60 --seed S``. Exit code 1 where something is wrong.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tests.proofs import hostile_input, interleavings, walking
from tests.proofs.hostile_input import Hostile
from tests.proofs.interleavings import Told, Wrong
from tests.proofs.walking import Stories

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "proofs.md"

HEAD: Final = """# What is proved, and how often

Written by `make proofs`; the short form of each proof is in the test suite (`tests/proofs`, and on servers
`test_model_on_servers.py`, `test_hostile_input.py`, `test_long_runs.py`). Anybody can make these figures again: the
commands stand below, with their seed. How many are told in a given time depends on the machine and on what else it
does.
"""

HOW_ORDERS: Final = """
## Every order of what may happen

Each kind of case under each built-in profile, and each way that a gateway treats a refund, is told in memory: from
its opening, and from each stage that a [kept story](../tests/processes/stories.json) comes to, every order of up to N
events, the shortest first. Events are each command of everybody who may send it (amendments, proposals, disputes,
rulings, payments by hand), each word of a carrier about each parcel, also late, early and unheard, each answer and
callback of the gateway, late and repeated, each deadline, and an order that ships meanwhile. Situations that differ
in nothing that decides (times count from now) are gone on from once; "orders" is how many sequences of events lead
through what was told, those of what changes nothing left out.

After each event it is looked that

- the case has ended, or waits for somebody, with a deadline or a written reason for having none; and its book says
  the same;
- no number is paid twice, nothing beyond what was paid in on an order, a line, a tender, and ledger and gateway agree
  to the minor unit, or an alert says where a person must look;
- no more is paid than the view showed before (R11), the log is in order, without gaps, and tells of each command
  once;
- goods and money are not both with the merchant at the end (T15); something that may happen leads on from each open
  stage.

In each situation, a dozen of the commands that are not open (drawn anew each time) are refused and change nothing,
and the last command to each case changes nothing when it is sent again. Runs are lost: all while nothing happens, and
before or in the middle of each event (once for each event, drawn; `--every-loss` for each activity). The next run
goes on from the book, is told again what the lost one was told, and must come to the same state, log, notices, ledger
and gateway. Where money is on its way, another run asks the gateway first, so it is compared once the money has
arrived.

What this does not show: several parcels of one order, the vault, statements of the gateway, a book that fails or was
restored, and anything about servers. Moments that have passed count as passed however long ago.
"""

HOW_MODEL: Final = """
## A small model of the rules

[`rules_model.py`](../tests/proofs/rules_model.py) says what the rulebook says, and nothing else: it was written from
its text before the code was read. Random stories are told to it and to real cases, in memory and on servers through
the public client (with time skipping): commands that are open and commands that are not, of everybody and of
strangers, with a right and a stale `expects`, repeated ones, silence, the carrier, a gateway that declines, is slow
or short. After each move stage, deadline, open commands, what ledger and gateway have paid, and the outcome must be
the model's. What the rulebook leaves open is left open, and such commands are not sent. Price protection, re-sends,
repairs, virtual numbers, freight insurance and the middle of evidence are not in the model.
"""


HOW_HOSTILE: Final = """
## What nobody should send

Every message that the code knows, a new one by itself, is changed as a careless or an evil sender changes it
([`hostile_values.py`](../tests/proofs/hostile_values.py)): wrong types, what is huge or nests deep, dates of the
years 1, 2999 and 9999 and odd offsets, amounts of 0, -1, 2^63, 2^70, 1e400 and NaN, other people's ids and roles,
keys of before with another body, fields that are missing, unknown, of another message or there twice, NUL, lone
surrogates, text that runs backwards, half a document, other encodings.

- *Read*: at the door that it comes in at: commands and starts as workflows take them from a payload, lines of bulk
  files, orders and events of parcels as they are pushed, all else that others state, and what our own processes
  write. It is taken, and can be written and read again, or it is refused with a field of ours and a rule, and repeats
  nothing.
- *Sent*: to cases in memory in whatever stage, in what can still be read, as updates, signals and requests. It is
  carried out and then all is as above, or it is refused and nothing has changed; a year later every case has gone on.
- *On servers*: HTTP, callbacks with a genuine signature of Stripe, WeChat Pay and Alipay, and Temporal with payloads
  as they are, in clear, under names that nobody has: no workflow task fails, and the case ends as one that was left
  alone.
- *Answered*: by payment providers, under their signatures and as bytes without end or sense, by endpoints of webhooks,
  by mail servers: it is one of our answers, or nothing is known; nothing of another number, amount or currency counts
  as paid, and what has no end is not taken in. *Typed*: words, options and files of the command line.

One case is told 3,000 facts and given 500 pieces of evidence: it goes on in other runs before the server takes no
more of one, its log has each of them once, and it pays once.
"""


@dataclass(frozen=True)
class OnServers:
    """What was told on servers."""

    stories: int
    commands: int
    failed: int


@dataclass(frozen=True)
class Ran:
    """What tests have told of themselves, by the property's name, and how many have failed."""

    told: Mapping[str, Sequence[int]]
    failed: int


HOSTILE_ON_SERVERS: Final = (
    "tests/workflow/test_hostile_input.py",
    "tests/workflow/test_long_runs.py",
    "tests/http_service/test_hostile_input.py",
    "tests/gateways/test_hostile_callbacks.py",
    "tests/gateways/test_hostile_answers.py",
    "tests/unit/test_hostile_receivers.py",
    "tests/unit/test_hostile_mail_servers.py",
    "tests/cli/test_hostile_words.py",
    "tests/codec/test_hostile_payloads.py",
    "tests/storage/test_hostile_files.py",
)


def on_servers(stories: int, seed: str) -> OnServers:
    """So many stories of each setting of the model on servers of their own."""
    model = ran(["tests/workflow/test_model_on_servers.py"], PROOFS_STORIES=str(stories), PROOFS_SEED=seed)
    commands = model.told.get("commands", ())
    return OnServers(len(commands) + model.failed, sum(commands), model.failed)


def ran(tests: Sequence[str], **given: str) -> Ran:
    """These tests, on servers of their own, with these variables of the environment."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-n", "0", "-q", f"--junitxml={results}"]
        command += ["-o", "junit_family=xunit1"]  # the other one tells no properties
        subprocess.run([*command, *tests], cwd=ROOT, env={**os.environ, **given}, check=False)
        suite = ElementTree.parse(results).getroot()
        told: dict[str, list[int]] = {}
        for each in suite.iter("property"):
            told.setdefault(each.get("name", ""), []).append(int(each.get("value", "0")))
        failed = sum(1 for case in suite.iter("testcase") if any(each.tag in {"failure", "error"} for each in case))
        return Ran(told, failed)


def hostile_section(hostile: Hostile, served: Ran | None, made: str) -> str:
    """What was sent that nobody should, as Markdown."""
    read, sent = hostile.read, hostile.sent
    lines = [HOW_HOSTILE, made, "", "| | inputs | taken | refused | wrong |", "| --- | ---: | ---: | ---: | ---: |"]
    taken, refused = sum(read.taken.values()), sum(read.refused.values())
    lines.append(f"| read | {read.inputs:,} | {taken:,} | {refused:,} | {len(read.wrong)} |")
    obeyed, refused = sent.obeyed + sent.opened, sent.refused + sent.unreadable
    lines.append(f"| sent | {sent.inputs:,} | {obeyed:,} | {refused:,} | {len(sent.wrong)} |")
    if served:
        inputs, facts = sum(served.told.get("inputs", ())), sum(served.told.get("facts", ()))
        lines.append(f"| on servers | {inputs + facts:,} | | | {served.failed} |")
    return "\n".join(lines) + "\n"


def page(
    told: Sequence[Told], wrong: Sequence[Wrong], stories: Stories, served: OnServers | None, made: str, hostile: str
) -> str:
    """The page as Markdown."""
    orders = sum(each.orders() for each in told)
    lines = [HEAD, made, HOW_ORDERS, "| beginning | N | beginnings | situations | events | lost runs | orders |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    lines += [
        f"| {each.name} | {each.depth} | {len(each.first)} | {each.situations:,} | {each.steps:,} "
        f"| {each.lost:,} | {each.orders():,} |"
        for each in told
    ]
    unchanged, lost = sum(each.unchanged for each in told), sum(each.lost for each in told)
    lines.append("")
    lines.append(
        f"In all {sum(each.situations for each in told):,} situations, {sum(each.steps for each in told):,} events, "
        f"{unchanged:,} refused or repeated commands, {lost:,} lost runs; {orders:,} orders. Wrong: {len(wrong)}."
    )
    lines += [HOW_MODEL, "| where | stories | commands | disagreements |", "| --- | ---: | ---: | ---: |"]
    lines.append(f"| in memory | {stories.stories:,} | {stories.commands:,} | {len(stories.wrong)} |")
    if served:
        lines.append(f"| on servers | {served.stories:,} | {served.commands:,} | {served.failed} |")
    return "\n".join(lines) + "\n" + hostile


def main() -> int:
    """Prove for so long, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60, help="about as long as all of it takes")
    parser.add_argument("--seed", default=f"{datetime.now(UTC):%Y%m%d}")
    parser.add_argument("--commands", type=int, default=100_000, help="to the model in memory")
    parser.add_argument("--stories", type=int, default=45, help="of each setting of the model on servers; 0 for none")
    parser.add_argument("--inputs", type=int, default=1_500, help="that nobody should send, of each sort; 0 for none")
    parser.add_argument("--every-loss", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    stories = walking.told(given.commands, given.seed)
    print(*stories.wrong.values(), f"{stories.commands} commands in memory", sep="\n", flush=True)
    served = on_servers(given.stories, given.seed) if given.stories else None
    print(served, flush=True)
    spoilt = given.minutes / 6
    hostile = hostile_input.search(spoilt, given.seed)
    print(*hostile.wrong, hostile, sep="\n", flush=True)
    attacked = ran(HOSTILE_ON_SERVERS, PROOFS_INPUTS=str(given.inputs), PROOFS_FACTS="3000") if given.inputs else None
    section = hostile_section(
        hostile,
        attacked,
        f"```console\n$ python -m tests.proofs.hostile_input --minutes {spoilt:g} --seed {given.seed}\n```",
    )
    left = max(given.minutes - (time.monotonic() - began) / 60, 1)
    told, wrong = interleavings.search(left, given.seed, every_loss=given.every_loss)
    made = (
        f"Made on {datetime.now(UTC):%Y-%m-%d} with seed {given.seed} "
        f"in {(time.monotonic() - began) / 60:.0f} minutes, "
        f"Python {platform.python_version()}, {os.cpu_count()} processors:\n\n```console\n"
        f'$ make proofs ARGS="--minutes {given.minutes:g} --seed {given.seed}"\n'
        f"$ python -m tests.proofs.interleavings --minutes {left:.0f} --seed {given.seed}\n"
        f"$ python -m tests.proofs.walking --commands {given.commands} --seed {given.seed}\n```"
    )
    PAGE.write_text(page(told, wrong, stories, served, made, section), encoding="utf-8")
    failed = (served.failed if served else 0) + (attacked.failed if attacked else 0)
    return 1 if wrong or stories.wrong or hostile.wrong or failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""``make recovery``: raises thousands of open cases from the case book on another Temporal server, and checks each."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.recovery.drill import Scale, drill


def main() -> int:
    """Exit code 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=Scale.cases)
    parser.add_argument("--rate", type=float, default=Scale.rate, help="cases a second that are raised at most")
    asked = parser.parse_args()
    scale = Scale(cases=asked.cases, rate=asked.rate)
    with tempfile.TemporaryDirectory(prefix="aftersales-recovery-", ignore_cleanup_errors=True) as folder:
        report = asyncio.run(drill(Path(folder), scale, lambda line: print(line, file=sys.stderr, flush=True)))
    print(json.dumps(asdict(report), indent=1))
    return 1 if report.differences else 0


if __name__ == "__main__":
    code = main()
    # The interpreter may abort while it tears the SDK's threads down: everything is written, so leave.
    sys.stdout.flush()
    os._exit(code)

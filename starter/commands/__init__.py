"""The ``aftersales`` command line."""

import os
import sys


def main() -> None:
    """Run the command line's words, and end the process with the code that ``aftersales --help`` explains."""
    # Not at the top: parts of this package are used without the whole command line being loaded.
    from starter import logs  # noqa: PLC0415
    from starter.commands.application import application  # noqa: PLC0415
    from starter.commands.failures import ended  # noqa: PLC0415

    logs.to_standard_error()
    arguments = sys.argv[1:]
    code = ended(application(arguments), arguments)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            # Whoever read has seen enough, as `head` does.
            code = code or 1
    # The interpreter may abort while it tears the SDK's threads down: everything is done, so leave.
    os._exit(code)

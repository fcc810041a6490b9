"""The ``aftersales`` command line."""

import os
import sys


def main() -> None:
    """Run the command line's words, and end the process with the code that ``aftersales --help`` explains."""
    # Not at the top: parts of this package are used without the whole command line being loaded.
    from starter.commands import completion  # noqa: PLC0415

    if completion.asked():
        _complete(completion.first_word(os.environ))
        return

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


def _complete(word: str | None) -> None:
    """Answer a shell that asks for completions."""
    import typer  # noqa: PLC0415

    from starter.commands import completion  # noqa: PLC0415
    from starter.commands.application import application, words_alone  # noqa: PLC0415

    completion.prepare()
    command = typer.main.get_command(application([word]) if word else words_alone())
    try:
        command.main([], prog_name=completion.PROGRAM, complete_var=completion.ASKED_BY)
    finally:
        sys.stdout.flush()

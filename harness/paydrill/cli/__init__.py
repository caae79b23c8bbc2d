"""The command line: `paydrill`. With `cli.commands` the only place that prints or exits.

stdout is data, stderr is progress. Exit codes: 0 pass, 1 failed, 2 wrong usage, 3 inconclusive,
4 the environment is not ready, 128 + n interrupted by signal n. A command is one file in
`cli/commands`, imported only when it is used.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

COMMAND_T_NS = time.monotonic_ns()


def main(argv: Sequence[str] | None = None) -> None:
    """The entry point; always ends the process."""
    code = run_command(list(sys.argv[1:] if argv is None else argv))
    code = _flushed(code)
    sys.exit(code)


def run_command(argv: list[str]) -> int:
    """Run one command and return its exit code; errors are told on stderr, a line each."""
    import click

    from paydrill.cli.group import paydrill
    from paydrill.errors import PaydrillError

    try:
        # Not `paydrill.main`: it would end a broken pipe with exit 1, which here means a failed drill.
        with paydrill.make_context("paydrill", argv) as context:
            result = paydrill.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return 128 + signal.SIGINT
    except PaydrillError as error:
        _tell(error)
        return error.exit_code
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:
        from paydrill.cli.crash import note_crash

        _say(f"an error of paydrill itself: {type(error).__name__}: {error}")
        _say(f"what happened stands in {note_crash(argv)}; please report it with that file")
        return 4


def _tell(error: Exception) -> None:
    """A file's mistakes as they are, a line each; anything else with the program's name before it."""
    from paydrill.errors import FileProblems

    if isinstance(error, FileProblems):
        for problem in error.problems:
            sys.stderr.write(_one_line(str(problem)) + "\n")
    else:
        _say(str(error))


def _say(text: str) -> None:
    sys.stderr.write(f"paydrill: {_one_line(text)}\n")


def _one_line(text: str) -> str:
    """No control characters reach the terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _reader_left() -> int:
    """`paydrill … | head`: nobody reads any more; that is no error of the command."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    return code

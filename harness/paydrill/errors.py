"""Every error that paydrill raises on purpose.

* PaydrillError                 carries the exit code that the command line ends with
  x UsageError                  2: wrong usage or a bad file; nothing has been started
    - FileProblems              2: all mistakes of a file at once, each with its place
  x EnvironmentNotReady         4: this machine lacks something; the message says what installs it
  x DrillBroken                 3: the drill cannot prove anything; carries a reason code
    - InstrumentDied            3: the PSP, Toxiproxy, Locust or the watchdog ended unplanned
    - FaultNotApplied           3: a fault could not be put in force or read back
    - NotReady                  3: a node did not become healthy in time
  x Interrupted                 130 / 143: the user or the system asked to stop

A failed drill is not an error: it is a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class PaydrillError(Exception):
    """Base of all: `exit_code` is what the process ends with."""

    exit_code = 4


class UsageError(PaydrillError):
    """The user asked for something that cannot be; nothing has been started."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a file. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        hint = f" (did you mean {self.suggestion}?)" if self.suggestion else ""
        where = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {where}{self.message}{hint}"


class FileProblems(UsageError):
    """All mistakes found in the files of one command, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class EnvironmentNotReady(PaydrillError):
    """The machine lacks a part; the message names it and what installs it."""

    exit_code = 4


class DrillBroken(PaydrillError):
    """The drill cannot prove anything any more. `code` becomes a verdict's reason."""

    exit_code = 3

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail}")


class InstrumentDied(DrillBroken):
    """The PSP, Toxiproxy, Locust or the watchdog ended although the plan did not ask for it."""

    def __init__(self, instrument: str, detail: str) -> None:
        self.instrument = instrument
        super().__init__("instrument_died", f"{instrument}: {detail}")


class FaultNotApplied(DrillBroken):
    """A fault was refused, or what was read back is not what was asked for."""

    def __init__(self, detail: str) -> None:
        super().__init__("fault_not_applied", detail)


class NotReady(DrillBroken):
    """A node did not answer its health probe in time."""

    def __init__(self, detail: str) -> None:
        super().__init__("stack_not_ready", detail)


class Interrupted(PaydrillError):
    """SIGINT (130) or SIGTERM (143): everything has been healed and taken down."""

    def __init__(self, signal_number: int) -> None:
        self.exit_code = 128 + signal_number
        super().__init__(f"interrupted by signal {signal_number}")

"""The watchdog: takes a run down when the harness is gone, however it went.

It is forked by the harness (O) before anything is started, and holds the reading end of a pipe whose
only writing end the harness holds: the lease. End of file on it means that the harness is dead or
done. Below it runs, where there are namespaces, the init (B) of a PID namespace, and in it the
conductor (C); elsewhere C directly. When O or C ends, everything below is killed, then `sweep` is
called. When the watchdog itself dies, B (or C) gets SIGKILL from the kernel and O does the rest.

O learns of all this by JSON lines in the report pipe: {"below": pid}, {"outcome": {code, detail}} from
C, {"ended": {code, signal}} from C's parent, {"init_ended": true} where there is a B, and
{"swept": problem or null} as the last.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from paydrill.backends import namespaces, processes
from paydrill.backends.namespaces import NamespaceKind
from paydrill.errors import PaydrillError

KILL_WITHIN_S = 5.0
RELEASE_AGAIN_MS = 200
UNEXPECTED = 70  # exit code of a conductor that ended by an error nobody foresaw (EX_SOFTWARE)

StopRequested = Callable[[], bool]


@dataclass(frozen=True)
class WorldPlan:
    """What is to be run and watched.

    log:        standard output and error of all processes of the harness itself
    namespaces: `root` (new PID, mount, network, IPC and UTS namespaces), `user` (the same in a new user
                namespace) or `none`; `work` then finds itself inside, with nothing mounted yet
    work:       the conductor; runs in C
    release:    lets go of what would keep processes from dying (frozen file systems); called before and
                while everything below is killed, in the watchdog and, when C ends, in B; idempotent
    sweep:      removes what dead processes leave (folders, containers); runs in the watchdog, or in O
                when the watchdog is dead; idempotent; must open its own connections
    """

    log: Path
    namespaces: NamespaceKind
    work: Callable[[StopRequested], None]
    sweep: Callable[[], None]
    release: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Pipes:
    """The ends that the watchdog and those below it hold."""

    lease: int
    stop: int
    report: int

    def say(self, **line: object) -> None:
        """One line to O; nobody there is no error."""
        with contextlib.suppress(OSError):
            os.write(self.report, json.dumps(line).encode() + b"\n")


def watch(plan: WorldPlan, pipes: Pipes) -> NoReturn:
    """The life of the watchdog process. Never returns into the harness's code."""
    try:
        _leave_the_harness(plan.log)
        guard_r, guard_w = os.pipe()
        if plan.namespaces == "user":
            namespaces.enter_user_namespace()
        if plan.namespaces != "none":
            namespaces.unshare(namespaces.NEWPID)
        below = os.fork()
        if below == 0:
            os.close(guard_w)
            os.close(pipes.lease)
            _below(plan, pipes, guard_r)
        if plan.namespaces == "root":
            namespaces.fork_here_again()  # `release` and `sweep` may fork
        pipes.say(below=below)
        _wait_for_an_end(below, pipes.lease)
        _end_below(plan, pipes, below)
    except BaseException as problem:
        traceback.print_exc()
        pipes.say(watchdog=_one_line(problem))
    _sweep(plan, pipes)
    os._exit(0)


def _leave_the_harness(log: Path) -> None:
    """Own session, so that Ctrl-C does not hit; own output, so that no pipe of the caller stays open."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    namespaces.become_subreaper()
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(out)
    # The harness may have put something else in their place (a test's capture, a progress display).
    sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)


def _wait_for_an_end(below: int, lease: int) -> None:
    """Until the lease is given up or the process below has ended."""
    fd = os.pidfd_open(below)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(lease, select.POLLIN)
        poll.poll()
    finally:
        os.close(fd)


def _end_below(plan: WorldPlan, pipes: Pipes, below: int) -> None:
    """With namespaces: killing their init kills all; waitpid returns when all are reaped."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(below, signal.SIGKILL)
    status = _await_death(plan, below)
    if plan.namespaces == "none":
        _say_ended(pipes, status)
    else:
        pipes.say(init_ended=True)
    # Orphans of C are our children now, and theirs in turn.
    left = processes.end_all(lambda: processes.children_of(os.getpid()), KILL_WITHIN_S)
    if left:
        raise TimeoutError(f"processes {left} do not die")


def _await_death(plan: WorldPlan, below: int) -> int:
    """Its wait status. Whoever waits for a frozen disk dies only once that is thawed."""
    fd = os.pidfd_open(below)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        plan.release()
        while not poll.poll(RELEASE_AGAIN_MS):
            plan.release()
    finally:
        os.close(fd)
    return os.waitpid(below, 0)[1]


def _sweep(plan: WorldPlan, pipes: Pipes) -> None:
    try:
        plan.sweep()
    except BaseException as problem:
        traceback.print_exc()
        pipes.say(swept=_one_line(problem))
    else:
        pipes.say(swept=None)


def _below(plan: WorldPlan, pipes: Pipes, guard: int) -> NoReturn:
    """B where there are namespaces, else C itself."""
    try:
        namespaces.die_with_parent()
        if select.select([guard], [], [], 0)[0]:
            os._exit(9)  # the watchdog died before the line above; getppid() is 0 in a PID namespace
        if plan.namespaces == "none":
            _conduct(plan, pipes)
        namespaces.unshare(namespaces.NEWNS | namespaces.NEWNET | namespaces.NEWIPC | namespaces.NEWUTS)
        _init(plan, pipes)
    except BaseException as problem:
        traceback.print_exc()
        pipes.say(outcome={"code": UNEXPECTED, "detail": _one_line(problem)})
    os._exit(UNEXPECTED)


def _init(plan: WorldPlan, pipes: Pipes) -> NoReturn:
    """pid 1 of the drill: reaps orphans; its end is the end of everything inside."""
    conductor = os.fork()
    if conductor == 0:
        _conduct(plan, pipes)
    while True:
        pid, status = os.wait()
        if pid == conductor:
            plan.release()
            _say_ended(pipes, status)
            os._exit(0)


def _conduct(plan: WorldPlan, pipes: Pipes) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    code, detail = 0, ""
    try:
        plan.work(_stop_flag(pipes.stop))
    except BaseException as problem:
        traceback.print_exc()
        code = problem.exit_code if isinstance(problem, PaydrillError) else UNEXPECTED
        detail = str(problem) if isinstance(problem, PaydrillError) else _one_line(problem)
    pipes.say(outcome={"code": code, "detail": detail[:2000]})
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _stop_flag(stop: int) -> StopRequested:
    """True from the moment that a byte, or the end of the pipe, can be read; cheap to ask often."""
    return lambda: bool(select.select([stop], [], [], 0)[0])


def _say_ended(pipes: Pipes, status: int) -> None:
    if os.WIFSIGNALED(status):
        pipes.say(ended={"code": None, "signal": os.WTERMSIG(status)})
    else:
        pipes.say(ended={"code": os.WEXITSTATUS(status), "signal": None})


def _one_line(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:1000]

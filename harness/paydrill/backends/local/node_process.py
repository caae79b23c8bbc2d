"""One node as its processes: start, kill, freeze, thaw, all of them at once.

With users of their own, a node's processes are those of its user, and one kill(-1) made by that user
hits them all, also PostgreSQL's children and nginx's workers, which have sessions or groups of their
own. Otherwise they are those that write to the node's log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from paydrill.backends import ProcessIdentity, processes
from paydrill.backends.local.spawn import Order, identity
from paydrill.errors import FaultNotApplied
from paydrill.topology import Node

WITHIN_S = 5.0


class NodeProcess:
    """start: makes the node's main process and returns its pid; reap: collects it when it has ended.

    planned: the order by which it is started, unless `next_order` is another one
    """

    def __init__(
        self,
        node: Node,
        uid: int | None,
        planned: Order,
        start: Callable[[Order], int],
        reap: Callable[[], None],
    ) -> None:
        self.node = node
        self._uid = uid
        self._log = Path(planned.log)
        self.planned = self.next_order = planned
        self._start = start
        self._reap = reap
        self._main: ProcessIdentity | None = None

    def start(self) -> None:
        self._main = identity(self._start(self.next_order))

    def who(self) -> ProcessIdentity | None:
        """The main process, None when it does not run."""
        self._reap()
        main = self._main
        return main if main and processes.is_running(main.pid, main.started) else None

    def kill(self) -> None:
        """SIGKILL to all; returns when none is left. Raises FaultNotApplied after 5 s.

        A dying process loses its files before it is gone: those that were seen are waited for by pid.
        """
        seen: dict[int, str] = {}

        def gone(found: list[processes.ProcessStat]) -> bool:
            self._reap()
            return not found and not any(processes.is_running(pid, began) for pid, began in seen.items())

        if self._main is not None:
            seen[self._main.pid] = self._main.started
        seen |= {p.pid: p.started for p in self._all()}
        self._until(signal.SIGKILL, gone, "does not die")

    def send_signal(self, number: signal.Signals) -> None:
        """To the main process alone; what it does is its own affair."""
        if (main := self.who()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(main.pid, number)

    def pause(self) -> None:
        """SIGSTOP to all; returns when all stand still."""
        self._until(signal.SIGSTOP, _all_stopped, "does not stop")

    def resume(self) -> None:
        """SIGCONT to all; returns when none stands still."""
        self._until(signal.SIGCONT, lambda found: not any(p.state == "T" for p in found), "does not go on")

    def pids(self) -> list[int]:
        """All its processes, as they are numbered here."""
        return [process.pid for process in self._all()]

    def is_paused(self) -> bool:
        return _all_stopped(self._all())

    def _until(
        self, number: signal.Signals, done: Callable[[list[processes.ProcessStat]], bool], trouble: str
    ) -> None:
        give_up = time.monotonic() + WITHIN_S
        while True:
            self._signal_all(number)
            if done(self._all()):
                return
            if time.monotonic() > give_up:
                raise FaultNotApplied(f"{self.node.name} {trouble} within {WITHIN_S:g} s")
            time.sleep(0.001)

    def _all(self) -> list[processes.ProcessStat]:
        if self._uid is not None:
            return processes.of_user(self._uid)
        return processes.writing_to(self._log)

    def _signal_all(self, number: signal.Signals) -> None:
        if self._uid is not None:
            _as_user(self._uid, number)
            return
        for process in self._all():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _all_stopped(found: list[processes.ProcessStat]) -> bool:
    return bool(found) and all(p.state == "T" for p in found)


def _as_user(uid: int, number: signal.Signals) -> None:
    """Signal every process of that user in this PID namespace."""
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(uid, uid, uid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, number)
        finally:
            os._exit(0)
    os.waitpid(child, 0)

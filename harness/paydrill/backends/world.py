"""The harness's side of a world: starts the watchdog, waits, asks to stop, and leaves nothing behind.

    O  this process ── A watchdog ─┬─ [B init of the namespaces] ── C conductor ── the stack, Locust
                                   └─ see paydrill/watchdog.py

Call `launch` while the process has one thread: everything is made by fork, nothing is imported anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from paydrill.backends import Outcome, namespaces, processes
from paydrill.watchdog import KILL_WITHIN_S, Pipes, WorldPlan, watch

END_WITHIN_S = 10.0

# Leases of this process: a later watchdog must not keep an earlier one's lease alive.
_leases: set[int] = set()


@contextmanager
def launch(plan: WorldPlan) -> Iterator[ForkedWorld]:
    """Run `plan` below a watchdog; when the block is left, everything of it is gone.

    Raises DrillBroken only by what `plan.work` reports: see ForkedWorld.wait.
    """
    plan.log.parent.mkdir(parents=True, exist_ok=True)
    namespaces.become_subreaper()
    world = ForkedWorld(plan)
    try:
        yield world
    finally:
        world.close()


class ForkedWorld:
    """A `World`: see paydrill.backends.World."""

    def __init__(self, plan: WorldPlan) -> None:
        self._plan = plan
        lease_r, self._lease = os.pipe()
        stop_r, self._stop = os.pipe()
        self._report, report_w = os.pipe()
        pipes = Pipes(lease_r, stop_r, report_w)
        ours = (self._lease, self._stop, self._report)
        self._watchdog = os.fork()
        if self._watchdog == 0:
            for fd in (*ours, *_leases):
                os.close(fd)
            watch(plan, pipes)
        _leases.add(self._lease)
        for fd in (lease_r, stop_r, report_w):
            os.close(fd)
        self._said: dict[str, object] = {}
        self._buffer = b""
        self._over = False
        self._watchdog_status: int | None = None

    def wait(self, timeout_s: float) -> Outcome | None:
        """The outcome once everything has ended and been swept, or None while it still works."""
        give_up = time.monotonic() + timeout_s
        while not self._over:
            left_s = give_up - time.monotonic()
            if not select.select([self._report], [], [], max(0.0, left_s))[0]:
                return None
            self._read_report()
        self._reap_watchdog(block=True)
        return self._outcome()

    def request_stop(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._stop, b"s")

    def watchdog_alive(self) -> bool:
        self._reap_watchdog(block=False)
        return self._watchdog_status is None

    def close(self) -> None:
        """Give the lease up and wait until nothing is left; do the watchdog's work when it is dead."""
        if self._lease in _leases:
            _leases.discard(self._lease)
            os.close(self._lease)
            if self.wait(END_WITHIN_S) is None:
                os.kill(self._watchdog, signal.SIGKILL)
                self._reap_watchdog(block=True)
            self._clean_up_after_the_watchdog()
            os.close(self._stop)
            os.close(self._report)

    def _read_report(self) -> None:
        chunk = os.read(self._report, 65536)
        self._over = not chunk
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            self._said |= json.loads(line)

    def _reap_watchdog(self, *, block: bool) -> None:
        if self._watchdog_status is None:
            pid, status = os.waitpid(self._watchdog, 0 if block else os.WNOHANG)
            if pid:
                self._watchdog_status = status

    def _clean_up_after_the_watchdog(self) -> None:
        """Its orphans are our children (we are a subreaper): end them, then sweep if it has not."""
        if self._said.get("swept", "not swept") is None:
            return
        self._plan.release()
        below = self._said.get("below")
        logs = self._plan.log.parent

        def left() -> list[processes.ProcessStat]:
            return [p for p in processes.all_processes() if below in (p.pid, p.session) and p.alive] + [
                p for p in processes.writing_to(logs) if p.session != os.getsid(0)
            ]

        processes.end_all(left, KILL_WITHIN_S)
        self._reap_orphans()
        self._plan.sweep()

    def _reap_orphans(self) -> None:
        """Zombies that became ours: B or C, and in the `none` layout what ran below."""
        below = self._said.get("below")
        if isinstance(below, int):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(below, 0)
        for child in processes.children_of(os.getpid()):
            if child.state == "Z" and child.session == below:
                processes.reap_children([child])

    def _outcome(self) -> Outcome:
        said, ended = self._said.get("outcome"), self._said.get("ended")
        if isinstance(said, dict) and (not isinstance(ended, dict) or ended["signal"] is None):
            return Outcome(said["code"], None, said["detail"])
        if isinstance(ended, dict):
            by_signal = f"the conductor was ended by signal {ended['signal']}"
            return Outcome(
                ended["code"], ended["signal"], by_signal if ended["signal"] else "it said nothing"
            )
        if self._said.get("init_ended"):
            return Outcome(None, signal.SIGKILL, "the whole drill was killed from outside")
        problem = self._said.get(
            "watchdog", "watchdog_died: the watchdog was killed, and all below it with it"
        )
        return Outcome(None, signal.SIGKILL, str(problem))

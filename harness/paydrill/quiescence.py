"""Waiting until a stack is quiet: nothing open in it, nothing pending at the PSP.

The suspect's own word may end the waiting and never excuses anything: what has not settled by
T_settle is for the invariants to find.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from paydrill.backends import Stack
from paydrill.collector import read_source
from paydrill.errors import PaydrillError

POLL_S = 0.2


@dataclass(frozen=True)
class Settled:
    """`open_work` is None when the target could not say; `waited_s` since the waiting began."""

    open_work: int | None
    psp_pending: int
    waited_s: float
    in_time: bool


def wait_until_settled(stack: Stack, stop_asked: Callable[[], bool]) -> Settled:
    """Two quiet looks in a row, or T_settle over, or a stop."""
    began = time.monotonic()
    quiet_looks = 0
    while True:
        open_work, pending = _open_work(stack), stack.psp.status().pending
        quiet_looks = quiet_looks + 1 if not open_work and pending == 0 else 0
        waited_s = time.monotonic() - began
        if quiet_looks >= 2 or waited_s >= stack.setup.timing.t_settle_s or stop_asked():
            return Settled(open_work, pending, waited_s, quiet_looks >= 2)
        time.sleep(POLL_S)


def _open_work(stack: Stack) -> int | None:
    source = stack.setup.target.open_work
    if source is None:
        return None
    try:
        rows = read_source(stack, source)
    except PaydrillError:
        return None
    return int(str(rows[0]["open"])) if rows else None

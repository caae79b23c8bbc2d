"""Waiting until a stack is quiet: nothing open in it, nothing pending at a PSP, nothing owed to anybody.

The suspect's own word may end the waiting and never excuses anything: what has not settled by
T_settle is for the invariants to find. A charge without an order may still be given back until T_comp;
the PSPs' journals and the clients' history say whether there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from paydrill.backends import Stack
from paydrill.collector import Rows, read_source
from paydrill.errors import PaydrillError
from paydrill.evidence.owed import charges_without_order
from paydrill.run_folder import RunFolder
from paydrill.target import FactSource

POLL_S = 0.2
OWED_POLL_S = 1.0


@dataclass(frozen=True)
class Settled:
    """`open_work` is None when the target could not say; `waited_s` since the waiting began."""

    open_work: int | None
    psp_pending: int
    owed: int
    waited_s: float
    in_time: bool


def wait_until_settled(stack: Stack, run: RunFolder, stop_asked: Callable[[], bool]) -> Settled:
    """Two quiet looks in a row and nothing owed; or T_settle (for what is owed T_comp) over; or a stop."""
    began = time.monotonic()
    timing = stack.setup.timing
    quiet_looks = 0
    while True:
        open_work, pending = _open_work(stack), sum(psp.status().pending for psp in stack.psps.values())
        quiet_looks = quiet_looks + 1 if not open_work and pending == 0 else 0
        waited_s = time.monotonic() - began
        if waited_s >= timing.t_settle_s or stop_asked():
            return Settled(open_work, pending, _owed(stack, run), waited_s, False)
        if quiet_looks >= 2:
            owed = _owed(stack, run)
            waited_s = time.monotonic() - began
            if owed == 0 or waited_s >= timing.t_comp_s:
                return Settled(open_work, pending, owed, waited_s, owed == 0)
            time.sleep(OWED_POLL_S)
        time.sleep(POLL_S)


def _owed(stack: Stack, run: RunFolder) -> int:
    """Charges without a paid order; 0 where the target offers no orders to look at: nothing could end the wait."""
    sources = [source for source in stack.setup.target.facts if source.table == "sut_fact"]
    if not sources:
        return 0
    return charges_without_order(run, [row for source in sources for row in _rows(stack, source)])


def _open_work(stack: Stack) -> int | None:
    source = stack.setup.target.open_work
    rows = _rows(stack, source) if source else []
    return int(str(rows[0]["open"])) if rows else None


def _rows(stack: Stack, source: FactSource) -> Rows:
    """A read that failed says nothing."""
    try:
        return read_source(stack, source)
    except PaydrillError:
        return []

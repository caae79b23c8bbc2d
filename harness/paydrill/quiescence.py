"""Waiting until a stack is quiet: nothing open in it, nothing pending at a PSP, nothing owed to anybody.

The suspect's own word may end the waiting and never excuses anything: what has not settled by
T_settle is for the invariants to find. A charge without an order may still be given back until T_comp;
the PSPs' journals and the clients' history say whether there is one. A target that says nothing of
itself is asked as its customers ask: every order is read through the public API.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from paydrill.backends import Stack
from paydrill.collector import Rows, read_source
from paydrill.errors import PaydrillError
from paydrill.evidence.owed import charges_without_order, open_as_read, orders_as_read
from paydrill.run_folder import RunFolder
from paydrill.target import FactSource, Target

POLL_S = 0.2
OWED_POLL_S = 1.0


@dataclass(frozen=True)
class Settled:
    """`open_work` is None when nobody could say; `waited_s` since the waiting began."""

    open_work: int | None
    psp_pending: int
    owed: int
    waited_s: float
    in_time: bool


def wait_until_settled(
    stack: Stack, run: RunFolder, stop_asked: Callable[[], bool], read_orders: Callable[[], object]
) -> Settled:
    """Two quiet looks in a row and nothing owed; or T_settle (for what is owed T_comp) over; or a stop.

    read_orders: has the load read every order once more; only where the target says less than
    `open_work` and its orders.
    """
    began = time.monotonic()
    timing, target = stack.setup.timing, stack.setup.target
    tells_all = target.open_work is not None and bool(_order_sources(target))
    open_seen: int | None = None
    quiet_looks = 0
    while True:
        open_work, pending = _open_work(stack), sum(psp.status().pending for psp in stack.psps.values())
        quiet_looks = quiet_looks + 1 if not open_work and pending == 0 else 0
        waited_s = time.monotonic() - began
        if waited_s >= timing.t_settle_s or stop_asked():
            last = open_seen if open_work is None else open_work
            return Settled(last, pending, _owed(stack, run), waited_s, False)
        if quiet_looks >= 2:
            if not tells_all:
                read_orders()
            open_seen = open_as_read(run) if target.open_work is None else open_work
            owed = _owed(stack, run)
            waited_s = time.monotonic() - began
            if not open_seen and (owed == 0 or waited_s >= timing.t_comp_s):
                return Settled(open_seen, pending, owed, waited_s, owed == 0)
            time.sleep(OWED_POLL_S)
        time.sleep(POLL_S)


def _order_sources(target: Target) -> list[FactSource]:
    return [source for source in target.facts if source.table == "sut_fact"]


def _owed(stack: Stack, run: RunFolder) -> int:
    """Charges without a paid order, by the target's own rows where it offers them, else by its public API."""
    if sources := _order_sources(stack.setup.target):
        return charges_without_order(run, [row for source in sources for row in _rows(stack, source)])
    return charges_without_order(run, orders_as_read(run))


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

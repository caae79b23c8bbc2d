"""Settles what was left unknown: asks the PSP again until it is known whether a card was charged."""

from __future__ import annotations

import logging
import threading

from shop.outcomes import Charge, Unknown
from shop.psp import Psp
from shop.store import Payment, Store

MOST_UNREACHED = 3
log = logging.getLogger("shop.settler")


class Settler:
    """A thread; every `period_s` a pass over the payments that nobody has asked about for `call_s`."""

    def __init__(self, store: Store, psp: Psp, period_s: float, call_s: float) -> None:
        self._store = store
        self._psp = psp
        self._period_s = period_s
        self._call_s = call_s
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="settler", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def one_pass(self) -> None:
        """Ask about each in turn; a PSP that does not answer several times is left alone until the next pass."""
        unreached = 0
        for payment in self._store.unsettled(self._call_s):
            charge = self._ask(payment)
            self._store.note(payment, charge)
            unreached = unreached + 1 if isinstance(charge, Unknown) and not charge.reached else 0
            if unreached == MOST_UNREACHED or self._over.is_set():
                return

    def _ask(self, payment: Payment) -> Charge:
        return self._psp.look(payment) if payment.psp_id else self._psp.charge(payment)

    def _run(self) -> None:
        while not self._over.wait(self._period_s):
            try:
                self.one_pass()
            except Exception:
                log.exception("a pass of the settler failed; the next one begins anew")

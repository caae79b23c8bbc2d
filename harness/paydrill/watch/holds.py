"""Hold and strike: the PSP holds an answer until the fault is in force.

Each hold has a control connection of its own: when the harness is gone, the PSP lets go by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from paydrill.errors import InstrumentDied
from paydrill.events import Happened, HoldAt, OnEvent
from paydrill.psp.control import Held, PspControl
from paydrill.topology import PSP

MOST_S = 10.0
"""For how long the PSP holds an answer: then it goes, and the fault came too late."""
LOOK_S = 0.1


@dataclass
class Strike:
    """One armed hold. `then` is what must still follow while the answer is held (a webhook), or None."""

    control: PspControl
    hold: int
    then: OnEvent | None
    held: Held | None = None
    in_time: bool = False
    released_ns: int = 0
    _early: set[str] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def await_held(self, told: Callable[[], None]) -> None:
        """Calls `told` from a thread of its own once the answer is held."""
        self._thread = threading.Thread(target=self._wait, args=(told,), name="watch-hold", daemon=True)
        self._thread.start()

    @property
    def waits_for_more(self) -> bool:
        """Whether what must follow (the webhook of the held operation) is still to come."""
        return self.then is not None and (self.held is None or self.held.pi not in self._early)

    @property
    def held_at_ns(self) -> int:
        return self.held.t_ns if self.held else 0

    def is_followed_by(self, happened: Happened) -> bool:
        """Whether that is what must follow: of the intent whose answer is held."""
        if self.then is None or not self.then.fits(happened):
            return False
        pi = happened.facts["pi"]
        self._early.add(pi)  # the webhook may be faster than the word that its answer is held
        return self.held is not None and self.held.pi == pi

    def facts(self) -> dict[str, str]:
        held = self.held
        if held is None:
            return {}
        return {"psp": self.control.name, "req": str(held.req), "pi": held.pi or "", "operation": held.action}

    def release(self) -> None:
        """Let the answer go; `in_time` says whether it was still held. Raises InstrumentDied."""
        self._stop_waiting()
        try:
            released = self.control.release(self.hold)
            self.in_time, self.released_ns = released.released, released.t_ns
        finally:
            self.control.close()

    def close(self) -> None:
        """Whatever is held is answered by the PSP itself as its connection closes."""
        self._stop_waiting()
        self.control.close()

    def _stop_waiting(self) -> None:
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _wait(self, told: Callable[[], None]) -> None:
        try:
            while not self._ended.is_set():
                if held := self.control.wait_held(LOOK_S):
                    self.held = held
                    told()
                    return
        except InstrumentDied:
            return  # the conductor looks after the instruments itself


def hold_for(psps: Mapping[str, PspControl], at: HoldAt, condition: OnEvent) -> Strike:
    """Arm it at the PSP that the condition names, the first one if none. Raises InstrumentDied."""
    name = condition.only.get("psp", PSP)
    control = PspControl(psps[name].path, name=name)
    armed = control.arm(
        action=condition.only.get("operation"),
        effect=at.effect,
        point=at.point,
        count=condition.count,
        max_s=MOST_S,
    )
    follows = condition if condition.event.startswith("webhook.") else None
    return Strike(control, armed.hold, follows)

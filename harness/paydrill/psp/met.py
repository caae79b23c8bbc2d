"""What a rule of the simulator has met: what its control tells a harness (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MetRequest:
    """A request that a rule has met. Times are monotonic ns, None while nothing of it has happened.

    by_request: what it did, by kind (`capture`; `capture pending`, `capture failed` where it is not done)
    by_itself:  what the PSP did of its own accord because of it, later
    status:     what its answer says; delivered: the answer was written to an open connection
    decision:   the behaviour; None where the rule only makes the answer slow
    """

    req: int
    operation: str
    decision: str | None
    stopped_by: str | None
    t_recv: int
    by_request: tuple[str, ...] = ()
    t_effect: int | None = None
    by_itself: tuple[str, ...] = ()
    status: int | None = None
    delivered: bool | None = None
    t_answer: int | None = None

    @property
    def answered_after_s(self) -> float:
        """Seconds from its arrival to its answer; 0 while there is none."""
        return 0.0 if self.t_answer is None else (self.t_answer - self.t_recv) / 1e9

    @property
    def done_after_s(self) -> float:
        """Seconds from its arrival to the commit; 0 while there is none."""
        return 0.0 if self.t_effect is None else (self.t_effect - self.t_recv) / 1e9


@dataclass(frozen=True, slots=True)
class MetEvent:
    """An event that a rule has met. Times are monotonic ns.

    t_sent, t_ack: of its first try; overtaken: a later event of the same payment was sent before it
    copies:        how many more of it were answered
    before_answer: it was heard before the call that caused it had been answered
    """

    event: str
    type: str
    seq: int
    t_made: int
    t_sent: int | None = None
    t_ack: int | None = None
    dropped: bool = False
    overtaken: bool = False
    copies: int = 0
    before_answer: bool = False

    @property
    def waited_s(self) -> float:
        """Seconds until it was sent for the first time; 0 while it was not."""
        return 0.0 if self.t_sent is None else (self.t_sent - self.t_made) / 1e9


@dataclass(frozen=True, slots=True)
class Met:
    """What one rule has met since it came into force; `drawn` counts those that are not kept, too."""

    drawn: int = 0
    requests: tuple[MetRequest, ...] = ()
    events: tuple[MetEvent, ...] = ()

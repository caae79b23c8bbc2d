"""One request on its way through the simulator: as read, as understood, as answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from paydrill.psp.behaviours import Decision
from paydrill.psp.key_cancel import CancelByKey
from paydrill.psp.lines import RequestLine
from paydrill.psp.refusals import Refusal
from paydrill.psp.requests import Post
from paydrill.psp.routes import Route
from paydrill.psp.tokens import harness_number


@dataclass(frozen=True)
class Call:
    """A request as it was read. `refused` is set where the server already knows that it is none.

    `base_url` is where its caller reached the simulator, as far as that is known.
    """

    method: str
    path: str
    text: str
    idem_key: str | None
    t_recv: int
    gone: Callable[[], bool]
    refused: Refusal | None = None
    base_url: str = ""


@dataclass(frozen=True)
class Answer:
    """What to send. `drop`: cut the connection instead. `original`: the first request of its key.

    `tells_key`: headers say whether it is a replay and what it repeats.
    """

    req: int
    status: int
    body: bytes
    stopped_by: str | None = None
    original: int | None = None
    drop: bool = False
    retry_after_s: int | None = None
    tells_key: bool = True
    content_type: str = "application/json"

    @property
    def replayed(self) -> bool:
        return self.stopped_by == "replay"


@dataclass
class Ticket:
    """One request on its way; filled in as more is known about it."""

    req: int
    call: Call
    route: Route | None = None
    request: Post | CancelByKey | None = None
    money: bool = False
    fingerprint: str | None = None
    token: str | None = None
    pi: str | None = None
    nth: int | None = None
    gate: int | None = None
    gate_of: str | None = None
    decision: Decision | None = None
    slow: Decision | None = None
    stopped_by: str | None = None
    waited: bool = False

    @property
    def action(self) -> str | None:
        return self.route.action if self.route else None

    def request_line(self) -> RequestLine:
        """What the journal says of it before anything is done about it."""
        return RequestLine(
            t=time.monotonic_ns(),
            t_recv=self.call.t_recv,
            req=self.req,
            op=self.route.template if self.route else f"{self.call.method} {self.call.path}"[:200],
            money=self.money,
            idem_key=self.call.idem_key,
            body=self.fingerprint[:16] if self.fingerprint else None,
            token=harness_number(self.token),
            payment_method=self.token,
            pi=self.pi,
            action=self.action,
            nth=self.nth,
            decision=self.decision.behaviour if self.decision else None,
            stopped_by=self.stopped_by,
            rule=self.decision.rule if self.decision else None,
            gate=self.gate,
            gate_of=self.gate_of,
            slow=self.slow.rule if self.slow else None,
        )

    def meets(self, behaviour: str) -> bool:
        return self.decision is not None and self.decision.behaviour == behaviour

    @property
    def holdable(self) -> bool:
        return self.money or self.action == "cancel"

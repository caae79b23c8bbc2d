"""One client operation: written down, sent, judged, written down again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from paydrill.load.answers import RawAnswer, Result, judge
from paydrill.load.arrivals import NS_PER_S
from paydrill.load.customers import Operator
from paydrill.load.history import History, HistoryClosed
from paydrill.load.intents import Intent, IntentMaker
from paydrill.load.orders import Orders
from paydrill.load.templates import CompiledRequest, Op
from paydrill.target import Client, Request


class Wire(Protocol):
    """One customer's connection to the target. Several requests may be under way at once."""

    def begin_anew(self) -> None:
        """Become another customer: what the one before was given (cookies) is forgotten."""
        ...

    def another(self) -> Wire:
        """A session of its own, for somebody else who comes at the same time."""
        ...

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
        name: str,
    ) -> RawAnswer:
        """Send once and wait for the answer; errors of the transport are answers too, never raised.

        `path` is one of the target, or a whole URL.
        """
        ...


class Pace(Protocol):
    """How the child waits and does two things at once."""

    def now_ns(self) -> int: ...

    def sleep_until(self, t_ns: int) -> None: ...

    def together(self, deeds: Sequence[Callable[[], None]]) -> None:
        """Start all at once; return when all have ended. Raises what one of them raised."""
        ...


@dataclass(frozen=True)
class PspDoor:
    """`base_url` such as `http://127.0.0.1:4711`; `edge` such as `client->psp`."""

    base_url: str
    edge: str | None = None


@dataclass(frozen=True)
class Shop:
    """What all customers of a run share. Times in seconds.

    psp: where the customers' browsers reach the PSP, and over which edge
    """

    client: Client
    requests: Mapping[str, CompiledRequest]
    history: History
    orders: Orders
    pace: Pace
    timeout_s: float
    horizon_s: float
    maker: IntentMaker
    operators: tuple[Operator, ...] = ()
    psp: PspDoor | None = None

    def offers(self, kind: str) -> bool:
        return kind in self.requests


def compile_requests(client: Client) -> dict[str, CompiledRequest]:
    """All request templates of a client. Raises UsageError for one that is wrong."""
    return {kind: CompiledRequest(request) for kind, request in client.requests.items()}


def perform(
    shop: Shop,
    wire: Wire,
    intent: Intent,
    op: Op,
    token: int | None = None,
    due_ns: int | None = None,
    op_kind: str | None = None,
    timeout_s: float | None = None,
) -> Result:
    """Do one operation once. `due_ns` is when it was meant to be sent, now if not given.

    `op_kind` names it in the history where it differs from the request: a search is a read, a refund by
    an operator a refund.
    Raises HistoryClosed when the load was stopped meanwhile.
    """
    compiled = shop.requests[op.kind]
    request: Request = compiled.request
    rendered = compiled.render(intent, op)
    if shop.history.closed:
        raise HistoryClosed
    due_ns = shop.pace.now_ns() if due_ns is None else due_ns
    kind = op_kind or op.kind
    strong = request.strong or kind == "final"
    door = shop.psp if request.at == "psp" else None
    url = f"{door.base_url}{rendered.path}" if door else rendered.path
    number = shop.history.invoke(intent, kind, op, rendered, token, due_ns, strong)
    raw = wire.send(rendered.method, url, rendered.headers, rendered.body, timeout_s or shop.timeout_s, kind)
    result = judge(raw, request.answer, shop.client.outcomes, op.kind)
    shop.history.returned(number, raw, result, door.edge if door else None)
    return result


def seconds_ns(seconds: float) -> int:
    return int(seconds * NS_PER_S)

"""Webhooks: every event is told until somebody answers 2xx, signed as Stripe signs.

Retries keep Stripe's shape with compressed times (0.2 s, doubling to 2 s). Disorder and duplicates
are legal and the behaviours `webhook_…` make them on purpose. Forged, stale and replayed copies are
sent once each, beside the genuine one.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import aiohttp
import orjson

from paydrill.psp import shapes
from paydrill.psp.endpoints import MAIN, Endpoint, listening, registered
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import Line, WebhookLine
from paydrill.psp.state import Event
from paydrill.psp.tellings import DROPPED, FORGED, GENUINE, REPLAYED, STALE, Place, Tellings
from paydrill.psp.tokens import harness_number

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 2.0
ATTEMPT_TIMEOUT_S = 3.0
STALE_S = 600
"""How old the time stamp of a stale copy is: Stripe's libraries accept 300 s."""
_AT_ONCE = 32
_FORGED_SECRET = "whsec_not_the_secret"


def signature(secret: str, timestamp: int, payload: bytes) -> str:
    """The `Stripe-Signature` header of a payload sent at `timestamp` (unix seconds)."""
    digest = hmac.new(secret.encode(), b"%d." % timestamp + payload, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def backoff_s(tries: int) -> float:
    """Seconds until the next try after `tries` failed ones."""
    return min(FIRST_BACKOFF_S * 2.0 ** min(tries - 1, 10), LONGEST_BACKOFF_S)


@dataclass(order=True)
class _Due:
    at_ns: int
    order: int
    event: Event = field(compare=False)
    endpoint: str = field(compare=False)
    variant: str = field(compare=False)

    @property
    def place(self) -> Place:
        return self.event.id, self.endpoint


class Webhooks:
    """Sends to every endpoint. `run` never ends; cancel it. `wall_s` tells unix seconds for signatures."""

    def __init__(
        self,
        main: Endpoint | None,
        ledger: Ledger,
        tellings: Tellings,
        write: Callable[[Line], int],
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._main = main
        self._ledger = ledger
        self._tellings = tellings
        self._write = write
        self._wall_s = wall_s
        self._queue: list[_Due] = []
        self._order = 0
        self._changed = asyncio.Event()
        self._quiet = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._awaited: dict[Place, asyncio.Future[None]] = {}

    @property
    def pending(self) -> int:
        """Events and copies that have still to be told."""
        return len(self._queue) + len(self._sending)

    @property
    def in_flight(self) -> int:
        return len(self._sending)

    def tell(self, events: Iterable[Event]) -> list[asyncio.Future[None]]:
        """Queue events whose line is durable; the first tries that their caller's answer waits for."""
        first: list[asyncio.Future[None]] = []
        for event in events:
            telling = self._tellings.of(event.id)
            for endpoint in self._endpoints(event):
                for variant in telling.beside:
                    self._put(event, endpoint, variant, telling.wait_s)
                if telling.first:
                    first.append(self._awaiting((event.id, endpoint)))
                wait_s = 0.0 if telling.first else telling.wait_s
                self._put(event, endpoint, GENUINE, wait_s)
        return first

    def take_up(self) -> None:
        """After a rebuild: what was not told, and copies that were not sent."""
        tellings, known = self._tellings, self._known()
        for event, endpoint in tellings.tries:
            if endpoint in known:
                self._put(self._ledger.events[event], endpoint, GENUINE, 0.0)
        for (event, endpoint), variants in tellings.copies.items():
            told = (event, endpoint) not in tellings.tries
            for variant in variants if endpoint in known else ():
                if told or variant in tellings.of(event).beside:
                    self._put(self._ledger.events[event], endpoint, variant, 0.0)

    def wake(self) -> None:
        """The ledger was frozen or thawed."""
        self._changed.set()

    async def drained(self) -> None:
        """Return when no try is on its way."""
        while self._sending:
            self._quiet.clear()
            await self._quiet.wait()

    async def run(self) -> None:
        """Send what is due, for ever. Proxies of the environment are not used, redirects not followed."""
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=_AT_ONCE)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=False) as session:
            try:
                while True:
                    self._changed.clear()
                    self._send_due(session)
                    await self._wait_for_work()
            finally:
                # Nothing may be written once the journal is closed.
                unfinished = tuple(self._sending)
                for task in unfinished:
                    task.cancel()
                await asyncio.gather(*unfinished, return_exceptions=True)

    def _send_due(self, session: aiohttp.ClientSession) -> None:
        now = time.monotonic_ns()
        while self._may_send() and self._queue[0].at_ns <= now:
            due = heapq.heappop(self._queue)
            task = asyncio.create_task(self._attempt(session, due))
            self._sending.add(task)
            task.add_done_callback(self._sent)

    def _may_send(self) -> bool:
        return bool(self._queue) and len(self._sending) < _AT_ONCE and not self._ledger.frozen

    async def _wait_for_work(self) -> None:
        wait_s = max(0.0, (self._queue[0].at_ns - time.monotonic_ns()) / 1e9) if self._may_send() else None
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the event.
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._changed.set()
        if not self._sending:
            self._quiet.set()

    async def _attempt(self, session: aiohttp.ClientSession, due: _Due) -> None:
        endpoint = self._known().get(due.endpoint)
        if endpoint is None:  # it was deleted meanwhile
            self._first_try_over(due.place)
            return
        if due.variant == GENUINE and self._tellings.of(due.event.id).dropped:
            now_ns = time.monotonic_ns()
            self._tried(replace(due, variant=DROPPED), now_ns, None, 0, "dropped on purpose", 0)
            self._first_try_over(due.place)
            return
        payload = orjson.dumps(shapes.event(due.event, pending_webhooks=1))
        signed_s = self._signed_s(due)
        secret = _FORGED_SECRET if due.variant == FORGED else endpoint.secret
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(secret, signed_s, payload),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        status, error = 0, None
        t_sent, t_ack = time.monotonic_ns(), None
        try:
            async with session.post(
                endpoint.url, data=payload, headers=headers, allow_redirects=False
            ) as answer:
                status, t_ack = answer.status, time.monotonic_ns()
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as failure:
            error = f"{type(failure).__name__}: {failure}"[:200]
        self._tried(due, t_sent, t_ack, status, error, signed_s)
        self._first_try_over(due.place)
        if due.variant == GENUINE:
            self._after(due, told=200 <= status < 300)

    def _tried(
        self, due: _Due, t_sent: int, t_ack: int | None, status: int, error: str | None, signed_s: int
    ) -> None:
        event = due.event
        self._write(
            WebhookLine(
                t=time.monotonic_ns(),
                attempt=self._tellings.last_attempt + 1,
                event=event.id,
                seq=event.seq,
                type=event.type,
                pi=event.pi,
                token=harness_number(event.token),
                variant=due.variant,
                t_sent=t_sent,
                t_ack=t_ack,
                status=status,
                error=error,
                endpoint=due.endpoint,
                signed_s=signed_s,
            )
        )

    def _after(self, due: _Due, told: bool) -> None:
        """A genuine one is told until it is heard, then its copies go out, each once."""
        if not told:
            wait_s = backoff_s(self._tellings.tries.get(due.place, 1))
            self._put(due.event, due.endpoint, GENUINE, wait_s)
            return
        telling = self._tellings.of(due.event.id)
        for variant in telling.after:
            wait_s = telling.replay_s if variant == REPLAYED else FIRST_BACKOFF_S
            self._put(due.event, due.endpoint, variant, wait_s)

    def _signed_s(self, due: _Due) -> int:
        if due.variant == REPLAYED:
            return self._tellings.signed_s[due.place]
        return int(self._wall_s()) - (STALE_S if due.variant == STALE else 0)

    def _known(self) -> Mapping[str, Endpoint]:
        """Those that can be told now."""
        mine = {MAIN: self._main} if self._main is not None else {}
        return {**mine, **{one.id: one for one in registered(self._ledger)}}

    def _endpoints(self, event: Event) -> list[str]:
        known = self._known()
        return [one for one in listening(self._ledger, event.type) if one in known]

    def _awaiting(self, place: Place) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited[place] = future
        return future

    def _first_try_over(self, place: Place) -> None:
        future = self._awaited.pop(place, None)
        if future is not None and not future.done():
            future.set_result(None)

    def _put(self, event: Event, endpoint: str, variant: str, delay_s: float) -> None:
        self._order += 1
        due = _Due(time.monotonic_ns() + int(delay_s * 1e9), self._order, event, endpoint, variant)
        heapq.heappush(self._queue, due)
        self._changed.set()

"""Webhooks: every event is told until somebody answers 2xx, signed as Stripe signs.

Retries keep Stripe's shape with compressed times (0.2 s, doubling to 2 s). Disorder and duplicates
are legal; `webhook_delay` and `webhook_duplicate` make them on purpose.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import hmac
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson

from paydrill.psp import shapes
from paydrill.psp.behaviours import WEBHOOK_DELAY, WEBHOOK_DUPLICATE, Behaviours
from paydrill.psp.ledger import Ledger
from paydrill.psp.lines import Line, WebhookLine
from paydrill.psp.state import Event
from paydrill.psp.tokens import harness_number

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 2.0
ATTEMPT_TIMEOUT_S = 3.0
_AT_ONCE = 32


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
    variant: str = field(compare=False)


class Webhooks:
    """Sends to one URL. `run` never ends; cancel it. `ca_file`: whom to trust there, None = the system's."""

    def __init__(
        self,
        url: str,
        secret: str,
        ledger: Ledger,
        write: Callable[[Line], int],
        behaviours: Callable[[], Behaviours],
        ca_file: Path | None = None,
    ) -> None:
        self._trusted = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._url = url
        self._secret = secret
        self._ledger = ledger
        self._write = write
        self._behaviours = behaviours
        self._queue: list[_Due] = []
        self._order = 0
        self._changed = asyncio.Event()
        self._quiet = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> int:
        """Events and duplicates that have still to be told."""
        return len(self._queue) + len(self._sending)

    @property
    def in_flight(self) -> int:
        return len(self._sending)

    def tell(self, events: Iterable[Event]) -> None:
        """Queue events whose line is durable."""
        for event in events:
            delay_s = 0.0
            if self._behaviours().webhook(WEBHOOK_DELAY, event.token or event.pi, event.type, event.nth):
                delay_s = self._behaviours().seconds("webhook_delay_s")
            self._put(event, "genuine", delay_s)

    def take_up(self) -> None:
        """After a rebuild: what was not told, and duplicates that were not sent."""
        for wanted in self._ledger.tries:
            self._put(self._ledger.events[wanted], "genuine", 0.0)
        for wanted in self._ledger.told - self._ledger.repeated:
            self._repeat(self._ledger.events[wanted])

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
        connector = aiohttp.TCPConnector(limit=_AT_ONCE, ssl=self._trusted)
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
        event = due.event
        payload = orjson.dumps(shapes.event(event, pending_webhooks=1))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(self._secret, int(time.time()), payload),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        self._ledger.last_attempt += 1
        number, status, error = self._ledger.last_attempt, 0, None
        t_sent, t_ack = time.monotonic_ns(), None
        try:
            async with session.post(
                self._url, data=payload, headers=headers, allow_redirects=False
            ) as answer:
                status, t_ack = answer.status, time.monotonic_ns()
        except (TimeoutError, aiohttp.ClientError, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}"[:200]
        self._write(
            WebhookLine(
                t=time.monotonic_ns(),
                attempt=number,
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
            )
        )
        self._after(due, told=200 <= status < 300)

    def _after(self, due: _Due, told: bool) -> None:
        """A duplicate is sent once, whatever comes of it; a genuine one until it is told."""
        if due.variant == "dup":
            return
        if told:
            self._repeat(due.event)
        else:
            self._put(due.event, "genuine", backoff_s(self._ledger.tries.get(due.event.id, 1)))

    def _repeat(self, event: Event) -> None:
        if self._behaviours().webhook(WEBHOOK_DUPLICATE, event.token or event.pi, event.type, event.nth):
            self._put(event, "dup", FIRST_BACKOFF_S)

    def _put(self, event: Event, variant: str, delay_s: float) -> None:
        self._order += 1
        due = _Due(time.monotonic_ns() + int(delay_s * 1e9), self._order, event, variant)
        heapq.heappush(self._queue, due)
        self._changed.set()

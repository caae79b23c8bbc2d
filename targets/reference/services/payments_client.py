"""Orders' way to the payments nodes: round robin, and over to another one only with the same key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count

import aiohttp

from services.log import log

AVOID_S = 1.0
"""How long a node that failed is asked last."""

PAUSE_S = 0.1
SETTLED = (200, 202, 400, 402, 404, 422)
DEFINITE_CODES = ("state_conflict", "overloaded")
"""Of a 409 or 503: the node has decided. All others say nothing of the outcome."""


class PaymentsClient:
    """Asks until there is an answer or no time left. Every call carries a key that makes repeats harmless."""

    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str], budget_s: float) -> None:
        self._session = session
        self._urls = tuple(urls)
        self._budget_s = budget_s
        self._turn = count()
        self._avoid_until = dict.fromkeys(self._urls, 0.0)

    @classmethod
    @asynccontextmanager
    async def open(cls, urls: Sequence[str], budget_s: float) -> AsyncIterator[PaymentsClient]:
        connector = aiohttp.TCPConnector(limit=200, keepalive_timeout=15)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield cls(session, urls, budget_s)

    async def post(self, path: str, key: str, body: Mapping[str, object]) -> bool:
        """True when a node has answered for good; False when the outcome is unknown to us."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._budget_s
        for url in self._nodes():
            remaining_s = deadline - loop.time()
            if remaining_s <= 0.05:
                break
            if await self._try(url, path, key, body, remaining_s):
                return True
            await asyncio.sleep(min(PAUSE_S, max(0.0, deadline - loop.time())))
        log("payments_silent", path=path)
        return False

    def _nodes(self) -> Iterator[str]:
        """The nodes in turn, for ever; one that failed lately only when no other is left."""
        for turn in count(next(self._turn)):
            now = asyncio.get_running_loop().time()
            turned = [self._urls[(turn + i) % len(self._urls)] for i in range(len(self._urls))]
            yield next((url for url in turned if self._avoid_until[url] <= now), turned[0])

    async def _try(self, url: str, path: str, key: str, body: Mapping[str, object], total_s: float) -> bool:
        """Whether that node has answered for good."""
        try:
            async with self._session.post(
                url + path,
                json=body,
                headers={"Idempotency-Key": key},
                timeout=aiohttp.ClientTimeout(total=total_s),
            ) as response:
                text = await response.text()
                return response.status in SETTLED or _code_of(text) in DEFINITE_CODES
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError) as error:
            self._avoid_until[url] = asyncio.get_running_loop().time() + AVOID_S
            log("payments_node_failed", url=url, error=type(error).__name__)
            return False


def _code_of(text: str) -> str | None:
    try:
        return str(json.loads(text)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return None

"""How the Stripe SDK reaches the network: aiohttp, with one limit for the whole call.

The SDK's own aiohttp client reads the body outside its error handling, so that a cut or stalled body
escapes as a foreign exception; and other clients limit each read, not the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import NoReturn

import aiohttp
import stripe


class Unreachable(stripe.APIConnectionError):
    """There was no connection, so nothing was sent."""


class WholeCallClient(stripe.HTTPClient):
    """Every failure of the transport is an APIConnectionError; nothing is retried here."""

    name = "aiohttp"

    def __init__(self, total_s: float) -> None:
        super().__init__(verify_ssl_certs=False)
        self._limit = aiohttp.ClientTimeout(total=total_s)
        self._session: aiohttp.ClientSession | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=200, keepalive_timeout=15)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self._limit)
        try:
            async with self._session.request(method, url, headers=headers, data=post_data) as response:
                return await response.read(), response.status, response.headers
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _no_connection(error) from error

    async def request_stream_async(self, *_: object, **__: object) -> NoReturn:
        raise NotImplementedError("nothing here streams")

    def sleep_async(self, secs: float) -> Awaitable[None]:
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        if self._session is not None:
            await self._session.close()


def _no_connection(error: Exception) -> Exception:
    kind = Unreachable if isinstance(error, aiohttp.ClientConnectorError) else stripe.APIConnectionError
    return kind(type(error).__name__, should_retry=False)  # type: ignore[no-untyped-call]

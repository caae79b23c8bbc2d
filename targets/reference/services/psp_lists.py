"""A PSP's lists, newest first, page by page.

They are read as plain JSON: making the SDK's objects of a page costs twelve times as much as reading it, and the
worker reads many.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeAlias

import stripe

from services.psp_gate import Gate

PAGE = 100
Records: TypeAlias = Sequence[Mapping[str, object]]


class Lists:
    """Part of a Psp: same client, same gate."""

    def __init__(self, client: stripe.StripeClient, gate: Gate) -> None:
        self._client = client
        self._gate = gate

    async def newest(self, path: str, **query: object) -> Records:
        """One page. Raises StripeError, NotSent."""
        records, _ = await self._page(path, query)
        return records

    async def since(self, path: str, since_s: int) -> AsyncIterator[Records]:
        """All pages of what was recorded since then, none of them empty. Raises StripeError, NotSent."""
        query: dict[str, object] = {"created": {"gte": since_s}}
        while True:
            records, goes_on = await self._page(path, query)
            if records:
                yield records
            if not goes_on or not records:
                return
            query["starting_after"] = records[-1]["id"]

    async def _page(self, path: str, query: Mapping[str, object]) -> tuple[Records, bool]:
        async with self._gate.read():
            answer = await self._client.raw_request_async("get", path, **{**query, "limit": PAGE})
        return answer.data["data"], answer.data["has_more"]

"""The fulfilment receiver: takes events, knows those that it had.  `python -m services.fulfilment`

Every delivery becomes one line of `deliveries.jsonl` before it is acknowledged; one that came before
is acknowledged again and ships nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.answers import Answer
from services.settings import Settings, from_environment
from services.web import Body, make_app, read_body, respond, run


class Event(Body):
    event_ref: str
    order_ref: str
    kind: str
    seq: int
    payload: str


class Deliveries:
    """The receiver's own record, append-only. `t_ns` is CLOCK_MONOTONIC."""

    def __init__(self, descriptor: int, known: set[str]) -> None:
        self._descriptor = descriptor
        self._known = known

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Deliveries]:
        """A torn last line, from a crash, was never acknowledged: it is cut off."""
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.ftruncate(descriptor, len(whole))
            yield cls(descriptor, {json.loads(line)["event_ref"] for line in whole.splitlines()})
        finally:
            os.close(descriptor)

    def add(self, event: Event) -> bool:
        """Whether it is the first delivery of this event."""
        line = {
            "event_ref": event.event_ref,
            "order_ref": event.order_ref,
            "kind": event.kind,
            "seq": event.seq,
            "t_ns": time.monotonic_ns(),
        }
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")
        first = event.event_ref not in self._known
        self._known.add(event.event_ref)
        return first


def make(settings: Settings) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with Deliveries.open(Path(settings.data_dir) / "deliveries.jsonl") as deliveries:
            app.state.deliveries = deliveries
            yield

    async def receive(request: Request) -> Response:
        event, _ = await read_body(request, Event)
        deliveries: Deliveries = request.app.state.deliveries
        return respond(Answer.of(200, {"first": deliveries.add(event)}))

    async def ready(request: Request) -> bool:
        return True

    return make_app([Route("/v1/events", receive, methods=["POST"])], lifespan, ready)


if __name__ == "__main__":
    chosen = from_environment()
    run(make(chosen), chosen)

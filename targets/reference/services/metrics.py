"""What a process counts of itself, served at `/metrics` on its own port in Prometheus' text form."""

from __future__ import annotations

import time

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = Counter("http_requests_total", "Answers sent", ["route", "method", "status"])
SECONDS = Histogram(
    "http_request_seconds", "From the request's head to the end of the answer", ["route", "method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)  # fmt: skip
UNDER_WAY = Gauge("http_requests_under_way", "Requests being worked on")
SHED = Counter("shed_total", "Requests refused before they were executed", ["reason"])
KEYS = Counter("idempotency_keys_total", "What a request found at its key", ["found"])
ORDER_MOVES = Counter("order_moves_total", "Orders that came into a state", ["state", "cause"])
EXPIRED = Counter("reservations_expired_total", "Orders whose stock went back to the shelf unpaid")
PURGED = Counter("idempotency_keys_purged_total", "Keys that reached the end of their life")
BACKLOG = Gauge("outbox_unsent", "Events that the receiver has not acknowledged")


class Measured:
    """ASGI: counts and times every request by its route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun_s = 0, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        UNDER_WAY.inc()
        try:
            await self._app(scope, receive, watched)
        except Exception:
            status = status or 500
            raise
        finally:
            UNDER_WAY.dec()
            # Starlette notes the route that it found; ids in paths must not become labels.
            route = getattr(scope.get("route"), "path", "none")
            REQUESTS.labels(route, scope["method"], status).inc()
            SECONDS.labels(route, scope["method"]).observe(time.perf_counter() - begun_s)


async def metrics(request: Request) -> Response:
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

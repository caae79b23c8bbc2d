"""The HTTP side that all processes share: reading requests, error answers, health, running the server."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvicorn
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import StatelessLifespan

from services.answers import Answer, Refusal, invalid, to_json
from services.database import DatabaseUnavailable
from services.log import failure_fields, log, take_over_logging
from services.settings import Settings

MAX_BODY_BYTES = 64 * 1024
KEEP_ALIVE_S = 75
"""Longer than any client keeps an idle connection, so that no request meets a closing one."""

Ready = Callable[[Request], Awaitable[bool]]
_CUSTOMER = re.compile(r"Bearer ([A-Za-z0-9_.-]{1,64})")


class Body(BaseModel):
    """Base of all request bodies: exact types, nothing unknown."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


AnyBody = TypeVar("AnyBody", bound=Body)


async def read_body(request: Request, model: type[AnyBody]) -> tuple[AnyBody, str]:
    """The body and its fingerprint: SHA-256 of its canonical form. Raises Refusal 400."""
    raw = await request.body()
    if len(raw) > MAX_BODY_BYTES:
        raise invalid(f"the body is longer than {MAX_BODY_BYTES} bytes")
    try:
        parsed = json.loads(raw or b"{}")
        body = model.model_validate(parsed)
    except ValidationError as error:
        places = ", ".join(
            ".".join(str(part) for part in e["loc"]) + ": " + e["msg"] for e in error.errors()[:5]
        )
        raise invalid(places) from None
    except ValueError:
        raise invalid("the body is not JSON") from None
    canonical = json.dumps(parsed, sort_keys=True, separators=(",", ":"))
    return body, hashlib.sha256(canonical.encode()).hexdigest()


def customer_of(request: Request) -> str:
    """Who is asking. Raises Refusal 401."""
    found = _CUSTOMER.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise Refusal(401, "unauthorised", "expected 'Authorization: Bearer <customer>'")
    return found.group(1)


def key_of(request: Request) -> str:
    """The Idempotency-Key. Raises Refusal 400."""
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise Refusal(400, "idempotency_key_missing", "every POST needs an Idempotency-Key header")
    if len(key) > 255:
        raise invalid("an Idempotency-Key has at most 255 characters")
    return key


def respond(answer: Answer) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, media_type="application/json")


def make_app(routes: list[Route], lifespan: StatelessLifespan[Starlette], ready: Ready) -> Starlette:
    """An application with health routes and JSON errors."""

    async def livez(request: Request) -> Response:
        return Response("ok\n")

    async def readyz(request: Request) -> Response:
        return Response("ready\n") if await ready(request) else Response("not ready\n", 503)

    return Starlette(
        routes=[*routes, Route("/livez", livez), Route("/readyz", readyz)],
        lifespan=lifespan,
        exception_handlers={
            Refusal: _on_refusal,
            DatabaseUnavailable: _on_unavailable,
            Exception: _on_failure,
        },
    )


def run(app: Starlette, settings: Settings) -> None:
    """Serve until SIGTERM, then finish what is under way for at most two seconds."""
    take_over_logging()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=2,
    )


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return respond(error.answer())


async def _on_unavailable(request: Request, error: Exception) -> Response:
    log("database_unavailable", path=request.url.path, why=str(error))
    body = {"error": {"code": "unavailable", "message": "the outcome is unknown: repeat with the same key"}}
    return Response(to_json(body), 503, {"Retry-After": "1"}, media_type="application/json")


async def _on_failure(request: Request, error: Exception) -> Response:
    log("failure", path=request.url.path, **failure_fields(error))
    body = {"error": {"code": "internal", "message": "the outcome is unknown: repeat with the same key"}}
    return Response(to_json(body), 500, media_type="application/json")

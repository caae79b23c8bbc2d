"""The HTTP side that all processes share: reading requests, error answers, health, metrics."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import StatelessLifespan

from services.answers import Answer, Refusal, invalid, not_found, to_json
from services.database import DatabaseUnavailable
from services.draining import Draining, serve
from services.log import failure_fields, log, take_over_logging
from services.metrics import Measured, metrics
from services.settings import Settings

MAX_BODY_BYTES = 64 * 1024

Ready = Callable[[Request], Awaitable[bool]]
_KEY = re.compile(r"[!-~]{1,255}")


class Body(BaseModel):
    """Base of all request bodies: exact types, nothing unknown."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Base of all query strings: texts are converted, nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)


AnyBody = TypeVar("AnyBody", bound=Body)
AnyQuery = TypeVar("AnyQuery", bound=Query)


async def read_body(request: Request, model: type[AnyBody]) -> tuple[AnyBody, str]:
    """The body and its fingerprint: SHA-256 of its canonical form. Raises Refusal 400."""
    raw = await request.body()
    if len(raw) > MAX_BODY_BYTES:
        raise invalid(f"the body is longer than {MAX_BODY_BYTES} bytes")
    try:
        parsed = json.loads(raw or b"{}", parse_float=_number)
        body = model.model_validate(parsed)
    except ValidationError as error:
        raise invalid(_told(error)) from None
    except (ValueError, RecursionError):
        raise invalid("the body is not JSON") from None
    canonical = json.dumps(parsed, sort_keys=True, separators=(",", ":"))
    return body, hashlib.sha256(canonical.encode()).hexdigest()


def read_query(request: Request, model: type[AnyQuery]) -> AnyQuery:
    """Raises Refusal 400."""
    pairs = request.query_params.multi_items()
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise invalid("a query parameter stands there twice")
    try:
        return model.model_validate(dict(pairs))
    except ValidationError as error:
        raise invalid(_told(error)) from None


def _number(text: str) -> int | float:
    """JSON has one kind of numbers: 435.0 is the integer 435."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _told(error: ValidationError) -> str:
    """The first mistakes by their places. What the client made up, values or keys, is not repeated."""
    mistakes = []
    for mistake in error.errors(include_input=False, include_url=False)[:5]:
        unknown = mistake["type"] == "extra_forbidden"
        place = mistake["loc"][:-1] if unknown else mistake["loc"]
        where = ".".join(str(part) for part in place) or "the request"
        mistakes.append(f"{where}: {'a key that is not known' if unknown else mistake['msg']}")
    return ", ".join(mistakes)


def key_of(request: Request) -> str:
    """The Idempotency-Key. Raises Refusal 400."""
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise Refusal(400, "idempotency_key_missing", "every POST needs an Idempotency-Key header")
    if not _KEY.fullmatch(key):
        raise invalid("an Idempotency-Key has 1 to 255 visible ASCII characters")
    return key


def respond(answer: Answer) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, media_type="application/json")


def make_app(routes: list[BaseRoute], lifespan: StatelessLifespan[Starlette], ready: Ready) -> Starlette:
    """An application with health and metrics routes, JSON errors, and a way to end without losing requests."""

    async def livez(request: Request) -> Response:
        return Response("ok\n")

    async def readyz(request: Request) -> Response:
        if request.app.state.is_draining or not await ready(request):
            return Response("not ready\n", 503)
        return Response("ready\n")

    app = Starlette(
        routes=[*routes, Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)],
        lifespan=lifespan,
        middleware=[Middleware(Draining), Middleware(Measured)],
        exception_handlers={
            Refusal: _on_refusal,
            DatabaseUnavailable: _on_unavailable,
            HTTPException: _on_no_route,
            Exception: _on_failure,
        },
    )
    app.state.is_draining = False
    return app


def run(app: Starlette, settings: Settings) -> None:
    """Serve until SIGTERM, then drain."""
    take_over_logging()
    serve(app, settings.host, settings.port)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    response = respond(error.answer())
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


async def _on_no_route(request: Request, error: Exception) -> Response:
    """A path or a method that is not served."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return respond(not_found().answer())
    refusal = Refusal(error.status_code, "method_not_allowed", "this path has no such method")
    response = respond(refusal.answer())
    response.headers.update(error.headers or {})
    return response


async def _on_unavailable(request: Request, error: Exception) -> Response:
    log("database_unavailable", path=request.url.path, why=str(error))
    body = {"error": {"code": "unavailable", "message": "the outcome is unknown: repeat with the same key"}}
    return Response(to_json(body), 503, {"Retry-After": "1"}, media_type="application/json")


async def _on_failure(request: Request, error: Exception) -> Response:
    log("failure", path=request.url.path, **failure_fields(error))
    body = {"error": {"code": "internal", "message": "the outcome is unknown: repeat with the same key"}}
    return Response(to_json(body), 500, media_type="application/json")

"""HTTP in front of the desk: Stripe's headers, authentication, and connections cut on purpose."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
import traceback
from collections.abc import Callable

from aiohttp import web

from paydrill.psp import challenge, shapes
from paydrill.psp.calls import Answer, Call
from paydrill.psp.desk import Desk
from paydrill.psp.refusals import Refusal, bad_parameter, no_key, wrong_key

HEALTH = "/healthz"
_MAX_BODY = 1 << 20
_FORM = "application/x-www-form-urlencoded"
# Longer than any client keeps an idle connection: a POST must never meet our closing one.
_KEEP_ALIVE_S = 75.0


class Api:
    """The handler of aiohttp's low-level server.

    `broken` is called when the simulator itself fails; it must end the process, since an instrument
    that guesses is worse than none.
    """

    def __init__(self, desk: Desk, api_key: str, broken: Callable[[str], None]) -> None:
        self._desk = desk
        self._api_key = api_key
        self._broken = broken

    def server(self) -> web.Server:
        return web.Server(self.handle, access_log=None, keepalive_timeout=_KEEP_ALIVE_S)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == HEALTH:
            return web.Response(text="ok\n")
        t_recv = time.monotonic_ns()
        call = await self._read(request, t_recv)
        try:
            answer = await self._desk.handle(call)
        except Exception:
            self._broken(f"{call.method} {call.path} failed:\n{traceback.format_exc()}")
            raise
        response = _response(call, answer)
        delivered = False
        try:
            if answer.drop:
                _abort(request)
            elif not _gone(request):
                await response.prepare(request)
                await response.write_eof()
                delivered = not _gone(request)
        except (ConnectionError, RuntimeError):
            delivered = False
        finally:
            self._desk.answered(answer, delivered)
        return response

    async def _read(self, request: web.BaseRequest, t_recv: int) -> Call:
        customers = request.path.startswith(challenge.PREFIX)
        refused, text = None if customers else self._refusal(request), request.rel_url.raw_query_string
        if request.method == "POST":
            body = await request.content.read(_MAX_BODY + 1)
            while not request.content.at_eof() and len(body) <= _MAX_BODY:
                body += await request.content.read(_MAX_BODY + 1 - len(body))
            text, broken = challenge.form_text(body) if customers else _form_text(body, request.content_type)
            refused = refused or broken
        return Call(
            method=request.method,
            path=request.path,
            text=text,
            idem_key=_key(request) if request.method == "POST" and not customers else None,
            t_recv=t_recv,
            gone=lambda: _gone(request),
            refused=refused,
            base_url=f"http://{request.host}",
        )

    def _refusal(self, request: web.BaseRequest) -> Refusal | None:
        given = _api_key(request.headers.get("Authorization", ""))
        if not given:
            return no_key()
        if not hmac.compare_digest(given.encode(), self._api_key.encode()):
            return wrong_key(given)
        return None


def _key(request: web.BaseRequest) -> str | None:
    return request.headers.get("Idempotency-Key") or None


def _form_text(body: bytes, content_type: str) -> tuple[str, Refusal | None]:
    if len(body) > _MAX_BODY:
        return "", bad_parameter("The request is larger than 1 MiB.", None)
    if body and content_type != _FORM:
        message = f"Invalid request (check that your POST content type is {_FORM})."
        return "", bad_parameter(message, None)
    try:
        return body.decode("ascii"), None
    except UnicodeDecodeError:
        return "", bad_parameter(
            "Invalid request body: a form is ASCII, everything else percent-encoded.", None
        )


def _api_key(header: str) -> str:
    """The key of a Bearer header, or the user name of a Basic one; empty when there is none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _response(call: Call, answer: Answer) -> web.Response:
    headers = {
        "Content-Type": answer.content_type,
        "Request-Id": shapes.request_id(answer.req),
        "Stripe-Version": shapes.API_VERSION,
    }
    if call.idem_key is not None and call.idem_key.isprintable():
        headers["Idempotency-Key"] = call.idem_key
    if answer.original is not None and answer.tells_key:
        headers["Original-Request"] = shapes.request_id(answer.original)
        headers["Stripe-Should-Retry"] = "false"
    if answer.retry_after_s is not None:
        headers["Retry-After"] = str(answer.retry_after_s)
    if answer.replayed and answer.tells_key:
        headers["Idempotent-Replayed"] = "true"
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _gone(request: web.BaseRequest) -> bool:
    transport = request.transport
    return transport is None or transport.is_closing()


def _abort(request: web.BaseRequest) -> None:
    """Cut the connection without a byte of an answer."""
    if request.transport is not None:
        request.transport.abort()

"""The orders process: the public API.  `python -m services.orders`"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services import admin
from services.access import Access, Caller, require
from services.answers import Answer, invalid, not_found, to_json
from services.audit import read_audit, record
from services.database import Connection, Database, DatabaseUnavailable
from services.idempotency import Begun, Scope, once, once_in_phases
from services.log import log
from services.openapi import openapi
from services.operations import Operation
from services.order_cancel import CancelOrder, cancel_order
from services.order_create import CreateOrder, create_order
from services.order_pay import Attempt, PayOrder, attempt_answer, begin_attempt
from services.order_refund import RefundOrder, begin_refund, refund_answer
from services.order_view import find_order, find_order_by_ref
from services.orders_api import OPERATIONS, FindOrder, ReadAudit, ReadOrder
from services.payments_client import PaymentsClient
from services.settings import Settings, from_environment
from services.shedding import Bulkhead, RateLimit
from services.web import key_of, make_app, read_body, read_query, respond, run

OPERATORS_AT_ONCE = 8

Step = TypeVar("Step")


@dataclass(frozen=True)
class Call:
    """A request of a known caller for an operation. `key`: its Idempotency-Key, empty for a GET."""

    operation: Operation
    request: Request
    caller: Caller
    key: str

    @property
    def order_id(self) -> str:
        return str(self.request.path_params["order_id"])

    @property
    def cause(self) -> str:
        """What stands in the order's history."""
        return "api" if self.caller.role == "customer" else "operator"

    def scope(self, fingerprint: str) -> Scope:
        route = f"{self.request.method} {self.request.url.path}"
        return Scope(self.caller.id, route, self.key, fingerprint, self.operation.moves_money)


class Orders:
    """The handlers, each named after its operation, over one database and the payments nodes."""

    def __init__(self, db: Database, payments: PaymentsClient, settings: Settings) -> None:
        self._db = db
        self._payments = payments
        self._lease_s = settings.orders_lease_s

    async def create_order(self, call: Call) -> Response:
        wish, fingerprint = await read_body(call.request, CreateOrder)

        async def begin(tx: Connection) -> Answer:
            return await create_order(tx, call.caller.name, wish)

        return respond(await once(self._db, call.scope(fingerprint), begin))

    async def pay_order(self, call: Call) -> Response:
        wish, fingerprint = await read_body(call.request, PayOrder)

        async def begin(tx: Connection) -> Begun:
            return Begun((await begin_attempt(tx, call.caller.name, call.order_id, wish)).key)

        async def proceed(attempt_key: str) -> Attempt:
            attempt = Attempt.parse(attempt_key)
            body: dict[str, object] = {
                "order": call.order_id,
                "attempt": attempt.number,
                "amount": wish.amount,
                "currency": wish.currency,
                "payment_token": wish.payment_token,
            }
            if wish.capture == "later":
                body["capture"] = "later"
            await self._payments.post("/v1/payments", attempt.key, body)
            return attempt

        async def finish(tx: Connection, _: str, attempt: Attempt) -> Answer:
            return await attempt_answer(tx, attempt)

        scope = call.scope(fingerprint)
        return await self._in_phases(scope, begin, proceed, finish)

    async def cancel_order(self, call: Call) -> Response:
        _, fingerprint = await read_body(call.request, CancelOrder)

        async def begin(tx: Connection) -> Answer:
            answer = await cancel_order(tx, call.caller.customer, call.order_id, call.cause)
            await _audited(tx, call)
            return answer

        return respond(await once(self._db, call.scope(fingerprint), begin))

    async def refund_order(self, call: Call) -> Response:
        wish, fingerprint = await read_body(call.request, RefundOrder)

        async def begin(tx: Connection) -> Begun:
            refund_id = await begin_refund(
                tx, call.caller.customer, call.order_id, wish, call.cause, self._lease_s
            )
            await _audited(tx, call)
            return Begun(refund_id)

        async def proceed(refund_id: str) -> None:
            await self._payments.post(f"/v1/refunds/{refund_id}", f"refund:{refund_id}", {})

        async def finish(tx: Connection, refund_id: str, _: None) -> Answer:
            return await refund_answer(tx, refund_id)

        scope = call.scope(fingerprint)
        return await self._in_phases(scope, begin, proceed, finish)

    async def read_order(self, call: Call) -> Response:
        read_query(call.request, ReadOrder)
        async with self._db.connection() as connection:
            return _shown(await find_order(connection, call.caller.customer, call.order_id))

    async def find_order(self, call: Call) -> Response:
        wanted = read_query(call.request, FindOrder)
        customer = call.caller.customer or wanted.customer
        if customer is None:
            raise invalid("customer: an operator has to say whose order it is")
        if wanted.customer not in (None, customer):
            raise not_found()
        async with self._db.connection() as connection:
            return _shown(await find_order_by_ref(connection, customer, wanted.client_ref))

    async def freeze(self, call: Call) -> Response:
        return await self._switch(call, frozen=True)

    async def unfreeze(self, call: Call) -> Response:
        return await self._switch(call, frozen=False)

    async def _switch(self, call: Call, *, frozen: bool) -> Response:
        _, fingerprint = await read_body(call.request, admin.Switch)

        async def begin(tx: Connection) -> Answer:
            return await admin.switch_freeze(tx, frozen, call.caller.id)

        return respond(await once(self._db, call.scope(fingerprint), begin))

    async def ask_reconcile(self, call: Call) -> Response:
        _, fingerprint = await read_body(call.request, admin.AskReconcile)

        async def begin(tx: Connection) -> Answer:
            return await admin.ask_reconcile(tx, call.caller.id)

        return respond(await once(self._db, call.scope(fingerprint), begin))

    async def read_breaks(self, call: Call) -> Response:
        async with self._db.connection() as connection:
            return _found("breaks", await admin.rows_of(connection, "recon_breaks", "id"))

    async def read_settlements(self, call: Call) -> Response:
        async with self._db.connection() as connection:
            return _found("settlements", await admin.rows_of(connection, "settlement_report", "day"))

    async def read_audit(self, call: Call) -> Response:
        wanted = read_query(call.request, ReadAudit)
        async with self._db.connection() as connection:
            return _found("rows", await read_audit(connection, wanted.after, wanted.limit))

    async def capture_order(self, call: Call) -> Response:
        wish, fingerprint = await read_body(call.request, admin.CaptureOrder)
        return await self._decide(call, "capture", wish.amount, fingerprint)

    async def void_order(self, call: Call) -> Response:
        _, fingerprint = await read_body(call.request, admin.VoidOrder)
        return await self._decide(call, "void", None, fingerprint)

    async def _decide(
        self, call: Call, what: Literal["capture", "void"], amount: int | None, fingerprint: str
    ) -> Response:
        async def begin(tx: Connection) -> Begun:
            return Begun(str(await admin.begin_decision(tx, what, call.order_id, amount, call.caller.id)))

        async def proceed(text: str) -> admin.Decision:
            decision = admin.Decision.parse(text)
            await self._payments.post(
                f"/v1/payments/{decision.payment_id}/{what}", f"decision:{decision.id}", decision.body
            )
            return decision

        async def finish(tx: Connection, _: str, decision: admin.Decision) -> Answer:
            return await admin.decision_answer(tx, decision)

        scope = call.scope(fingerprint)
        return await self._in_phases(scope, begin, proceed, finish)

    async def _in_phases(
        self,
        scope: Scope,
        begin: Callable[[Connection], Awaitable[Begun]],
        proceed: Callable[[str], Awaitable[Step]],
        finish: Callable[[Connection, str, Step], Awaitable[Answer]],
    ) -> Response:
        """What the payments service does in between; `finish` reads what came of it."""
        answer = await once_in_phases(
            self._db, scope, self._lease_s, begin, proceed, finish, finish_reads=True
        )
        return respond(answer)


class Entrance:
    """What every request passes before its handler: who it is, how much they ask, whether there is room.

    Each operation must have its handler in Orders, of the same name. Raises AttributeError where one has not.
    """

    def __init__(self, orders: Orders, settings: Settings, access: Access) -> None:
        self._access = access
        self._handlers: dict[str, Callable[[Call], Awaitable[Response]]] = {
            operation.name: getattr(orders, operation.name) for operation in OPERATIONS
        }
        self._rates = RateLimit(settings.caller_rate)
        self._limit_s = settings.orders_lease_s
        self._bulkheads = {
            "money": Bulkhead("money", settings.money_at_once),
            "work": Bulkhead("work", settings.work_at_once),
            # Whoever wants to freeze payments gets in also when everything else is full.
            "operators": Bulkhead("operators", OPERATORS_AT_ONCE),
        }

    async def handle(self, operation: Operation, request: Request) -> Response:
        """Raises Refusal; DatabaseUnavailable when it took too long, and its outcome is unknown."""
        caller = self._access.caller_of(request)
        self._rates.admit(caller.id)
        require(caller, operation.roles)
        key = key_of(request) if operation.method == "POST" else ""
        begun_s = time.perf_counter()
        with self._bulkheads[operation.bulkhead].place():
            try:
                async with asyncio.timeout(self._limit_s):
                    response = await self._handlers[operation.name](Call(operation, request, caller, key))
            except TimeoutError:
                raise DatabaseUnavailable("the request took too long") from None
        if operation.method == "POST":
            took_ms = round((time.perf_counter() - begun_s) * 1000, 1)
            order = request.path_params.get("order_id")
            log("answered", operation=operation.name, order=order, status=response.status_code, ms=took_ms)
        return response


async def _audited(tx: Connection, call: Call) -> None:
    """What an operator does to somebody's order is recorded; what customers do to theirs is its history."""
    if call.caller.role == "admin":
        await record(tx, call.caller.id, call.operation.name, call.order_id)


def _shown(view: dict[str, object] | None) -> Response:
    if view is None:
        raise not_found()
    headers = {"ETag": f'"{view["version"]}"', "X-Read-Source": "primary"}
    return Response(to_json(view), headers=headers, media_type="application/json")


def _found(name: str, rows: object) -> Response:
    return Response(to_json({name: rows}), media_type="application/json")


def _routes() -> list[BaseRoute]:
    """One route a path: it knows all of the path's methods."""
    by_path: dict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in OPERATIONS:
        by_path[operation.path][operation.method] = operation
    described = to_json(openapi(OPERATIONS, "The orders API of the reference stack", "1"))

    async def document(request: Request) -> Response:
        return Response(described, media_type="application/json")

    return [Route("/openapi.json", document), *(_route(path, found) for path, found in by_path.items())]


def _route(path: str, operations: dict[str, Operation]) -> Route:
    async def endpoint(request: Request) -> Response:
        entrance: Entrance = request.app.state.entrance
        method = "GET" if request.method == "HEAD" else request.method
        return await entrance.handle(operations[method], request)

    return Route(path, endpoint, methods=list(operations))


def make(settings: Settings) -> Starlette:
    access = Access(settings.caller_secret)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            db = await opened.enter_async_context(Database.open(settings.database_url))
            payments = await opened.enter_async_context(
                PaymentsClient.open(settings.payments_urls, settings.orders_payments_s)
            )
            app.state.db = db
            app.state.entrance = Entrance(Orders(db, payments, settings), settings, access)
            yield

    async def ready(request: Request) -> bool:
        db: Database = request.app.state.db
        return await db.is_ready()

    return make_app(_routes(), lifespan, ready)


if __name__ == "__main__":
    chosen = from_environment()
    run(make(chosen), chosen)

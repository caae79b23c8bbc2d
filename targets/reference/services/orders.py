"""The orders process: the customers' API.  `python -m services.orders`"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.answers import Answer, not_found, to_json
from services.database import Connection, Database
from services.idempotency import Begun, Scope, once, once_in_phases
from services.order_cancel import CancelOrder, cancel_order
from services.order_create import CreateOrder, create_order
from services.order_pay import Attempt, PayOrder, attempt_answer, begin_attempt
from services.order_refund import RefundOrder, begin_refund, refund_answer
from services.order_view import find_order, find_order_by_ref
from services.payments_client import PaymentsClient
from services.settings import Settings, from_environment
from services.web import customer_of, key_of, make_app, read_body, respond, run


class Orders:
    """The routes, over one database and the payments nodes."""

    def __init__(self, db: Database, payments: PaymentsClient, settings: Settings) -> None:
        self._db = db
        self._payments = payments
        self._settings = settings

    async def create(self, request: Request) -> Response:
        customer, key = customer_of(request), key_of(request)
        wish, fingerprint = await read_body(request, CreateOrder)

        async def begin(tx: Connection) -> Answer:
            return await create_order(tx, customer, wish)

        return respond(await once(self._db, _scope(request, customer, key, fingerprint), begin))

    async def pay(self, request: Request) -> Response:
        customer, key = customer_of(request), key_of(request)
        wish, fingerprint = await read_body(request, PayOrder)
        order_id = request.path_params["order_id"]

        async def begin(tx: Connection) -> Begun:
            return Begun((await begin_attempt(tx, customer, order_id, wish)).key)

        async def proceed(attempt_key: str) -> Attempt:
            attempt = Attempt.parse(attempt_key)
            body = {
                "order": order_id,
                "attempt": attempt.number,
                "amount": wish.amount,
                "currency": wish.currency,
                "payment_token": wish.payment_token,
            }
            await self._payments.post("/v1/payments", attempt.key, body)
            return attempt

        async def finish(tx: Connection, _: str, attempt: Attempt) -> Answer:
            return await attempt_answer(tx, attempt)

        scope = _scope(request, customer, key, fingerprint)
        lease_s = self._settings.orders_lease_s
        return respond(await once_in_phases(self._db, scope, lease_s, begin, proceed, finish))

    async def cancel(self, request: Request) -> Response:
        customer, key = customer_of(request), key_of(request)
        _, fingerprint = await read_body(request, CancelOrder)
        order_id = request.path_params["order_id"]

        async def begin(tx: Connection) -> Answer:
            return await cancel_order(tx, customer, order_id)

        return respond(await once(self._db, _scope(request, customer, key, fingerprint), begin))

    async def refund(self, request: Request) -> Response:
        customer, key = customer_of(request), key_of(request)
        wish, fingerprint = await read_body(request, RefundOrder)
        order_id = request.path_params["order_id"]
        lease_s = self._settings.orders_lease_s

        async def begin(tx: Connection) -> Begun:
            return Begun(await begin_refund(tx, customer, order_id, wish, lease_s))

        async def proceed(refund_id: str) -> None:
            await self._payments.post(f"/v1/refunds/{refund_id}", f"refund:{refund_id}", {})

        async def finish(tx: Connection, refund_id: str, _: None) -> Answer:
            return await refund_answer(tx, refund_id)

        scope = _scope(request, customer, key, fingerprint)
        return respond(await once_in_phases(self._db, scope, lease_s, begin, proceed, finish))

    async def read(self, request: Request) -> Response:
        customer = customer_of(request)
        async with self._db.connection() as connection:
            return _shown(await find_order(connection, customer, request.path_params["order_id"]))

    async def find(self, request: Request) -> Response:
        customer = customer_of(request)
        async with self._db.connection() as connection:
            return _shown(
                await find_order_by_ref(connection, customer, request.query_params.get("client_ref", ""))
            )

    async def is_ready(self) -> bool:
        return await self._db.is_ready()


def _scope(request: Request, customer: str, key: str, fingerprint: str) -> Scope:
    return Scope(f"customer:{customer}", f"{request.method} {request.url.path}", key, fingerprint)


def _shown(view: dict[str, object] | None) -> Response:
    if view is None:
        raise not_found()
    headers = {"ETag": f'"{view["version"]}"', "X-Read-Source": "primary"}
    return Response(to_json(view), headers=headers, media_type="application/json")


def _to(
    handler: Callable[[Orders, Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await handler(request.app.state.orders, request)

    return endpoint


def make(settings: Settings) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            db = await opened.enter_async_context(Database.open(settings.database_url))
            payments = await opened.enter_async_context(
                PaymentsClient.open(settings.payments_urls, settings.orders_payments_s)
            )
            app.state.orders = Orders(db, payments, settings)
            yield

    async def ready(request: Request) -> bool:
        orders: Orders = request.app.state.orders
        return await orders.is_ready()

    routes = [
        Route("/v1/orders", _to(Orders.create), methods=["POST"]),
        Route("/v1/orders", _to(Orders.find), methods=["GET"]),
        Route("/v1/orders/{order_id}", _to(Orders.read), methods=["GET"]),
        Route("/v1/orders/{order_id}/pay", _to(Orders.pay), methods=["POST"]),
        Route("/v1/orders/{order_id}/cancel", _to(Orders.cancel), methods=["POST"]),
        Route("/v1/orders/{order_id}/refunds", _to(Orders.refund), methods=["POST"]),
    ]
    return make_app(routes, lifespan, ready)


if __name__ == "__main__":
    chosen = from_environment()
    run(make(chosen), chosen)

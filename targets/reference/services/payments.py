"""The payments process: payments and refunds for orders, webhooks from the PSP.  `python -m services.payments`"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.answers import Answer, not_found
from services.charging import charge, give_back
from services.database import Connection, Database
from services.idempotency import Begun, Scope, once_in_phases
from services.payment_open import OpenPayment, load_payment, open_payment
from services.payment_rows import OPEN_PAYMENT
from services.psp import Psp
from services.psp_outcomes import ChargeOutcome
from services.refunding import settle_refund, take_refund
from services.settings import Settings, from_environment
from services.settlement import Cause, settle
from services.web import Body, key_of, make_app, read_body, respond, run
from services.webhooks import take_in

STATUS = {"captured": 200, "partially_refunded": 200, "refunded": 200, "declined": 402, "failed": 400}


class MakeRefund(Body):
    """A refund is fully described by its row."""


class Payments:
    """The routes, over one database and one PSP."""

    def __init__(self, db: Database, psp: Psp, settings: Settings) -> None:
        self._db = db
        self._psp = psp
        self._settings = settings

    async def create(self, request: Request) -> Response:
        """200 captured, 402 declined, 400 refused, 202 the PSP's answer is not known yet."""
        key = key_of(request)
        wish, fingerprint = await read_body(request, OpenPayment)
        lease_s = self._settings.payments_lease_s

        async def begin(tx: Connection) -> Begun:
            return Begun(await open_payment(tx, wish, lease_s))

        async def proceed(payment_id: str) -> ChargeOutcome | None:
            async with self._db.connection() as connection:
                payment = await load_payment(connection, payment_id)
            if payment.state not in OPEN_PAYMENT:
                return None
            return await charge(self._psp, payment, self._settings.psp_budget_s)

        async def finish(tx: Connection, payment_id: str, outcome: ChargeOutcome | None) -> Answer:
            if outcome is not None:
                await settle(tx, payment_id, outcome, Cause("request"))
            state = (await load_payment(tx, payment_id)).state
            return Answer.of(STATUS.get(state, 202), {"id": payment_id, "status": state})

        scope = Scope("orders", "POST /v1/payments", key, fingerprint)
        return respond(await once_in_phases(self._db, scope, lease_s, begin, proceed, finish))

    async def refund(self, request: Request) -> Response:
        """Make a refund that orders have written down. Its own row makes that happen once."""
        key_of(request)
        await read_body(request, MakeRefund)
        refund_id = request.path_params["refund_id"]
        async with self._db.transaction() as tx:
            refund = await take_refund(tx, refund_id, self._settings.payments_lease_s)
        if refund is not None:
            outcome = await give_back(self._psp, refund, self._settings.psp_budget_s)
            async with self._db.transaction() as tx:
                await settle_refund(tx, refund_id, outcome, Cause("request"))
        async with self._db.connection() as connection:
            state = await connection.fetchval("SELECT state FROM refunds WHERE id = $1", refund_id)
        if state is None:
            raise not_found()
        status = {"succeeded": 200, "failed": 400}.get(state, 202)
        return respond(Answer.of(status, {"id": refund_id, "status": state}))

    async def webhook(self, request: Request) -> Response:
        raw = await request.body()
        signature = request.headers.get("stripe-signature", "")
        effect = await take_in(self._db, raw, signature, self._settings.webhook_secret)
        return respond(Answer.of(200, {"effect": effect}))

    async def is_ready(self) -> bool:
        return await self._db.is_ready()


def _to(
    handler: Callable[[Payments, Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await handler(request.app.state.payments, request)

    return endpoint


def make(settings: Settings) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            db = await opened.enter_async_context(Database.open(settings.database_url))
            psp = await opened.enter_async_context(
                Psp.open(settings.psp_url, settings.psp_api_key, settings.psp_call_s, settings.psp_retries)
            )
            app.state.payments = Payments(db, psp, settings)
            yield

    async def ready(request: Request) -> bool:
        payments: Payments = request.app.state.payments
        return await payments.is_ready()

    routes = [
        Route("/v1/payments", _to(Payments.create), methods=["POST"]),
        Route("/v1/refunds/{refund_id}", _to(Payments.refund), methods=["POST"]),
        Route("/v1/webhooks/psp", _to(Payments.webhook), methods=["POST"]),
    ]
    return make_app(routes, lifespan, ready)


if __name__ == "__main__":
    chosen = from_environment()
    run(make(chosen), chosen)

"""The payments process: payments and refunds for orders, webhooks from the PSP.  `python -m services.payments`"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from services.answers import Answer, not_found, to_json
from services.authorisations import CapturePayment, VoidPayment, begin_capture, begin_void
from services.charging import charge, give_back, operate
from services.database import Connection, Database
from services.idempotency import Begun, Scope, once_in_phases
from services.ids import new_id
from services.payment_open import OpenPayment, load_payment, open_payment, reroute
from services.payment_rows import Payment
from services.payment_states import Cause
from services.payment_view import answer_of, payment_view, settled_answer
from services.psp_gate import FROZEN, OVERLOADED
from services.psp_outcomes import ChargeOutcome, NotExecuted, Unknown
from services.psps import Psps
from services.refunding import settle_refund, take_refund
from services.settings import Settings, from_environment
from services.settlement import settle
from services.web import Body, key_of, make_app, read_body, respond, run
from services.webhooks import take_in

REQUEST = Cause("request")


class MakeRefund(Body):
    """A refund is fully described by its row."""


class Payments:
    """The routes, over one database and the PSPs."""

    def __init__(self, db: Database, psps: Psps, settings: Settings) -> None:
        self._db = db
        self._psps = psps
        self._settings = settings

    async def create(self, request: Request) -> Response:
        """200 captured or authorised, 402 declined, 400 refused, 503 never sent, 202 the rest is not known yet."""
        key = key_of(request)
        wish, fingerprint = await read_body(request, OpenPayment)
        lease_s = self._settings.payments_lease_s
        new_payment = new_id("pay")
        new: dict[str, Payment] = {}

        async def begin(tx: Connection) -> Begun:
            payment, is_new = await open_payment(tx, new_payment, wish, self._psps.names(), lease_s)
            if is_new:
                new[payment.id] = payment
            return Begun(payment.id)

        async def proceed(payment_id: str) -> ChargeOutcome | None:
            if payment_id in new:
                return await self._charge_first(new[payment_id])
            async with self._db.connection() as connection:
                payment = await load_payment(connection, payment_id)
            assert payment is not None, f"payment {payment_id} vanished"
            if not payment.awaits_charge:
                return None
            return await charge(self._psps[payment.psp], payment, self._settings.psp_budget_s)

        async def finish(tx: Connection, payment_id: str, outcome: ChargeOutcome | None) -> Answer:
            if outcome is None:
                return answer_of(await load_payment(tx, payment_id))
            return settled_answer(payment_id, await settle(tx, payment_id, outcome, REQUEST), outcome)

        scope = Scope("orders", "POST /v1/payments", key, fingerprint)
        return respond(
            await once_in_phases(self._db, scope, lease_s, begin, proceed, finish, new_resource=new_payment)
        )

    async def _charge_first(self, payment: Payment) -> ChargeOutcome:
        """Charge a payment that nobody has sent anywhere. What its PSP does not take may go to another one."""
        others = [name for name in self._psps.names() if name != payment.psp]
        while True:
            budget_s = 0.0 if others else self._settings.psp_budget_s
            outcome = await charge(self._psps[payment.psp], payment, budget_s)
            if not isinstance(outcome, Unknown) or outcome.sent or outcome.why == FROZEN:
                break
            rerouted = await self._reroute(payment, others.pop(0)) if others else None
            if rerouted is None:
                break
            payment = rerouted
        if isinstance(outcome, Unknown) and not outcome.sent and outcome.why == OVERLOADED:
            return NotExecuted(OVERLOADED)
        return outcome

    async def _reroute(self, payment: Payment, psp: str) -> Payment | None:
        async with self._db.transaction() as tx:
            return await reroute(tx, payment, psp)

    async def capture(self, request: Request) -> Response:
        """200 captured, 409 not to be captured, 202 not known yet."""
        wish, fingerprint = await read_body(request, CapturePayment)

        async def begin(tx: Connection, payment_id: str) -> None:
            await begin_capture(tx, payment_id, wish, self._settings.payments_lease_s)

        return await self._operate(request, fingerprint, begin)

    async def void(self, request: Request) -> Response:
        """200 voided, 409 nothing is held, 202 not known yet."""
        _, fingerprint = await read_body(request, VoidPayment)

        async def begin(tx: Connection, payment_id: str) -> None:
            await begin_void(tx, payment_id, self._settings.payments_lease_s)

        return await self._operate(request, fingerprint, begin)

    async def _operate(
        self, request: Request, fingerprint: str, begin: Callable[[Connection, str], Awaitable[None]]
    ) -> Response:
        key, payment_id = key_of(request), request.path_params["payment_id"]

        async def write_down(tx: Connection) -> Begun:
            await begin(tx, payment_id)
            return Begun(payment_id)

        async def proceed(_: str) -> ChargeOutcome | None:
            async with self._db.connection() as connection:
                payment = await load_payment(connection, payment_id)
            if payment is None or payment.op is None:
                return None
            return await operate(self._psps[payment.psp], payment, self._settings.psp_budget_s)

        async def finish(tx: Connection, _: str, outcome: ChargeOutcome | None) -> Answer:
            if outcome is not None:
                await settle(tx, payment_id, outcome, REQUEST)
            return answer_of(await load_payment(tx, payment_id), of_operation=True)

        scope = Scope("orders", f"POST {request.url.path}", key, fingerprint)
        lease_s = self._settings.payments_lease_s
        return respond(await once_in_phases(self._db, scope, lease_s, write_down, proceed, finish))

    async def read(self, request: Request) -> Response:
        async with self._db.connection() as connection:
            payment = await load_payment(connection, request.path_params["payment_id"])
        if payment is None:
            raise not_found()
        return Response(to_json(payment_view(payment)), media_type="application/json")

    async def refund(self, request: Request) -> Response:
        """Make a refund that orders have written down. Its own row makes that happen once."""
        key_of(request)
        await read_body(request, MakeRefund)
        refund_id = request.path_params["refund_id"]
        async with self._db.transaction() as tx:
            refund = await take_refund(tx, refund_id, self._settings.payments_lease_s)
        if refund is not None:
            outcome = await give_back(self._psps[refund.psp], refund, self._settings.psp_budget_s)
            async with self._db.transaction() as tx:
                await settle_refund(tx, refund_id, outcome, REQUEST)
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
            psps = await opened.enter_async_context(Psps.open(db, settings, settings.psp_retries))
            app.state.payments = Payments(db, psps, settings)
            yield

    async def ready(request: Request) -> bool:
        payments: Payments = request.app.state.payments
        return await payments.is_ready()

    routes: list[BaseRoute] = [
        Route("/v1/payments", _to(Payments.create), methods=["POST"]),
        Route("/v1/payments/{payment_id}", _to(Payments.read), methods=["GET"]),
        Route("/v1/payments/{payment_id}/capture", _to(Payments.capture), methods=["POST"]),
        Route("/v1/payments/{payment_id}/void", _to(Payments.void), methods=["POST"]),
        Route("/v1/refunds/{refund_id}", _to(Payments.refund), methods=["POST"]),
        Route("/v1/webhooks/psp", _to(Payments.webhook), methods=["POST"]),
    ]
    return make_app(routes, lifespan, ready)


if __name__ == "__main__":
    chosen = from_environment()
    run(make(chosen), chosen)

"""The PSP, through the official Stripe SDK: one call a method, and what it is evidence of.

Nothing here retries, stores or decides. Keys come from the caller, who stored them before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import stripe

from services.payment_rows import Payment, Refund
from services.psp_http import WholeCallClient
from services.psp_outcomes import (
    AlreadyRefunded,
    ChargeOutcome,
    Declined,
    NotExecuted,
    Pending,
    PspIntent,
    Refunded,
    RefundOutcome,
    Unknown,
    read_intent,
)

PAGE = 100
SURE_AFTER_S = 5.0
"""Only then does a record that is missing from the PSP's list prove anything."""


class Psp:
    """`call_s` limits each call, `retries` is how often a caller may repeat one within a request."""

    def __init__(self, client: stripe.StripeClient, call_s: float, retries: int) -> None:
        self._api = client.v1
        self.call_s = call_s
        self.retries = retries

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, api_key: str, call_s: float, retries: int) -> AsyncIterator[Psp]:
        stripe.enable_telemetry = False
        http = WholeCallClient(call_s)
        client = stripe.StripeClient(
            api_key, base_addresses={"api": url}, http_client=http, max_network_retries=0
        )
        try:
            yield cls(client, call_s, retries)
        finally:
            await http.close_async()

    async def charge(self, payment: Payment, key: str | None) -> ChargeOutcome:
        """Create and confirm in one call. The same key never charges twice."""
        try:
            intent = await self._api.payment_intents.create_async(
                {
                    "amount": payment.amount,
                    "currency": payment.currency.lower(),
                    "payment_method": payment.token,
                    "capture_method": "automatic",
                    "confirm": True,
                    "metadata": {"order": payment.order_id, "payment": payment.id},
                },
                _with_key(key),
            )
        except stripe.CardError as error:
            return Declined(_intent_id_of(error), _code_of(error))
        except stripe.StripeError as error:
            return _no_evidence(error)
        return read_intent(intent.to_dict()).outcome()

    async def retrieve(self, psp_id: str) -> ChargeOutcome:
        try:
            return read_intent((await self._api.payment_intents.retrieve_async(psp_id)).to_dict()).outcome()
        except stripe.StripeError as error:
            return Unknown(_code_of(error))

    async def charges_since(self, since_s: int) -> AsyncIterator[list[PspIntent]]:
        """Pages of all payments that the PSP has recorded since then, newest first. Raises StripeError."""
        query: stripe.params.PaymentIntentListParams = {"limit": PAGE, "created": {"gte": since_s}}
        while True:
            page = await self._api.payment_intents.list_async(query)
            found = [read_intent(record.to_dict()) for record in page.data]
            if found:
                yield found
            if not page.has_more or not found:
                return
            query = {**query, "starting_after": found[-1].psp_id}

    async def find(self, payment: Payment) -> ChargeOutcome:
        """What the PSP's own list says of a payment whose key holds a failure."""
        try:
            async for page in self.charges_since(payment.submitted_s - 60):
                for intent in page:
                    if intent.payment_id == payment.id:
                        return intent.outcome()
        except stripe.StripeError as error:
            return Unknown(_code_of(error), failure_is_kept=True)
        return _nothing_found(payment.age_s)

    async def refund(self, refund: Refund) -> RefundOutcome:
        metadata = {"refund": refund.id, "order": refund.order_id or "", "reason": refund.reason}
        try:
            made = await self._api.refunds.create_async(
                {"payment_intent": refund.psp_payment, "amount": refund.amount, "metadata": metadata},
                _with_key(refund.psp_key),
            )
        except stripe.StripeError as error:
            if _code_of(error) == "charge_already_refunded":
                return AlreadyRefunded()
            return _no_evidence(error)
        return _refund_outcome(made.id, made.status)

    async def find_refund(self, refund: Refund) -> RefundOutcome:
        """What the PSP's own list says of a refund whose key holds a failure."""
        try:
            page = await self._api.refunds.list_async({"payment_intent": refund.psp_payment, "limit": PAGE})
        except stripe.StripeError as error:
            return Unknown(_code_of(error), failure_is_kept=True)
        for made in page.data:
            if made.metadata is not None and made.metadata.to_dict().get("refund") == refund.id:
                return _refund_outcome(made.id, made.status)
        return _nothing_found(refund.age_s)

    async def retrieve_refund(self, refund: Refund) -> RefundOutcome:
        assert refund.psp_id is not None
        try:
            made = await self._api.refunds.retrieve_async(refund.psp_id)
        except stripe.StripeError as error:
            return Unknown(_code_of(error))
        return _refund_outcome(made.id, made.status)


def _with_key(key: str | None) -> stripe.RequestOptions:
    return {"idempotency_key": key, "max_network_retries": 0} if key else {"max_network_retries": 0}


def _refund_outcome(psp_id: str, status: str | None) -> RefundOutcome:
    if status == "succeeded":
        return Refunded(psp_id)
    if status in ("failed", "canceled"):
        return NotExecuted(f"refund_{status}")
    return Pending(psp_id)


def _nothing_found(age_s: float) -> NotExecuted | Unknown:
    if age_s >= SURE_AFTER_S:
        return NotExecuted("failed_at_psp")
    return Unknown("failed_at_psp", failure_is_kept=True)


def _no_evidence(error: stripe.StripeError) -> NotExecuted | Unknown:
    """A refused request is certain not to have been executed; all else may have been."""
    if isinstance(error, stripe.InvalidRequestError):
        return NotExecuted(_code_of(error))
    replayed = (error.headers or {}).get("Idempotent-Replayed") == "true"
    return Unknown(_code_of(error), failure_is_kept=replayed)


def _code_of(error: stripe.StripeError) -> str:
    """The PSP's code, else the kind of failure. For most statuses only the error object has the code."""
    code = error.code or (error.error.code if error.error is not None else None)
    return str(code or type(error).__name__)


def _intent_id_of(error: stripe.CardError) -> str | None:
    body = error.json_body
    intent = body.get("error", {}).get("payment_intent") if isinstance(body, dict) else None
    return str(intent["id"]) if intent else None

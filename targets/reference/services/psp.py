"""One PSP, through the official Stripe SDK: one call a method, and what it is evidence of.

Nothing here retries, stores or decides. Keys come from the caller, who stored them before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import stripe

from services.payment_rows import Payment
from services.psp_errors import (
    SURE_AFTER_S,
    CallFailed,
    code_of,
    intent_id_of,
    no_evidence,
    nothing_found,
    with_key,
)
from services.psp_gate import Gate
from services.psp_http import WholeCallClient
from services.psp_lists import Lists
from services.psp_outcomes import (
    ActionRequired,
    Authorised,
    ChargeOutcome,
    Declined,
    NotExecuted,
    OperationFailed,
    PspIntent,
    Unknown,
    read_intent,
)
from services.psp_refunds import RefundCalls
from services.retry_budget import RetryBudget

INTENTS = "/v1/payment_intents"


class Psp:
    """`call_s` limits each call, `retries` is how often a caller may repeat one within a request."""

    def __init__(
        self,
        name: str,
        client: stripe.StripeClient,
        gate: Gate,
        budget: RetryBudget,
        call_s: float,
        retries: int,
    ) -> None:
        self._api = client.v1
        self._gate = gate
        self._lists = Lists(client, gate)
        self.name = name
        self.refunds = RefundCalls(client, gate, self._lists)
        self.retry_budget = budget
        self.call_s = call_s
        self.retries = retries

    @classmethod
    @asynccontextmanager
    async def open(
        cls, name: str, url: str, api_key: str, gate: Gate, budget: RetryBudget, call_s: float, retries: int
    ) -> AsyncIterator[Psp]:
        stripe.enable_telemetry = False
        http = WholeCallClient(call_s)
        client = stripe.StripeClient(
            api_key, base_addresses={"api": url}, http_client=http, max_network_retries=0
        )
        try:
            yield cls(name, client, gate, budget, call_s, retries)
        finally:
            await http.close_async()

    @property
    def takes_calls(self) -> bool:
        """False while nothing would be sent: its breaker is open, or too much is under way."""
        return self._gate.lets_through

    async def charge(self, payment: Payment, key: str | None) -> ChargeOutcome:
        """Create and confirm in one call. The same key never charges twice. Raises DatabaseUnavailable."""
        try:
            async with self._gate.money():
                intent = await self._api.payment_intents.create_async(
                    {
                        "amount": payment.amount,
                        "currency": payment.currency.lower(),
                        "payment_method": payment.token,
                        "capture_method": "manual" if payment.capture == "later" else "automatic",
                        "confirm": True,
                        "metadata": {"order": payment.order_id, "payment": payment.id},
                    },
                    with_key(key),
                )
        except stripe.CardError as error:
            return Declined(intent_id_of(error), code_of(error))
        except CallFailed as error:
            return no_evidence(error)
        return read_intent(intent.to_dict()).outcome()

    async def operate(self, payment: Payment, key: str | None) -> ChargeOutcome:
        """Capture or cancel a payment that the PSP knows. Raises DatabaseUnavailable."""
        assert payment.psp_id is not None
        intents = self._api.payment_intents
        try:
            async with self._gate.money():
                if payment.op == "capture":
                    amount = payment.op_amount or payment.amount
                    intent = await intents.capture_async(
                        payment.psp_id, {"amount_to_capture": amount}, with_key(key)
                    )
                else:
                    intent = await intents.cancel_async(payment.psp_id, {}, with_key(key))
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            return await self.after_refusal(payment, code_of(error), certain=True)
        except CallFailed as error:
            return no_evidence(error)
        return read_intent(intent.to_dict()).outcome()

    async def after_refusal(self, payment: Payment, code: str, certain: bool) -> ChargeOutcome:
        """What the PSP's record shows after an operation that it has refused, or whose key holds a failure.

        `certain`: it was refused. Else only time makes sure that nothing comes of it.
        """
        assert payment.psp_id is not None
        outcome = await self.retrieve(payment.psp_id)
        as_before = ActionRequired if payment.op == "cancel" else Authorised
        if not isinstance(outcome, as_before):
            return outcome
        if certain or payment.state_age_s >= SURE_AFTER_S:
            return OperationFailed(payment.psp_id, code)
        return Unknown(code, failure_is_kept=True)

    async def retrieve(self, psp_id: str) -> ChargeOutcome:
        try:
            return (await self.retrieve_intent(psp_id)).outcome()
        except CallFailed as error:
            return Unknown(code_of(error))

    async def retrieve_intent(self, psp_id: str) -> PspIntent:
        """Raises StripeError, NotSent."""
        async with self._gate.read():
            return read_intent((await self._api.payment_intents.retrieve_async(psp_id)).to_dict())

    async def charges_since(self, since_s: int) -> AsyncIterator[list[PspIntent]]:
        """Pages of all payments that the PSP has recorded since then, newest first. Raises StripeError, NotSent."""
        async for page in self._lists.since(INTENTS, since_s):
            yield [read_intent(record) for record in page]

    async def find_lately(self, payment: Payment) -> ChargeOutcome:
        """What the newest records of the PSP say of a payment that was only just sent."""
        try:
            newest = await self._lists.newest(INTENTS)
        except CallFailed as error:
            return Unknown(code_of(error))
        for intent in map(read_intent, newest):
            if intent.payment_id == payment.id:
                return intent.outcome()
        return Unknown("failed_at_psp")

    async def find(self, payment: Payment) -> ChargeOutcome:
        """What the PSP's own list says of a payment whose key holds a failure."""
        try:
            async for page in self.charges_since(payment.submitted_s - 60):
                for intent in page:
                    if intent.payment_id == payment.id:
                        return intent.outcome()
        except CallFailed as error:
            return Unknown(code_of(error), failure_is_kept=True)
        return nothing_found(payment.age_s)

    async def look(self, payment: Payment) -> ChargeOutcome:
        """The same without that proof: a record that is missing says nothing, since the charge may still come."""
        outcome = await self.find(payment)
        return Unknown(outcome.code) if isinstance(outcome, NotExecuted) else outcome

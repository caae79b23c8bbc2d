"""Refunds at one PSP, and holds that are let go: one call a method, and what it is evidence of."""

from __future__ import annotations

from collections.abc import AsyncIterator

import stripe

from services.payment_rows import Refund
from services.psp_errors import CallFailed, code_of, no_evidence, nothing_found, with_key
from services.psp_gate import Gate
from services.psp_lists import Lists
from services.psp_outcomes import (
    AlreadyRefunded,
    Canceled,
    Captured,
    NotExecuted,
    PspRefund,
    Refunded,
    RefundOutcome,
    Unknown,
    read_intent,
    read_refund,
)

REFUNDS = "/v1/refunds"


class RefundCalls:
    """Part of a Psp: same client, same gate."""

    def __init__(self, client: stripe.StripeClient, gate: Gate, lists: Lists) -> None:
        self._api = client.v1
        self._gate = gate
        self._lists = lists

    async def make(self, refund: Refund) -> RefundOutcome:
        """Raises DatabaseUnavailable."""
        if refund.kind == "release":
            return await self._release(refund)
        metadata = {"refund": refund.id, "order": refund.order_id or "", "reason": refund.reason}
        try:
            async with self._gate.money():
                made = await self._api.refunds.create_async(
                    {"payment_intent": refund.psp_payment, "amount": refund.amount, "metadata": metadata},
                    with_key(refund.psp_key),
                )
        except CallFailed as error:
            if code_of(error) == "charge_already_refunded":
                return AlreadyRefunded()
            return no_evidence(error)
        return read_refund(made.to_dict()).outcome()

    async def _release(self, refund: Refund) -> RefundOutcome:
        """A cancelled payment holds nothing any more, whoever has cancelled it."""
        try:
            async with self._gate.money():
                intent = await self._api.payment_intents.cancel_async(
                    refund.psp_payment, {}, with_key(refund.psp_key)
                )
        except stripe.InvalidRequestError:
            return await self._released(refund)
        except CallFailed as error:
            return no_evidence(error)
        return Refunded(intent.id)

    async def _released(self, refund: Refund) -> RefundOutcome:
        try:
            async with self._gate.read():
                record = await self._api.payment_intents.retrieve_async(refund.psp_payment)
        except CallFailed as error:
            return Unknown(code_of(error), failure_is_kept=True)
        match read_intent(record.to_dict()).outcome():
            case Canceled(psp_id=psp_id):
                return Refunded(psp_id)
            case Captured():
                return NotExecuted("captured")
        return Unknown("not_released", failure_is_kept=True)

    async def find(self, refund: Refund) -> RefundOutcome:
        """What the PSP's own list says of a refund whose key holds a failure."""
        if refund.kind == "release":
            return await self._released(refund)
        try:
            made = await self.of_charge(refund.psp_payment)
        except CallFailed as error:
            return Unknown(code_of(error), failure_is_kept=True)
        for found in made:
            if found.refund_id == refund.id:
                return found.outcome()
        return nothing_found(refund.age_s)

    async def look(self, refund: Refund) -> RefundOutcome:
        """The same without that proof: a record that is missing says nothing, since the refund may still come."""
        outcome = await self.find(refund)
        return Unknown(outcome.code) if isinstance(outcome, NotExecuted) else outcome

    async def retrieve(self, psp_id: str) -> RefundOutcome:
        try:
            return (await self.retrieve_record(psp_id)).outcome()
        except CallFailed as error:
            return Unknown(code_of(error))

    async def retrieve_record(self, psp_id: str) -> PspRefund:
        """Raises StripeError, NotSent."""
        async with self._gate.read():
            return read_refund((await self._api.refunds.retrieve_async(psp_id)).to_dict())

    async def of_charge(self, psp_payment: str) -> list[PspRefund]:
        """Raises StripeError, NotSent."""
        made = await self._lists.newest(REFUNDS, payment_intent=psp_payment)
        return [read_refund(record) for record in made]

    async def since(self, since_s: int) -> AsyncIterator[list[PspRefund]]:
        """Pages of all refunds that the PSP has recorded since then, newest first. Raises StripeError, NotSent."""
        async for page in self._lists.since(REFUNDS, since_s):
            yield [read_refund(record) for record in page]

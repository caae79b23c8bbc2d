"""Asking a PSP within one request: a few tries with the same key, then `Unknown`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from services.payment_metrics import RETRIES_REFUSED
from services.payment_rows import Payment, Refund
from services.psp import Psp
from services.psp_gate import FROZEN, OVERLOADED
from services.psp_outcomes import ChargeOutcome, RefundOutcome, Unknown

FIRST_PAUSE_S = 0.06
LONGEST_PAUSE_S = 2.0

Outcome = TypeVar("Outcome", ChargeOutcome, RefundOutcome)


async def charge(psp: Psp, payment: Payment, budget_s: float) -> ChargeOutcome:
    """Charge a payment, trying again while the answer is lost and `budget_s` allows."""

    async def one_try(attempt: int) -> ChargeOutcome:
        return await psp.charge(payment, key=payment.psp_key)

    return await _with_retries(psp, one_try, lambda: psp.find_lately(payment), budget_s)


async def operate(psp: Psp, payment: Payment, budget_s: float) -> ChargeOutcome:
    """Capture, void or cancel a payment, trying again while the answer is lost and `budget_s` allows."""

    async def one_try(attempt: int) -> ChargeOutcome:
        return await psp.operate(payment, key=payment.op_key)

    def look_up() -> Awaitable[ChargeOutcome]:
        return psp.after_refusal(payment, "failed_at_psp", certain=False)

    return await _with_retries(psp, one_try, look_up, budget_s)


async def give_back(psp: Psp, refund: Refund, budget_s: float) -> RefundOutcome:
    """Make a refund, trying again while the answer is lost and `budget_s` allows."""

    async def one_try(attempt: int) -> RefundOutcome:
        return await psp.refunds.make(refund)

    return await _with_retries(psp, one_try, lambda: psp.refunds.look(refund), budget_s)


async def _with_retries(
    psp: Psp,
    one_try: Callable[[int], Awaitable[Outcome]],
    look_up: Callable[[], Awaitable[Outcome]],
    budget_s: float,
) -> Outcome:
    """`sent` of an Unknown says of all tries whether one may have reached the PSP."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + budget_s
    attempt, sent = 0, False
    psp.retry_budget.earn()
    while True:
        outcome = await one_try(attempt)
        if not isinstance(outcome, Unknown):
            return outcome
        if outcome.failure_is_kept or outcome.failed_there:
            # The key says the same for ever, or does it anew: only the PSP's own records can tell.
            return await look_up()
        sent = sent or outcome.sent
        pause_s = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.5, 1.5)
        attempt += 1
        in_time = loop.time() + pause_s + psp.call_s <= deadline
        refused = not outcome.sent and outcome.why in (FROZEN, OVERLOADED)
        if refused or attempt > psp.retries or not in_time:
            return replace(outcome, sent=sent)
        if not psp.retry_budget.spend():
            RETRIES_REFUSED.labels(psp.name).inc()
            return replace(outcome, sent=sent)
        await asyncio.sleep(pause_s)

"""What an error of the Stripe SDK proves."""

from __future__ import annotations

import stripe

from services.psp_gate import NotSent
from services.psp_http import Unreachable
from services.psp_outcomes import NotExecuted, Unknown

SURE_AFTER_S = 5.0
"""Only then does a record that is missing from the PSP's list prove anything."""

CallFailed = (stripe.StripeError, NotSent)


def with_key(key: str | None) -> stripe.RequestOptions:
    return {"idempotency_key": key, "max_network_retries": 0} if key else {"max_network_retries": 0}


def no_evidence(error: Exception) -> NotExecuted | Unknown:
    """A refused request is certain not to have been executed; all else may have been."""
    if isinstance(error, NotSent):
        return Unknown(error.why, sent=False)
    assert isinstance(error, stripe.StripeError)
    if isinstance(error, stripe.InvalidRequestError):
        return NotExecuted(code_of(error))
    replayed = (error.headers or {}).get("Idempotent-Replayed") == "true"
    return Unknown(
        code_of(error),
        failure_is_kept=replayed,
        failed_there=(error.http_status or 0) >= 500,
        sent=not isinstance(error, Unreachable),
    )


def nothing_found(age_s: float) -> NotExecuted | Unknown:
    if age_s >= SURE_AFTER_S:
        return NotExecuted("failed_at_psp")
    return Unknown("failed_at_psp", failure_is_kept=True)


def code_of(error: Exception) -> str:
    """The PSP's code, else the kind of failure. For most statuses only the error object has the code."""
    if isinstance(error, NotSent):
        return error.why
    assert isinstance(error, stripe.StripeError)
    code = error.code or (error.error.code if error.error is not None else None)
    return str(code or type(error).__name__)


def intent_id_of(error: stripe.CardError) -> str | None:
    body = error.json_body
    intent = body.get("error", {}).get("payment_intent") if isinstance(body, dict) else None
    return str(intent["id"]) if intent else None

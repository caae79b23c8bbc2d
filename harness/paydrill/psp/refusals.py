"""What the simulator answers instead of an object: Stripe's error envelope, and why it came to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

INVALID = "invalid_request_error"


@dataclass(eq=False)  # not frozen: Python sets the traceback of what is raised
class Refusal(Exception):
    """One error answer.

    `stopped_by` goes into the journal: which layer stopped the request before it could act.
    None means that the operation was executed and this is its result, which its key keeps.
    """

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None
    stopped_by: str | None = "validation"
    more: Mapping[str, object] = field(default_factory=dict)
    retry_after_s: int | None = None

    def envelope(self) -> dict[str, object]:
        """The body of the answer."""
        error: dict[str, object] = {"type": self.type, "message": self.message}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        error.update(self.more)
        return {"error": error}


def bad_parameter(message: str, param: str | None, code: str | None = None) -> Refusal:
    """400, not kept under the key: the request never began."""
    return Refusal(400, INVALID, message, code=code, param=param)


def unexpected_state(
    message: str, intent: Mapping[str, object], code: str = "payment_intent_unexpected_state"
) -> Refusal:
    """400, executed: the object is not in a state for that."""
    return Refusal(400, INVALID, message, code=code, stopped_by=None, more={"payment_intent": intent})


def not_possible(message: str, code: str | None, param: str | None = None) -> Refusal:
    """400, executed, without an object."""
    return Refusal(400, INVALID, message, code=code, param=param, stopped_by=None)


def missing(kind: str, wanted: str, param: str = "id") -> Refusal:
    """404 for an id in the path, 400 for one in the parameters; both say resource_missing."""
    status = 404 if param == "id" else 400
    shown = "intent" if kind == "payment_intent" else param
    return Refusal(
        status, INVALID, f"No such {kind}: '{wanted}'", "resource_missing", shown if param == "id" else param
    )


def unknown_url(method: str, path: str) -> Refusal:
    message = (
        f"Unrecognized request URL ({method}: {path}). The simulator has the calls listed in docs/psp.md."
    )
    return Refusal(404, INVALID, message, stopped_by="unknown_url")


def no_key() -> Refusal:
    message = (
        "You did not provide an API key. You need to provide your API key in the Authorization header, using "
        "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
    )
    return Refusal(401, INVALID, message, stopped_by="auth")


def wrong_key(key: str) -> Refusal:
    shown = f"{key[:3]}{'*' * 8}{key[-4:]}" if len(key) > 11 else "*" * len(key)
    return Refusal(401, INVALID, f"Invalid API Key provided: {shown}", stopped_by="auth")


def key_in_use(key: str) -> Refusal:
    message = (
        "There is currently another in-progress request using this Idempotent Key (that probably means you "
        "submitted twice, and the other request is still going through): "
        f"{key}. Please try again later."
    )
    return Refusal(409, INVALID, message, code="idempotency_key_in_use", stopped_by="conflict")


def key_reused(key: str) -> Refusal:
    message = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return Refusal(400, "idempotency_error", message, stopped_by="key_reused")


def key_reused_elsewhere(key: str, path: str, first: str) -> Refusal:
    message = (
        "Keys for idempotent requests can only be used for the same endpoint they were first used for "
        f"('{path}' vs '{first}'). Try using a key other than '{key}' if you meant to execute a different "
        "request."
    )
    return Refusal(400, "idempotency_error", message, stopped_by="key_reused")


def key_too_long(length: int) -> Refusal:
    message = f"Idempotency keys can have up to 255 characters; this one has {length}."
    return Refusal(400, "idempotency_error", message, stopped_by="validation")


def locked() -> Refusal:
    message = (
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it. If you see this error intermittently, retry the request."
    )
    return Refusal(429, INVALID, message, code="lock_timeout", stopped_by="lock")


def frozen() -> Refusal:
    message = "The simulator is frozen: the drill is over and its ledger is being read."
    return Refusal(503, "api_error", message, stopped_by="frozen", retry_after_s=1)


def server_error() -> Refusal:
    """500 as an answer that the behaviour asked for: the operation took place."""
    return Refusal(500, "api_error", "An unknown error occurred", stopped_by=None)


def used_token() -> Refusal:
    message = (
        "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, "
        "shared with a connected account without Customer attachment, or was detached from a Customer. It "
        "may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first."
    )
    return Refusal(400, INVALID, message, param="payment_method", stopped_by="single_use")


def executed(refusal: Refusal) -> Refusal:
    """The same refusal as the result of an execution: its key keeps it."""
    return replace(refusal, stopped_by=None)


def rate_limited() -> Refusal:
    """429 by the layer in front: nothing was looked at, no key is kept."""
    message = (
        "Too many requests hit the API too quickly. We recommend an exponential backoff of your requests."
    )
    return Refusal(429, INVALID, message, code="rate_limit", stopped_by="rate_limit")


def in_maintenance(retry_after_s: int) -> Refusal:
    """503 by the layer in front: nothing was looked at, no key is kept."""
    message = "The API is down for maintenance. Nothing was executed; try again later."
    return Refusal(503, "api_error", message, stopped_by="maintenance", retry_after_s=retry_after_s)


def unavailable() -> Refusal:
    """500 by the layer in front: nothing was looked at, no key is kept. Its caller cannot know that."""
    return Refusal(500, "api_error", "An unknown error occurred", stopped_by="unavailable")


def duplicate_charge() -> Refusal:
    """402 by a provider that looks for a charge of the same order and amount; no key is kept."""
    message = "A transaction with identical amount and credit card information was submitted very recently."
    return Refusal(
        402,
        "card_error",
        message,
        code="card_declined",
        stopped_by="duplicate",
        more={"decline_code": "duplicate_transaction"},
    )


def key_cancelled(key: str, intent: Mapping[str, object] | None) -> Refusal:
    """400 for a payment whose key was cancelled; `intent` is the one that it had made before."""
    message = (
        f"The idempotency key '{key}' was cancelled. Nothing was executed; use another key for a new request."
    )
    return Refusal(
        400,
        "idempotency_error",
        message,
        code="idempotency_key_cancelled",
        stopped_by="key_cancelled",
        more={"payment_intent": intent} if intent is not None else {},
    )

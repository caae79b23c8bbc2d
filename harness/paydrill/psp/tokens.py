"""Payment tokens: the harness's own (`pm_pd_<int>`, `pm_pd_<int>_<how>`) and Stripe's test cards (pure).

The harness's tokens are kept exactly as they came: whatever the target does to keys and metadata,
a charge is tied to its intent by them. They may be charged any number of times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_HARNESS = re.compile(r"pm_pd_([0-9]{1,18})(?:_([a-z_]+))?")

CHALLENGE = "challenge"
ASYNC = "async"
ASYNC_FAIL = "asyncfail"
REFUND_PENDING = "refundpending"
REFUND_FAIL = "refundfail"
LATE_DECLINE = "latedecline"
DISPUTED = "disputed"
SAVED = "saved"
EXPIRES = "expires"
"""No card's own way, only a behaviour's: the hold expires after its time."""
HOWS = (CHALLENGE, ASYNC, ASYNC_FAIL, REFUND_PENDING, REFUND_FAIL, LATE_DECLINE, DISPUTED, SAVED)
"""Ways in which a card behaves that are no decline at once."""


@dataclass(frozen=True, slots=True)
class Decline:
    """A refusal by the card's bank. `decline_code` is None where Stripe gives none."""

    code: str
    decline_code: str | None
    message: str
    type: str = "card_error"


@dataclass(frozen=True, slots=True)
class Card:
    """How a card behaves. With a challenge, `decline` is what comes after it was done."""

    decline: Decline | None = None
    how: str | None = None
    brand: str = "visa"
    last4: str = "4242"


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
CHALLENGE_REFUSED = Decline(
    "payment_intent_authentication_failure",
    None,
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
    "PaymentMethod to attempt to fulfill this PaymentIntent again.",
    type="invalid_request_error",
)
ASYNC_FAILED = Decline("card_declined", "generic_decline", "The payment failed.")
_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
_LOST = Decline("card_declined", "lost_card", "Your card was declined.")
_STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
_FRAUD = Decline("card_declined", "fraudulent", "Your card was declined.")
_VELOCITY = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)
_EXPIRED = Decline("expired_card", None, "Your card has expired.")
_CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.")
_PROCESSING = Decline(
    "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
)

DECLINE_HOWS = {
    "declined": GENERIC,
    "insufficient_funds": _FUNDS,
    "lost_card": _LOST,
    "expired_card": _EXPIRED,
    "incorrect_cvc": _CVC,
    "processing_error": _PROCESSING,
}
"""The `<how>` of a harness token that is always declined."""

ALIASES = {
    "pm_card_visa": Card(),
    "pm_card_visa_debit": Card(last4="5556"),
    "pm_card_mastercard": Card(brand="mastercard", last4="4444"),
    "pm_card_amex": Card(brand="amex", last4="8431"),
    "pm_card_discover": Card(brand="discover", last4="9424"),
    "pm_card_bypassPending": Card(last4="0077"),
    "pm_card_visa_chargeDeclined": Card(GENERIC, last4="0002"),
    "pm_card_chargeDeclined": Card(GENERIC, last4="0002"),
    "pm_card_chargeCustomerFail": Card(GENERIC, last4="0341"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card(_FUNDS, last4="9995"),
    "pm_card_chargeDeclinedInsufficientFunds": Card(_FUNDS, last4="9995"),
    "pm_card_visa_chargeDeclinedLostCard": Card(_LOST, last4="9987"),
    "pm_card_visa_chargeDeclinedStolenCard": Card(_STOLEN, last4="9979"),
    "pm_card_visa_chargeDeclinedFraudulent": Card(_FRAUD, last4="0019"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": Card(_VELOCITY, last4="6975"),
    "pm_card_chargeDeclinedExpiredCard": Card(_EXPIRED, last4="0069"),
    "pm_card_chargeDeclinedIncorrectCvc": Card(_CVC, last4="0127"),
    "pm_card_chargeDeclinedProcessingError": Card(_PROCESSING, last4="0119"),
    "pm_card_authenticationRequired": Card(how=CHALLENGE, last4="3184"),
    "pm_card_threeDSecure2Required": Card(how=CHALLENGE, last4="3220"),
    "pm_card_threeDSecureRequiredChargeDeclined": Card(GENERIC, CHALLENGE, last4="1629"),
    "pm_card_pendingRefund": Card(how=REFUND_PENDING, last4="7726"),
    "pm_card_refundFail": Card(how=REFUND_FAIL, last4="5126"),
    "pm_card_createDispute": Card(how=DISPUTED, last4="0259"),
}
"""Stripe's names for test cards; each use makes a PaymentMethod of its own."""

NUMBERS = {
    "4242424242424242": "pm_card_visa",
    "4000000000000002": "pm_card_visa_chargeDeclined",
    "4000000000009995": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "4000000000003220": "pm_card_threeDSecure2Required",
    "4000000000000259": "pm_card_createDispute",
    "4000000000007726": "pm_card_pendingRefund",
    "4000000000005126": "pm_card_refundFail",
}
"""Stripe's test card numbers that `POST /v1/payment_methods` takes; others are refused and never kept."""


def known(token: str) -> bool:
    return token in ALIASES or harness_number(token) is not None


def card(token: str) -> Card | None:
    """How an alias or a harness token behaves; None for all others."""
    alias = ALIASES.get(token)
    if alias is not None or harness_number(token) is None:
        return alias
    how = harness_how(token)
    decline = DECLINE_HOWS.get(how) if how else None
    return Card(decline) if decline else Card(how=how)


def harness_number(token: str | None) -> int | None:
    """The `<int>` of a token that the harness issued; None for all others."""
    found = _HARNESS.fullmatch(token) if token is not None else None
    if found is None or (found[2] is not None and found[2] not in HOWS and found[2] not in DECLINE_HOWS):
        return None
    return int(found[1])


def harness_how(token: str) -> str | None:
    """The `<how>` of a token that the harness issued."""
    found = _HARNESS.fullmatch(token)
    return found[2] if found else None

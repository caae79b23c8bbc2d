"""Payment tokens: the harness's own (`pm_pd_<int>`) and Stripe's test cards (pure).

The harness's tokens are kept exactly as they came: whatever the target does to keys and metadata,
a charge is tied to its intent by them. They may be charged any number of times.
"""

from __future__ import annotations

from dataclasses import dataclass

HARNESS_PREFIX = "pm_pd_"


@dataclass(frozen=True, slots=True)
class Decline:
    """A refusal by the card's bank. `decline_code` is None where Stripe gives none."""

    code: str
    decline_code: str | None
    message: str


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
_VELOCITY = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)

DECLINES = {
    "pm_card_visa_chargeDeclined": GENERIC,
    "pm_card_chargeDeclined": GENERIC,
    "pm_card_chargeCustomerFail": GENERIC,
    "pm_card_visa_chargeDeclinedInsufficientFunds": _FUNDS,
    "pm_card_chargeDeclinedInsufficientFunds": _FUNDS,
    "pm_card_visa_chargeDeclinedLostCard": Decline("card_declined", "lost_card", "Your card was declined."),
    "pm_card_visa_chargeDeclinedStolenCard": Decline(
        "card_declined", "stolen_card", "Your card was declined."
    ),
    "pm_card_visa_chargeDeclinedFraudulent": Decline(
        "card_declined", "fraudulent", "Your card was declined."
    ),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": _VELOCITY,
    "pm_card_chargeDeclinedExpiredCard": Decline("expired_card", None, "Your card has expired."),
    "pm_card_chargeDeclinedIncorrectCvc": Decline(
        "incorrect_cvc", None, "Your card's security code is incorrect."
    ),
    "pm_card_chargeDeclinedProcessingError": Decline(
        "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
    ),
}
APPROVED = frozenset(
    {"pm_card_visa", "pm_card_visa_debit", "pm_card_mastercard", "pm_card_amex", "pm_card_discover"}
)


def known(token: str) -> bool:
    return token in APPROVED or token in DECLINES or harness_number(token) is not None


def harness_number(token: str | None) -> int | None:
    """The `<int>` of a token that the harness issued; None for all others."""
    if token is None or not token.startswith(HARNESS_PREFIX):
        return None
    digits = token[len(HARNESS_PREFIX) :]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None

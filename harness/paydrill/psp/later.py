"""What the provider will do by itself, and whether it still has anything to do (pure)."""

from __future__ import annotations

from collections.abc import Callable

from paydrill.psp.state import PROCESSING, REQUIRES_CAPTURE, Charge, Intent, Refund

SETTLE = "settle"
FAIL = "fail"
EXPIRE = "expire"
LATE_DECLINE = "late_decline"
DISPUTE = "dispute"
REFUND_DONE = "refund_done"
REFUND_FAIL = "refund_fail"


def _is_processing(intent: Intent, charge: Charge, refund: Refund | None) -> bool:
    return intent.status == PROCESSING and intent.charge == charge.id


def _is_held(intent: Intent, charge: Charge, refund: Refund | None) -> bool:
    return intent.status == REQUIRES_CAPTURE and intent.charge == charge.id


def _is_held_or_kept(intent: Intent, charge: Charge, refund: Refund | None) -> bool:
    return charge.left > 0 or _is_held(intent, charge, refund)


def _may_be_disputed(intent: Intent, charge: Charge, refund: Refund | None) -> bool:
    return charge.left > 0 and charge.disputed == 0


def _is_pending(intent: Intent, charge: Charge, refund: Refund | None) -> bool:
    return refund is not None and refund.status == "pending"


def _has_succeeded(intent: Intent, charge: Charge, refund: Refund | None) -> bool:
    return refund is not None and refund.status == "succeeded"


_STILL: dict[str, Callable[[Intent, Charge, Refund | None], bool]] = {
    SETTLE: _is_processing,
    FAIL: _is_processing,
    EXPIRE: _is_held,
    LATE_DECLINE: _is_held_or_kept,
    DISPUTE: _may_be_disputed,
    REFUND_DONE: _is_pending,
    REFUND_FAIL: _has_succeeded,
}


def still_to_come(what: str, intent: Intent, charge: Charge, refund: Refund | None) -> bool:
    """False once nothing is left for it: a captured hold does not expire any more."""
    return _STILL[what](intent, charge, refund)

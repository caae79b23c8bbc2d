"""What the PSP can be known to have done with a payment or a refund."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Captured:
    """The customer has been charged `amount`."""

    psp_id: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Authorised:
    """`amount` is held, to be captured, let go, or to expire."""

    psp_id: str
    amount: int
    currency: str


@dataclass(frozen=True)
class ActionRequired:
    """The customer has to do something first: a challenge."""

    psp_id: str


@dataclass(frozen=True)
class Pending:
    """The PSP knows of it and has not decided."""

    psp_id: str


@dataclass(frozen=True)
class Declined:
    """The bank has refused, for good."""

    psp_id: str | None
    code: str


@dataclass(frozen=True)
class Canceled:
    """Nothing is charged and nothing held any more: cancelled by us or by the PSP, or expired."""

    psp_id: str


@dataclass(frozen=True)
class NotExecuted:
    """The PSP has certainly done nothing: it refused the request, or shows that nothing came of it."""

    code: str


@dataclass(frozen=True)
class OperationFailed:
    """An operation on a payment was refused, and the PSP's record shows the payment as it was before."""

    psp_id: str
    code: str


@dataclass(frozen=True)
class Unknown:
    """No evidence. `failure_is_kept`: the key holds a failure, so that asking again says the same.

    `failed_there`: the PSP has answered that it failed. Not every PSP keeps that under the key, so asking again may
    do it again: its records are looked at first.
    `sent` is False where this call certainly never left us: an earlier one may have.
    """

    why: str
    failure_is_kept: bool = False
    failed_there: bool = False
    sent: bool = True


ChargeOutcome: TypeAlias = (
    Captured
    | Authorised
    | ActionRequired
    | Pending
    | Declined
    | Canceled
    | NotExecuted
    | OperationFailed
    | Unknown
)


@dataclass(frozen=True)
class Refunded:
    psp_id: str


@dataclass(frozen=True)
class AlreadyRefunded:
    """Nothing is left of the charge: somebody has given it all back before."""


RefundOutcome: TypeAlias = Refunded | AlreadyRefunded | Pending | NotExecuted | Unknown


@dataclass(frozen=True)
class PspIntent:
    """The PSP's own record of a payment. `created_s`: the PSP's wall clock, seconds."""

    psp_id: str
    status: str
    amount: int
    capturable: int
    received: int
    currency: str
    created_s: int
    order_id: str | None
    payment_id: str | None
    error_code: str | None

    def outcome(self) -> ChargeOutcome:
        """Each payment is confirmed once, so a recorded error is final."""
        if self.status == "succeeded":
            return Captured(self.psp_id, self.received, self.currency)
        if self.status == "requires_capture":
            return Authorised(self.psp_id, self.capturable, self.currency)
        if self.status == "requires_action":
            return ActionRequired(self.psp_id)
        if self.error_code is not None:
            return Declined(self.psp_id, self.error_code)
        if self.status == "canceled":
            return Canceled(self.psp_id)
        return Pending(self.psp_id)


def read_intent(record: Mapping[str, object]) -> PspIntent:
    """From the PSP's JSON. Raises KeyError for what is none."""
    metadata = record["metadata"] or {}
    error = record.get("last_payment_error")
    assert isinstance(metadata, Mapping)
    return PspIntent(
        psp_id=str(record["id"]),
        status=str(record["status"]),
        amount=int(str(record["amount"])),
        capturable=int(str(record.get("amount_capturable") or 0)),
        received=int(str(record["amount_received"])),
        currency=str(record["currency"]).upper(),
        created_s=int(str(record["created"])),
        order_id=metadata.get("order"),
        payment_id=metadata.get("payment"),
        error_code=str(error.get("code") or "declined") if isinstance(error, Mapping) else None,
    )


@dataclass(frozen=True)
class PspRefund:
    """The PSP's own record of a refund. `refund_id`: ours, if we have asked for it."""

    psp_id: str
    psp_payment: str
    amount: int
    currency: str
    status: str
    created_s: int
    refund_id: str | None

    def outcome(self) -> RefundOutcome:
        if self.status == "succeeded":
            return Refunded(self.psp_id)
        if self.status in ("failed", "canceled"):
            return NotExecuted(f"refund_{self.status}")
        return Pending(self.psp_id)


def read_refund(record: Mapping[str, object]) -> PspRefund:
    """From the PSP's JSON. Raises KeyError for what is none."""
    metadata = record.get("metadata") or {}
    payment = record["payment_intent"]
    assert isinstance(metadata, Mapping)
    return PspRefund(
        psp_id=str(record["id"]),
        psp_payment=str(payment["id"] if isinstance(payment, Mapping) else payment),
        amount=int(str(record["amount"])),
        currency=str(record["currency"]).upper(),
        status=str(record["status"]),
        created_s=int(str(record["created"])),
        refund_id=metadata.get("refund"),
    )

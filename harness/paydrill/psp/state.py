"""The simulator's objects, as small frozen records; `shapes` turns them into Stripe's JSON.

Amounts are minor units; `currency` is the wire form (lower case). `created` is unix seconds, `seq`
the order of creation within one kind, from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

REQUIRES_METHOD = "requires_payment_method"
REQUIRES_CONFIRMATION = "requires_confirmation"
REQUIRES_CAPTURE = "requires_capture"
SUCCEEDED = "succeeded"
CANCELED = "canceled"

EffectKind = Literal["auth", "capture", "release", "expire", "refund", "chargeback", "decline"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a card was refused; the token is kept, since the intent loses it."""

    code: str
    decline_code: str | None
    message: str
    token: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent. `charge` is its latest one; `token` its payment method."""

    id: str
    seq: int
    created: int
    amount: int
    currency: str
    capture_method: str
    status: str
    token: str | None = None
    charge: str | None = None
    received: int = 0
    capturable: int = 0
    failure: Failure | None = None
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    echoed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Charge:
    """One try to charge a token; `failure` is set on a declined one."""

    id: str
    seq: int
    created: int
    intent: str
    token: str
    amount: int
    currency: str
    captured: int = 0
    refunded: int = 0
    is_captured: bool = False
    is_released: bool = False
    failure: Failure | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    echoed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refund:
    id: str
    seq: int
    created: int
    intent: str
    charge: str
    amount: int
    currency: str
    status: str
    reason: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


State: TypeAlias = Intent | Charge | Refund


@dataclass(frozen=True, slots=True)
class Event:
    """Something told by webhook. `state` is the object as it was then; `nth` counts this type per token."""

    id: str
    seq: int
    created: int
    type: str
    object: Literal["payment_intent", "charge", "refund"]
    state: State
    pi: str
    token: str | None
    nth: int
    req: int
    idem_key: str | None


@dataclass(frozen=True, slots=True)
class Effect:
    """Money that moved, or a decline. `currency` is ISO 4217 (upper case); `token` the harness's number."""

    eff: int
    pi: str
    token: int | None
    payment_method: str | None
    kind: EffectKind
    by_psp: bool
    status: Literal["done", "pending", "failed"]
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What an idempotency key was first used for, and the answer that it gets for ever."""

    key: str
    endpoint: str
    fingerprint: str
    status: int
    body: str
    req: int

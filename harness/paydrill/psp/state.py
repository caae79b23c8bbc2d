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
REQUIRES_ACTION = "requires_action"
REQUIRES_CAPTURE = "requires_capture"
PROCESSING = "processing"
SUCCEEDED = "succeeded"
CANCELED = "canceled"

EffectKind = Literal["auth", "capture", "release", "expire", "refund", "chargeback", "decline"]
EffectStatus = Literal["done", "pending", "failed"]
ObjectName = Literal[
    "payment_intent", "charge", "refund", "dispute", "customer", "payment_method", "webhook_endpoint"
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a card was refused; the token is kept, since the intent loses it. `card`: what it behaves like."""

    code: str
    decline_code: str | None
    message: str
    token: str
    type: str = "card_error"
    card: str | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A PaymentIntent. `charge` is its latest one; `token` its payment method.

    `challenge` is where its customer can do the last challenge asked for, `challenged` the status that
    this challenge led to (None: not done), `return_url` where the customer wants to go after it.
    """

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
    challenge: str | None = None
    challenged: str | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """One try to charge a token; `failure` is set on a declined one.

    `refunded` counts pending refunds too, `disputed` is what a chargeback took. `how` is the way that
    `card` behaves after it was approved (`tokens`), `after_s` later where a behaviour says so.
    `capture_before` is unix seconds.
    """

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
    card: str | None = None
    how: str | None = None
    after_s: float | None = None
    is_pending: bool = False
    is_authenticated: bool = False
    disputed: int = 0
    capture_before: int | None = None

    @property
    def left(self) -> int:
        """What was captured and neither refunded nor charged back, in minor units."""
        return self.captured - self.refunded - self.disputed


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
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A chargeback: the bank took `amount` back from the merchant."""

    id: str
    seq: int
    created: int
    intent: str
    charge: str
    amount: int
    currency: str
    reason: str
    status: str
    object: Literal["dispute"] = "dispute"


@dataclass(frozen=True, slots=True)
class Customer:
    """`echoed`: name, email and the like, given back as they came."""

    id: str
    seq: int
    created: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    echoed: Mapping[str, Any] = field(default_factory=dict)
    object: Literal["customer"] = "customer"


@dataclass(frozen=True, slots=True)
class Method:
    """A PaymentMethod; it behaves like the card `card` (a token of `tokens`).

    `detached`: it belonged to a customer once, and may not be used again.
    """

    id: str
    seq: int
    created: int
    card: str
    customer: str | None = None
    detached: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    echoed: Mapping[str, Any] = field(default_factory=dict)
    object: Literal["payment_method"] = "payment_method"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint; `events` are types, or `*`. A deleted one stays in the ledger, off."""

    id: str
    seq: int
    created: int
    url: str
    events: tuple[str, ...]
    secret: str
    enabled: bool = True
    deleted: bool = False
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    object: Literal["webhook_endpoint"] = "webhook_endpoint"

    def wants(self, event_type: str) -> bool:
        """Whether it is to be told of such events."""
        return self.enabled and not self.deleted and ("*" in self.events or event_type in self.events)


Other: TypeAlias = Dispute | Customer | Method | Endpoint
"""Objects that carry their kind in `object`, since one list of the journal has them all."""
State: TypeAlias = Intent | Charge | Refund | Other


@dataclass(frozen=True, slots=True)
class Event:
    """Something told by webhook. `state` is the object as it was then; `nth` counts this type per token.

    `pi` is the intent, or the object itself where it has none; `req` None: the PSP did it by itself.
    """

    id: str
    seq: int
    created: int
    type: str
    object: ObjectName
    state: State
    pi: str
    token: str | None
    nth: int
    req: int | None
    idem_key: str | None


@dataclass(frozen=True, slots=True)
class Effect:
    """Money that moved, or a decline. `currency` is ISO 4217 (upper case); `token` the harness's number.

    `of` is the charge, refund or dispute that it belongs to: a pending effect ends with one of the same
    kind and `of`. `created` is unix seconds, `fee` what the PSP keeps of it (minor units).
    """

    eff: int
    pi: str
    token: int | None
    payment_method: str | None
    kind: EffectKind
    by_psp: bool
    status: EffectStatus
    amount: int
    currency: str
    of: str | None = None
    created: int = 0
    fee: int = 0


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What an idempotency key was first used for, and the answer that it gets for ever."""

    key: str
    endpoint: str
    fingerprint: str
    status: int
    body: str
    req: int

"""What a process is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

COMMIT_MARGIN_S = 0.3
"""What a caller leaves its callee for writing down the result."""


@dataclass(frozen=True)
class PspAccount:
    """Where a PSP is, and our key there. `name` is stored with each payment."""

    name: str
    url: str
    api_key: str


@dataclass(frozen=True)
class Settings:
    """All times in seconds. URLs have no trailing slash; those that a process does not use are empty.

    psp_at_once:        calls to one PSP that one process has under way at a time; more are refused
    settlement_period_s: how often the PSP's settlement files are matched
    challenge_life_s:   an unfinished challenge is given up after that
    reservation_life_s: stock of an order that nobody pays goes back to the shelf after that
    key_life_s:         kept keys are forgotten after that; no caller may retry for longer
    money_at_once:      payments and refunds that one process works on at a time; more are refused, as they
                        would not be answered before their callers stop waiting
    work_at_once:       the same for everything else
    caller_rate:        requests a second that one caller may make of one process, in the long run
    """

    node: str
    host: str
    port: int
    data_dir: str
    database_url: str
    payments_urls: tuple[str, ...]
    psp_url: str
    psp_api_key: str
    psp2_url: str
    psp2_api_key: str
    webhook_secret: str
    caller_secret: str
    fulfilment_url: str
    psp_call_s: float
    psp_retries: int
    psp_at_once: int
    orders_payments_s: float
    reconcile_period_s: float
    settlement_period_s: float
    challenge_life_s: float
    reservation_life_s: float
    key_life_s: float
    money_at_once: int
    work_at_once: int
    caller_rate: float

    @property
    def psps(self) -> tuple[PspAccount, ...]:
        """The first is preferred; the second is there only in some topologies."""
        accounts = (
            PspAccount("psp", self.psp_url, self.psp_api_key),
            PspAccount("psp2", self.psp2_url, self.psp2_api_key or self.psp_api_key),
        )
        return tuple(account for account in accounts if account.url)

    @property
    def psp_budget_s(self) -> float:
        """How long one request may spend on the PSP, all tries together."""
        return max(self.psp_call_s, self.orders_payments_s - COMMIT_MARGIN_S)

    @property
    def payments_lease_s(self) -> float:
        """After that a claim's holder is taken for dead: longer than it can be at work."""
        return self.psp_budget_s + 1.0

    @property
    def orders_lease_s(self) -> float:
        return self.orders_payments_s + 1.5


def from_environment(env: Mapping[str, str] = os.environ) -> Settings:
    """Raises KeyError or ValueError naming what is missing or malformed."""
    return Settings(
        node=env.get("NODE_NAME", "node"),
        host=env["LISTEN_HOST"],
        port=int(env["LISTEN_PORT"]),
        data_dir=env.get("DATA_DIR", "."),
        database_url=env.get("DATABASE_URL", ""),
        payments_urls=tuple(url for url in env.get("PAYMENTS_URLS", "").split(",") if url),
        psp_url=env.get("PSP_URL", ""),
        psp_api_key=env.get("PSP_API_KEY", ""),
        psp2_url=env.get("PSP2_URL", ""),
        psp2_api_key=env.get("PSP2_API_KEY", ""),
        webhook_secret=env.get("WEBHOOK_SECRET", ""),
        caller_secret=env.get("CALLER_SECRET", ""),
        fulfilment_url=env.get("FULFILMENT_URL", ""),
        psp_call_s=float(env.get("PSP_CALL_S", "1.0")),
        psp_retries=int(env.get("PSP_RETRIES", "2")),
        psp_at_once=int(env.get("PSP_AT_ONCE", "64")),
        orders_payments_s=float(env.get("ORDERS_PAYMENTS_S", "2.5")),
        reconcile_period_s=float(env.get("RECONCILE_PERIOD_S", "1.0")),
        settlement_period_s=float(env.get("SETTLEMENT_PERIOD_S", "5.0")),
        challenge_life_s=float(env.get("CHALLENGE_LIFE_S", "4.0")),
        reservation_life_s=float(env.get("RESERVATION_LIFE_S", "60")),
        key_life_s=float(env.get("KEY_LIFE_S", "86400")),
        money_at_once=int(env.get("MONEY_AT_ONCE", "64")),
        work_at_once=int(env.get("WORK_AT_ONCE", "64")),
        caller_rate=float(env.get("CALLER_RATE", "100")),
    )

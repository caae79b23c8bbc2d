"""What the payments side of a process counts of itself; served with the rest by metrics.py."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

PAYMENT_MOVES = Counter("payment_moves_total", "Payments that came into a state", ["state", "cause"])
REFUND_MOVES = Counter("refund_moves_total", "Refunds that came into a state", ["kind", "state", "cause"])
PSP_CALLS = Counter(
    "psp_calls_total", "Calls to a PSP: ok, failed, frozen or overloaded: not sent", ["psp", "result"]
)
CIRCUIT_OPEN = Gauge(
    "psp_circuit_open", "1 while nothing is sent to a PSP because too much has failed", ["psp"]
)
RETRIES_REFUSED = Counter(
    "psp_retries_refused_total", "Retries for which the budget had nothing left", ["psp"]
)
BREAKS = Counter("recon_breaks_total", "Differences between the PSP's books and ours", ["kind"])

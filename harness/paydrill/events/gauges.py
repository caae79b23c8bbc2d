"""Numbers that a scenario may compare with a bound, by name."""

from __future__ import annotations

from collections.abc import Mapping

LATEST_S = 5.0

GAUGES: Mapping[str, str] = {
    "open_work": "what the target itself says is not finished (`open_work` of target.yaml)",
    "psp_pending": "effects and messages of all PSPs that have still to come",
    "in_flight": "customers who are at it",
    "dropped": "arrivals dropped so far, since too many customers were at it",
    "lag_p99_ms": "how late arrivals were started, 99th percentile",
    "ok_ratio": f"the share of `ok` among the payments answered in the last {LATEST_S:g} s",
    "p95_ms": f"how long payments took that were answered in the last {LATEST_S:g} s, 95th percentile",
    "steal_pct": "CPU time taken from this machine by others since the load began, percent",
    "load_1m": "this machine's load average of the last minute",
}
"""Each with what it means. The first is not known for a target that does not say it."""

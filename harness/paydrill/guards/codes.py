"""The reason codes of a verdict: stable words for programs (docs/verdict.md explains each)."""

from __future__ import annotations

LOAD_NEVER_RAN = "load_never_ran"
TOO_FEW_OK_BEFORE = "too_few_ok_before"
TOO_FEW_OK_IN_FAULT = "too_few_ok_in_fault"
TOO_FEW_OK_AFTER = "too_few_ok_after"
NO_TRAFFIC_ON_FAULT = "no_traffic_on_fault"
TOO_FEW_OPS_IN_FAULT = "too_few_ops_in_fault"
FAULT_UNWITNESSED = "fault_unwitnessed"
FAULT_NOT_APPLIED = "fault_not_applied"
FAULT_NOT_HEALED = "fault_not_healed"
WINDOW_MISSED = "window_missed"
RECORDER_INCOMPLETE = "recorder_incomplete"
INSTRUMENT_DIED = "instrument_died"
PSP_CHAIN_BROKEN = "psp_chain_broken"
HOST_UNFIT = "host_unfit"
FACTS_UNREAD = "facts_unread"
NOTHING_EXAMINED = "nothing_examined"
POPULATION_MISMATCH = "population_mismatch"
UNDECIDED = "undecided"
CHECKER_CRASHED = "checker_crashed"
INTERRUPTED = "interrupted"
ABORTED = "aborted"
WATCHDOG_DIED = "watchdog_died"
CONDUCTOR_DIED = "conductor_died"
STACK_NOT_READY = "stack_not_ready"
INVARIANT_FAILED = "invariant_failed"
SLO_FAILED = "slo_failed"
BACKEND_CANNOT = "backend_cannot"
MACHINE_LACKS = "machine_lacks"

KNOWN = frozenset(value for name, value in dict(globals()).items() if name.isupper())

EVIDENCE_NOT_TRUSTWORTHY = frozenset(
    {
        RECORDER_INCOMPLETE,
        INSTRUMENT_DIED,
        PSP_CHAIN_BROKEN,
        INTERRUPTED,
        ABORTED,
        CONDUCTOR_DIED,
        STACK_NOT_READY,
        FAULT_NOT_APPLIED,
    }
)
"""With one of these a breach may be the harness's own doing: it is shown, but the verdict is inconclusive."""

"""The faulted edge carried traffic: a fault on an idle edge breaks nothing.

Counted in bytes at the proxies, both directions and all edges of the fault together. The witness's own
probe is at most some hundred bytes an edge, so less than `PROBE_BYTES` an edge is nobody's traffic.
An edge that refuses or cuts connections moves no bytes while it does: there it must have carried
traffic before.
"""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import FaultFact, RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "traffic_on_fault"
PROBE_BYTES = 1_500
CUTS_CONNECTIONS = frozenset({"down", "reset_peer"})


def check(facts: RunFacts) -> GuardResult:
    edge_faults = [fault for fault in facts.faults if fault.start_ns is not None and _is_on_proxy(fault)]
    problems = [problem for fault in edge_faults if (problem := _problem(fault))]
    return all_of(
        NAME, codes.NO_TRAFFIC_ON_FAULT, problems, f"{len(edge_faults)} faults of an edge, each with traffic"
    )


def _is_on_proxy(fault: FaultFact) -> bool:
    """A spike names the client's edges, but acts on the arrivals: its traffic is the load itself."""
    return fault.on_edge and fault.name != "spike"


def _problem(fault: FaultFact) -> str:
    before, after = fault.bytes_before, fault.bytes_after
    if before is None or after is None:
        return f"{fault.title}: the proxies' counters were not read"
    floor = PROBE_BYTES * len(fault.where)
    grown = after - before
    if grown > floor or (fault.name in CUTS_CONNECTIONS and before > floor):
        return ""
    return (
        f"{fault.title}: {max(grown, 0)} bytes passed, more than {floor} must (probes alone make that many)"
    )

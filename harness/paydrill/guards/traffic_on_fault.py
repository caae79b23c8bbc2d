"""The faulted edge carried traffic: a fault on an idle edge breaks nothing.

Counted in bytes at the client's end of the proxies, both ways and all edges of the fault together. The
witness's own probe is at most some hundred bytes an edge, so less than `PROBE_BYTES` an edge is nobody's
traffic; a witness that says more (to feel how narrow an edge is) tells how much, and the floor is a fifth
above that. An edge that refuses or cuts connections moves no bytes while it does, and one that keeps them silent
hardly any (a pool waits on each for an answer to one short query): there it must have carried traffic before. For an edge to a PSP its own request log is the better witness, and is asked first.
"""

from __future__ import annotations

from paydrill.guards import codes
from paydrill.guards.facts import FaultFact, RunFacts
from paydrill.guards.results import all_of
from paydrill.verdict import GuardResult

NAME = "traffic_on_fault"
PROBE_BYTES = 1_500
ABOVE_PROBES = 1.2
MOVES_NOTHING = ("nothing", "silence")


def check(facts: RunFacts) -> GuardResult:
    edge_faults = [fault for fault in facts.faults if fault.start_ns is not None and _is_on_proxy(fault)]
    problems = [problem for fault in edge_faults if (problem := _problem(facts, fault))]
    return all_of(
        NAME, codes.NO_TRAFFIC_ON_FAULT, problems, f"{len(edge_faults)} faults of an edge, each with traffic"
    )


def _is_on_proxy(fault: FaultFact) -> bool:
    """More load names the client's edges, but acts on the arrivals: its traffic is the load itself."""
    return fault.on_edge and fault.carries != "arrivals"


def _psp_was_charged(facts: RunFacts, fault: FaultFact) -> bool:
    """Payments reached each PSP through the fault. Reads are the reconciler's, from an edge of its own."""
    calls = {psp.name: psp.calls for psp in facts.psps}
    servers = {place.partition("->")[2] for place in fault.where}
    start_ns = fault.start_ns or 0
    return bool(servers) and all(
        any(
            call.op.startswith("POST") and start_ns <= call.t_ns < fault.end_ns
            for call in calls.get(server, ())
        )
        for server in servers
    )


def _problem(facts: RunFacts, fault: FaultFact) -> str:
    if _psp_was_charged(facts, fault):
        return ""
    before, after = fault.bytes_before, fault.bytes_after
    if before is None or after is None:
        return f"{fault.title}: the proxies' counters were not read"
    floor = max(PROBE_BYTES, int(ABOVE_PROBES * fault.probe_bytes)) * len(fault.where)
    grown = after - before
    if grown > floor or (fault.carries in MOVES_NOTHING and before > floor):
        return ""
    return (
        f"{fault.title}: {max(grown, 0)} bytes passed, more than {floor} must (probes alone make that many)"
    )

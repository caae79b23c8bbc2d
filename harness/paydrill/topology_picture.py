"""A topology as a drawing of plain text: services side by side, one line for each that dials others (pure).

Read it row by row: `●` dials every `►` and `◄` of its line; `┼` is passed over. Any arrangement can be
drawn, also one with circles, and an edge more changes one line.

    client   lb   orders ×2
      ●──────►        │
      │      ●────────►
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paydrill.topology import Topology

GAP = "   "
LEGEND = "● dials ► and ◄, each pair of nodes through a proxy of its own"


def picture(topology: Topology) -> str:
    """Lines without a newline at the end."""
    services = list(dict.fromkeys(node.service for node in topology.nodes))
    labels = [_label(topology, service) for service in services]
    columns = _middles(services, labels)
    rows = [
        _row(columns, service, dialled) for service in services if (dialled := _dialled(topology, service))
    ]
    return "\n".join([GAP.join(labels), *rows, "", LEGEND])


def _label(topology: Topology, service: str) -> str:
    count = len(topology.service(service))
    return f"{service} ×{count}" if count > 1 else service


def _middles(services: Sequence[str], labels: Sequence[str]) -> Mapping[str, int]:
    """Service -> where its vertical line is."""
    middles, left = {}, 0
    for service, label in zip(services, labels, strict=True):
        middles[service] = left + (len(label) - 1) // 2
        left += len(label) + len(GAP)
    return middles


def _dialled(topology: Topology, service: str) -> set[str]:
    return {
        topology.node(edge.server).service
        for edge in topology.edges
        if topology.node(edge.client).service == service
    }


def _row(columns: Mapping[str, int], service: str, dialled: set[str]) -> str:
    source = columns[service]
    ends = [columns[name] for name in dialled]
    first, last = min(source, *ends), max(source, *ends)
    line = [" "] * (max(columns.values()) + 1)
    for at in range(first, last + 1):
        line[at] = "─"
    for name, at in columns.items():
        if name in dialled:
            line[at] = "►" if at > source else "◄"
        else:
            line[at] = "┼" if first < at < last else "│"
    # A service whose nodes dial each other.
    line[source] = "↺" if service in dialled else "●"
    return "".join(line)

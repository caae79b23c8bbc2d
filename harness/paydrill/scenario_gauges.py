"""A number of a scenario's condition: the harness's own, or one that the target counts of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from paydrill.events import Metric, OnGauge, Series
from paydrill.events.gauges import GAUGES
from paydrill.target import Target
from paydrill.topology import INSTRUMENTS, Node, Topology, UnknownPlace
from paydrill.yaml_fields import Field, Section, nearest

METRIC_KEYS = ("metric", "of", "labels", "over", "under")
MAX_BOUND = 1e12


@dataclass(frozen=True)
class Whose:
    """Who could have metrics of their own; without a topology or a target that is not checked."""

    topology: Topology | None
    target: Target | None

    def refused(self, place: str) -> str:
        """Why `place` cannot be asked; empty when it can. Raises UnknownPlace."""
        if self.topology is None:
            return ""
        nodes = self.topology.nodes_at(place)
        if any(node.service in INSTRUMENTS for node in nodes):
            return f"{place} belongs to the harness and tells no metrics"
        return "" if self.target is None else self._untold(nodes, self.target)

    def _untold(self, nodes: Sequence[Node], target: Target) -> str:
        silent = {node.service for node in nodes if not target.services[node.service].metrics}
        if not silent:
            return ""
        return (
            f"the service {min(silent)} of {target.name} tells no metrics (`metrics: /path` in target.yaml)"
        )


def read_gauge(section: Section, whose: Whose) -> OnGauge | None:
    """The number and its bound; None with its mistakes noted."""
    named, of = section.require("metric"), section.get("of")
    metric = _metric(named, of, section.get("labels"), whose) if named else None
    given: list[tuple[Literal["over", "under"], Field]] = []
    for way in ("over", "under"):
        if field := section.get(way):
            given.append((way, field))
    if len(given) != 1:
        section.key_wrong("metric", "expected one bound, over or under", "over: 500")
        return None
    way, field = given[0]
    bound = field.number(0, MAX_BOUND)
    return None if metric is None or bound is None else OnGauge(metric, way, bound)


def _metric(named: Field, of: Field | None, labels: Field | None, whose: Whose) -> Metric | None:
    if of is None:
        return _own(named, labels)
    name, place = named.text(limit=200), of.scalar_text()
    only = _labels(labels)
    if name is None or place is None or only is None:
        return None
    try:
        why = whose.refused(place)
    except UnknownPlace as unknown:
        of.wrong(f"{unknown}", unknown.suggestion)
        return None
    if why:
        of.wrong(why)
        return None
    return Series(name, place, only)


def _own(named: Field, labels: Field | None) -> Metric | None:
    if labels is not None:
        labels.wrong("labels narrow a metric of the target: the key 'of' is missing", "of: payments")
        return None
    name = named.scalar_text()
    if name is None or name in GAUGES:
        return name
    if nearest(name, GAUGES) is None:
        named.wrong(f"{name!r} is no number of the harness; `of: NODE` asks a node of the target for it")
        return None
    return named.choice("metric", tuple(GAUGES))


def _labels(field: Field | None) -> tuple[tuple[str, str], ...] | None:
    """Sorted; None where one is no text."""
    read = [(name, one.scalar_text()) for name, one in field.section(None)] if field else []
    if any(value is None for _, value in read):
        return None
    return tuple(sorted((name, str(value)) for name, value in read))

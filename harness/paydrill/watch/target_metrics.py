"""Metrics that nodes of the target tell of themselves, read past every proxy in Prometheus' text form."""

from __future__ import annotations

import http.client

from prometheus_client.parser import text_string_to_metric_families

from paydrill.backends import Stack
from paydrill.backends.probe import text_at
from paydrill.errors import PaydrillError
from paydrill.events import Series
from paydrill.topology import Node

ONE_ANSWER_S = 1.0


def read_series(stack: Stack, series: Series) -> float | None:
    """Over all its nodes that answer, added up; None where none of them tells it."""
    told = [_of_node(stack, node, series) for node in stack.topology.nodes_at(series.of)]
    known = [value for value in told if value is not None]
    return sum(known) if known else None


def sum_of(text: str, series: Series) -> float | None:
    """The samples of that name that have its labels, added up; None where there is none (pure).

    Raises ValueError for a text that is not in the form.
    """
    wanted = set(series.labels)
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == series.name and wanted <= sample.labels.items()
    ]
    return sum(found) if found else None


def _of_node(stack: Stack, node: Node, series: Series) -> float | None:
    """None where it does not answer: a node that is down counts nothing."""
    path = stack.setup.target.services[node.service].metrics
    if path is None:
        return None
    try:
        return sum_of(text_at(stack.probe(node), path, ONE_ANSWER_S), series)
    except (PaydrillError, OSError, http.client.HTTPException, ValueError):
        return None

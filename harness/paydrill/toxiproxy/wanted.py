"""What a server has been asked to be, so that one that is started anew can be made so again."""

from __future__ import annotations

from collections.abc import Iterator

from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Toxic


class Wanted:
    """The toxics that are on, in the order in which they came, and the edges that are down."""

    def __init__(self) -> None:
        self._toxics: dict[tuple[str, str], tuple[Edge, Toxic]] = {}
        self._down: set[str] = set()

    def put(self, edge: Edge, toxic: Toxic) -> None:
        """On, or with other attributes than before."""
        self._toxics[edge.name, toxic.name] = (edge, toxic)

    def take_off(self, edge: Edge, toxic: Toxic) -> None:
        """What is not on is taken off as well."""
        self._toxics.pop((edge.name, toxic.name), None)

    def enable(self, edge: Edge, *, wanted: bool) -> None:
        if wanted:
            self._down.discard(edge.name)
        else:
            self._down.add(edge.name)

    def nothing(self) -> None:
        """Every edge up, no toxic on."""
        self._toxics.clear()
        self._down.clear()

    def toxics(self) -> Iterator[tuple[Edge, Toxic]]:
        return iter(self._toxics.values())

    def is_down(self, name: str) -> bool:
        """Of the edge with that name."""
        return name in self._down

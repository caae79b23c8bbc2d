"""Faults that make an edge narrow: its width is measured by one long conversation before and while on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from paydrill.backends import Stack
from paydrill.faults import Scene, Witness
from paydrill.faults.edge_fault import Existing, toxics_on
from paydrill.faults.talk import Heard, Words, answer_bytes, many_questions, talk
from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Direction, Toxic

BEFORE_WITHIN_S = 0.5
WITHIN_S = 2.0
AGAIN_WITHIN_S = 0.8
"""Less time than that is too little for another conversation."""
MOST_TALKS = 3

Judge = Callable[[Heard, Heard], bool]
"""Whether what was heard before the injection and what is heard now show the fault."""


@dataclass(frozen=True)
class Narrow:
    """In force; `before` is the same conversation without the fault."""

    stack: Stack
    words: Sequence[Words]
    before: Sequence[Heard]
    shows: Judge

    def witness(self) -> Witness:
        """Asked again where it was not clear: when a schedule changes a toxic, what is under way passes at once."""
        give_up_s = time.monotonic() + WITHIN_S
        now = talk(self.stack, self.words, WITHIN_S)
        said = [one.bytes for one in now]
        for _ in range(1, MOST_TALKS):
            left_s = give_up_s - time.monotonic()
            if self._is_clear(now) or left_s < AGAIN_WITHIN_S:
                break
            now = talk(self.stack, self.words, left_s)
            said = [earlier + one.bytes for earlier, one in zip(said, now, strict=True)]
        return self._told(now, said)

    def _is_clear(self, now: Sequence[Heard]) -> bool:
        return all(self.shows(was, one) for was, one in zip(self.before, now, strict=True))

    def _told(self, now: Sequence[Heard], said: Sequence[int]) -> Witness:
        pairs = list(zip(self.before, now, strict=True))
        proven = [one for was, one in pairs if self.shows(was, one)]
        told = "; ".join(
            f"{one.edge}: {one.received_bytes} of {was.received_bytes} bytes after {one.last_s * 1000:.0f} ms"
            f" ({was.last_s * 1000:.0f} ms before), then {one.ended}"
            for was, one in pairs
        )
        measured = {
            "edges": float(len(now)),
            "edges_witnessed": float(len(proven)),
            "probe_bytes_per_edge": float(
                max(was.bytes + own for (was, _), own in zip(pairs, said, strict=True))
            ),
        }
        return Witness("path", len(proven) == len(now), f"questions through the proxies: {told}", measured)


@contextmanager
def narrowed(
    scene: Scene,
    toxics: Sequence[tuple[Edge, Toxic]],
    least_bytes: int,
    shows: Judge,
    existing: Existing,
) -> Iterator[Narrow]:
    """Put the toxics on, having asked before what the same conversation is like without them."""
    edges = list(dict.fromkeys(edge for edge, _ in toxics))
    lengths = answer_bytes(scene.stack, edges, BEFORE_WITHIN_S)
    direction = toxics[0][1].direction
    words = [
        Words(edge, many_questions(scene.stack, edge, direction, least_bytes, lengths[edge]))
        for edge in edges
    ]
    before = talk(scene.stack, words, BEFORE_WITHIN_S)
    with toxics_on(scene, toxics, existing):
        yield Narrow(scene.stack, words, before, shows)


def slowed_to(direction: Direction, seconds_a_byte: float) -> Judge:
    """The conversation takes the time that its bytes must, twice what it took before, which was too little for that."""

    def shows(before: Heard, now: Heard) -> bool:
        size = before.received_bytes if direction == "downstream" else now.sent_bytes
        needed_s = size * seconds_a_byte
        answered = before.ended == "closed" and now.ended == "closed"
        slower = now.last_s >= 2 * before.last_s and before.last_s < 0.75 * needed_s
        return answered and now.last_s >= 0.9 * needed_s and slower

    return shows

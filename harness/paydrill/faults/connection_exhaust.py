"""connection_exhaust: idle sessions take every place that a database has for clients."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from paydrill.backends import Stack
from paydrill.backends.probe import Probe, startup_packet
from paydrill.errors import FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, Family, Hits, InForce, Scene, Witness, WitnessKind
from paydrill.faults.node_fault import NodeFault, nodes_of_target, who_runs
from paydrill.topology import Node

Answered = Literal["let in", "too many", "nothing"]

MOST_SESSIONS = 2000
TAKEN_WITHIN_S = 20.0
ANSWER_WITHIN_S = 1.0
SEEN_WITHIN_S = 1.0
STEP_WITHIN_S = 0.05
LOOK_EVERY_S = 0.2
FREE_WITHIN_S = 3.0
NO_PLACE = b"C53300"
"""The field of an error that holds its code (too_many_connections)."""


@dataclass
class Taken:
    """The sessions that are held; places that others give up are taken too."""

    probe: Probe
    node: Node
    held: list[socket.socket] = field(default_factory=list)

    def step(self) -> float:
        """One more at most: whoever has just got a place keeps it."""
        self.take_one(STEP_WITHIN_S)
        return LOOK_EVERY_S

    def witness(self) -> Witness:
        """What a client of the target's role hears who wants a session now.

        Asked again for a while: a place that somebody has just left is taken at the next step only.
        """
        give_up = time.monotonic() + SEEN_WITHIN_S
        while (answered := self._ask()) == "let in" and time.monotonic() < give_up:
            time.sleep(LOOK_EVERY_S)
        heard = {
            "let in": "a new session was let in",
            "too many": "a new session was refused: too many clients",
            "nothing": "a new session got no answer",
        }[answered]
        measured = {"sessions_held": float(len(self.held)), "refused": float(answered == "too many")}
        detail = f"{self.node.name}: {heard}, {len(self.held)} idle ones were held"
        return Witness("answer", answered == "too many", detail, measured)

    def _ask(self) -> Answered:
        answered, session = knock(self.probe, ANSWER_WITHIN_S)
        if session is not None:
            session.close()
        return answered

    def take_one(self, within_s: float) -> Answered:
        answered, session = knock(self.probe, within_s)
        if session is not None:
            self.held.append(session)
        return answered

    def take_all(self) -> None:
        """Raises FaultNotApplied when places do not run out."""
        give_up = time.monotonic() + TAKEN_WITHIN_S
        while (answered := self.take_one(ANSWER_WITHIN_S)) == "let in":
            if len(self.held) >= MOST_SESSIONS or time.monotonic() > give_up:
                raise FaultNotApplied(f"{self.node.name} still took sessions after {len(self.held)}")
        if answered != "too many":
            raise FaultNotApplied(f"{self.node.name} gave no answer after {len(self.held)} sessions")

    def give_up(self) -> None:
        """Raises FaultNotApplied when there is no place again."""
        for session in self.held:
            with contextlib.suppress(OSError):
                session.sendall(struct.pack("!cI", b"X", 4))
            session.close()
        self.held.clear()
        give_up = time.monotonic() + FREE_WITHIN_S
        while (answered := self.take_one(ANSWER_WITHIN_S)) == "too many":
            if time.monotonic() > give_up:
                raise FaultNotApplied(f"{self.node.name} got its places back and has none")
            time.sleep(0.02)
        if answered == "let in":
            self.held.pop().close()


@dataclass(frozen=True, kw_only=True)
class ConnectionExhaust(NodeFault):
    """Idle sessions of the target's role, opened directly, until the database refuses the next one.

    Sessions that were open go on. The places that PostgreSQL keeps for its administrator are left.
    """

    name: ClassVar[str] = "connection_exhaust"
    summary: ClassVar[str] = "a database has no place left for another session"
    family: ClassVar[Family] = "resource"
    hits: ClassVar[Hits] = "database"
    effect: ClassVar[Effect] = "availability"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    witnessed_by: ClassVar[WitnessKind] = "answer"
    undo: ClassVar[str] = "the sessions are closed"
    example: ClassVar[Mapping[str, object]] = {"node": "db-1"}

    node: str

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        node = self._node(stack)
        who_runs(stack, node)
        taken = Taken(stack.probe(node), node)
        try:
            taken.take_all()
            yield taken
        finally:
            taken.give_up()

    def _node(self, stack: Stack) -> Node:
        nodes = nodes_of_target(stack.topology, self.node)
        runtime = stack.setup.target.services[nodes[0].service].runtime
        if len(nodes) > 1 or runtime != "postgres":
            what = f"{len(nodes)} nodes" if len(nodes) > 1 else f"a {runtime} node"
            raise FaultNotApplied(f"connection_exhaust: {self.node} is {what}, one postgres node is expected")
        return nodes[0]


def knock(probe: Probe, within_s: float) -> tuple[Answered, socket.socket | None]:
    """Ask for one session; the open connection where it was let in."""
    session = socket.socket()
    try:
        session.settimeout(within_s)
        session.connect((probe.address.host, probe.address.port))
        session.sendall(startup_packet(probe.database))
        told = b""
        give_up = time.monotonic() + within_s
        # The role is authenticated (R) before the server counts its places; Z says that it is in.
        while time.monotonic() < give_up and (piece := session.recv(4096)):
            told += piece
            if NO_PLACE in told:
                break
            if told[-6:-1] == b"Z\0\0\0\5":
                return "let in", session
    except OSError:
        told = b""
    session.close()
    return ("too many" if NO_PLACE in told else "nothing"), None


FAULT = ConnectionExhaust

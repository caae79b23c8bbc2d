"""kill_session: one session of a database ends under its client, and only this one or, with SIGKILL, all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

from paydrill.backends import Stack
from paydrill.backends.postgres import SUPERUSER
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.faults import Carries, Effect, Expects, Hits, InForce, Scene, Witness, WitnessKind
from paydrill.faults.node_fault import NodeFault, nodes_of_target, who_runs
from paydrill.topology import Node

How = Literal["terminate", "kill"]
SQL_WITHIN_S = 2.0
FOUND_WITHIN_S = 1.0
GONE_WITHIN_S = 1.8
OF_THE_TARGET = f"backend_type = 'client backend' AND usename <> '{SUPERUSER}'"


@dataclass(frozen=True)
class Session:
    """One client's session. A pid alone may be given anew: `started` is the database's own word."""

    pid: int
    started: str
    busy: bool


@dataclass(frozen=True)
class SessionEnded:
    """`before` are all sessions of the target at the strike."""

    stack: Stack
    node: Node
    victim: Session
    before: Sequence[Session]
    how: How

    def witness(self) -> Witness:
        left = self._left()
        gone = left is not None and self.victim.pid not in {one.pid for one in left}
        others = 0 if left is None else len(left)
        told = f"session {self.victim.pid} of {self.node.name} ({'busy' if self.victim.busy else 'idle'})"
        told += " no longer stands in pg_stat_activity" if gone else " was still there"
        told += f", {others} of {len(self.before) - 1} others were still there"
        # A backend that is killed takes all with it: the server cannot know what it left in shared memory.
        witnessed = gone and (self.how == "terminate" or others == 0)
        measured = {"sessions_before": float(len(self.before)), "sessions_left": float(others)}
        return Witness("store", witnessed, told, measured)

    def _left(self) -> list[Session] | None:
        """Which of the sessions are left, asked until the victim is not; None when the database is silent."""
        give_up = time.monotonic() + GONE_WITHIN_S
        found: list[Session] | None = None
        while time.monotonic() < give_up:
            try:
                known = {(one.pid, one.started) for one in self.before}
                now = _sessions(self.stack, self.node)
                found = [one for one in now if (one.pid, one.started) in known]
            except DrillBroken:
                time.sleep(0.05)  # it is recovering
                continue
            if self.victim.pid not in {one.pid for one in found}:
                break
            time.sleep(0.02)
        return found


@dataclass(frozen=True, kw_only=True)
class KillSession(NodeFault):
    """Ends one session of the target on a PostgreSQL node, a busy one if there is one.

    how: `terminate`, as an administrator does (pg_terminate_backend: its client gets a FATAL error);
    `kill`, as the kernel does when memory is short (SIGKILL: the server restarts all sessions, and what
    a client had sent may or may not have been committed).
    """

    name: ClassVar[str] = "kill_session"
    summary: ClassVar[str] = "one database session ends under its client"
    hits: ClassVar[Hits] = "database"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    witnessed_by: ClassVar[WitnessKind] = "store"
    undo: ClassVar[str] = "nothing to undo: clients connect again"
    example: ClassVar[Mapping[str, object]] = {"node": "db-1", "how": "terminate"}

    node: str
    how: How = "terminate"

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack = scene.stack
        node = self._node(stack)
        before = _some_sessions(stack, node)
        busy = [one for one in before if one.busy] or before
        victim = scene.chance("session").choice(busy)
        if self.how == "terminate":
            _terminate(stack, node, victim)
        else:
            _kill(stack, node, victim)
        yield SessionEnded(stack, node, victim, before, self.how)
        who_runs(stack, node)

    def _node(self, stack: Stack) -> Node:
        nodes = nodes_of_target(stack.topology, self.node)
        runtime = stack.setup.target.services[nodes[0].service].runtime
        if len(nodes) > 1 or runtime != "postgres":
            what = f"{len(nodes)} nodes" if len(nodes) > 1 else f"a {runtime} node"
            raise FaultNotApplied(f"kill_session: {self.node} is {what}, one postgres node is expected")
        return nodes[0]


def _sessions(stack: Stack, node: Node) -> list[Session]:
    query = f"""
        SELECT pid, backend_start::text AS started, state <> 'idle' AS busy
        FROM pg_stat_activity WHERE {OF_THE_TARGET} ORDER BY pid
    """
    rows = stack.sql(node, query, SQL_WITHIN_S)
    return [Session(int(str(row["pid"])), str(row["started"]), bool(row["busy"])) for row in rows]


def _some_sessions(stack: Stack, node: Node) -> list[Session]:
    """Raises FaultNotApplied where nobody has one."""
    give_up = time.monotonic() + FOUND_WITHIN_S
    while not (found := _sessions(stack, node)):
        if time.monotonic() > give_up:
            raise FaultNotApplied(f"{node.name} has no session of the target that could be ended")
        time.sleep(0.02)
    return found


def _terminate(stack: Stack, node: Node, victim: Session) -> None:
    """The query changes no data: it is allowed on the read-only connection."""
    query = f"""
        SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity
        WHERE pid = {victim.pid} AND backend_start::text = '{victim.started}'
    """
    stack.sql(node, query, SQL_WITHIN_S)


def _kill(stack: Stack, node: Node, victim: Session) -> None:
    done = stack.run_in(node, ["/bin/sh", "-c", f"kill -KILL {victim.pid}"], SQL_WITHIN_S)
    if done.code != 0:
        raise FaultNotApplied(f"session {victim.pid} of {node.name} was not killed: {done.stderr.decode()}")


FAULT = KillSession

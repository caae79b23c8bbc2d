"""corrupt_page: one sector of a table's file holds other bytes than were written; the server finds out."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from paydrill.backends import Stack
from paydrill.errors import DrillBroken, FaultNotApplied, NotReady
from paydrill.faults import Carries, Effect, Expects, Family, Hits, InForce, Scene, Witness, WitnessKind
from paydrill.faults.node_fault import NodeFault, nodes_of_target, running_again, who_runs
from paydrill.topology import Node

SQL_WITHIN_S = 2.0
ENDED_WITHIN_S = 10.0  # its last checkpoint included
HEALTHY_WITHIN_S = 20.0
PROGRAM_WITHIN_S = 10.0
SECTOR_BYTES = 512

# As the node's own user, where the server's files are. A page that holds no row is passed over: nobody
# would read it. The header's sector stays: a page is to look whole until its checksum is compared.
DAMAGE = """
import json, os, random, struct, sys
path, block, sector, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
chance = random.Random(seed)
fd = os.open(path, os.O_RDWR)
pages = os.fstat(fd).st_size // block
lower = lambda page: struct.unpack_from("=H", os.pread(fd, 24, page * block), 12)[0]
filled = [page for page in range(pages) if lower(page) > 24]
page = chance.choice(filled) if filled else sys.exit("no page of it holds a row")
at = page * block + sector * chance.randrange(1, block // sector)
before = os.pread(fd, sector, at)
after = bytes(byte ^ chance.randrange(1, 256) for byte in before)
os.pwrite(fd, after, at)
os.fsync(fd)
print(json.dumps({"page": page, "at": at, "before": before.hex(), "after": after.hex()}))
"""
PUT_BACK = """
import os, sys
path, at, before, after = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), bytes.fromhex(sys.argv[4])
fd = os.open(path, os.O_RDWR)
if os.pread(fd, len(after), at) == after:
    os.pwrite(fd, before, at)
    os.fsync(fd)
"""


@dataclass(frozen=True)
class Table:
    """path: of its file, as the node sees it. block: bytes of a page."""

    name: str
    path: str
    block: int


@dataclass(frozen=True)
class Damage:
    """`before` and `after`: the sector at that place of the file, in hex."""

    page: int
    at: int
    before: str
    after: str


@dataclass(frozen=True)
class Damaged:
    stack: Stack
    node: Node
    table: Table
    damage: Damage

    def witness(self) -> Witness:
        """The server is asked for every row of the table."""
        refusal = _refusal_of(self.stack, self.node, self.table)
        refused = f"invalid page in block {self.damage.page} " in refusal
        told = f"page {self.damage.page} of {self.table.name} on {self.node.name}: "
        told += "the server calls it invalid" if refused else f"the server says {refusal or 'nothing of it'}"
        return Witness("store", refused, told, {"pages": 1.0, "pages_refused": float(refused)})


@dataclass(frozen=True, kw_only=True)
class CorruptPage(NodeFault):
    """The server is ended cleanly, one sector of a page that holds rows is damaged, and it is started again.

    Done under a running server, the page in its memory would hide the damage and later write over it.
    Every read that meets the page then fails, by its checksum; all other pages are as before. table: as
    in the database, the largest one if left out. The page and the bytes come from the seed.
    """

    name: ClassVar[str] = "corrupt_page"
    summary: ClassVar[str] = "one page of a database's table is damaged on its disk"
    family: ClassVar[Family] = "disk"
    hits: ClassVar[Hits] = "database"
    effect: ClassVar[Effect] = "money"
    expects: ClassVar[Expects] = "some"
    carries: ClassVar[Carries] = "bytes"
    witnessed_by: ClassVar[WitnessKind] = "store"
    needs: ClassVar[tuple[str, ...]] = ("data checksums",)
    undo: ClassVar[str] = (
        "the damaged bytes are put back, as from a copy; what was done without them stays done"
    )
    example: ClassVar[Mapping[str, object]] = {"node": "db-1"}

    node: str
    table: str = ""

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[InForce]:
        stack, node = scene.stack, self._node(scene.stack)
        who_runs(stack, node)
        table = _table(stack, node, self.table)
        with ExitStack() as heal:
            heal.enter_context(running_again(stack, [node]))
            _end(stack, node)
            damage = _do(stack, node, table, repr(scene.chance("page").random()))
            heal.callback(_put_back, stack, node, table, damage)
            _begin(stack, node)
            yield Damaged(stack, node, table, damage)

    def _node(self, stack: Stack) -> Node:
        nodes = nodes_of_target(stack.topology, self.node)
        runtime = stack.setup.target.services[nodes[0].service].runtime
        if len(nodes) > 1 or runtime != "postgres":
            what = f"{len(nodes)} nodes" if len(nodes) > 1 else f"a {runtime} node"
            raise FaultNotApplied(f"corrupt_page: {self.node} is {what}, one postgres node is expected")
        return nodes[0]


def _table(stack: Stack, node: Node, name: str) -> Table:
    """Raises FaultNotApplied where there is none such, and where damage would go unseen."""
    wanted = "c.oid = to_regclass($paydrill$" + name + "$paydrill$)" if name else "true"
    query = f"""
        SELECT c.oid::regclass::text AS name, pg_relation_filepath(c.oid) AS file,
               current_setting('data_directory') AS folder, current_setting('block_size')::int AS block,
               current_setting('data_checksums') AS checksums
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND {wanted}
        ORDER BY pg_relation_size(c.oid) DESC, c.oid LIMIT 1
    """
    rows = stack.sql(node, query, SQL_WITHIN_S)
    if not rows:
        raise FaultNotApplied(f"{node.name} has no table {name}".rstrip())
    (row,) = rows
    if row["checksums"] != "on":
        raise FaultNotApplied(
            f"{node.name} has no data checksums: it would take a damaged page for a good one"
        )
    return Table(str(row["name"]), f"{row['folder']}/{row['file']}", int(str(row["block"])))


def _end(stack: Stack, node: Node) -> None:
    """Cleanly: nothing that it has is newer than its files."""
    stack.send_signal(node, signal.SIGINT)
    give_up = time.monotonic() + ENDED_WITHIN_S
    while stack.process(node) is not None:
        if time.monotonic() > give_up:
            raise FaultNotApplied(f"{node.name} did not end within {ENDED_WITHIN_S:g} s of SIGINT")
        time.sleep(0.01)


def _begin(stack: Stack, node: Node) -> None:
    stack.start(node)
    try:
        stack.wait_healthy([node], HEALTHY_WITHIN_S)
    except NotReady as problem:
        raise FaultNotApplied(f"{node.name} was started with a damaged page: {problem.detail}") from problem


def _do(stack: Stack, node: Node, table: Table, seed: str) -> Damage:
    said = _program(stack, node, DAMAGE, [table.path, str(table.block), str(SECTOR_BYTES), seed])
    return Damage(**json.loads(said))


def _put_back(stack: Stack, node: Node, table: Table, damage: Damage) -> None:
    """A page that cannot be read is not written either: what stands there is the damage, or another file."""
    _program(stack, node, PUT_BACK, [table.path, str(damage.at), damage.before, damage.after])
    if stack.process(node) is not None and "invalid page" in (refusal := _refusal_of(stack, node, table)):
        raise FaultNotApplied(f"{node.name} was given its page back and still refuses it: {refusal}")


def _program(stack: Stack, node: Node, program: str, arguments: Sequence[str]) -> bytes:
    done = stack.run_in(node, ["python3", "-c", program, *arguments], PROGRAM_WITHIN_S)
    if done.code != 0:
        why = done.stderr.decode(errors="replace").strip()[-300:]
        raise FaultNotApplied(f"a page of {node.name} cannot be changed: {why}")
    return done.stdout


def _refusal_of(stack: Stack, node: Node, table: Table) -> str:
    """What the server says instead of all its rows; empty when it gives them. No index can answer this."""
    try:
        stack.sql(node, f"SELECT sum(length(t::text)) AS all FROM {table.name} t", SQL_WITHIN_S)
    except DrillBroken as problem:
        return problem.detail
    return ""


FAULT = CorruptPage

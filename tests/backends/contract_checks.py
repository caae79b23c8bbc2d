"""What every backend must do, as checks on a running mini target; they run in the conductor's process.

`run_all` is the conductor: it makes each check, in this order, and writes what failed into the run
folder; test_contract.py reports them one by one. A check ends with the stack healthy.
"""

from __future__ import annotations

import http.client
import json
import signal
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from impatient_client import ask_often_and_leave

from paydrill.backends import Address, CommandResult, Stack
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.topology import Edge
from paydrill.toxiproxy.toxic import Toxic
from paydrill.toxiproxy.traffic import edge_bytes

RESULTS = "contract.json"

# Run inside a node; ends with 0 when the connection was made, 3 when it was refused or went nowhere.
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1.5).close()
except OSError as problem:
    print(problem)
    sys.exit(3)
"""


def run_all(stack: Stack, hooks: Hooks) -> None:
    results: dict[str, str] = {}
    for name, check in CHECKS.items():
        began = time.monotonic()
        try:
            check(stack, hooks)
            results[name] = "ok"
        except Exception:
            results[name] = traceback.format_exc()
        print(f"{name}: {results[name]} ({time.monotonic() - began:.2f} s)", flush=True)
        Path(stack.setup.run_dir, RESULTS).write_text(json.dumps(results))


class Hooks:
    """What only a backend knows: addresses that no node may reach."""

    def direct(self, stack: Stack, node: str) -> Address:
        """Where the node itself listens, past its proxies."""
        raise NotImplementedError

    def toxiproxy_api(self, stack: Stack) -> Address:
        raise NotImplementedError


def every_node_runs(stack: Stack, _: Hooks) -> None:
    for name in ("lb-1", "front-1", "store-1", "store-2", "db-1"):
        assert stack.process(stack.topology.node(name)) is not None, name
    assert stack.dead_instruments() == []


def a_request_goes_through_every_edge(stack: Stack, _: Hooks) -> None:
    assert _get(stack, "/ask") == {"answers": ["hello", "hello"]}

    # Toxiproxy counts a connection's bytes when it closes.
    edges = {"client->lb-1", "lb-1->front-1", "front-1->store-2", "store-2->db-1"}
    _until(lambda: edges <= {edge for edge, _ in stack.toxiproxy.counters()})


def a_node_has_only_the_declared_environment(stack: Stack, _: Hooks) -> None:
    base = {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "PYTHONUNBUFFERED", "PYTHONPATH"}
    seen = set(_get(stack, "/who")["env"])
    assert seen <= base | {"NAME", "HOST", "PORT", "PEERS", "LC_CTYPE"}, seen
    assert {"NAME", "PEERS", "HOME", "TZ"} <= seen


def the_source_is_read_only(stack: Stack, _: Hooks) -> None:
    if stack.isolation != "strong":
        return
    done = _in_store(stack, "open('app/new.py', 'w')")
    assert done.code != 0
    assert b"Error" in done.stderr


def kill_ends_a_node_and_start_makes_another(stack: Stack, _: Hooks) -> None:
    for name in ("front-1", "db-1", "lb-1"):
        node = stack.topology.node(name)
        before = stack.process(node)
        stack.kill(node)
        assert stack.process(node) is None, name
        stack.start(node)
        stack.wait_healthy([node], 20)
        assert stack.process(node) not in (None, before), name
    _until(lambda: _get(stack, "/ask") == {"answers": ["hello", "hello"]})


def a_node_asked_to_end_ends_by_itself(stack: Stack, _: Hooks) -> None:
    for name, number in (("front-1", signal.SIGTERM), ("lb-1", signal.SIGQUIT), ("db-1", signal.SIGINT)):
        node = stack.topology.node(name)
        before = stack.process(node)
        stack.send_signal(node, number)
        _until(lambda node=node: stack.process(node) is None)  # type: ignore[misc]
        stack.send_signal(node, number)  # nobody is there
        stack.start(node)
        stack.wait_healthy([node], 20)
        assert stack.process(node) not in (None, before), name
    _until(lambda: _get(stack, "/ask") == {"answers": ["hello", "hello"]})


def a_killed_node_refuses_through_its_edge(stack: Stack, _: Hooks) -> None:
    node = stack.topology.node("front-1")
    stack.kill(node)
    assert _status(stack, "/ask") == 502
    stack.start(node)
    stack.wait_healthy([node], 20)


def a_paused_node_is_silent_and_goes_on(stack: Stack, _: Hooks) -> None:
    node = stack.topology.node("front-1")
    before = stack.process(node)
    stack.pause(node)
    assert stack.is_paused(node)
    began = time.monotonic()
    assert _status(stack, "/who") == 504  # the mini load balancer waits 3 s
    assert time.monotonic() - began > 2.0
    stack.resume(node)
    assert not stack.is_paused(node)
    stack.wait_healthy([node], 20)
    assert stack.process(node) == before


def the_database_can_be_paused(stack: Stack, _: Hooks) -> None:
    node = stack.topology.node("db-1")
    stack.pause(node)
    assert stack.is_paused(node)
    assert _status(stack, "/ask") >= 500
    stack.resume(node)
    stack.wait_healthy([node], 20)
    _until(lambda: _get(stack, "/ask") == {"answers": ["hello", "hello"]})


def a_command_runs_beside_a_node(stack: Stack, _: Hooks) -> None:
    done = _in_store(stack, "import os; print(os.environ['NAME'])")
    assert (done.code, done.stdout.strip()) == (0, b"store-1"), done
    assert _in_store(stack, "raise SystemExit(7)").code == 7


def a_command_that_hangs_is_ended(stack: Stack, _: Hooks) -> None:
    began = time.monotonic()
    done = stack.run_in(stack.topology.node("store-1"), ["python3", "-c", "import time; time.sleep(60)"], 1.0)
    assert done.code != 0
    assert time.monotonic() - began < 15


def sql_gives_typed_rows(stack: Stack, _: Hooks) -> None:
    node = stack.topology.node("db-1")
    rows = stack.sql(node, "SELECT text, 7 AS n, NULL AS nothing FROM word;", 5)
    assert rows == [{"text": "hello", "n": 7, "nothing": None}]


def sql_cannot_change_anything(stack: Stack, _: Hooks) -> None:
    node = stack.topology.node("db-1")
    try:
        stack.sql(node, "SELECT nextval('pg_catalog.nothing')", 5)
        raise AssertionError("a query that cannot work gave no error")
    except DrillBroken:
        pass
    try:
        stack.sql(node, "SELECT nextval('counter')", 5)
        raise AssertionError("a query could write")
    except DrillBroken as problem:
        assert "read-only" in problem.detail, problem.detail


def a_toxic_acts_on_its_edge_only(stack: Stack, _: Hooks) -> None:
    edge, toxic = Edge("front-1", "store-1"), Toxic("timeout", "downstream", {"timeout": 0})
    stack.toxiproxy.add(edge, toxic)
    assert _status(stack, "/ask") >= 500
    assert _status(stack, "/who") == 200
    stack.toxiproxy.remove(edge, toxic)
    _until(lambda: _get(stack, "/ask") == {"answers": ["hello", "hello"]})
    assert stack.toxiproxy.leftovers() == []


def a_node_reaches_its_own_edges(stack: Stack, _: Hooks) -> None:
    assert _connects(stack, stack.dial(Edge("store-1", "db-1"))), "its own edge"
    assert _connects(stack, stack.dial(Edge("store-1", "psp"))), "its own edge to the PSP"
    assert _connects(stack, stack.dial(Edge("store-1", "psp2"))), "its own edge to the second PSP"


def a_node_cannot_bypass_its_proxies(stack: Stack, hooks: Hooks) -> None:
    if stack.isolation != "strong":
        return
    for name in ("db-1", "store-2", "front-1", "psp", "psp2"):
        assert not _connects(stack, hooks.direct(stack, name)), name
    assert not _connects(stack, stack.dial(Edge("store-2", "db-1"))), "another node's edge"
    assert not _connects(stack, stack.dial(Edge("client", "psp"))), "the customer's edge to the PSP"


def a_node_cannot_reach_the_instruments(stack: Stack, hooks: Hooks) -> None:
    if stack.isolation != "strong":
        return
    assert not _connects(stack, hooks.toxiproxy_api(stack)), "Toxiproxy's API"
    walk = (
        "import os, sys\n"
        "found = [os.path.join(d, f) for top in ('/tmp', '/run', '/var', '/work', '/srv', '/home', '/root')"
        " for d, _, files in os.walk(top) for f in files"
        f" if (f in ('control.sock', 'docker.sock') or {stack.setup.run_id!r} in d)"
        " and os.access(os.path.join(d, f), os.R_OK)]\n"
        "print(found)\n"
        "sys.exit(3 if found else 0)"
    )
    done = _in_store(stack, walk)
    assert done.code == 0, done


def the_psp_can_be_driven(stack: Stack, _: Hooks) -> None:
    assert stack.psp.status().n >= 1
    assert Path(stack.setup.run_dir, "psp", "journal.jsonl").stat().st_size > 0


def a_customer_reaches_the_psp_by_an_edge_of_its_own(stack: Stack, _: Hooks) -> None:
    paid = charge(stack, Edge("client", "psp"), "pm_pd_1")
    assert paid["status"] == "succeeded", paid


def each_psp_has_a_ledger_of_its_own(stack: Stack, _: Hooks) -> None:
    assert list(stack.psps) == ["psp", "psp2"]
    assert stack.psp is stack.psps["psp"]
    before = {name: psp.status().n for name, psp in stack.psps.items()}
    first = charge(stack, Edge("store-1", "psp"), "pm_pd_2")
    between = {name: psp.status().n for name, psp in stack.psps.items()}
    second = charge(stack, Edge("store-1", "psp2"), "pm_pd_2")
    after = {name: psp.status().n for name, psp in stack.psps.items()}
    assert first["id"] != second["id"], "an id names one payment in all of the run"
    assert between["psp"] > before["psp"] and between["psp2"] == before["psp2"]
    assert after["psp2"] > between["psp2"]
    for name in stack.psps:
        assert Path(stack.setup.run_dir, name, "journal.jsonl").stat().st_size > 0
    head = Path(stack.setup.run_dir, "psp2", "journal.jsonl").read_text().splitlines()[0]
    assert '"profile":"strict_single_use"' in head, "what its service's command asks for"


def a_fault_towards_the_second_psp_spares_the_first(stack: Stack, _: Hooks) -> None:
    edge = Edge("store-1", "psp2")
    stack.toxiproxy.disable(edge)
    assert not _connects(stack, stack.dial(edge))
    assert _connects(stack, stack.dial(Edge("store-1", "psp")))
    stack.toxiproxy.enable(edge)
    assert charge(stack, edge, "pm_pd_3")["status"] == "succeeded"


def bytes_of_a_kept_connection_are_counted(stack: Stack, _: Hooks) -> None:
    address = stack.dial(Edge("client", "lb-1"))
    before = edge_bytes(stack)["client->lb-1"]
    kept = http.client.HTTPConnection(address.host, address.port, timeout=10)
    sent = 0
    for _n in range(5):
        kept.request("GET", "/lb-health", headers={"X-Filler": "x" * 1000})
        sent += 1000
        assert kept.getresponse().read() == b"ok"
    _until(lambda: edge_bytes(stack)["client->lb-1"].sent > before.sent)
    while_open = edge_bytes(stack)["client->lb-1"]
    kept.close()
    assert sent <= while_open.received - before.received < 3 * sent
    # The same bytes, now by Toxiproxy's own word, and no longer the kernel's.
    _until(lambda: edge_bytes(stack)["client->lb-1"].received >= while_open.received)
    _until(lambda: edge_bytes(stack)["client->lb-1"].received < while_open.received + sent)


def a_toxiproxy_that_stands_still_is_started_anew(stack: Stack, _: Hooks) -> None:
    edge, kept = Edge("client", "lb-1"), Toxic("latency", "downstream", {"latency": 5000})
    elsewhere = Toxic("latency", "downstream", {"latency": 1})
    told: list[str] = []
    stack.toxiproxy.before_restart = told.append
    stack.toxiproxy.add(Edge("store-1", "db-1"), elsewhere)
    stack.toxiproxy.add(edge, kept)
    ask_often_and_leave(stack.dial(edge), "/lb-health")
    stack.toxiproxy.remove(edge, kept)
    assert len(told) == 1, told
    assert stack.dead_instruments() == []
    assert stack.toxiproxy.leftovers() == [f"store-1->db-1 has {elsewhere.name}"]
    stack.toxiproxy.remove(Edge("store-1", "db-1"), elsewhere)
    assert stack.toxiproxy.leftovers() == []
    _until(lambda: _get(stack, "/ask") == {"answers": ["hello", "hello"]})


def a_node_without_disks_of_its_own_says_so(stack: Stack, _: Hooks) -> None:
    try:
        stack.disk(stack.topology.node("db-1"), "wal")
        raise AssertionError("it has a disk that nobody asked for")
    except FaultNotApplied as problem:
        assert "no wal disk of its own" in problem.detail


def a_node_that_was_not_prepared_for_a_clock_or_a_memory_limit_says_so(stack: Stack, _: Hooks) -> None:
    node = stack.topology.node("store-1")
    for deed in (
        partial(stack.clocks.step, node, 60),
        *([partial(stack.limits.memory, node, 1 << 30)] if stack.backend == "local" else []),
    ):
        try:
            deed()
            raise AssertionError("it was done to a node that was started without")
        except FaultNotApplied as problem:
            assert "store-1 was not started" in problem.detail


def what_a_node_lacks_of_a_cpu_is_read_from_the_kernel(stack: Stack, _: Hooks) -> None:
    node = stack.topology.node("store-1")
    try:
        stack.limits.cpu(node, 0.05)
    except FaultNotApplied as problem:
        # Groups of the kernel are root's, and not those of a user namespace's root.
        assert stack.isolation == "weak" and "cannot be" in problem.detail, problem.detail
        return
    before = stack.limits.throttled(node)
    stack.run_in(node, ["/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done"], 5)
    assert stack.limits.throttled(node) > before
    stack.limits.cpu(node, None)
    after = stack.limits.throttled(node)
    stack.run_in(node, ["/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done"], 5)
    assert stack.limits.throttled(node) == after


def versions_are_told(stack: Stack, _: Hooks) -> None:
    versions = stack.versions()
    for part in ("postgresql", "nginx", "toxiproxy", "python", "starlette", "asyncpg"):
        assert versions.get(part), (part, versions)


def charge(stack: Stack, edge: Edge, token: str) -> dict[str, str]:
    """The PSP's answer to one payment that is made at once, asked over the edge."""
    form = {"amount": "1999", "currency": "usd", "payment_method": token, "confirm": "true"}
    request = urllib.request.Request(
        f"http://{stack.dial(edge)}/v1/payment_intents",
        data=urllib.parse.urlencode(form).encode(),
        headers={"Authorization": f"Bearer {stack.setup.secrets.psp_api_key}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        made: dict[str, str] = json.load(answer)
    return made


def _in_store(stack: Stack, code: str) -> CommandResult:
    return stack.run_in(stack.topology.node("store-1"), ["python3", "-c", code], 15)


def _connects(stack: Stack, address: Address) -> bool:
    argv = ["python3", "-c", CONNECT, address.host, str(address.port)]
    done = stack.run_in(stack.topology.node("store-1"), argv, 15)
    assert done.code in (0, 3), done
    return done.code == 0


def _fetch(stack: Stack, path: str) -> tuple[int, bytes]:
    address = stack.dial(Edge("client", "lb-1"))
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as problem:
        return problem.code, problem.read()


def _status(stack: Stack, path: str) -> int:
    return _fetch(stack, path)[0]


def _get(stack: Stack, path: str) -> dict[str, list[str]]:
    status, body = _fetch(stack, path)
    assert status == 200, (status, body)
    found: dict[str, list[str]] = json.loads(body)
    return found


def _until(holds: Callable[[], bool], within_s: float = 15.0) -> None:
    """Again and again, until it holds; the last failure is raised."""
    give_up = time.monotonic() + within_s
    while True:
        try:
            assert holds()
            return
        except AssertionError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


CHECKS: dict[str, Callable[[Stack, Hooks], None]] = {
    check.__name__: check
    for check in (
        every_node_runs,
        a_request_goes_through_every_edge,
        a_node_has_only_the_declared_environment,
        the_source_is_read_only,
        a_command_runs_beside_a_node,
        a_command_that_hangs_is_ended,
        sql_gives_typed_rows,
        sql_cannot_change_anything,
        a_node_reaches_its_own_edges,
        a_node_cannot_bypass_its_proxies,
        a_node_cannot_reach_the_instruments,
        the_psp_can_be_driven,
        a_customer_reaches_the_psp_by_an_edge_of_its_own,
        each_psp_has_a_ledger_of_its_own,
        a_fault_towards_the_second_psp_spares_the_first,
        bytes_of_a_kept_connection_are_counted,
        a_toxic_acts_on_its_edge_only,
        a_toxiproxy_that_stands_still_is_started_anew,
        a_killed_node_refuses_through_its_edge,
        kill_ends_a_node_and_start_makes_another,
        a_node_asked_to_end_ends_by_itself,
        a_paused_node_is_silent_and_goes_on,
        the_database_can_be_paused,
        a_node_without_disks_of_its_own_says_so,
        a_node_that_was_not_prepared_for_a_clock_or_a_memory_limit_says_so,
        what_a_node_lacks_of_a_cpu_is_read_from_the_kernel,
        versions_are_told,
    )
}

"""What operators and insiders do: each is seen by its effect alone, and undone as it says."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from stack_of_minitarget import TOPOLOGY

from paydrill.backends import Address, ProcessIdentity, processes
from paydrill.errors import DrillBroken, FaultNotApplied
from paydrill.faults import Scene, known, otherwise
from paydrill.faults.config_change import ConfigChange
from paydrill.faults.deploy import Deploy
from paydrill.faults.ending import Restart
from paydrill.faults.freeze import Freeze
from paydrill.faults.rolling_restart import Rolling
from paydrill.faults.tamper import Tamper
from paydrill.target import Answered, Operators, Request

STORE = TOPOLOGY.node("store-1")


def scene(stack, seed=1):
    return Scene(stack, SimpleNamespace(), seed, 1)


# -- deploy, config_change


@contextmanager
def sleeper(cwd="/", **env):
    argv = [sys.executable, "-I", "-c", "print(flush=True); input()"]
    with subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_a_process_is_known_by_what_it_was_executed_with_and_where_it_works(tmp_path):
    with sleeper(tmp_path, RATE="0.2") as pid:
        assert processes.environment(pid) == {"RATE": "0.2"}
        assert processes.working_folder(pid) == str(tmp_path)
    assert (processes.environment(pid), processes.working_folder(pid)) == ({}, "")


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"RATE": "0.2", "OTHER": "x"}, ""),
        ({"RATE": "0.3"}, "has other values of RATE"),
        ({}, "has other values of RATE"),
    ],
)
def test_a_changed_setting_is_seen_in_the_process_only(env, told):
    change = ConfigChange(nodes=("store",), set_={"RATE": "0.2"})
    with sleeper(**env) as pid:
        assert told in change._missing(pid) and bool(told) == bool(change._missing(pid))


class Restarts:
    """A stack whose nodes come back with a new pid; `vary` is noted."""

    def __init__(self, *, back=True):
        self.pid, self.varied, self.back = 100, [], back

    topology = TOPOLOGY

    def process(self, node):
        return ProcessIdentity(self.pid, str(self.pid)) if self.pid else None

    def send_signal(self, node, number):
        self.pid = 0

    def kill(self, node):
        self.pid = 0

    def start(self, node):
        self.pid = 200 + len(self.varied) if self.back else 0

    def vary(self, node, variant):
        self.varied.append(variant)

    def wait_healthy(self, nodes, timeout_s):
        pass


@pytest.mark.parametrize(("shown", "witnessed"), [("", True), ("works elsewhere", False)])
def test_a_restarted_node_is_no_proof_that_it_runs_otherwise(shown, witnessed):
    stack = Restarts()
    rolling = Rolling([Restart(stack, STORE, "TERM", 1.0)])
    in_force = otherwise.RunsOtherwise(stack, rolling, lambda pid: shown)
    while not rolling.restarts[0].step():
        pass
    in_force.step()
    assert in_force.witness().witnessed is witnessed
    assert ("works elsewhere" in in_force.witness().detail) is not witnessed


def test_a_node_that_goes_on_running_otherwise_is_not_healed():
    change = ConfigChange(nodes=("store-1",), set_={"RATE": "0.2"})
    stack = Restarts()
    with (
        pytest.raises(FaultNotApplied, match="still runs otherwise"),
        otherwise.running_otherwise(stack, [STORE], "variant", "TERM", 100, lambda pid: "") as in_force,
    ):
        in_force.step()
    assert stack.varied == ["variant", None]
    assert change.places(TOPOLOGY) == ("store-1",)


WRONG = [
    (Deploy, {"nodes": ("front",)}, "either"),
    (Deploy, {"nodes": ("front",), "patch": "a", "source": "b"}, "either"),
    (ConfigChange, {"nodes": ("front",), "set_": {}}, "nothing is changed"),
    (ConfigChange, {"nodes": ("front",), "set_": {"A B": "1"}}, "no setting"),
    (ConfigChange, {"nodes": ("front",), "set_": {"PYTHONPATH": "/"}}, "no setting"),
    (ConfigChange, {"nodes": ("front",), "set_": {"A": "\0"}}, "NUL"),
    (Tamper, {"node": "db", "table": "a; DROP TABLE b"}, "is not the name"),
    (Tamper, {"node": "db", "table": "a", "set_": {"b = 1, c": "2"}}, "is not the name"),
    (Tamper, {"node": "db", "table": "a", "where": "true; DELETE FROM a"}, "one SQL expression"),
]


@pytest.mark.parametrize(("fault", "fields", "said"), WRONG)
def test_what_cannot_be_is_refused_at_once(fault, fields, said):
    with pytest.raises(ValueError, match=said):
        fault(**fields)


# -- tamper


class Table:
    """A table of amounts by id, as `Stack.sql` and `insider_sql` of a database would have it."""

    topology = TOPOLOGY

    def __init__(self, rows, *, obeys=True):
        self.rows, self.obeys, self.said = rows, obeys, []

    def sql(self, node, query, timeout_s):
        if "pg_index" in query:
            return [{"name": "id"}]
        if "key_0" in query:
            return [
                {"key_0": key, "was_0": str(amount), "will_0": str(amount + 1)}
                for key, amount in sorted(self.rows.items())
            ]
        key = query.rpartition("id::text = '")[2].rstrip("'")
        return [{"amount": str(self.rows[key])}] if key in self.rows else []

    def insider_sql(self, node, statements, timeout_s):
        self.said.append(statements)
        key = statements.partition("id::text = '")[2].partition("'")[0]
        if self.obeys and "DELETE" in statements:
            del self.rows[key]
        elif self.obeys:
            self.rows[key] += 1


def amounts():
    return {f"pay_{number}": 100 * number for number in range(20)}


TAMPER = Tamper(node="db-1", table="payments", set_={"amount": "amount + 1"})


def test_a_tampered_row_is_read_back_changed_and_drawn_by_the_seed():
    changed = []
    for seed in (1, 1, 2, 3, 4, 5):
        table = Table(amounts())
        with TAMPER.inject(scene(table, seed)) as in_force:
            assert in_force.witness().witnessed
        (key,) = [key for key, amount in table.rows.items() if amount != amounts()[key]]
        changed.append(key)
        assert table.said[0].startswith("SET LOCAL session_replication_role = replica; UPDATE payments")
    assert changed[0] == changed[1] and len(set(changed)) > 1


def test_a_deleted_row_is_gone():
    table = Table(amounts())
    with replace(TAMPER, set_={}).inject(scene(table)) as in_force:
        assert in_force.witness().witnessed
    assert len(table.rows) == len(amounts()) - 1


def test_a_row_that_did_not_change_is_not_tampered_with():
    table = Table(amounts(), obeys=False)
    with pytest.raises(FaultNotApplied, match="amount was"), TAMPER.inject(scene(table)):
        pass
    assert table.rows == amounts()


def test_a_row_that_was_put_right_again_is_no_witness():
    table = Table(amounts())
    with TAMPER.inject(scene(table)) as in_force:
        table.rows = amounts()
        assert not in_force.witness().witnessed


def test_a_database_that_says_no_is_told_in_its_words():
    table = Table({})
    table.sql = lambda *_: (_ for _ in ()).throw(
        DrillBroken("store_not_read", 'relation "payments" is missing')
    )
    with pytest.raises(FaultNotApplied, match="is missing"), TAMPER.inject(scene(table)):
        pass


# -- freeze


class Shop(http.server.BaseHTTPRequestHandler):
    """frozen: the switch; deaf: it acknowledges and does not change it; seen: who asked for what."""

    frozen, deaf, thaws, seen = False, False, True, []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = type(self)
        kind.seen.append((self.path, self.headers["Authorization"]))
        status, body = 404, {"error": {"code": "not_found"}}
        if self.path in ("/freeze", "/unfreeze"):
            status, body = 200, {}
            wanted = self.path == "/freeze"
            if not kind.deaf and (wanted or kind.thaws):
                kind.frozen = wanted
        elif kind.frozen:
            status, body = 503, {"error": {"code": "frozen"}}
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        pass


@pytest.fixture
def shop():
    kind = type("ThisShop", (Shop,), {"seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        headers = {"Authorization": "Bearer {{ operator.bearer }}"}
        asked = {
            name: Request(name, "POST", path, {"n": 1}, headers)
            for name, path in (("freeze", "/freeze"), ("unfreeze", "/unfreeze"), ("moves_money", "/pay"))
        }
        setup = SimpleNamespace(
            target=SimpleNamespace(name="shop", operators=Operators(**asked, frozen=Answered(503, "frozen"))),
            secrets=SimpleNamespace(caller_secret="secret"),
            ca_of=lambda node: None,
        )
        address = Address("127.0.0.1", server.server_port)
        yield kind, SimpleNamespace(setup=setup, topology=TOPOLOGY, dial=lambda edge: address)
        server.shutdown()


def test_a_freeze_is_seen_in_what_is_refused_and_lifted_again(shop):
    kind, stack = shop
    with Freeze().inject(scene(stack)) as in_force:
        seen = in_force.witness()
        assert seen.witnessed and "503 frozen" in seen.detail
    assert not kind.frozen
    assert all(bearer.startswith("Bearer admin.drill.") for _, bearer in kind.seen)


def test_a_freeze_that_is_acknowledged_and_stops_nothing_is_no_witness(shop):
    kind, stack = shop
    kind.deaf = True
    with Freeze().inject(scene(stack)) as in_force:
        assert not in_force.witness().witnessed


def test_money_that_stays_frozen_is_not_healed(shop):
    kind, stack = shop
    kind.thaws = False
    with pytest.raises(FaultNotApplied, match="still answered 503 frozen"), Freeze().inject(scene(stack)):
        pass


def test_what_is_frozen_already_cannot_be_frozen(shop):
    kind, stack = shop
    kind.frozen = True
    with pytest.raises(FaultNotApplied, match="frozen already"), Freeze().inject(scene(stack)):
        pass
    assert "/unfreeze" not in [path for path, _ in kind.seen]


def test_an_error_while_it_is_on_lifts_the_freeze_too(shop):
    kind, stack = shop
    with pytest.raises(ZeroDivisionError), Freeze().inject(scene(stack)):
        raise ZeroDivisionError
    assert not kind.frozen


def test_the_faults_of_this_family_are_known():
    assert {name for name, fault in known().items() if fault.family == "operator"} >= {
        *("deploy", "config_change", "tamper", "freeze")
    }

"""What comes beside the customers: bounded, harmless, counted by what was answered, and gone at the end."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from paydrill import faults
from paydrill.backends import Address, Connection, Secrets
from paydrill.backends.connections import connections
from paydrill.backends.socket_table import read
from paydrill.errors import FaultNotApplied
from paydrill.faults import AsksTarget, Scene
from paydrill.faults.attack_fault import Attacking
from paydrill.faults.customer_requests import Stranger
from paydrill.faults.junk_flood import Flooding, junk_of
from paydrill.faults.sqli_probe import CORPUS, probes_of
from paydrill.faults.strangers import MARK, Answer, Door, Strangers, Visit, sent_by_strangers
from paydrill.target import Attached, Attacks
from paydrill.target_file import load_target
from paydrill.topology import Edge, Node, Topology

ROOT = Path(__file__).resolve().parents[2]
TARGETS = [load_target(ROOT / "targets" / name) for name in ("reference", "minishop")]
TOPOLOGY = Topology(
    "one", "", (Node("client", "client", 0), Node("shop-1", "shop", 1)), (Edge("client", "shop-1"),)
)


class Shop(ThreadingHTTPServer):
    """Answers everything with one status, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, status: int) -> None:
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), _handler(self, status))

    def handle_error(self, *_):
        """Somebody who hangs up in the middle is what these tests are about."""

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.server_address[1])


def _handler(shop, status):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            shop.asked.append((self.path, self.headers.get(MARK)))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_PUT = do_GET

        def log_message(self, *_):
            pass

    return Handler


@contextmanager
def shop_of(status=400):
    shop = Shop(status)
    thread = threading.Thread(target=shop.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield shop
    finally:
        shop.shutdown()
        thread.join()
        shop.server_close()


def scene_at(address: Address, attached: str | None = None) -> Scene:
    outside = attached and Attached("shop", attached, "127.0.0.1:1", "/")
    setup = SimpleNamespace(
        target=SimpleNamespace(attached=outside, client=TARGETS[0].client), ca_of=lambda node: None
    )
    stack = SimpleNamespace(
        topology=TOPOLOGY,
        dial=lambda edge: address,
        setup=setup,
        proxy_connections=lambda: connections(read()),
    )
    return Scene(stack, SimpleNamespace(), 7, 1)


def nobody_listens() -> Address:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", trial.getsockname()[1])


def wait_for(happened, within_s=10.0):
    give_up = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["junk_flood", "slow_clients"])
def test_they_come_are_seen_and_leave_no_thread_and_no_connection(name):
    before = threading.active_count()
    with shop_of() as shop:
        fault = faults.known()[name](**faults.known()[name].example)
        with fault.inject(scene_at(shop.address)) as in_force:
            wait_for(lambda: in_force.witness().witnessed)
        left = [row for row in read() if row["port"] == shop.address.port and not row["ended"]]
        assert left == []
        assert all(mark == f"{name}/1" for _, mark in shop.asked)
    assert threading.active_count() == before


@pytest.mark.parametrize("name", ["junk_flood", "slow_clients"])
def test_they_are_not_seen_where_nobody_takes_them(name):
    fault = faults.known()[name](**faults.known()[name].example)
    with fault.inject(scene_at(nobody_listens())) as in_force:
        time.sleep(0.3)
        assert not in_force.witness().witnessed


def test_slow_connections_of_which_the_entrance_knows_nothing_are_not_seen():
    with shop_of() as shop:
        scene = scene_at(shop.address)
        scene.stack.proxy_connections = lambda: [Connection(Address("127.0.0.1", 1), 9, 9, False)]
        with faults.known()["slow_clients"](connections=8).inject(scene) as in_force:
            wait_for(lambda: len(in_force.slow) == 8)
            assert not in_force.witness().witnessed


def test_the_rate_is_kept_and_an_answer_that_hangs_ends_with_the_fault():
    with shop_of(status=404) as shop:
        strangers = Strangers()
        door = Door(shop.address, None)
        began_s = time.monotonic()
        with sent_by_strangers(strangers, door, 40.0, lambda n: Visit("x", "GET", f"/{n}"), "m", 2):
            wait_for(lambda: len(strangers.answers()) >= 40)
            took_s = time.monotonic() - began_s
        assert took_s >= 0.9
    with socket.create_server(("127.0.0.1", 0)) as silent:
        door = Door(Address(*silent.getsockname()), None)
        strangers = Strangers()
        with sent_by_strangers(strangers, door, 40.0, lambda n: Visit("x", "GET", "/"), "m"):
            silent.accept()
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 1.5
        assert strangers.answers() == []


@pytest.mark.parametrize("name", ["junk_flood", "slow_clients"])
def test_a_stack_of_somebody_elses_at_a_public_address_is_left_alone(name):
    fault = faults.known()[name](**faults.known()[name].example)
    with (
        pytest.raises(FaultNotApplied, match=r"client->shop-1 leads to 93\.184\.216\.34"),
        fault.inject(scene_at(nobody_listens(), attached="93.184.216.34:80")),
    ):
        pass


def answers(*pairs):
    return [
        Answer(Visit("a capture", "POST", "/", refused=refused), status, 0.1) for status, refused in pairs
    ]


@pytest.mark.parametrize(
    ("given", "witnessed", "accepted", "told"),
    [
        (answers((400, True), (404, True)), True, 0, "1 × 400, 1 × 404; none that must be refused was accepted"),
        (answers((200, True), (400, True)), True, 1, "ACCEPTED although they must be refused: a capture (1)"),
        (answers((200, False)), True, 0, "they may be accepted, and must change nothing"),
        (answers((500, True)), True, 0, "1 × 500"),
        (answers((0, True)), False, 0, "0 of 1 probes were answered: nothing"),
        ([], False, 0, "0 of 0 probes"),
    ],
)  # fmt: skip
def test_an_attack_is_seen_when_the_target_answered_whatever_it_said(given, witnessed, accepted, told):
    attacking = Attacking()
    for answer in given:
        attacking.add(answer)
    seen = attacking.witness()
    assert (seen.kind, seen.witnessed, seen.measured["accepted"]) == ("answer", witnessed, accepted)
    assert told in seen.detail


def test_junk_is_seen_when_half_of_it_was_answered():
    flooding = Flooding(10.0, began_s=time.monotonic() - 4.0)
    for _ in range(15):
        flooding.add(Answer(Visit("x", "GET", "/"), 404, 0.1))
    assert not flooding.witness().witnessed
    for _ in range(15):
        flooding.add(Answer(Visit("x", "GET", "/"), 503, 0.1))
    seen = flooding.witness()
    assert seen.witnessed
    assert (seen.measured["status_404"], seen.measured["status_503"]) == (15.0, 15.0)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_junk_is_the_same_for_the_same_seed_and_can_become_no_order(target):
    junk = list(islice(junk_of(target, Random(1)), 400))
    assert junk == list(islice(junk_of(target, Random(1)), 400))
    assert set(Counter(visit.about for visit in junk)) == {"broken JSON", "unknown path", "wrong token"}
    for visit in junk:
        assert "{{" not in visit.path
        assert not (visit.body or b"").startswith(b'{"i') or visit.body == b'{"items": ['
        assert visit.body is None or visit.body == b"{}" or visit.about == "broken JSON"


def stranger_of(target):
    return Stranger(SimpleNamespace(target=target, secrets=Secrets("", "", "secret")))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_sql_is_tried_in_every_value_and_every_probe_can_be_sent(target):
    count = 12 * len(CORPUS) * len(target.attacks.probed)
    probes = list(islice(probes_of(stranger_of(target), target, Random(1)), count))
    where = {visit.about.partition(" in ")[2] for visit in probes}
    assert {kind.rpartition(" of ")[2] for kind in where} == set(target.attacks.probed)
    assert {"order_ref of read", "order_ref of pay", "client_ref of create", "sku of create"} <= where
    for visit in probes:
        assert visit.refused and visit.path.isascii() and " " not in visit.path
        assert all("\n" not in value for value in visit.headers.values())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_probe_of_sql_names_an_order_or_a_product_that_there_is(target):
    skus = {str(row["sku"]).encode() for row in target.catalogue}
    for visit in islice(probes_of(stranger_of(target), target, Random(1)), 400):
        assert not any(b'"%b"' % sku in (visit.body or b"") for sku in skus)
        assert not re.search(r"/\d+(/|$)", visit.path)


def test_nothing_of_the_corpus_changes_or_removes_anything():
    writing = re.compile(r"\b(insert|update|delete|drop|alter|truncate|create|grant|copy)\b", re.I)
    assert not [text for _, text in CORPUS if writing.search(text)]
    assert {match for _, text in CORPUS for match in re.findall(r"pg_sleep\((\d+)\)", text)} == {"1"}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *((f"{how}_webhook", "webhook") for how in ("forged", "stale", "replayed")),
        ("sqli_probe", "probed"),
        ("idor_probe", "owned"),
    ],
)
def test_an_attack_on_what_the_target_does_not_offer_is_refused(name, key):
    attack = faults.known()[name]()
    reference = TARGETS[0]
    assert isinstance(attack, AsksTarget)
    attack.check(reference, TOPOLOGY)
    with pytest.raises(ValueError, match=rf"the target reference .*attacks\.{key} in its target\.yaml"):
        attack.check(replace(reference, attacks=Attacks()), TOPOLOGY)

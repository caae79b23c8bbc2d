from __future__ import annotations

from pathlib import Path

import pytest

from paydrill.errors import FileProblems, UsageError
from paydrill.evidence.schema import tables
from paydrill.target import Attacks, FactSource, Health, OutcomeRule, Pricing, Promotion, Timing
from paydrill.target_file import load_target
from paydrill.topology import Node
from paydrill.topology_file import load_topology, topology_names

TARGET = """\
name: shop
title: A small shop
default_topology: one
services:
  lb: {runtime: nginx, port: 8080, health: {http: /}, config: {nginx.conf: nginx.conf}}
  web: {runtime: python, port: 8001, health: {http: /ready}, command: [-m, web], env: {DEPTH: 3}}
  db: {runtime: postgres, port: 5432, health: {postgres: true}, schema: sql, settings: {jit: "off"}}
client:
  requests:
    create: {method: POST, path: /orders, body: {n: "{{ intent.amount }}", deep: [1, {a: true}]}, answer: {order_ref: id}}
    pay: {method: POST, path: /pay}
    challenge: {method: POST, path: "/c/{{ intent.challenge }}", at: psp}
    read: {method: GET, path: /orders, strong: false}
  outcomes:
    - {status: 200, outcome: ok, executed: true}
    - {status: 409, code: taken, kind: create, outcome: fail}
    - {status: 5xx, outcome: info}
    - {status: timeout, outcome: info}
  paid_states: [paid]
timing: {t_settle_s: 9, k: 3}
facts:
  - {table: sut_fact, service: db, sql: facts/orders.sql}
  - {table: delivery, service: web, command: [python, -m, deliveries]}
open_work: {service: db, sql: facts/open.sql}
state_classes: {order: {new: open, done: paid}}
catalogue:
  - {sku: a, unit_price: 499, currency: EUR, weight: 2, stock: 10, tags: [odd, extra]}
pricing: {promotions: [{code: A15, percent: 15}, {code: B7, percent: 7, skus: [a]}], tax_bp: {EUR: 2000}}
"""
TOPOLOGY = """\
name: one
title: One of each
services: {lb: 1, web: 2, db: 1}
edges: [client -> lb, lb -> web, web -> db, web -> psp, psp -> lb]
settings: {pool: 5}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shop = tmp_path / "targets" / "shop"
    for name, text in {
        "target.yaml": TARGET,
        "topologies/one/topology.yaml": TOPOLOGY,
        "topologies/one/nginx.conf": "events {}",
        "topologies/small/topology.yaml": "name: small\ntitle: Less\nextends: one\nservices: {web: 1}\nsettings: {x: 1}\n",
        "sql/001.sql": "SELECT 1",
        "facts/orders.sql": "SELECT 1",
        "facts/open.sql": "SELECT 0 AS open",
    }.items():
        path = shop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return shop


def mistakes(folder: Path, old: str, new: str) -> list[str]:
    path = folder / "target.yaml"
    assert old in TARGET
    path.write_text(TARGET.replace(old, new))
    with pytest.raises(FileProblems) as caught:
        load_target(folder, tables=tuple(tables()))
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_a_target_is_read_as_it_is_written(folder):
    target = load_target(folder, tables=tuple(tables()))
    assert (target.name, target.default_topology, target.folder) == ("shop", "one", folder)
    assert target.services["web"].command == ("-m", "web")
    assert target.services["web"].env == {"DEPTH": "3"}
    assert target.services["db"].health == Health(postgres=True)
    assert target.services["lb"].config == {"nginx.conf": "nginx.conf"}
    assert target.timing == Timing(t_settle_s=9.0, k=3)
    assert target.client.requests["create"].body == {"n": "{{ intent.amount }}", "deep": [1, {"a": True}]}
    assert not target.client.requests["read"].strong
    assert target.client.outcomes[0] == OutcomeRule("200", "ok", executed=True)
    assert target.client.outcomes[1] == OutcomeRule("409", "fail", code="taken", kind="create")
    assert target.facts[1] == FactSource("delivery", "web", None, ("python", "-m", "deliveries"))
    assert target.open_work == FactSource("open_work", "db", "facts/open.sql", query="SELECT 0 AS open")
    assert target.state_classes == {"order": {"new": "open", "done": "paid"}}
    assert target.catalogue == (
        {
            "sku": "a",
            "unit_price": 499,
            "currency": "EUR",
            "weight": 2.0,
            "stock": 10,
            "tags": ["odd", "extra"],
        },
    )
    assert target.client.requests["challenge"].at == "psp"
    assert target.client.requests["pay"].at == "target"
    assert target.pricing == Pricing((Promotion("A15", 15), Promotion("B7", 7, ("a",))), {"EUR": 2000})


ATTACKS = """\
attacks:
  webhook: /hooks
  owned: [pay]
  probed: [create, read]
"""


@pytest.fixture
def attacked(folder):
    """The target with a section `attacks`, one of its requests being about an order."""

    def write(section: str) -> Path:
        path = folder / "target.yaml"
        text = path.read_text().replace("path: /pay}", 'path: "/pay/{{ intent.order_ref }}"}')
        path.write_text(text + section)
        return folder

    return write


def test_what_can_be_attacked_is_read_and_may_be_left_out(folder, attacked):
    assert load_target(folder).attacks == Attacks()
    assert load_target(attacked(ATTACKS)).attacks == Attacks("/hooks", ("pay",), ("create", "read"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("/hooks", "hooks", r"attacks\.webhook: 'hooks' is not a path at the entrance \(did you mean /hooks\?\)"),
        ("[pay]", "[create]", r"attacks\.owned\[0\]: unknown kind of request 'create'"),
        ("[create, read]", "[creat]", r"attacks\.probed\[0\]: .*'creat' \(did you mean create\?\)"),
        ("[create, read]", "[challenge]", r"attacks\.probed\[0\]: unknown kind of request 'challenge'"),
        ("probed", "probe", r"attacks\.probe: .*did you mean probed"),
    ],
)  # fmt: skip
def test_a_mistake_in_what_can_be_attacked_is_told(attacked, old, new, said):
    with pytest.raises(FileProblems, match=said):
        load_target(attacked(ATTACKS.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("runtime: nginx", "runtime: ngnix", "5:17: services.lb.runtime: unknown runtime 'ngnix' (did you mean nginx?)"),
        ("port: 8080", "port: 80800", "5:30: services.lb.port: expected a whole number from 1 to 65535, got '80800' (did you mean 65535?)"),
        ("health: {http: /}", "health: {http: ready}", "5:51: services.lb.health.http: 'ready' is not a path (did you mean /ready?)"),
        ("schema: sql", "schema: ../..", "7:73: services.db.schema: '../..' is not a path inside the folder"),
        ("schema: sql", "schema: sqll", "7:73: services.db.schema: there is no folder 'sqll' in the target"),
        ("{nginx.conf: nginx.conf}", "{ngnix.conf: nginx.conf}", "5:76: services.lb.config.ngnix.conf: there is no template 'ngnix.conf' in the target or in a topology"),
        ("    pay:", "    pya:", "10:5: client.requests.pay: the key 'pay' is missing (did you mean pay: {method: POST, path: /v1/…}?)"),
        ("method: GET", "method: get", "13:20: client.requests.read.method: unknown method 'get' (did you mean GET?)"),
        ("outcome: fail", "outcome: failed", "16:57: client.outcomes[1].outcome: unknown outcome 'failed' (did you mean fail?)"),
        ("status: 5xx", "status: 5x", "17:16: client.outcomes[2].status: unknown status '5x' (did you mean 5xx?)"),
        ("t_settle_s: 9", "t_setle_s: 9", "20:10: timing.t_setle_s: unknown key 't_setle_s' (did you mean t_settle_s?)"),
        ("table: sut_fact", "table: sut_facts", "22:13: facts[0].table: unknown evidence table 'sut_facts' (did you mean sut_fact?)"),
        ("service: db, sql: facts/orders.sql", "service: web, sql: facts/orders.sql", "22:42: facts[0].sql: web is no postgres service; `sql` runs on one"),
        ("new: open", "new: opne", "25:30: state_classes.order.new: unknown class of states 'opne' (did you mean open?)"),
        ("currency: EUR", "currency: euro", "27:41: catalogue[0].currency: 'euro' is not an ISO 4217 code (did you mean EUR?)"),
        ("unit_price: 499", "unit_price: 4.99", "27:26: catalogue[0].unit_price: expected a whole number, got '4.99'"),
        ("default_topology: one", "default_topology: on", "3:19: default_topology: unknown topology 'on' (did you mean one?)"),
        ("at: psp", "at: pps", "12:70: client.requests.challenge.at: unknown party 'pps' (did you mean psp?)"),
        ("tags: [odd, extra]", "tags: odd", "27:74: catalogue[0].tags: expected a list, got 'odd'"),
        ("percent: 15", "percent: 150", "28:45: pricing.promotions[0].percent: expected a whole number from 1 to 99, got '150' (did you mean 99?)"),
        ("code: B7, ", "", "28:50: pricing.promotions[1].code: the key 'code' is missing"),
        ("runtime: python", "runtime: psp", "6:18: services.web.runtime: the runtime `psp` belongs to the services `psp` and `psp2`"),
        ("  db: {runtime: postgres", "  psp2: {runtime: python, port: 1}\n  db: {runtime: postgres", "7:19: services.psp2.runtime: the runtime `psp` belongs to the services `psp` and `psp2` (did you mean psp?)"),
        ("name: shop", "name: shopp", "1:7: name: 'shopp' is not the name of its folder (did you mean shop?)"),
    ],
)  # fmt: skip
def test_a_mistake_of_a_target_has_its_place(folder, old, new, line):
    assert line in mistakes(folder, old, new)


def test_a_folder_without_target_yaml_is_no_target(tmp_path):
    with pytest.raises(UsageError, match=r"not a target: it has no target\.yaml"):
        load_target(tmp_path)


def test_a_topology_becomes_nodes_and_edges_in_a_fixed_order(folder):
    topology = load_topology(load_target(folder), "one")
    assert [node.name for node in topology.nodes] == ["client", "lb-1", "web-1", "web-2", "db-1", "psp"]
    assert [edge.name for edge in topology.edges] == [
        "client->lb-1", "lb-1->web-1", "lb-1->web-2", "web-1->db-1", "web-2->db-1", "web-1->psp", "web-2->psp",
        "psp->lb-1",
    ]  # fmt: skip
    assert topology.settings == {"pool": 5}


def test_a_second_psp_is_there_where_an_edge_names_it_and_a_customer_may_dial_a_psp(folder):
    path = folder / "topologies" / "small" / "topology.yaml"
    edges = "edges: [client -> psp, client -> web, web -> psp, web -> psp2, psp2 -> lb]"
    path.write_text(f"name: small\ntitle: Two\nextends: one\n{edges}\n")
    declared = TARGET.replace("  db: {", "  psp2: {runtime: psp, port: 12112}\n  db: {")
    (folder / "target.yaml").write_text(declared)
    topology = load_topology(load_target(folder), "small")
    assert [node.name for node in topology.psps] == ["psp", "psp2"]
    assert topology.nodes[-1] == Node("psp2", "psp2", 0)
    assert topology.entrance().name == "client->web-1", "a PSP is not where customers come in"
    assert [edge.name for edge in topology.edges_at("web->psp2")] == ["web-1->psp2", "web-2->psp2"]
    assert not topology.tls


def test_tls_is_a_setting_of_the_topology(folder):
    path = folder / "topologies" / "small" / "topology.yaml"
    path.write_text("name: small\ntitle: Safe\nextends: one\nsettings: {tls: true}\n")
    assert load_topology(load_target(folder), "small").tls


def test_extends_overlays_services_and_settings_key_by_key(folder):
    topology = load_topology(load_target(folder), "small")
    assert [node.name for node in topology.nodes] == ["client", "lb-1", "web-1", "db-1", "psp"]
    assert topology.settings == {"pool": 5, "x": 1}
    assert (topology.name, topology.title) == ("small", "Less")
    assert topology_names(folder) == ("one", "small")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: small\ntitle: Less\nextends: two\n", "3:10: extends: unknown topology to extend 'two': expected one of one"),
        ("name: small\ntitle: Less\nextends: one\nservices: {wbe: 1}\n", "4:12: services.wbe: the target has no service 'wbe' (did you mean web?)"),
        ("name: small\ntitle: L\nextends: one\nedges: [lb -> wbe]\n", "4:9: edges[0]: unknown end of an edge 'wbe' (did you mean web?)"),
        ("name: small\ntitle: L\nextends: one\nedges: [lb -> psp2]\n", "4:9: edges[0]: unknown end of an edge 'psp2' (did you mean psp?)"),
        ("name: small\ntitle: L\nextends: one\nedges: [lb web]\n", "4:9: edges[0]: 'lb web' is not an edge (did you mean lb -> psp?)"),
        ("name: small\ntitle: L\nextends: one\nedges: [lb -> web, lb -> web]\n", "4:20: edges[1]: the edge lb-1->web-1 stands here twice (did you mean to keep only one of them?)"),
        ("name: small\ntitle: L\nextends: one\nsettings: {tls: yes}\n", "4:17: settings.tls: expected true or false, got 'yes' (did you mean true?)"),
        ("name: small\ntitle: L\nextends: one\nservices: {lb: 0}\nedges: [client -> web]\nsettings: {tls: true}\n", "6:17: settings.tls: there is no service with the runtime `nginx` to speak TLS"),
        ("name: smal\ntitle: L\nextends: one\n", "1:7: name: 'smal' is not the name of its folder (did you mean small?)"),
        ("name: small\ntitle: L\nextends: one\nservices: {web: 0}\nedges: [lb -> web]\n", "5:9: edges[0]: unknown end of an edge 'web': expected one of client, db, lb, psp"),
    ],
)  # fmt: skip
def test_a_mistake_of_a_topology_has_its_place(folder, text, line):
    path = folder / "topologies" / "small" / "topology.yaml"
    path.write_text(text)
    with pytest.raises(FileProblems) as caught:
        load_topology(load_target(folder), "small")
    assert line in [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_an_unknown_topology_suggests_one(folder):
    with pytest.raises(UsageError, match=r"no topology 'smal' \(did you mean small\?\)"):
        load_topology(load_target(folder), "smal")

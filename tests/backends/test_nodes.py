"""Rendering of nodes: pure, no process is started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paydrill.backends import Address, Secrets, StackSetup
from paydrill.backends.nodes import plan_nodes
from paydrill.backends.psp_command import psp_argv, wishes_for
from paydrill.backends.tls import issue
from paydrill.errors import UsageError
from paydrill.target import Client, Health, Service, Target, Timing
from paydrill.topology import Edge, Node, Topology

NODES = (
    Node("client", "client", 0),
    Node("lb-1", "lb", 1),
    Node("web-1", "web", 1),
    Node("web-2", "web", 2),
    Node("db-1", "db", 1),
    Node("psp", "psp", 0),
)
EDGES = (
    Edge("client", "lb-1"),
    Edge("lb-1", "web-1"),
    Edge("lb-1", "web-2"),
    Edge("web-1", "db-1"),
    Edge("web-2", "db-1"),
    Edge("web-1", "psp"),
)
TOPOLOGY = Topology("two", "Two web nodes", NODES, EDGES, settings={"depth": 3})


class Addresses:
    """Numbers that name their place, so that a mixed-up edge shows."""

    def listen(self, node: Node) -> Address:
        return Address(f"at-{node.name}", 80)

    def dial(self, edge: Edge) -> Address:
        return Address(edge.name.replace("->", "-to-"), 81)

    def data_dir(self, node: Node) -> str:
        return f"/data/{node.name}"

    def source_dir(self) -> str:
        return "/source"


def setup_of(source: Path, **services: Service) -> StackSetup:
    target = Target("mini", "", source, "two", services, Client({}, ()), Timing())
    secrets = Secrets("sk_test_x", "whsec_x", "callers-x")
    return StackSetup("r1", source, target, source, TOPOLOGY, Timing(psp_call_s=0.7), 5, {}, secrets)


def web(**fields: object) -> Service:
    return Service("web", "python", 80, Health(http="/health"), **fields)  # type: ignore[arg-type]


def test_each_node_gets_the_listeners_of_its_own_edges(tmp_path: Path) -> None:
    plans = plan_nodes(setup_of(tmp_path, web=web(env={"DB": "{{ edges.db[0] }}"})), Addresses())
    assert [plan.env["DB"] for plan in plans] == [
        "web-1-to-db-1:81",
        "web-2-to-db-1:81",
    ]
    assert plans[0].may_dial == (
        Address("web-1-to-db-1", 81),
        Address("web-1-to-psp", 81),
    )
    assert plans[1].may_dial == (Address("web-2-to-db-1", 81),)


def test_every_documented_name_can_be_used(tmp_path: Path) -> None:
    command = (
        "{{ node.name }} {{ node.service }} {{ node.index }} {{ listen.host }}:{{ listen.port }}",
        "{{ dir.data }} {{ dir.source }} {{ secrets.psp_api_key }} {{ secrets.webhook_secret }}",
        "{{ timing.psp_call_s }} {{ settings.depth }} {{ run.id }} {{ run.seed }}",
    )
    plan = plan_nodes(setup_of(tmp_path, web=web(command=command)), Addresses())[1]
    assert plan.argv == (
        "web-2 web 2 at-web-2:80",
        "/data/web-2 /source sk_test_x whsec_x",
        "0.7 3 r1 5",
    )


def test_an_undefined_name_is_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"web-1: env\.X: .*queue"):
        plan_nodes(setup_of(tmp_path, web=web(env={"X": "{{ edges.queue[0] }}"})), Addresses())


def test_templates_are_sandboxed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"web-1: command\[0\]"):
        plan_nodes(
            setup_of(tmp_path, web=web(command=("{{ node.__class__.__mro__ }}",))),
            Addresses(),
        )


def test_the_environment_holds_nothing_but_the_whitelist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    plan = plan_nodes(setup_of(tmp_path, web=web(env={"A": "1"})), Addresses())[0]
    assert set(plan.env) == {
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "TZ",
        "PYTHONUNBUFFERED",
        "PYTHONPATH",
        "A",
    }


def test_a_config_of_the_topology_wins_over_the_targets(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf.j2").write_text("target's")
    lb = Service("lb", "nginx", 80, Health(http="/"), config={"nginx.conf.j2": "nginx.conf"})
    assert plan_nodes(setup_of(tmp_path, lb=lb), Addresses())[0].files == {"nginx.conf": "target's"}
    (tmp_path / "topologies" / "two").mkdir(parents=True)
    (tmp_path / "topologies" / "two" / "nginx.conf.j2").write_text(
        "{% for a in edges.web %}{{ a }};{% endfor %}"
    )
    files = plan_nodes(setup_of(tmp_path, lb=lb), Addresses())[0].files
    assert files == {"nginx.conf": "lb-1-to-web-1:81;lb-1-to-web-2:81;"}


def test_a_config_outside_the_target_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "secret").write_text("x")
    lb = Service("lb", "nginx", 80, Health(http="/"), config={"../secret": "nginx.conf"})
    with pytest.raises(UsageError, match="secret"):
        plan_nodes(setup_of(tmp_path / "target", lb=lb), Addresses())


def test_a_postgres_node_gets_its_server_files_and_address_in_argv(
    tmp_path: Path,
) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "002.sql").write_text("SELECT 2;")
    (tmp_path / "sql" / "001.sql").write_text("SELECT 1;")
    db = Service(
        "db",
        "postgres",
        5432,
        Health(postgres=True),
        schema="sql",
        settings={"max_connections": "44"},
    )
    plan = plan_nodes(setup_of(tmp_path, db=db), Addresses())[0]
    assert plan.argv == ("-c", "listen_addresses=at-db-1", "-c", "port=80")
    assert "max_connections = '44'\n" in plan.files["paydrill.conf"]
    assert plan.files["schema.sql"].index("SELECT 1") < plan.files["schema.sql"].index("SELECT 2")
    assert plan.files["bootstrap.sql"] == 'CREATE ROLE "app" LOGIN;\nCREATE DATABASE "app" OWNER "app";\n'


def test_a_target_may_have_wishes_for_the_psp(tmp_path: Path) -> None:
    psp = Service("psp", "psp", 80, Health(), command=("--webhook", "http://x/hook"))
    plans = plan_nodes(setup_of(tmp_path, psp=psp), Addresses())
    assert [plan.argv for plan in plans if plan.node.name == "psp"] == [("--webhook", "http://x/hook")]


def test_a_target_may_have_wishes_for_each_psp(tmp_path: Path) -> None:
    services = {
        "psp": Service(
            "psp", "psp", 80, Health(), command=("--webhook-url", "http://{{ edges.lb[0] }}/hook")
        ),
        "psp2": Service("psp2", "psp", 81, Health(), command=("--profile", "strict_single_use")),
    }
    nodes, edges = (*NODES, Node("psp2", "psp2", 0)), (*EDGES, Edge("psp", "lb-1"), Edge("web-1", "psp2"))
    setup = replace(
        setup_of(tmp_path, **services),
        topology=replace(TOPOLOGY, nodes=nodes, edges=edges),
        psp_behaviour={"decline": 0.1},
    )
    plans = plan_nodes(setup, Addresses())
    first, second = (
        psp_argv(setup, Addresses(), node, "/psps", wishes_for(node, plans)) for node in setup.topology.psps
    )
    assert first[-2:] == ("--webhook-url", "http://psp-to-lb-1:81/hook")
    assert second[-2:] == ("--profile", "strict_single_use")
    assert (option(first, "--behaviour"), option(second, "--behaviour")) == ('{"decline": 0.1}', "{}")
    assert (option(first, "--name"), option(second, "--name")) == ("psp", "psp2")
    assert option(first, "--seed") == "5"
    assert option(second, "--seed") != "5", "ids are hashes of the seed"
    assert "--webhook-ca" not in first


def option(argv: tuple[str, ...], name: str) -> str:
    return argv[argv.index(name) + 1]


@pytest.mark.parametrize("node", ["web-1", "lb-1"])
def test_where_the_second_psp_is_not_nobody_has_an_edge_to_it(tmp_path: Path, node: str) -> None:
    text = "{% if edges.psp2 is defined %}http://{{ edges.psp2[0] }}{% endif %}"
    service = {"web-1": web(env={"X": text}), "lb-1": Service("lb", "python", 80, Health(), env={"X": text})}
    plans = plan_nodes(setup_of(tmp_path, **{node[:-2]: service[node]}), Addresses())
    assert plans[0].env["X"] == ""


TLS = replace(TOPOLOGY, settings={"tls": True})
NGINX_TEXT = "{% if tls.on %}{{ tls.cert_file }} {{ tls.key_file }}{% endif %}"


def test_a_load_balancer_with_tls_finds_its_certificate_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "n").write_text(NGINX_TEXT)
    lb = Service("lb", "nginx", 80, Health(http="/"), config={"n": "nginx.conf"})
    plain = setup_of(tmp_path, lb=lb, web=web(env={"SCHEME": "{{ 'https' if tls.on else 'http' }}"}))
    assert issue(plain, Addresses()) is None
    assert plan_nodes(plain, Addresses())[0].files == {"nginx.conf": ""}

    setup = replace(plain, topology=TLS)
    tls = issue(setup, Addresses())
    assert tls is not None and list(tls.certificates) == ["lb-1"]
    node, other = plan_nodes(setup, Addresses(), tls)[:2]
    assert node.files["nginx.conf"] == "/data/lb-1/tls-cert.pem /data/lb-1/tls-key.pem"
    assert "PRIVATE KEY" in node.files["tls-key.pem"]
    assert other.env["SCHEME"] == "https" and not other.files
    assert "PRIVATE KEY" not in tls.ca


def test_only_a_node_with_a_certificate_can_name_it(tmp_path: Path) -> None:
    setup = replace(setup_of(tmp_path, web=web(env={"X": "{{ tls.key_file }}"})), topology=TLS)
    with pytest.raises(UsageError, match=r"web-1: env\.X: .*key_file"):
        plan_nodes(setup, Addresses(), issue(setup, Addresses()))


def test_a_certificate_names_the_node_and_the_proxies_before_it(tmp_path: Path) -> None:
    from cryptography import x509

    lb = Service("lb", "nginx", 80, Health(http="/"))
    tls = issue(replace(setup_of(tmp_path, lb=lb), topology=TLS), Addresses())
    assert tls is not None
    leaf = x509.load_pem_x509_certificate(tls.certificates["lb-1"].chain.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {
        "at-lb-1", "client-to-lb-1", "localhost", "lb-1",
    }  # fmt: skip
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_nginx_runs_in_the_foreground_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("  daemon off;\nhttp {}\n")
    lb = Service("lb", "nginx", 80, Health(http="/"), config={"n": "nginx.conf"})
    argv = plan_nodes(setup_of(tmp_path, lb=lb), Addresses())[0].argv
    assert argv[-2:] == ("-g", "pid /data/lb-1/nginx.pid;")
    assert argv[:2] == ("-p", "/data/lb-1")

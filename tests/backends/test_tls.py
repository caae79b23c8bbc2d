"""TLS at the load balancer on every backend: whoever dials it checks its certificate, and nobody gets in plain."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from contract import backends_under_test
from contract_checks import charge
from stack_of_minitarget import TOPOLOGY, minitarget

from paydrill import faults
from paydrill.backends import Outcome, Stack
from paydrill.backends.tls import CERT_FILE, KEY_FILE
from paydrill.errors import NotReady
from paydrill.faults import Scene
from paydrill.psp.journal_reader import read_journal
from paydrill.run_folder import RunFolder
from paydrill.topology import Edge

UNDER_TEST = backends_under_test()
TLS = replace(TOPOLOGY, name="mini-tls", settings={"tls": True})
ENTRANCE = Edge("client", "lb-1")
THROUGH_TLS: tuple[tuple[str, dict[str, object]], ...] = (
    ("latency", {"latency_ms": 200}),
    ("timeout", {}),
    ("bandwidth", {"rate_kb_s": 20}),
    ("bandwidth", {"rate_kb_s": 50, "direction": "upstream"}),
    ("slicer", {"average_size_bytes": 48, "delay_us": 2000}),
    ("slow_close", {"delay_ms": 400}),
    ("slow_close", {"delay_ms": 400, "direction": "upstream"}),
    ("limit_data", {"limit_bytes": 500}),
    ("limit_data", {"limit_bytes": 4000}),
)


def everything(stack: Stack, _: Callable[[], bool]) -> None:
    lb = stack.topology.node("lb-1")
    ca_file = stack.setup.ca_of(lb)
    assert ca_file == RunFolder(stack.setup.run_dir).ca
    assert stack.setup.ca_of(stack.topology.node("front-1")) is None
    for place in ("lb-1", "front-1"):
        stack.wait_healthy([stack.topology.node(place)], 10)

    through_the_proxy = f"https://{stack.dial(ENTRANCE)}/ask"
    trusted = ssl.create_default_context(cafile=ca_file)
    with urllib.request.urlopen(through_the_proxy, timeout=10, context=trusted) as answer:
        assert json.load(answer) == {"answers": ["hello", "hello"]}
    try:
        urllib.request.urlopen(through_the_proxy, timeout=10, context=ssl.create_default_context())
        raise AssertionError("anybody would trust the run's own authority")
    except urllib.error.URLError as problem:
        assert "CERTIFICATE_VERIFY_FAILED" in str(problem), problem

    address = stack.dial(ENTRANCE)
    plain = http.client.HTTPConnection(address.host, address.port, timeout=10)
    plain.request("GET", "/ask")
    assert plain.getresponse().status == 400
    plain.close()

    assert charge(stack, Edge("client", "psp"), "pm_pd_1")["status"] == "succeeded"
    give_up = time.monotonic() + 20
    while stack.psp.status().pending:
        assert time.monotonic() < give_up, "the load balancer takes no webhook over TLS"
        time.sleep(0.02)

    # The certificate is the node's own; its key is for nobody else.
    folder = stack.run_in(lb, ["sh", "-c", "pwd"], 10).stdout.decode().strip()
    for name in (CERT_FILE, KEY_FILE):
        assert stack.run_in(lb, ["cat", f"{folder}/{name}"], 10).code == 0, name
    if stack.isolation == "strong":
        peek = stack.run_in(stack.topology.node("store-1"), ["cat", f"{folder}/{KEY_FILE}"], 10)
        assert peek.code != 0, "another node reads the key"

    faults_are_seen_through_tls(stack)

    stack.kill(lb)
    stack.start(lb)
    stack.wait_healthy([lb], 20)


def faults_are_seen_through_tls(stack: Stack) -> None:
    """Who asks in plain hears one refusal: too little to feel how wide an edge is."""
    load = SimpleNamespace()
    for number, (name, keys) in enumerate(THROUGH_TLS):
        fault = faults.known()[name](edge=ENTRANCE.name, **keys)
        with fault.inject(Scene(stack, load, 1, number)) as in_force:
            seen = in_force.witness()
            assert seen.witnessed, (name, keys, seen)
        assert stack.toxiproxy.leftovers() == []


def params() -> list[object]:
    return [
        pytest.param(name, marks=[getattr(pytest.mark, mark) for mark in under_test.marks])
        for name, under_test in UNDER_TEST.items()
    ]


@pytest.mark.parametrize("backend", params())
def test_customers_probes_and_webhooks_speak_tls_to_the_load_balancer(backend: str, tmp_path: Path) -> None:
    under_test = UNDER_TEST[backend]
    if why := under_test.missing():
        pytest.skip(f"{backend}: {why}")
    setup = minitarget(tmp_path, TLS)
    with under_test.make().launch(setup, everything) as world:
        outcome = world.wait(120)
    log = setup.run_dir / "logs" / "conductor.log"
    assert outcome == Outcome(0, None), f"{outcome}\n{log.read_text()[-3000:]}"

    tried = read_journal(RunFolder(setup.run_dir).psp_journal).webhooks
    assert tried and all(one.status == 200 for one in tried)
    assert "PRIVATE KEY" not in RunFolder(setup.run_dir).ca.read_text()
    left = [path for path in setup.run_dir.rglob("*.pem") if "PRIVATE KEY" in path.read_text()]
    assert left == []


def test_a_load_balancer_with_another_certificate_is_not_healthy(tmp_path: Path) -> None:
    """The probe asks over TLS as customers do, so that a wrong certificate shows before any load."""
    under_test = UNDER_TEST["local"]
    if why := under_test.missing():
        pytest.skip(why)

    def conductor(stack: Stack, _: Callable[[], bool]) -> None:
        import trustme

        lb = stack.topology.node("lb-1")
        ca_file = stack.setup.ca_of(lb)
        assert ca_file is not None
        trustme.CA().cert_pem.write_to_path(str(ca_file))
        try:
            stack.wait_healthy([lb], 0.2)
        except NotReady as problem:
            assert "CERTIFICATE_VERIFY_FAILED" in str(problem), problem
        else:
            raise AssertionError("healthy, with a certificate that nobody vouches for")

    setup = minitarget(tmp_path, TLS)
    with under_test.make().launch(setup, conductor) as world:
        outcome = world.wait(60)
    log = setup.run_dir / "logs" / "conductor.log"
    assert outcome == Outcome(0, None), log.read_text()[-3000:]

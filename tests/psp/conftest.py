"""A real simulator process, driven by the official `stripe` SDK."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
import stripe

from paydrill.psp.control import PspControl
from paydrill.psp.journal_reader import Journal, read_journal
from paydrill.psp.verify import verify

KEY = "sk_test_drill"
SECRET = "whsec_drill"
stripe.enable_telemetry = False


@dataclass
class Simulator:
    """One simulator; `start` again after `kill` rebuilds it from its journal."""

    folder: Path
    behaviour: dict[str, object] = field(default_factory=dict)
    name: str = "psp"
    seed: int = 1
    profile: str = "stripe"
    webhook_url: str | None = None
    port: int = 0
    process: subprocess.Popen[str] | None = None
    launcher: tuple[str, ...] = ()

    @property
    def journal(self) -> Path:
        return self.folder / "psp" / "journal.jsonl"

    @property
    def control_path(self) -> Path:
        return self.folder / "psp" / "control.sock"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def argv(self) -> list[str]:
        argv = [*self.launcher, sys.executable, "-m", "paydrill.psp", "--port", str(self.port)]
        argv += [
            "--journal",
            str(self.journal),
            "--control",
            str(self.control_path),
            "--seed",
            str(self.seed),
        ]
        argv += ["--behaviour", orjson.dumps(self.behaviour).decode(), "--profile", self.profile]
        argv += ["--api-key", KEY, "--webhook-secret", SECRET, "--name", self.name]
        return [*argv, "--webhook-url", self.webhook_url] if self.webhook_url else argv

    def start(self) -> None:
        self.process = subprocess.Popen(self.argv(), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listening on" in line, f"the simulator did not start: {line!r}"
        self.port = int(line.rsplit(":", 1)[1])

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=10)

    def client(self, key: str = KEY, timeout_s: float = 10.0) -> stripe.StripeClient:
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_s),
        )

    def control(self) -> PspControl:
        return PspControl(self.control_path)

    def read(self) -> Journal:
        return read_journal(self.journal)

    def read_answered(self) -> Journal:
        """Once every request has its answer line, which is written after the answer was sent."""
        eventually(lambda: all(row.t_ans_ns is not None for row in self.read().requests), "all answer lines")
        return self.read()


@contextmanager
def running(simulator: Simulator) -> Iterator[Simulator]:
    """Started, and at the end stopped; its journal must be whole and its money must add up."""
    simulator.start()
    try:
        yield simulator
    finally:
        assert simulator.process is not None
        if simulator.process.poll() is None:
            simulator.kill()
    assert verify(simulator.journal).problems == ()


@pytest.fixture(autouse=True)
def loopback_without_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def simulator(tmp_path):
    """Not started yet: set what it shall be, then use `running`."""
    return Simulator(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Simulator]:
    """One that approves everything, for a whole file of tests; every test uses tokens of its own."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    with running(Simulator(tmp_path_factory.mktemp("shared"))) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def sdk(shared) -> stripe.StripeClient:
    return shared.client()


_tokens = iter(range(1, 1 << 30))


@pytest.fixture
def token() -> str:
    """One that no other test charges."""
    return f"pm_pd_{next(_tokens)}"


def charge(token: str, amount: int = 1000, **more: object) -> dict[str, object]:
    return {"amount": amount, "currency": "usd", "payment_method": token, "confirm": True, **more}


@pytest.fixture
def charge_of():
    return charge


@pytest.fixture
def run_simulator():
    return running


def eventually(condition, what: str, timeout_s: float = 20.0):
    """Wait for a condition and return its value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.01)
    return value


@pytest.fixture
def wait_until():
    return eventually


class Background:
    """Calls in threads; `results` gives what each returned or raised, in order."""

    def __init__(self, calls) -> None:
        self._outcomes: list[object] = [None] * len(calls)
        self._threads = [
            threading.Thread(target=self._run, args=(place, call), daemon=True)
            for place, call in enumerate(calls)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, place, call) -> None:
        try:
            self._outcomes[place] = call()
        except Exception as error:
            self._outcomes[place] = error

    def results(self) -> list[object]:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a call did not return"
        return self._outcomes


@pytest.fixture
def in_background():
    return Background


@pytest.fixture(scope="session")
def helpers() -> SimpleNamespace:
    """For fixtures that live longer than one test."""
    return SimpleNamespace(Simulator=Simulator, running=running, eventually=eventually, KEY=KEY)


SCHEMA_MODULE = "github.com/stripe/stripe-mock@v0.203.0"
"""Stripe's own program (MIT); their published OpenAPI lies in its source. Go checks what it downloads."""


@pytest.fixture(scope="session")
def schema(tmp_path_factory):
    """Stripe's schema, by Go out of its module cache or from its proxy; skipped with the reason without it."""
    if shutil.which("go") is None:
        pytest.skip("Stripe's schema is fetched by Go, which is not installed")
    scratch = tmp_path_factory.mktemp("go")
    settings = subprocess.run(["go", "env", "GOENV"], capture_output=True, text=True).stdout.strip()
    env = {
        **os.environ,
        "GOENV": settings,
        "GOTOOLCHAIN": "local",
        # Go keeps counters of its own in the user's configuration folder.
        "XDG_CONFIG_HOME": str(scratch),
    }
    command = ["go", "mod", "download", "-json", SCHEMA_MODULE]
    try:
        done = subprocess.run(command, cwd=scratch, env=env, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"`{' '.join(command)}` did not end within 120 s")
    told = orjson.loads(done.stdout or "{}")
    if "Dir" not in told:
        pytest.skip(f"`{' '.join(command)}` failed: {(told.get('Error') or done.stderr).strip()[-200:]}")
    return orjson.loads((Path(told["Dir"]) / "embedded" / "openapi" / "spec3.json").read_bytes())


@pytest.fixture(scope="session")
def breaches():
    """What of a value does not fit a schema: `breaches(schema, node, value, where)`."""
    return find_breaches


def resolve(schema, node):
    while "$ref" in node:
        node = schema["components"]["schemas"][node["$ref"].rsplit("/", 1)[1]]
    return node


def find_breaches(schema, node, value, where):
    """What of `value` does not fit `node`: types, enums, required and unknown keys."""
    node = resolve(schema, node)
    if value is None:
        return [] if node.get("nullable") else [f"{where}: null"]
    if "anyOf" in node:
        tries = [find_breaches(schema, option, value, where) for option in node["anyOf"]]
        return min(tries, key=len)
    types = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "object": dict,
        "array": list,
        "number": (int, float),
    }
    expected = types.get(node.get("type", "object"))
    if expected and (not isinstance(value, expected) or (expected is int and isinstance(value, bool))):
        return [f"{where}: {type(value).__name__} for {node['type']}"]
    if "enum" in node and value not in node["enum"]:
        return [f"{where}: {value!r} is not in the enum"]
    if isinstance(value, list):
        return [one for item in value for one in find_breaches(schema, node["items"], item, f"{where}[]")]
    if not isinstance(value, dict) or "properties" not in node:
        return []
    found = [f"{where}.{name}: missing" for name in node.get("required", []) if name not in value]
    for name, item in value.items():
        if name in node["properties"]:
            found += find_breaches(schema, node["properties"][name], item, f"{where}.{name}")
        elif node.get("additionalProperties") is not True:
            found.append(f"{where}.{name}: unknown")
    return found

"""The minishop for real, on loopback, with the PSP simulator; and whole drills as in tests/drills."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from paydrill.psp.control import PspControl
from paydrill.psp.journal_reader import read_journal

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "targets" / "minishop"
API_KEY = "sk_test_minishop"
CALL_S = 0.5

# pytest's importlib mode has no sibling imports; the fixtures of the drills are loaded by their path.
_SPEC = importlib.util.spec_from_file_location("drills_conftest", ROOT / "tests" / "drills" / "conftest.py")
_DRILLS = importlib.util.module_from_spec(_SPEC)
sys.modules["drills_conftest"] = _DRILLS
_SPEC.loader.exec_module(_DRILLS)
backend, drill, drill_on_a_fit_host = _DRILLS.backend, _DRILLS.drill, _DRILLS.drill_on_a_fit_host


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def await_that(look, what, within_s=20.0):
    """The first true value of `look`."""
    deadline = time.monotonic() + within_s
    while not (value := look()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.03)
    return value


@dataclass(frozen=True)
class Reply:
    status: int
    body: dict

    @property
    def word(self):
        return self.body["problem"]["word"]


class World:
    """The shop, its PSP, and a customer."""

    def __init__(self, folder):
        self.folder = folder
        self.psp_port, self.port = free_port(), free_port()
        self.journal = folder / "journal.jsonl"
        self.call_s = CALL_S
        self.processes = {}

    def start_psp(self):
        control = self.folder / "control.sock"
        argv = [
            "-m",
            "paydrill.psp",
            "--port",
            str(self.psp_port),
            "--journal",
            str(self.journal),
            "--seed",
            "1",
        ]
        argv += ["--control", str(control), "--api-key", API_KEY, "--webhook-secret", "whsec_x"]
        self._start("psp", argv, ROOT, {"PYTHONPATH": str(ROOT / "harness")})
        self._await_http(self.psp_port, "/healthz")
        self.control = PspControl(control)

    def start_shop(self):
        env = {
            "LISTEN_PORT": str(self.port),
            "DATA_DIR": str(self.folder),
            "PSP_URL": f"http://127.0.0.1:{self.psp_port}",
            "PSP_API_KEY": API_KEY,
            "PSP_CALL_S": str(CALL_S),
            "SETTLE_PERIOD_S": "0.2",
            "HTTP_PROXY": "http://127.0.0.1:9",  # nothing may go there
        }
        self._start("shop", ["-m", "shop"], SHOP, env)
        self._await_http(self.port, "/health")

    def kill_shop(self):
        self.processes["shop"].kill()
        self.processes.pop("shop").wait()

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, method, path, body=None, request_id=None):
        headers = {"Content-Type": "application/json"} | ({"X-Request-Id": request_id} if request_id else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return Reply(answer.status, json.loads(answer.read()))
        except urllib.error.HTTPError as problem:
            return Reply(problem.code, json.loads(problem.read()))

    def check_out(self, basket="b1", total="1.70", qty=2, request_id=None):
        body = {"basket": basket, "articles": [{"sku": "pencil", "qty": qty}], "total": total}
        return self.ask("POST", "/cart/checkout", body, request_id or f"{basket}-create")

    def pay(self, number, card="pm_pd_17", total="1.70", request_id="pay-1"):
        return self.ask("PUT", f"/purchases/{number}/payment", {"card": card, "total": total}, request_id)

    def state(self, number):
        return self.ask("GET", f"/purchases/{number}").body["state"]

    def await_paid(self, number):
        await_that(lambda: self.state(number) == "paid", f"{number} is paid")

    def effects(self, kind="capture"):
        """What the PSP did: the truth."""
        return [effect for effect in read_journal(self.journal).effects if effect.kind == kind]

    def _start(self, name, argv, cwd, env):
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *argv], cwd=cwd, env={**base, **env}, stdout=log, stderr=log
            )

    def _await_http(self, port, path):
        def answers():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                    return answer.status == 200
            except OSError:
                return False

        await_that(answers, f"an answer at {port}{path}")


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    try:
        world.start_psp()
        world.start_shop()
        yield world
    finally:
        world.stop()

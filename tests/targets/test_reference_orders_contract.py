"""The served OpenAPI file against the running stack: thousands of requests, every check of Schemathesis on.

Settings, seed and counts: schemathesis.toml. The freeze switch is tried in a run of its own, last: while it is
on, payments are answered with the documented 503 and nothing else would be seen of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SWITCHES = "^/admin/(un)?freeze$"
LEAST_CASES = 2000


def _run(stack, tmp_path, as_caller, *filters):
    report = tmp_path / "report.ndjson"
    customer, operator = as_caller("cus_contract"), as_caller("support_1")
    env = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PAYDRILL_API": f"http://127.0.0.1:{stack.lb_port}",
        "PAYDRILL_CUSTOMER": customer,
        "PAYDRILL_OPERATOR": operator,
    }
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    argv += [f"http://127.0.0.1:{stack.lb_port}/openapi.json", "--no-color"]
    argv += ["--report-ndjson-path", str(report), *filters]
    done = subprocess.run(
        argv, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return Counter(_answers(report))


def _answers(report):
    """(operation, status, well-formed or not) of every case that was sent."""
    for line in report.read_text().splitlines():
        finished = json.loads(line).get("ScenarioFinished")
        for name, sent in (finished or {}).get("recorder", {}).get("interactions", {}).items():
            case = finished["recorder"]["cases"][name]
            case = case.get("value", case)
            yield f"{case['method']} {case['path']}", (sent.get("response") or {}).get("status_code")


@pytest.fixture(scope="module")
def answers(stack, tmp_path_factory, as_caller):
    return _run(stack, tmp_path_factory.mktemp("contract"), as_caller, "--exclude-path-regex", SWITCHES)


def test_at_least_two_thousand_requests_are_answered_as_documented(answers):
    assert sum(answers.values()) >= LEAST_CASES


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ("POST /v1/orders", 201),
        ("POST /v1/orders", 200),
        ("POST /v1/orders", 400),
        ("POST /v1/orders", 401),
        ("POST /v1/orders", 422),
        ("GET /v1/orders", 200),
        ("GET /v1/orders/{order_id}", 200),
        ("GET /v1/orders/{order_id}", 404),
        ("POST /v1/orders/{order_id}/pay", 200),
        ("POST /v1/orders/{order_id}/pay", 202),
        ("POST /v1/orders/{order_id}/pay", 402),
        ("POST /v1/orders/{order_id}/pay", 409),
        ("POST /v1/orders/{order_id}/pay", 422),
        ("POST /v1/orders/{order_id}/cancel", 200),
        ("POST /v1/orders/{order_id}/cancel", 409),
        ("POST /v1/orders/{order_id}/refunds", 200),
        ("POST /v1/orders/{order_id}/refunds", 409),
        ("POST /admin/orders/{order_id}/capture", 409),
        ("GET /admin/audit", 200),
    ],
)
def test_the_requests_have_been_everywhere(answers, operation, status):
    assert answers[operation, status], sorted(answers)


def test_the_freeze_switch_is_as_documented(stack, tmp_path, as_caller, answers):
    try:
        switched = _run(
            stack, tmp_path, as_caller, "--include-path-regex", SWITCHES, "--phases", "coverage,fuzzing"
        )
    finally:
        assert stack.admin("/admin/unfreeze", {}).body == {"frozen": False}
    assert switched["POST /admin/freeze", 200] and switched["POST /admin/unfreeze", 200]


def test_what_the_file_documents_is_what_the_table_of_operations_says(stack):
    document = stack.request("GET", "/openapi.json", headers={}).body
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            assert {"400", "401", "429", "503"} <= set(answers), (path, method)
            assert "500" not in answers
            assert all("Retry-After" in answers[status]["headers"] for status in ("429", "503"))
            if path.startswith("/admin/"):
                assert "403" in answers

"""`paydrill psp`: it serves, tells a token's story and finds double charges, each as a real process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAYDRILL = (sys.executable, "-m", "paydrill.cli", "psp")


@pytest.fixture(autouse=True)
def loopback_without_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@contextmanager
def served(*words: str) -> Iterator[dict[str, str]]:
    process = subprocess.Popen(
        [*PAYDRILL, "--port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.communicate()


def pay(facts: dict[str, str], token: str, key: str, **more: str) -> int:
    form = {"amount": "1000", "currency": "usd", "payment_method": token, "confirm": "true", **more}
    request = urllib.request.Request(
        f"{facts['base_url']}/v1/payment_intents", urllib.parse.urlencode(form).encode()
    )
    request.add_header("Authorization", f"Bearer {facts['api_key']}")
    request.add_header("Idempotency-Key", key)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def journal(tmp_path) -> Path:
    return tmp_path / "psp.jsonl"


def test_it_serves_with_rules_and_a_profile_and_goes_on_from_its_journal(journal, cli):
    rules = ("--rule", "decline count=1", "--profile", "checkout", "--journal", str(journal))
    with served(*rules) as facts:
        assert facts["journal"] == str(journal) and facts["webhook_secret"] == "whsec_paydrill"
        assert [pay(facts, "pm_pd_1", "k") for _ in range(2)] == [402, 200]
    with served(*rules) as facts:
        assert pay(facts, "pm_pd_1", "k") == 200
    found = cli("psp", "verify", str(journal))
    assert (found.code, found.out) == (0, "") and "0 problems, 0 double charges" in found.err


def test_without_a_journal_it_says_where_its_own_is_and_what_callers_need(tmp_path):
    process = subprocess.Popen(
        [*PAYDRILL, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines = [process.stdout.readline().split(maxsplit=2) for _ in range(4)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert [line[:2] for line in lines[:3]] == [["base", "URL"], ["API", "key"], ["webhook", "secret"]]
    assert lines[0][2].startswith("http://127.0.0.1:") and lines[1][2].strip() == "sk_test_paydrill"
    assert Path(" ".join(lines[3][1:]).strip()).is_file()
    assert "temporary file" in said and "no events are sent" in said


def test_verify_finds_a_token_that_was_charged_twice(journal, cli):
    with served("--journal", str(journal)) as facts:
        for key in ("k1", "k2"):
            assert pay(facts, "pm_pd_7", key) == 200
        for key in ("k3", "k4"):
            assert pay(facts, "pm_card_visa", key) == 200
            assert pay(facts, "pm_card_visa", f"{key}-order", **{"metadata[order_id]": f"o-{key}"}) == 200
    found = cli("psp", "verify", str(journal))
    assert found.code == 1
    assert "pm_pd_7 was charged 2 times: 2000 USD (minor units) are kept by pi_" in found.out
    assert found.out.count("\n") == 1
    assert "0 problems, 1 double charge" in found.err


def test_verify_finds_one_order_that_a_card_paid_twice(journal, cli):
    with served("--journal", str(journal)) as facts:
        for key in ("k1", "k2"):
            assert pay(facts, "pm_card_visa", key, **{"metadata[order_id]": "o1"}) == 200
    found = json.loads(cli("psp", "verify", str(journal), "--json").out)
    assert [(one["token"], one["order"], one["kept"]) for one in found["double_charges"]] == [
        (None, "o1", 2000)
    ]


def test_verify_says_where_a_file_was_changed(journal, cli):
    with served("--journal", str(journal)) as facts:
        pay(facts, "pm_pd_1", "k")
    journal.write_bytes(journal.read_bytes().replace(b'"amount":1000', b'"amount":9000'))
    found = cli("psp", "verify", str(journal))
    assert found.code == 1 and "the file was changed" in found.out
    told = cli("psp", "log", "1", "--journal", str(journal))
    assert told.code == 2 and "the file was changed" in told.err


@pytest.mark.parametrize("token", ["pm_pd_7", "7"])
def test_log_tells_the_story_of_one_token(journal, cli, token):
    with served("--journal", str(journal), "--rule", "commit_then_500 token=7") as facts:
        assert pay(facts, "pm_pd_7", "k7") == 500
        assert pay(facts, "pm_pd_8", "k8") == 200
        assert pay(facts, "pm_pd_7", "k7") == 500
    told = cli("psp", "log", token, "--journal", str(journal))
    assert told.code == 0
    story = [line.split(" s  ", 1)[1] for line in told.out.splitlines()]
    intent = story[1].split()[-1]
    assert story == [
        "request 1: POST /v1/payment_intents, key k7, meets commit_then_500 (rule commit_then_500 token=7)",
        f"  auth 1000 USD on {intent}",
        f"  capture 1000 USD on {intent}",
        f"  {intent} is succeeded",
        "answer 1: 500, delivered",
        "request 3: POST /v1/payment_intents, key k7, not executed: replay",
        "answer 3: 500, delivered",
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--rule", "commit_then_dorp 5%"), 2, "did you mean commit_then_drop?"),
        (("--behaviour", "{}x"), 2, "--behaviour: expected JSON"),
        (("--profile", "paypal"), 2, "'paypal' is not one of 'stripe', 'stripe_v2'"),
        (("--host", "203.0.113.1", "--port", "0"), 4, "cannot serve on 203.0.113.1:0"),
        (("log", "pm_pd_1"), 2, "Missing option '--journal'"),
        (("verify", "/nowhere.jsonl"), 2, "does not exist"),
        (("verfy",), 2, "No such command 'verfy'"),
    ],
)
def test_mistakes_are_told_with_what_was_expected(cli, words, code, said):
    found = cli("psp", *words)
    assert found.code == code and said in found.err


def test_a_token_that_nobody_sent_is_told(journal, cli):
    with served("--journal", str(journal)):
        pass
    told = cli("psp", "log", "9", "--journal", str(journal))
    assert told.code == 2 and "says nothing of '9'" in told.err

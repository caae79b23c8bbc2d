"""A real Locust child against a real HTTP server that misbehaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from paydrill.backends import Address
from paydrill.errors import InstrumentDied, UsageError
from paydrill.load import classes
from paydrill.load.child import LoadChild
from paydrill.plan import PlannedLoad, Segment
from paydrill.target import Timing


def wait_until(holds, timeout_s=15.0):
    until = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until, "never came true"
        time.sleep(0.02)


def is_running(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def first_time(kind, deed):
    """Misbehave at the first request of each key of that kind."""
    keys = set()

    def misbehave(seen):
        if seen.kind != kind or seen.key in keys:
            return None
        keys.add(seen.key)
        return deed

    return misbehave


def begin(child):
    child.wait_ready(30)
    child.go(time.monotonic_ns() + 100_000_000)


def test_a_checkout_creates_pays_and_reads_back(harness):
    history = harness.run()
    ended = history.of("done")
    assert len(ended) >= 20
    assert {row["outcome"] for row in ended} == {"ok"}
    for intent in history.of("intent"):
        invoked = history.of("invoke", intent=intent["intent"])
        assert [row["op_kind"] for row in invoked] == ["create", "pay", "read"]
        assert invoked[0]["due"] == intent["due"]
        assert invoked[1]["amount"] == intent["amount"]
    created = history.returns()[history.of("invoke", op_kind="create")[0]["op"]]
    assert created["node"] == "orders-1"
    assert created["edge"] == "client->lb-1"
    assert created["executed"] is True
    assert history.of("end")[0]["reason"] == "done"


def test_every_class_ends_as_it_declares_and_meets_its_event(harness, stack_target, stack_port, tmp_path):
    names = tuple(classes.known())
    address = Address("127.0.0.1", stack_port)
    load = LoadChild(
        PlannedLoad((Segment(0.0, 4.0, 80.0),), dict.fromkeys(names, 1.0), 400),
        stack_target.client,
        stack_target.catalogue,
        Timing(client_s=6.0),
        seed=11,
        base=address,
        history_dir=tmp_path,
        log=tmp_path / "locust.log",
        edge="client->lb-1",
        caller_secret="s",
        pricing=stack_target.pricing,
        psp=address,
        psp_edge="client->psp",
    )
    with load as child:
        begin(child)
        assert child.wait_done(60)
        found = child.final_reads(10)
        assert child.counters.crashed == 0, (tmp_path / "locust.log").read_text()
    assert found.asked == found.definite > 200
    history = read(harness)
    cls_of = {row["intent"]: row["cls"] for row in history.of("intent")}
    ended = [row for row in history.of("done") if "as_declared" in row]
    assert {cls_of[row["intent"]] for row in ended} == set(names)
    assert [cls_of[row["intent"]] for row in ended if not row["as_declared"]] == []
    events = Counter()
    for row in ended:
        events[cls_of[row["intent"]]] += row["signature"]
    assert [name for name in names if not events[name]] == []
    # What a burst meets is decided by who comes first: the others find it in progress.
    in_progress = history.of("return", code="idempotency_in_progress")
    assert len(in_progress) > 20
    at_the_psp = {row["op"] for row in history.of("invoke", op_kind="challenge")}
    assert {row["op"] for row in history.of("return", edge="client->psp")} == at_the_psp != set()


def test_the_same_seed_wants_the_same(harness, tmp_path):
    def wants(history):
        rows = [{**row, "due": 0, "t": 0, "seq": 0} for row in history.of("intent")]
        return sorted(rows, key=lambda row: row["intent"])

    first = harness.run(duration_s=0.5)
    harness.folder = tmp_path / "again"
    harness.folder.mkdir()
    assert wants(harness.run(duration_s=0.5)) == wants(first)


UNKNOWNS = [
    ("close", "eof", None),
    ("reset", "reset", None),
    ("hang", "timeout", None),
    ("cut", "garbled", None),
    ("garbage", "unparsable", 200),
    (500, None, 500),
    (409, None, 409),
    (307, None, 307),
]


def test_an_unknown_payment_is_retried_with_the_same_key_and_token(harness, shop):
    """Every kind of unknown answer in one load; which one an order gets hangs on its number."""
    keys = set()

    def misbehave(seen):
        if seen.kind != "pay" or seen.key in keys:
            return None
        keys.add(seen.key)
        return UNKNOWNS[int(seen.order[4:]) % len(UNKNOWNS)][0]

    shop.misbehave = misbehave
    history = harness.run(rate_per_s=80, duration_s=1.0, client_s=1.0)
    returned = history.returns()
    retried = Counter()
    for intent in history.of("intent"):
        pays = history.of("invoke", intent=intent["intent"], op_kind="pay")
        answers = [returned[row["op"]] for row in pays]
        nth = int(pays[0]["order_ref"][4:]) % len(UNKNOWNS)
        assert (answers[0]["err"], answers[0]["status"]) == UNKNOWNS[nth][1:]
        if intent["retries"] == 0:
            assert [row["outcome"] for row in answers] == ["info"]
            assert history.of("invoke", intent=intent["intent"])[-1]["op_kind"] == "pay"
            assert history.of("done", intent=intent["intent"])[0]["outcome"] == "info"
        else:
            retried[nth] += 1
            assert [row["outcome"] for row in answers] == ["info", "ok"]
            assert len({(row["idem_key"], row["token"], row["body"], row["route"]) for row in pays}) == 1
    assert len(retried) == len(UNKNOWNS)
    # The server saw exactly what was written down: nothing is sent behind the history's back.
    assert len(shop.of("pay")) == len(history.of("invoke", op_kind="pay"))


def test_connections_are_kept_whatever_the_number_of_their_descriptor(shop):
    """select(2) knows descriptors below 1024 only."""
    script = """
        import resource, socket, sys
        from locust import events
        from paydrill.load.session_wire import SessionWire, connection_pool
        resource.setrlimit(resource.RLIMIT_NOFILE, (1500, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        taken = [socket.socket() for _ in range(1100)]
        base = f"http://127.0.0.1:{sys.argv[1]}"
        wire = SessionWire(base, events.request, connection_pool([base], 4, 5.0))
        print([wire.send("GET", "/orders?client_ref=x", {}, None, 5.0, "find").status for _ in range(5)])
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(shop.port)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str([200] * 5)
    assert len({seen.from_port for seen in shop.seen}) == 1


def test_a_read_is_never_sent_again_behind_our_back(harness, shop):
    shop.misbehave = lambda seen: "close" if seen.kind == "read" else None
    history = harness.run(duration_s=0.5)
    reads = history.of("invoke", op_kind="read")
    assert len(reads) >= 8
    assert len(shop.of("read")) == len(reads)


def test_a_declined_customer_may_pay_with_a_new_token_and_key(harness, shop):
    shop.misbehave = first_time("pay", 402)
    history = harness.run(rate_per_s=60, duration_s=1.0)
    tries = Counter(row["intent"] for row in history.of("token"))
    assert set(tries.values()) == {1, 2}
    for intent, count in tries.items():
        pays = history.of("invoke", intent=intent, op_kind="pay")
        assert len({row["idem_key"] for row in pays}) == len({row["token"] for row in pays}) == count
        assert [row["try_no"] for row in pays] == list(range(1, count + 1))
    # The shop declines each key once, so the second card is declined too.
    assert {row["outcome"] for row in history.of("done")} == {"fail"}
    assert all(seen.body["payment_token"].startswith("pm_pd_") for seen in shop.of("pay"))


def test_an_accepted_payment_is_followed_until_it_is_paid(harness, shop):
    looks = Counter()

    def misbehave(seen):
        if seen.kind == "pay":
            return 202
        if seen.kind == "read":
            looks[seen.order] += 1
            if looks[seen.order] == 2:
                shop.orders[seen.order]["status"] = "paid"
        return None

    shop.misbehave = misbehave
    history = harness.run(duration_s=0.5)
    assert {row["outcome"] for row in history.of("done")} == {"ok"}
    for intent in history.of("intent"):
        assert len(history.of("invoke", intent=intent["intent"], op_kind="read")) == 3


def test_a_refused_connection_is_a_failure_and_nothing_was_sent(harness):
    history = harness.run(duration_s=0.5, port=1)
    returns = history.of("return")
    assert {(row["outcome"], row["err"], row["status"]) for row in returns} == {("fail", "refused", None)}
    assert {row["outcome"] for row in history.of("done")} == {"fail"}


def test_what_does_not_fit_is_a_counted_drop(harness, shop):
    shop.misbehave = lambda seen: "hang" if seen.kind == "create" else None
    with harness.load(rate_per_s=60, duration_s=1.0, max_in_flight=10, client_s=0.4) as child:
        begin(child)
        assert child.wait_done(60)
        counters = child.counters
    history = read(harness)
    dropped = {row["intent"] for row in history.of("drop")}
    served = {row["intent"] for row in history.of("invoke")}
    assert len(dropped) >= 10
    assert len(served) >= 10
    assert dropped.isdisjoint(served)
    assert dropped | served == {row["intent"] for row in history.of("intent")}
    assert history.of("end")[0]["dropped"] == counters.dropped == len(dropped)
    assert counters.started + counters.dropped == counters.due
    assert counters.checkouts.dropped == len(dropped)
    assert counters.all.info == counters.started


def test_a_stall_is_seen_by_all_who_arrived_in_it(harness, shop):
    rate, seconds = 100, 3.0
    with harness.load(rate_per_s=rate, duration_s=seconds, max_in_flight=400) as child:
        child.wait_ready(30)
        t0_ns = time.monotonic_ns() + 200_000_000
        shop.stall = (t0_ns + 1_000_000_000, t0_ns + 2_000_000_000)
        child.go(t0_ns)
        assert child.wait_done(30)
    history = read(harness)
    returned = history.returns()
    creates = history.of("invoke", op_kind="create")
    seen = sorted(returned[row["op"]]["t"] - row["due"] for row in creates)
    start, end = shop.stall
    truth = sorted(end - row["due"] if start <= row["due"] < end else 0 for row in creates)
    assert len(creates) > 0.7 * rate * seconds
    for share in (0.90, 0.99):
        true_ns, seen_ns = truth[int(len(truth) * share)], seen[int(len(seen) * share)]
        assert 0.95 * true_ns < seen_ns < 1.25 * true_ns + 100_000_000


def test_traffic_of_every_class_runs_side_by_side(harness, shop):
    mix = {"checkout": 2, "read": 2, "refund": 2, "cancel": 2}
    history = harness.run(rate_per_s=60, duration_s=1.2, mix=mix, final_s=10)
    by_class = Counter(row["cls"] for row in history.of("intent"))
    assert set(by_class) == set(mix)
    assert {row["outcome"] for row in history.of("done")} == {"ok"}
    kinds = Counter(row["op_kind"] for row in history.of("invoke"))
    assert kinds["refund"] == by_class["refund"]
    assert kinds["cancel"] == by_class["cancel"]
    assert by_class["checkout"] + by_class["refund"] < kinds["pay"]
    paid = {row["intent"]: row["amount"] for row in history.of("invoke", op_kind="pay")}
    assert all(0 < row["amount"] <= paid[row["intent"]] for row in history.of("invoke", op_kind="refund"))
    assert kinds["final"] == len(shop.orders)
    # Who comes back to look is written down at the intent that placed the order.
    visitors = {row["intent"] for row in history.of("intent", cls="read")}
    looks = history.of("invoke", op_kind="read")
    assert not visitors & {row["intent"] for row in looks}
    assert len(looks) == by_class["checkout"] + 2 * by_class["refund"] + by_class["cancel"] + by_class["read"]
    customers = {row["intent"]: row["customer"] for row in history.of("intent")}
    assert all(row["caller"] == customers[row["intent"]] for row in looks)


def test_final_reads_go_on_until_every_order_has_a_definite_answer(harness, shop):
    history_of_reads = Counter()

    def misbehave(seen):
        if seen.kind in ("read", "find"):
            history_of_reads[seen.order] += 1
            return 503 if history_of_reads[seen.order] == 1 else None
        return None

    lose_some = first_time("create", "cut")
    shop.misbehave = lambda seen: lose_some(seen) if seen.kind == "create" else None
    with harness.load(rate_per_s=40, duration_s=0.8) as child:
        begin(child)
        assert child.wait_done(30)
        shop.misbehave = misbehave
        found = child.final_reads(20)
    history = read(harness)
    # Orders, and the creates of those who gave up: "cut" answered without placing an order.
    assert found.asked == found.definite == len(history.of("intent")) > len(shop.orders)
    finals = history.of("invoke", op_kind="final")
    searches = [row for row in history.of("invoke", op_kind="read") if row["order_ref"] is None]
    assert len(finals) == 2 * len(shop.orders)
    assert len(searches) == 2 * (found.asked - len(shop.orders)) > 0
    assert all(row["strong"] for row in finals)
    returned = history.returns()
    answers = {row["order_ref"]: returned[row["op"]] for row in finals}
    assert all(answers[ref]["said"] == "paid" for ref in shop.orders)


def test_an_order_behind_a_lost_create_is_found_and_read(harness, shop):
    def place_and_lose(seen):
        if seen.kind == "create":
            shop._correct(seen, None)
            return "close"
        return None

    shop.misbehave = place_and_lose
    with harness.load(rate_per_s=30, duration_s=0.5, client_s=0.5) as child:
        begin(child)
        assert child.wait_done(30)
        shop.misbehave = lambda seen: None
        child.final_reads(20)
    history = read(harness)
    finals = history.of("invoke", op_kind="final")
    assert len(shop.orders) >= 5
    assert {row["order_ref"] for row in finals} == set(shop.orders)
    assert {row["outcome"] for row in history.of("done")} == {"info"}


def test_a_planned_stop_leaves_unknown_what_was_under_way(harness, shop):
    shop.misbehave = lambda seen: "hang" if seen.kind == "pay" else None
    with harness.load(rate_per_s=50, duration_s=30, client_s=20) as child:
        begin(child)
        wait_until(lambda: len(shop.of("pay")) >= 10)
        child.stop()
        assert not child.alive()
    history = read(harness)
    history.assert_complete()
    pays = history.of("invoke", op_kind="pay")
    stopped = history.of("return", err="stopped")
    assert {row["op"] for row in pays} <= {row["op"] for row in stopped}
    assert {row["outcome"] for row in stopped} == {"info"}
    assert history.rows[-1]["kind"] == "end"
    assert history.rows[-1]["reason"] == "stopped"


def test_sigterm_ends_it_like_a_planned_stop(harness, shop):
    shop.misbehave = lambda seen: "hang" if seen.kind == "pay" else None
    with harness.load(rate_per_s=50, duration_s=30, client_s=20) as child:
        begin(child)
        wait_until(lambda: len(shop.of("pay")) >= 5)
        os.kill(child.pid, signal.SIGTERM)
        wait_until(lambda: not child.alive())
    history = read(harness)
    history.assert_complete()
    assert history.rows[-1]["reason"] == "stopped"
    assert len(history.of("return")) == len(history.of("invoke"))


def test_a_killed_child_leaves_whole_lines_and_is_reported(harness, shop):
    shop.misbehave = lambda seen: "hang" if seen.kind == "pay" else None
    with harness.load(rate_per_s=80, duration_s=30, client_s=20) as child:
        begin(child)
        wait_until(lambda: len(shop.of("pay")) >= 20)
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(InstrumentDied, match=r"locust.*ended with -9"):
            child.wait_done(20)
        assert not child.alive()
    history = read(harness)
    history.assert_complete()
    assert not history.of("end")
    # Every payment that reached the server had been written down before.
    written = {row["idem_key"] for row in history.of("invoke", op_kind="pay")}
    assert {seen.key for seen in shop.of("pay")} <= written


def test_a_hung_child_is_gone_at_once(harness):
    with harness.load(duration_s=30) as child:
        begin(child)
        os.kill(child.pid, signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert not is_running(child.pid)


@pytest.mark.parametrize("hangs", [False, True])
def test_the_child_dies_with_its_parent(harness, shop, tmp_path, hangs):
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import pickle, sys, time
            setup = pickle.load(open(sys.argv[1], "rb"))
            from paydrill.load.child import LoadChild
            with LoadChild(**setup) as child:
                child.wait_ready(30)
                child.go(time.monotonic_ns())
                print(child.pid, flush=True)
                time.sleep(60)
            """
        )
    )
    harness.pickle(tmp_path / "setup.pickle", duration_s=60)
    command = [sys.executable, str(script), str(tmp_path / "setup.pickle")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        wait_until(lambda: len(shop.seen) > 5)
        assert is_running(pid)
        if hangs:
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
    wait_until(lambda: not is_running(pid), 5)


def test_the_users_own_locust_settings_have_no_say(harness, monkeypatch, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".locust.conf").write_text("run-time = 1s\nusers = 3\nmaster = true\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOCUST_RUN_TIME", "1s")
    monkeypatch.setenv("LOCUST_USERS", "3")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    history = harness.run(rate_per_s=30, duration_s=2.0)
    due = [row["due"] for row in history.of("intent")]
    assert len(history.of("start")) == 1
    assert max(due) - min(due) > 1.5e9
    assert {row["outcome"] for row in history.of("done")} == {"ok"}


def test_a_history_that_cannot_be_begun_is_an_instrument_that_died(harness):
    (harness.folder / "history-0.jsonl").write_text("")
    with harness.load() as child, pytest.raises(InstrumentDied, match=r"history-0\.jsonl is there already"):
        child.wait_ready(30)


@pytest.mark.parametrize(
    ("mix", "left_out", "message"),
    [
        ({"chekout": 1}, (), "'chekout' is no traffic class; expected async_method, canary, cancel, "),
        ({"refund": 1}, ("refund",), "refund needs the requests refund"),
        ({"checkout": 0}, (), "at least one traffic class"),
    ],
)
def test_a_load_that_cannot_run_is_refused_before_it_starts(harness, mix, left_out, message):
    kept = {kind: request for kind, request in harness.client.requests.items() if kind not in left_out}
    harness.client = replace(harness.client, requests=kept)
    with pytest.raises(UsageError) as problem:
        harness.load(mix=mix)
    assert message in str(problem.value)


def test_loading_the_harness_side_does_not_load_locust():
    code = "import sys, paydrill.load.child; print([m for m in ('locust', 'gevent') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


def read(harness):
    history = harness.read()
    history.assert_complete()
    return history

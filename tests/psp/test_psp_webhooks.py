"""Webhooks against a real receiver that checks signatures with Stripe's own verifier."""

from __future__ import annotations

import http.server
import threading
from collections import Counter

import pytest
import stripe

SECRET = "whsec_drill"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers `server.status(event_id)`; keeps what it got."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = stripe.Webhook.construct_event(body, self.headers["Stripe-Signature"], SECRET)
        self.server.got.append((event.id, event.type, body))
        status = self.server.status(event.id)
        self.send_response(status)
        if status == 307:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    server.got = []
    server.status = lambda event_id: 200
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hooked(simulator, receiver):
    simulator.webhook_url = f"http://127.0.0.1:{receiver.server_port}/webhooks"
    return simulator


def quiet(simulator, psp, wait_until):
    wait_until(lambda: psp.status().pending_webhooks == 0, "all webhooks told")


def test_every_event_is_told_once_with_a_signature_that_stripe_accepts(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    with run_simulator(hooked), hooked.control() as psp:
        client = hooked.client()
        paid = client.v1.payment_intents.create(charge_of("pm_pd_1"))
        client.v1.refunds.create({"payment_intent": paid.id})
        quiet(hooked, psp, wait_until)
        assert sorted(type_ for _, type_, _ in receiver.got) == [
            "charge.refunded",
            "charge.succeeded",
            "payment_intent.created",
            "payment_intent.succeeded",
            "refund.created",
        ]
        rows = hooked.read().webhooks
        assert [row.attempt for row in sorted(rows, key=lambda row: row.attempt)] == [1, 2, 3, 4, 5]
        assert {(row.status, row.variant, row.token, row.pi) for row in rows} == {
            (200, "genuine", 1, paid.id)
        }
        assert all(row.t_sent_ns < row.t_ack_ns for row in rows)


def test_retries_go_on_until_2xx_with_the_same_event_and_bytes(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    seen = Counter()

    def status(event_id):
        seen[event_id] += 1
        return {1: 500, 2: 307}.get(seen[event_id], 204)

    receiver.status = status
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
    assert set(seen.values()) == {3} and len(seen) == 3
    for event_id in seen:
        assert len({body for got, _, body in receiver.got if got == event_id}) == 1
        assert sorted(row.status for row in hooked.read().webhooks if row.event == event_id) == [
            204,
            307,
            500,
        ]


def test_a_receiver_that_is_down_gets_everything_later(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    address = receiver.server_address
    receiver.shutdown()
    receiver.server_close()
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        wait_until(lambda: len(hooked.read().webhooks) >= 3, "three tries")
        assert psp.status().pending_webhooks == 3
        assert {row.status for row in hooked.read().webhooks} == {0}
        again = http.server.ThreadingHTTPServer(address, Receiver)
        again.got, again.status = [], lambda event_id: 200
        threading.Thread(target=again.serve_forever, daemon=True).start()
        quiet(hooked, psp, wait_until)
        assert len(again.got) == 3
        again.shutdown()
        again.server_close()


def test_webhook_duplicate_tells_the_same_event_twice(hooked, receiver, run_simulator, charge_of, wait_until):
    hooked.behaviour = {"webhook_duplicate": 1.0}
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
    assert Counter(Counter(event_id for event_id, _, _ in receiver.got).values()) == {2: 3}
    assert Counter(row.variant for row in hooked.read().webhooks) == {"genuine": 3, "dup": 3}


def test_webhook_delay_tells_it_later(hooked, receiver, run_simulator, charge_of, wait_until):
    hooked.behaviour = {"webhook_delay": 1.0, "webhook_delay_s": 0.5}
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
    journal = hooked.read()
    committed = journal.effects[0].t_ns
    assert len(journal.webhooks) == 3
    assert all(row.t_sent_ns - committed >= 500_000_000 for row in journal.webhooks)


def test_webhooks_stop_while_frozen(hooked, receiver, run_simulator, charge_of, wait_until):
    hooked.behaviour = {"webhook_delay": 1.0, "webhook_delay_s": 0.3}
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        psp.freeze()
        assert psp.drain(5).drained
        wait_until(
            lambda: psp.status().t_ns - hooked.read().effects[0].t_ns > 600_000_000, "the delay to be over"
        )
        assert (receiver.got, psp.status().pending_webhooks) == ([], 3)
        psp.resume()
        quiet(hooked, psp, wait_until)
        assert len(receiver.got) == 3


def test_what_was_not_told_before_kill_9_is_told_after_it(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    receiver.status = lambda event_id: 503
    hooked.behaviour = {"webhook_duplicate": 1.0}
    with run_simulator(hooked):
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        wait_until(lambda: len(hooked.read().webhooks) >= 3, "first tries")
        hooked.kill()
        receiver.status = lambda event_id: 200
        receiver.got.clear()
        hooked.start()
        with hooked.control() as psp:
            quiet(hooked, psp, wait_until)
    assert Counter(Counter(event_id for event_id, _, _ in receiver.got).values()) == {2: 3}
    attempts = [row.attempt for row in hooked.read().webhooks]
    assert len(attempts) == len(set(attempts))


def test_proxies_of_the_environment_are_not_used(
    hooked, receiver, run_simulator, charge_of, wait_until, monkeypatch
):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with run_simulator(hooked), hooked.control() as psp:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
        assert len(receiver.got) == 3

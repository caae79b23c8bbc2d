"""Webhooks against a real receiver that checks signatures with Stripe's own verifier."""

from __future__ import annotations

import http.server
import threading
import time
from collections import Counter

import pytest
import stripe

from paydrill.psp.rules import Rule

SECRET = "whsec_drill"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers `server.status(event_id)`, 400 to what Stripe's verifier refuses; keeps what it got."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signature = self.headers["Stripe-Signature"]
        try:
            event = stripe.Webhook.construct_event(body, signature, SECRET)
        except stripe.SignatureVerificationError:
            self.server.refused.append((body, signature))
            self.answer(400)
            return
        self.server.got.append((event.id, event.type, body))
        self.server.signatures.append(signature)
        self.answer(self.server.status(event.id))

    def answer(self, status):
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
    server.got, server.signatures, server.refused = [], [], []
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
        again.got, again.signatures, again.status = [], [], lambda event_id: 200
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


def variants(simulator) -> Counter:
    return Counter(row.variant for row in simulator.read().webhooks)


def test_webhook_copies_says_how_often_an_event_comes_again(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    hooked.behaviour = {"webhook_duplicate": 1.0, "webhook_copies": 3}
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
    assert Counter(Counter(event_id for event_id, _, _ in receiver.got).values()) == {4: 3}
    assert variants(hooked) == {"genuine": 3, "dup": 9}


def test_webhook_drop_never_sends_an_event_and_the_journal_says_so(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    hooked.behaviour = {"rules": [{"id": "a", "behaviour": "webhook_drop", "count": 1, "after": 1}]}
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
        hooked.kill()
        hooked.start()
        with hooked.control() as again:
            quiet(hooked, again, wait_until)
        events = hooked.client().v1.events.list().data
        assert [event.pending_webhooks for event in events] == [0, 0, 0]
    dropped = [row for row in hooked.read().webhooks if row.variant == "dropped"]
    assert [(row.type, row.status, row.t_ack_ns) for row in dropped] == [("charge.succeeded", 0, None)]
    assert sorted(type_ for _, type_, _ in receiver.got) == [
        "payment_intent.created",
        "payment_intent.succeeded",
    ]


def test_webhook_reorder_lets_later_events_overtake(hooked, receiver, run_simulator, charge_of, wait_until):
    hooked.behaviour = {"webhook_reorder": 1.0, "webhook_reorder_s": 0.6}
    with run_simulator(hooked), hooked.control() as psp:
        for n in range(4):
            hooked.client().v1.payment_intents.create(charge_of(f"pm_pd_{n}"))
        quiet(hooked, psp, wait_until)
    told = [row.seq for row in sorted(hooked.read().webhooks, key=lambda row: row.t_sent_ns)]
    assert sorted(told) == list(range(1, 13)) and told != sorted(told)


@pytest.mark.parametrize(
    ("behaviour", "variant"), [("webhook_bad_signature", "forged"), ("webhook_stale", "stale")]
)
def test_a_copy_that_a_receiver_must_refuse_comes_beside_the_genuine_one(
    hooked, receiver, run_simulator, charge_of, wait_until, behaviour, variant
):
    hooked.behaviour = {behaviour: 1.0}
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
    assert len(receiver.got) == 3 and len(receiver.refused) == 3
    assert {body for body, _ in receiver.refused} == {body for _, _, body in receiver.got}
    found = Counter((row.variant, row.status) for row in hooked.read().webhooks)
    assert found == {("genuine", 200): 3, (variant, 400): 3}


def test_a_stale_copy_is_signed_well_but_ten_minutes_old(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    hooked.behaviour = {"webhook_stale": 1.0}
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
    for body, signature in receiver.refused:
        assert stripe.WebhookSignature.verify_header(body.decode(), signature, SECRET, tolerance=None)
        assert 595 <= time.time() - int(signature.split(",")[0][2:]) <= 660


def test_a_replay_has_the_old_signature_with_the_old_time(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    hooked.behaviour = {"webhook_replay_old": 1.0, "webhook_replay_s": 1.5}
    with run_simulator(hooked), hooked.control() as psp:
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        quiet(hooked, psp, wait_until)
    assert Counter(Counter(receiver.signatures).values()) == {2: 3}
    assert Counter(Counter(body for _, _, body in receiver.got).values()) == {2: 3}
    rows = sorted(hooked.read().webhooks, key=lambda row: row.t_sent_ns)
    assert [row.variant for row in rows] == ["genuine"] * 3 + ["replayed"] * 3
    assert rows[3].t_sent_ns - rows[0].t_ack_ns >= 1_400_000_000


def test_copies_that_were_not_sent_before_kill_9_are_sent_after_it(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    hooked.behaviour = {"webhook_duplicate": 1.0, "webhook_copies": 2, "webhook_replay_old": 1.0}
    hooked.behaviour["webhook_stale"] = 1.0
    with run_simulator(hooked):
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        wait_until(lambda: variants(hooked)["genuine"] == 3, "the genuine ones")
        hooked.kill()
        hooked.behaviour = {}
        hooked.start()
        with hooked.control() as psp:
            quiet(hooked, psp, wait_until)
    assert variants(hooked) == {"genuine": 3, "stale": 3, "dup": 6, "replayed": 3}
    # A replayed copy has the signature of its original; what else was sent in the same second has it too.
    assert sum(times >= 2 for times in Counter(receiver.signatures).values()) >= 3


def test_webhook_before_response_is_told_before_the_answer(
    hooked, receiver, run_simulator, charge_of, wait_until
):
    hooked.behaviour = {"webhook_before_response": 1.0}
    with run_simulator(hooked):
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        assert len(receiver.got) == 3
        journal = hooked.read_answered()
        assert max(row.t_ack_ns for row in journal.webhooks) < journal.requests[0].t_ans_ns


def test_an_answer_waits_for_one_try_only(hooked, receiver, run_simulator, charge_of, wait_until):
    receiver.status = lambda event_id: 500
    hooked.behaviour = {"webhook_before_response": 1.0}
    with run_simulator(hooked):
        assert hooked.client().v1.payment_intents.create(charge_of("pm_pd_1")).status == "succeeded"


def test_a_rule_can_be_for_the_events_of_one_token(hooked, receiver, run_simulator, charge_of, wait_until):
    hooked.behaviour = {"rules": [{"id": "a", "behaviour": "webhook_duplicate", "token": 2}]}
    with run_simulator(hooked), hooked.control() as psp:
        for n in (1, 2):
            hooked.client().v1.payment_intents.create(charge_of(f"pm_pd_{n}"))
        quiet(hooked, psp, wait_until)
    again = {row.token for row in hooked.read().webhooks if row.variant == "dup"}
    assert again == {2} and variants(hooked)["dup"] == 3


def met_events(hooked, psp, charge_of, wait_until, rule):
    """What a rule has met of one payment's three events, all of which are told or dropped."""
    psp.add_rule(rule)
    hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
    quiet(hooked, psp, wait_until)
    found = psp.met(rule.id)
    assert found.drawn == len(found.events) == 3
    return found.events


def test_a_rule_of_copies_meets_each_event_with_its_copies(hooked, run_simulator, charge_of, wait_until):
    with run_simulator(hooked), hooked.control() as psp:
        rule = Rule("fault 1", "webhook_duplicate", copies=2)
        assert [one.copies for one in met_events(hooked, psp, charge_of, wait_until, rule)] == [2, 2, 2]


def test_a_rule_meets_events_that_are_never_sent(hooked, run_simulator, charge_of, wait_until):
    with run_simulator(hooked), hooked.control() as psp:
        met = met_events(hooked, psp, charge_of, wait_until, Rule("fault 1", "webhook_drop"))
        assert all(one.dropped and one.t_sent is None for one in met)


def test_a_rule_meets_events_that_come_late_in_their_order(hooked, run_simulator, charge_of, wait_until):
    with run_simulator(hooked), hooked.control() as psp:
        met = met_events(hooked, psp, charge_of, wait_until, Rule("fault 1", "webhook_delay", seconds=0.4))
        assert all(one.waited_s >= 0.4 and not one.before_answer for one in met)


def test_a_rule_meets_events_that_were_overtaken_by_later_ones(hooked, run_simulator, charge_of, wait_until):
    with run_simulator(hooked), hooked.control() as psp:
        # With this simulator's seed and this rule's id the events do change places.
        met = met_events(hooked, psp, charge_of, wait_until, Rule("fault 2", "webhook_reorder", seconds=0.6))
        sent = sorted(met, key=lambda one: one.t_sent)
        behind = [one.seq for place, one in enumerate(sent) if any(e.seq > one.seq for e in sent[:place])]
        assert sorted(behind) == sorted(one.seq for one in met if one.overtaken) != []


def test_a_rule_meets_events_that_are_heard_before_the_answer(hooked, run_simulator, charge_of, wait_until):
    with run_simulator(hooked), hooked.control() as psp:
        rule = Rule("fault 1", "webhook_before_response")
        assert all(one.before_answer for one in met_events(hooked, psp, charge_of, wait_until, rule))


def test_an_event_that_nobody_hears_was_not_heard_before_the_answer(
    hooked, receiver, run_simulator, charge_of
):
    receiver.status = lambda event_id: 500
    with run_simulator(hooked), hooked.control() as psp:
        psp.add_rule(Rule("fault 1", "webhook_before_response"))
        hooked.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        assert [one.before_answer for one in psp.met("fault 1").events] == [False] * 3

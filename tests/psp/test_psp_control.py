"""Hold and strike, freeze and drain, over the control socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading

import pytest
import stripe

from paydrill.errors import InstrumentDied, UsageError
from paydrill.psp.control import PspControl


def test_the_answer_is_held_until_it_is_released(simulator, run_simulator, charge_of, in_background):
    with run_simulator(simulator), simulator.control() as psp:
        armed = psp.arm(effect="capture", count=3)
        calls = [
            lambda n=n: simulator.client().v1.payment_intents.create(charge_of(f"pm_pd_{n}"))
            for n in range(3)
        ]
        assert [call().status for call in calls[:2]] == ["succeeded"] * 2
        running = in_background(calls[2:])
        held = psp.wait_held(10)
        assert (held.hold, held.token, held.action, held.point) == (armed.hold, 2, "create", "after_commit")
        # The charge is on the disk although nobody was answered.
        captured = [row for row in simulator.read().effects if row.kind == "capture"]
        assert captured[-1].token == 2 and captured[-1].pi == held.pi
        assert (psp.status().held, psp.status().in_flight) == (1, 0)
        assert psp.release(held.hold).released
        assert running.results()[0].id == held.pi
        assert (psp.status().held, psp.status().armed) == (0, 0)
        assert not psp.release(held.hold).released


@pytest.mark.parametrize(
    ("answer", "error", "status"), [("drop", stripe.APIConnectionError, None), ("500", stripe.APIError, 500)]
)
def test_a_held_answer_can_be_lost(simulator, run_simulator, charge_of, in_background, answer, error, status):
    with run_simulator(simulator), simulator.control() as psp:
        key = {"idempotency_key": "k"}
        psp.arm(effect="capture")
        running = in_background(
            [lambda: simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"), key)]
        )
        psp.release(psp.wait_held(10).hold, answer)
        raised = running.results()[0]
        assert isinstance(raised, error) and raised.http_status == status
        assert [row.kind for row in simulator.read().effects] == ["auth", "capture"]
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"), key).status == "succeeded"


def test_a_request_dropped_before_its_commit_does_nothing(simulator, run_simulator, charge_of, in_background):
    with run_simulator(simulator), simulator.control() as psp:
        key = {"idempotency_key": "k"}
        psp.arm(action="create", token=1, point="before_commit")
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_2")).status == "succeeded"
        running = in_background(
            [lambda: simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"), key)]
        )
        psp.release(psp.wait_held(10).hold, "drop")
        assert isinstance(running.results()[0], stripe.APIConnectionError)
        assert {row.token for row in simulator.read().effects} == {2}
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"), key).status == "succeeded"


def test_a_hold_ends_by_itself_after_max_s(simulator, run_simulator, charge_of):
    with run_simulator(simulator), simulator.control() as psp:
        psp.arm(effect="capture", max_s=0.2)
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1")).status == "succeeded"
        held = psp.wait_held(5)
        assert not psp.release(held.hold).released
        assert '"why":"expired"' in simulator.journal.read_text()


def test_holds_are_answered_when_the_harness_hangs_up(simulator, run_simulator, charge_of, in_background):
    with run_simulator(simulator):
        psp = simulator.control()
        psp.arm(effect="capture", max_s=600)
        running = in_background([lambda: simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"))])
        assert psp.wait_held(10) is not None
        psp.close()
        assert running.results()[0].status == "succeeded"
        assert '"why":"control_gone"' in simulator.journal.read_text()
        # What it had only armed is gone as well.
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1")).status == "succeeded"


def test_the_journal_says_when_the_caller_gave_up_while_it_was_held(
    simulator, run_simulator, charge_of, wait_until
):
    with run_simulator(simulator), simulator.control() as psp:
        psp.arm(effect="capture")
        with pytest.raises(stripe.APIConnectionError):
            simulator.client(timeout_s=0.3).v1.payment_intents.create(charge_of("pm_pd_1"))
        psp.release(psp.wait_held(5).hold)
        wait_until(lambda: '"peer_gone":true' in simulator.journal.read_text(), "the released line")
        wait_until(lambda: simulator.read_answered().requests[0].delivered is False, "the answer line")


def test_freeze_stops_posts_lets_reads_through_and_anchors_the_journal(simulator, run_simulator, charge_of):
    with run_simulator(simulator), simulator.control() as psp:
        client = simulator.client()
        paid = client.v1.payment_intents.create(charge_of("pm_pd_1"))
        frozen = psp.freeze()
        assert frozen.frozen
        with pytest.raises(stripe.APIError) as raised:
            client.v1.payment_intents.create(charge_of("pm_pd_1"))
        assert raised.value.http_status == 503
        assert client.v1.payment_intents.retrieve(paid.id).status == "succeeded"
        assert psp.drain(5).drained
        journal = simulator.read()
        assert journal.matches(frozen.n, frozen.head) and not journal.matches(frozen.n, "0" * 64)
        assert [n for _, n in journal.freezes] == [frozen.n]
        assert [row.stopped_by for row in journal.requests] == [None, "frozen", None]
        assert not psp.resume().frozen
        assert client.v1.payment_intents.create(charge_of("pm_pd_1")).status == "succeeded"


def test_a_freeze_survives_a_restart(simulator, run_simulator, charge_of):
    with run_simulator(simulator):
        with simulator.control() as psp:
            psp.freeze()
        simulator.kill()
        simulator.start()
        with simulator.control() as psp:
            assert psp.status().frozen


def test_a_slow_commit_waits_while_frozen(simulator, run_simulator, charge_of, in_background, wait_until):
    simulator.behaviour = {"slow_commit": 1.0, "slow_commit_s": 0.3}
    with run_simulator(simulator), simulator.control() as psp:
        running = in_background([lambda: simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"))])
        wait_until(lambda: psp.status().slow_commits == 1, "the slow commit")
        psp.freeze()
        drained = psp.drain(0.8)
        assert drained.drained and drained.status.slow_commits == 1
        assert simulator.read().effects == ()
        psp.resume()
        assert running.results()[0].status == "succeeded"


def test_the_socket_is_for_its_owner_only(simulator, run_simulator):
    with run_simulator(simulator):
        simulator.control().status()
        assert stat.S_IMODE(os.stat(simulator.control_path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(simulator.journal).st_mode) == 0o600


def test_connecting_waits_for_the_socket_to_exist(simulator, run_simulator):
    found = []
    early = threading.Thread(target=lambda: found.append(simulator.control().status()))
    early.start()
    with run_simulator(simulator):
        early.join(10)
        assert len(found) == 1


def test_a_path_too_long_for_a_socket_works(simulator, run_simulator):
    simulator.folder = simulator.folder / ("deep" * 20) / ("deeper" * 10)
    with run_simulator(simulator), simulator.control() as psp:
        assert len(str(simulator.control_path)) > 107 and not psp.status().frozen


def test_a_dead_simulator_is_told_as_a_dead_instrument(simulator, run_simulator):
    with run_simulator(simulator):
        psp = PspControl(simulator.control_path, connect_timeout_s=0.1)
        assert psp.alive()
        simulator.kill()
        with pytest.raises(InstrumentDied, match="psp"):
            psp.status()
        assert not psp.alive()
        with pytest.raises(InstrumentDied, match="cannot connect"):
            psp.status()
        simulator.start()
        assert psp.alive()
        psp.close()


def test_a_simulator_that_hangs_is_told_as_a_dead_instrument(simulator, run_simulator):
    with run_simulator(simulator):
        psp = PspControl(simulator.control_path, answer_timeout_s=0.5)
        psp.status()
        simulator.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(InstrumentDied, match="no answer"):
                psp.status()
        finally:
            simulator.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize(
    "arguments",
    [{"count": 0}, {"max_s": 0.0}, {"point": "later"}, {"point": "before_commit", "effect": "capture"}],
)
def test_holds_that_cannot_be_are_refused(simulator, run_simulator, arguments):
    with run_simulator(simulator), simulator.control() as psp, pytest.raises(UsageError):
        psp.arm(**arguments)


def test_nonsense_on_the_socket_is_answered_and_harms_nothing(simulator, run_simulator, charge_of):
    with run_simulator(simulator), simulator.control() as psp:
        psp.status()
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(simulator.control_path))
            file = raw.makefile("rwb")
            for line in (
                b"not json\n",
                b"[]\n",
                b'{"id":1,"cmd":"explode"}\n',
                b'{"id":2,"cmd":"arm","match":{"x":1}}\n',
            ):
                file.write(line)
                file.flush()
                assert json.loads(file.readline())["ok"] is False
        with pytest.raises(UsageError, match="unknown PSP behaviour"):
            psp.behave({"explode": 1.0})
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_1")).status == "succeeded"

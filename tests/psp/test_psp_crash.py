"""Broken files, full disks, a process that ends: what was acknowledged stays, and everything else is told.

kill -9 under load has a file of its own, `test_psp_kill_series.py`.
"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time

import pytest
import stripe

from paydrill.psp.chain import GENESIS, link
from paydrill.psp.journal_reader import read_journal
from paydrill.psp.verify import verify


@pytest.fixture
def written(simulator, run_simulator, charge_of):
    """A journal of some payments; its simulator is dead."""
    with run_simulator(simulator), simulator.control() as psp:
        client = simulator.client()
        for n in range(4):
            paid = client.v1.payment_intents.create(charge_of(f"pm_pd_{n}"))
            client.v1.refunds.create({"payment_intent": paid.id, "amount": 100})
        frozen = psp.freeze()
    return simulator.journal, (frozen.n, frozen.head)


def test_a_torn_last_line_is_dropped_wherever_it_was_cut(written, tmp_path):
    whole = written[0].read_bytes()
    lines, last = whole.count(b"\n"), len(whole.splitlines(keepends=True)[-1])
    copy = tmp_path / "torn.jsonl"
    for cut in range(1, last, 7):
        copy.write_bytes(whole[:-cut])
        journal = read_journal(copy)
        assert (journal.lines, journal.chain_ok, journal.torn) == (lines - 1, True, True)
        assert verify(copy).ok and verify(copy).torn


def test_any_flipped_bit_is_found(written, tmp_path):
    whole, copy, draws = written[0].read_bytes(), tmp_path / "flipped.jsonl", random.Random(1)
    for _ in range(150):
        broken = bytearray(whole)
        place = draws.randrange(len(whole))
        broken[place] ^= 1 << draws.randrange(8)
        copy.write_bytes(broken)
        journal, found = read_journal(copy), verify(copy, written[1])
        assert not found.ok, f"bit at {place}"
        assert not journal.chain_ok or journal.torn, f"bit at {place}"


def test_removed_added_and_swapped_lines_are_found(written, tmp_path):
    lines, copy = written[0].read_bytes().splitlines(keepends=True), tmp_path / "changed.jsonl"
    for changed in (
        lines[:3] + lines[4:],
        [*lines[:3], lines[2], *lines[3:]],
        [lines[1], lines[0], *lines[2:]],
    ):
        copy.write_bytes(b"".join(changed))
        assert not read_journal(copy).chain_ok and not verify(copy).ok


def test_whole_lines_cut_off_at_the_end_are_found_by_the_anchor(written, tmp_path):
    copy = tmp_path / "short.jsonl"
    copy.write_bytes(b"".join(written[0].read_bytes().splitlines(keepends=True)[:-2]))
    assert verify(copy).ok
    assert not verify(copy, written[1]).ok and not read_journal(copy).matches(*written[1])


def test_a_forged_effect_with_a_rebuilt_chain_breaks_conservation(written, tmp_path):
    copy, previous, forged = tmp_path / "forged.jsonl", GENESIS, []
    for line in written[0].read_bytes().splitlines():
        json = line[65:].replace(
            b'"kind":"refund","by_psp":false,"status":"done","amount":100',
            b'"kind":"refund","by_psp":false,"status":"done","amount":99',
        )
        previous = link(previous, json)
        forged.append(previous.encode() + b" " + json + b"\n")
    copy.write_bytes(b"".join(forged))
    found = verify(copy)
    assert read_journal(copy).chain_ok and any(
        "amount_refunded is 100, refunded is 99" in one for one in found.problems
    )


def test_a_simulator_refuses_to_go_on_from_a_changed_file(written, simulator):
    whole = bytearray(written[0].read_bytes())
    whole[len(whole) // 2] ^= 1
    written[0].write_bytes(whole)
    done = subprocess.run(simulator.argv(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "the file was changed" in done.stderr


def test_a_simulator_goes_on_from_a_torn_file(written, simulator, run_simulator, charge_of):
    written[0].write_bytes(written[0].read_bytes()[:-5])
    with run_simulator(simulator):
        # The torn line was the freeze.
        assert simulator.client().v1.payment_intents.create(charge_of("pm_pd_9")).status == "succeeded"
        assert len(simulator.client().v1.payment_intents.list().data) == 5


def test_two_simulators_never_share_a_journal(simulator, run_simulator):
    with run_simulator(simulator):
        simulator.port, port = 0, simulator.port
        done = subprocess.run(simulator.argv(), capture_output=True, text=True, timeout=20)
        simulator.port = port
        assert done.returncode == 2 and "in use by another PSP simulator" in done.stderr


def test_when_a_line_cannot_be_written_it_ends_at_once_without_answering(simulator, charge_of):
    """A file size limit stands in for a full disk: write(2) fails or falls short."""
    simulator.launcher = ("prlimit", "--fsize=20000")
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit is not installed")
    simulator.start()
    acknowledged = 0
    with pytest.raises(stripe.APIConnectionError):
        for n in range(100):
            simulator.client().v1.payment_intents.create(charge_of(f"pm_pd_{n}"))
            acknowledged += 1
    assert simulator.process.wait(10) == 70
    assert acknowledged >= 1
    journal = simulator.read()
    assert journal.chain_ok and sum(row.kind == "capture" for row in journal.effects) == acknowledged


def test_sigterm_ends_it_while_a_webhook_hangs(simulator, charge_of):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        simulator.webhook_url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        simulator.start()
        simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"))
        deaf.accept()
        assert simulator.stop() == 0
    assert verify(simulator.journal).ok


def test_a_request_that_ends_half_way_does_nothing(simulator, run_simulator):
    head = b"POST /v1/payment_intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_drill\r\n"
    head += b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 500\r\n\r\namount=100"
    with run_simulator(simulator):
        with socket.create_connection(("127.0.0.1", simulator.port)) as cut:
            cut.sendall(head)
        assert simulator.client().v1.payment_intents.list().data == []


@pytest.mark.parametrize("busy", [False, True])
def test_sigterm_ends_it_quickly(simulator, run_simulator, charge_of, in_background, wait_until, busy):
    simulator.behaviour = {"slow_commit": 1.0, "slow_commit_s": 60.0}
    with run_simulator(simulator), simulator.control() as psp:
        if busy:
            in_background([lambda: simulator.client().v1.payment_intents.create(charge_of("pm_pd_1"))])
            wait_until(lambda: psp.status().slow_commits == 1, "a busy simulator")
        before = time.monotonic()
        assert simulator.stop() == 0
        assert time.monotonic() - before < 5.0

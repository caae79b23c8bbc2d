"""Whether the processors of this machine had time left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from paydrill.processors import FullProcessors, Ticks, read_ticks, were_full

GIVEN_UP_S = 60.0
BEFORE = Ticks(all=1_000, idle=400, stolen=0)


@pytest.mark.parametrize(
    ("passed", "idle", "full"),
    [(200, 0, True), (200, 5, True), (200, 6, False), (200, 200, False), (0, 0, False)],
    ids=["all busy", "nothing worth it left", "three in a hundred left", "asleep", "no time passed"],
)
def test_processors_are_full_where_less_than_three_in_a_hundred_is_left(passed, idle, full):
    assert were_full(BEFORE, Ticks(BEFORE.all + passed, BEFORE.idle + idle, stolen=0)) is full


def test_the_counters_of_this_machine_can_be_read():
    first, second = read_ticks(), read_ticks()
    assert 0 < first.idle < first.all <= second.all


def test_seconds_in_which_every_processor_worked_are_counted():
    with ExitStack() as ended, FullProcessors() as processors:
        for _ in range(2 * (os.cpu_count() or 1)):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            ended.callback(process.wait)
            ended.callback(process.kill)
        give_up_s = time.monotonic() + GIVEN_UP_S
        while not processors.full_s and time.monotonic() < give_up_s:
            time.sleep(0.05)
    assert processors.full_s > 0

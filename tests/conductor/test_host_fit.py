"""What happened to the machine during a drill."""

from __future__ import annotations

from paydrill.host_fit import HostSample, between, sample


def test_steal_is_a_share_of_all_ticks_and_suspension_is_in_seconds():
    before = HostSample(cpu_ticks=1000, steal_ticks=10, swap_pages=5, suspended_ns=0)
    after = HostSample(cpu_ticks=1400, steal_ticks=110, swap_pages=9, suspended_ns=2_500_000_000)
    seen = between(before, after)
    assert (seen["steal_pct"], seen["swap_pages"], seen["suspended_s"]) == (25.0, 4, 2.5)


def test_this_machine_can_be_read_and_its_counters_never_go_back():
    first = sample()
    second = sample()
    assert second.cpu_ticks >= first.cpu_ticks > 0
    assert between(first, second)["suspended_s"] == 0

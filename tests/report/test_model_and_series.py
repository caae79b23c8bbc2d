"""What is gathered from a run folder for its reports."""

from __future__ import annotations

import pytest

from paydrill.guards.read_facts import read_facts
from paydrill.judge import judge
from paydrill.report.model import build_report
from paydrill.report.outputs import render_files
from paydrill.report.series import MAX_BINS, series_of
from paydrill.report.svg import chart
from paydrill.run_folder import RunFolder


@pytest.fixture
def run(hand, tmp_path) -> RunFolder:
    return hand.DrillFolder().write(tmp_path / "run")


def test_the_series_counts_every_checkout_once(run):
    series = series_of(read_facts(run))
    assert len(series.bins) == 20
    assert sum(one.arrivals_per_s for one in series.bins) * series.bin_s == 400
    assert sum(one.ok_per_s + one.not_ok_per_s for one in series.bins) * series.bin_s == 400
    assert max(one.p99_ms for one in series.bins) == pytest.approx(1000, abs=1)
    assert [(band.label, band.from_s, band.to_s) for band in series.bands] == [("timeout", 5.0, 11.0)]


def test_a_long_run_has_a_bounded_number_of_bins(hand, tmp_path):
    drill = hand.DrillFolder()
    drill.plan["load"]["segments"][0]["end_s"] = 4000.0
    drill.lines("load_end")[0]["t"] = hand.at(4000.0)
    series = series_of(read_facts(drill.write(tmp_path / "run")))
    assert 1 < len(series.bins) <= MAX_BINS
    assert series.end_s == 4000.0


def test_a_run_without_load_has_no_chart(tmp_path):
    series = series_of(read_facts(RunFolder(tmp_path)))
    assert (series.bins, chart(series)) == ((), "")


def test_labels_of_neighbouring_faults_do_not_share_a_row(hand, tmp_path):
    from dataclasses import replace

    from paydrill.report.series import Band

    series = series_of(read_facts(hand.DrillFolder().write(tmp_path / "run")))
    bands = (Band("latency", 4, 7, True), Band("kill", 6, 8, True), Band("latency", 12, 15, True))
    text = chart(replace(series, bands=bands))
    rows = [line.split('y="')[1].split('"')[0] for line in text.splitlines() if "band-label" in line]
    assert rows[0] != rows[1]
    assert rows[0] == rows[2]


def test_the_replay_command_is_safe_to_paste(hand, tmp_path):
    drill = hand.DrillFolder()
    drill.plan["scenario"] = "x; rm -rf ~"
    drill.meta["mutant"] = "$(id)"
    drill.meta["command"] = ["paydrill", "run", "x", "--set", "load.rate=80/s", "--set=psp.decline=`id`"]
    run = drill.write(tmp_path / "run")
    (again, check) = build_report(run, judge(run)).replay
    assert again == (
        "paydrill run 'x; rm -rf ~' --seed 7 --target reference --topology lb-2 --backend local --mutant '$(id)' "
        "--set load.rate=80/s '--set=psp.decline=`id`'"
    )
    assert check == "paydrill check reports/20260101T000000-psp-response-lost-lb-2-s7"


def test_reports_of_an_empty_folder_are_written(tmp_path):
    run = RunFolder(tmp_path)
    files = render_files(build_report(run, judge(run)))
    assert set(files) == {"report.html", "junit.xml", "summary.md"}
    assert all("inconclusive" in text for text in files.values())

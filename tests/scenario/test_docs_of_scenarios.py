"""docs/scenarios.md says what is: its example loads, and it names every key, fault and behaviour."""

from __future__ import annotations

import re
from pathlib import Path

from paydrill.events.docs import with_tables
from paydrill.events.gauges import GAUGES
from paydrill.events.known import KINDS
from paydrill.load import classes
from paydrill.psp.rules import NUMBERS
from paydrill.scenario_file import KEYS, PSP_SHARES, SLOS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text()


def test_the_example_is_a_scenario(load):
    example = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    assert load(example[1]).name == "psp-response-lost"


def test_every_word_of_a_scenario_is_told():
    for word in (*KEYS, *classes.known(), *PSP_SHARES, *NUMBERS, *SLOS, *KINDS, *GAUGES):
        assert f"`{word}" in TEXT, f"docs/scenarios.md does not tell `{word}`"


def test_the_tables_of_events_are_not_stale():
    assert with_tables(TEXT) == TEXT, "stale: python -m paydrill.events.docs docs/scenarios.md"
